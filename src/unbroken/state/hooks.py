"""Hooks: what is to run behind each step of an optimizer."""

from collections.abc import Callable
from typing import Any

import torch
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle


def after_each_step(optimizer: Optimizer, call: Callable[[Optimizer], None]) -> RemovableHandle | None:
    """Have ``call`` run behind each of its steps. One that never called ``Optimizer.__init__`` takes no hooks: None."""

    def hook(optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        call(optimizer)

    untraced: Any = torch.compiler.disable  # else a compiled step would trace into it
    try:
        return optimizer.register_step_post_hook(untraced(hook))
    except AttributeError:
        return None
