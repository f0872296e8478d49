"""Sizes: how many bytes a checkpoint will take, before there is one."""

from collections.abc import Collection

import torch
from torch.optim import Optimizer

from unbroken.state.modules import ModuleState
from unbroken.state.snapshot import bytes_of
from unbroken.store.trees import leaves

_OVERHEAD = 64 << 10  # histories, random streams
_EACH = 400  # bytes of a tensor beside its own: names, its digest, the header and padding of its member


def expected_bytes(modules: Collection[ModuleState], optimizers: Collection[Optimizer]) -> int:
    """About what a checkpoint of all these will take, also before the optimizers have any state."""
    tensors: dict[int, int] = {}
    parameters = count = 0
    for adapter in modules:
        for value in adapter.state().values():
            if isinstance(value, torch.Tensor):
                where = value.data_ptr() if value.layout == torch.strided else id(value)
                tensors[where] = bytes_of(value)
    for optimizer in optimizers:
        held = [bytes_of(p) for group in optimizer.param_groups for p in group["params"]]
        kept = [bytes_of(v) for _, v in leaves(list(optimizer.state.values())) if isinstance(v, torch.Tensor)]
        # Before the first step: two moments and a count, as Adam keeps them.
        parameters += sum(kept) if kept else 2 * sum(held)
        count += len(kept) if kept else 3 * len(held)
    return sum(tensors.values()) + parameters + (len(tensors) + count) * _EACH + _OVERHEAD


def is_known(optimizer: Optimizer) -> bool:
    """Whether the size of its state is no guess: it has its state, or is one of those with two moments."""
    return bool(optimizer.state) or all("betas" in group for group in optimizer.param_groups)
