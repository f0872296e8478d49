"""Sizes: how many bytes a checkpoint will take, before there is one."""

from collections.abc import Collection, Mapping

import torch
from torch.optim import Optimizer

from unbroken.state.modules import ModuleState
from unbroken.state.snapshot import bytes_of

_OVERHEAD = 128 << 10  # names, histories, random streams, records' padding


def expected_bytes(modules: Collection[ModuleState], optimizers: Collection[Optimizer]) -> int:
    """About what a checkpoint of all these will take, also before the optimizers have any state."""
    tensors: dict[int, int] = {}
    parameters = 0
    for adapter in modules:
        for value in adapter.state().values():
            if isinstance(value, torch.Tensor):
                where = value.data_ptr() if value.layout == torch.strided else id(value)
                tensors[where] = bytes_of(value)
    for optimizer in optimizers:
        held = sum(bytes_of(p) for group in optimizer.param_groups for p in group["params"])
        kept = sum(_bytes_in(state) for state in optimizer.state.values())
        # Before the first step: two moments, as Adam keeps them.
        parameters += max(kept, 0 if kept else 2 * held)
    return sum(tensors.values()) + parameters + _OVERHEAD


def _bytes_in(value: object) -> int:
    if isinstance(value, torch.Tensor):
        return bytes_of(value)
    if isinstance(value, Mapping):
        return sum(map(_bytes_in, value.values()))
    return sum(map(_bytes_in, value)) if isinstance(value, (list, tuple)) else 0
