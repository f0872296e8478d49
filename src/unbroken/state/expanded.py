"""Expanded: tensors whose elements share memory (``expand``), into which torch copies nothing."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch

from unbroken.state.snapshot import equal_bits


@contextmanager
def spread(tensors: Iterable[torch.Tensor]) -> Iterator[None]:
    """In here each has memory for every element of its own; behind it they share again if they are still alike."""
    before = [(tensor, tensor.data) for tensor in tensors if _is_expanded(tensor)]
    for tensor, data in before:
        tensor.data = data.contiguous()
    try:
        yield
    finally:
        for tensor, data in before:
            tensor.data = _as_it_was(tensor.data, data)


def _is_expanded(tensor: torch.Tensor) -> bool:
    if tensor.layout != torch.strided or isinstance(
        tensor, torch.nn.UninitializedParameter | torch.nn.UninitializedBuffer
    ):
        return False
    return any(step == 0 and size > 1 for size, step in zip(tensor.shape, tensor.stride(), strict=True))


def _as_it_was(loaded: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
    if equal_bits(loaded, before) is None:
        return before
    narrow = loaded
    for dim, step in enumerate(before.stride()):
        if step == 0:
            narrow = narrow.narrow(dim, 0, 1)
    shared = narrow.clone().expand(before.shape)
    return shared if equal_bits(loaded, shared) is None else loaded
