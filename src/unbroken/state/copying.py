"""Copies of many tensors at once, as quickly as the memory takes them."""

import ctypes
from collections.abc import Sequence

import torch

from unbroken.state.sharing import LARGE, pieces, share


def copy_all(pairs: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> None:
    """Copy into each first tensor the second, of the same shape and dtype; the first ones do not overlap.

    Several threads share the large ones, piece by piece. torch gives each of its own an equal part instead, and on a
    busy machine the last to be done makes the copy several times as long as one thread alone would.
    """
    shared = []
    for target, source in pairs:
        if source.nbytes >= LARGE and _same_bytes(target, source):
            shared.extend(pieces(target, source))
        else:
            target.copy_(source)
    share(shared, lambda target, source: ctypes.memmove(target, source, len(target)), pairs)


def _same_bytes(target: torch.Tensor, source: torch.Tensor) -> bool:
    """Whether the copy of a tensor is that of the row of bytes from its first element on. Targets have no gaps."""
    return (
        source.device.type == "cpu"
        and ((source.is_contiguous() and target.is_contiguous()) or source.stride() == target.stride())
        and not (source.is_conj() or source.is_neg())
    )
