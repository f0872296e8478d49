"""Accelerate: what it counts for itself in the program, where no checkpoint has it: batches, passes over a loader."""

import sys
from typing import Any

from unbroken.errors import LoaderRefusedError


def require_groups(group: int) -> None:
    """A resume begins its count of accumulated batches anew, so it has to fall between two accumulations.

    Raises:
        LoaderRefusedError: saves fall between ``group`` batches, and that may be in the midst of one.
    """
    module = sys.modules.get("accelerate.state")
    steps: int = 1 if module is None else module.GradientState().num_steps
    if group % steps:
        raise LoaderRefusedError("accelerate_accumulates", steps=steps)


def tell_pass(loader: Any, epoch: int) -> None:
    """One of its loaders that has made no pass in this process is told how many came before: one for each epoch.

    The order of its own sampler is a function of that. Where somebody calls ``set_epoch``, that holds.
    """
    if type(loader).__module__.startswith("accelerate.") and getattr(loader, "iteration", None) == 0:
        loader.iteration = epoch - 1
