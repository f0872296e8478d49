"""Adapting: module, optimizer, container or another; which others can be tracked, ``adapters`` decides."""

from collections.abc import Callable, Mapping

from torch import nn
from torch.optim import Optimizer

from unbroken.state.adapters import ObjectState, adapt
from unbroken.state.containers import ContainerState, is_container
from unbroken.state.modules import ModuleState
from unbroken.state.optimizers import OptimizerState
from unbroken.state.trial import try_round_trip
from unbroken.state.wrappers import unwrapped

Adapter = ModuleState | OptimizerState | ObjectState


def adapter_for(name: str, obj: object, objects: Callable[[], Mapping[str, object]]) -> Adapter:
    """``objects``: what a container may refer to, by name."""
    if is_container(obj):
        return ContainerState(name, obj, objects)
    if isinstance(obj, nn.Module):
        return ModuleState(name, obj)
    return OptimizerState(name, obj) if isinstance(obj, Optimizer) else adapt(name, obj)


def try_state(name: str, obj: object) -> None:
    """Raise ``UnsavableStateError`` if an object does not take its own state: before anything can be lost by that."""
    obj = unwrapped(obj)
    if not is_container(obj):
        adapter = adapter_for(name, obj, dict)
        try_round_trip(name, obj, adapter.state, adapter.take)
