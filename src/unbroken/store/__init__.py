"""What lies on disk: payloads, torch files, manifests, names, retention, lineage, the writer. No torch at import."""

import os
from pathlib import Path
from typing import Any

from unbroken.store import torchfile as _torchfile


def load(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The payload of any checkpoint, its tensors on the CPU, after the file was verified; nothing in it is executed.

    On Linux the tensors lie in a private map of the file, and take memory once they are written to. So write a
    changed payload to another name, or rename it into place: ``torch.save`` over the very file, while its tensors
    are in use, would take them away (as after ``torch.load(mmap=True)``).
    Raises CheckpointDamagedError (what is wrong with it), NothingToResumeError (nothing there), UsageError (a
    folder).
    """
    return _torchfile.read(Path(path))
