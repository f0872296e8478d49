"""Occasions: under which further names a state is kept, beside that of the newest one."""

from enum import Enum
from pathlib import Path

from unbroken.store import payload as keys
from unbroken.store.folder import CheckpointFolder
from unbroken.store.payload import Payload


class Occasion(Enum):
    """The end of an epoch that is to be numbered; a step that is to be; the best so far."""

    EPOCH = "epoch"
    STEP = "step"
    BEST = "best"

    def path(self, folder: CheckpointFolder, payload: Payload) -> Path:
        """The file for this occasion of the state in ``payload``."""
        if self is Occasion.BEST:
            return folder.best
        if self is Occasion.STEP:
            return folder.step(keys.progress_of(payload).step)
        return folder.epoch(payload[keys.EPOCH])
