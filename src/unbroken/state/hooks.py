"""Hooks: what is to run behind each step of an optimizer, and what runs as gradients come."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

_ON_TENSORS = ("_backward_hooks", "_post_accumulate_grad_hooks")


def after_each_step(optimizer: Optimizer, call: Callable[[Optimizer], None]) -> RemovableHandle | None:
    """Have ``call`` run behind each of its steps. One that never called ``Optimizer.__init__`` takes no hooks: None."""

    def hook(optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        call(optimizer)

    untraced: Any = torch.compiler.disable  # else a compiled step would trace into it
    try:
        return optimizer.register_step_post_hook(untraced(hook))
    except AttributeError:
        return None


def hooks_on(tensor: torch.Tensor) -> Iterator[tuple[str, Any]]:
    """What was registered on a parameter, by the names under which torch keeps it.

    It has no public ones; a torch with others has none here, and what the hooks hold is not seen.
    """
    if isinstance(tensor, torch.nn.Parameter):
        yield from ((name, held) for name in _ON_TENSORS if (held := getattr(tensor, name, None)) is not None)


def has_hooks(tensor: torch.Tensor) -> bool:
    """Whether anything was registered on it, for a look at thousands."""
    return any(getattr(tensor, name, None) for name in _ON_TENSORS)
