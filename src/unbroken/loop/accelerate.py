"""Accelerate: its gradient accumulation counts batches for itself, in the program, where no checkpoint has them."""

import sys

from unbroken.errors import LoaderRefusedError


def require_groups(group: int) -> None:
    """A resume begins that count anew, so it has to fall between two accumulations.

    Raises:
        LoaderRefusedError: saves fall between ``group`` batches, and that may be in the midst of one.
    """
    module = sys.modules.get("accelerate.state")
    steps: int = 1 if module is None else module.GradientState().num_steps
    if group % steps:
        raise LoaderRefusedError("accelerate_accumulates", steps=steps)
