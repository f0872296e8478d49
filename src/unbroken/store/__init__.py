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

    Examples:
        >>> import torch, unbroken
        >>> state = dict.fromkeys(["model_state_dict", "optimizer_state_dict", "scheduler_state_dict"])
        >>> state |= {"train_losses": [0.5], "val_losses": [0.4], "aucs": [0.7], "best_corr": 0.7, "best_epoch": 1}
        >>> torch.save({"epoch": 1, **state, "timestamp": "2026-01-31 12:00:00"}, "plain.pth")
        >>> unbroken.load("plain.pth")["epoch"]
        1
    """
    return _torchfile.read(Path(path), mapped=False)
