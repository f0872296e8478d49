"""Ranks: whether this process is one of several that train one model together. The one place that knows of them."""

import os

import torch.distributed

from unbroken.errors import GuardError


def require_one_rank() -> None:
    """Raise GuardError where several processes train together: their states are one run's, and no one knows them all.

    Looks only, and waits for nobody: the other ranks are refused by the same line, or told by their launcher. Not asked
    is how many tasks a scheduler was told of (SLURM_NTASKS): these may be runs that have nothing to do with each other.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        count = torch.distributed.get_world_size()
        if count > 1:
            raise GuardError("several_ranks", count=count, told_by="torch.distributed")
        return
    count = _number(os.environ.get("WORLD_SIZE"))
    if count > 1:
        raise GuardError("several_ranks", count=count, told_by="WORLD_SIZE")


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.strip().isdecimal() else 1
