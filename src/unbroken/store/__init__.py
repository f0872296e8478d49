"""What lies on disk: payloads, torch files, manifests, names, retention, lineage, the writer. No torch at import."""

import os
from pathlib import Path
from typing import Any

from unbroken.store import torchfile as _torchfile


def load(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The payload of any checkpoint, its tensors on the CPU, after the file was verified; nothing in it is executed.

    They are copies, not a map of the file: people change a payload and save it over the very file it came from.
    Raises CheckpointDamagedError (what is wrong with it), NothingToResumeError (nothing there), UsageError (a
    folder).
    """
    return _torchfile.read(Path(path), mapped=False)
