"""Rehearsal: DistributedDataParallel lays out its buckets as it had them, so that a ring adds in the same order.

After its first synchronised backward pass it lays them out anew, in the order in which the gradients arrived; the place
of a number in its bucket decides in which order three or more processes add it up. A new process has the first layout
again, and would end its first step in other bits. So the order of arrival is part of a checkpoint, and a resumed module
is led through two backward passes over zeros of its parameters that arrive in this order, before its state is restored.
"""

import gc
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.algorithms.join import Join
from torch.nn.parallel import DistributedDataParallel

from unbroken.errors import ArchitectureChangedError, GuardError

Records = dict[str, dict[str, Any]]
"""Of each module, by the name of its first tracked parameter, with a number where another one has the same: ``order``,
the names of its parameters as their gradients came, empty before they have; and whether its next forward ``sends`` the
first rank's buffers, as it does not behind a pass without synchronisation."""


class Arrivals:
    """The modules of DistributedDataParallel whose parameters are among ``tracked``, those by their full names."""

    def __init__(self, tracked: Mapping[str, torch.Tensor]) -> None:
        names = {id(parameter): name for name, parameter in tracked.items()}
        self._names = names
        self._modules = _modules_with(names, _instances(DistributedDataParallel)) if names else {}
        self._orders: dict[str, list[str]] = {}
        self._watched: dict[str, list[str]] = {}
        self._hooks: dict[str, list[Any]] = {}
        self._forward: set[str] = set()

    def require_settled(self) -> None:
        """Raise GuardError for what makes a restart inexact: a module wrapped since it began, hooks that keep a state,
        batches that one rank has more of than another."""
        there = _instances(DistributedDataParallel, Join)
        modules = [one for one in there if issubclass(type(one), DistributedDataParallel)]
        if _modules_with(self._names, modules).keys() != self._modules.keys():
            raise GuardError("wrapped_late")
        for name, module in self._modules.items():
            # Private, and looked at only to refuse: where a torch has it under another name nothing is refused.
            for _, state in getattr(module, "_comm_hooks", ()):
                if state is not None and not isinstance(state, dist.ProcessGroup):
                    raise GuardError("stateful_hook", module=name, kind=type(state).__name__)
        if len(there) > len(modules):
            raise GuardError("uneven_batches")

    def records(self) -> Records:
        """What is known so far, for a checkpoint."""
        for key in self._modules:
            # A boundary is never in the midst of a pass; who is not there by then takes no part in it.
            if self._watched.get(key):
                self._orders[key] = self._watched.pop(key)
                for hook in self._hooks.pop(key):
                    hook.remove()
        return {
            key: {"order": list(self._orders.get(key, ())), "sends": module.require_forward_param_sync}
            for key, module in self._modules.items()
        }

    def watch(self) -> None:
        """Note the order where none is known yet: in a module's first synchronised pass, and then no more."""
        for key, module in self._modules.items():
            if key not in self._orders:
                self._watched[key] = []
                # A parameter of two modules gets gradients in the passes of both; each is of the one that went forward.
                forward = module.register_forward_pre_hook(self._note_forward(key, module))
                self._hooks[key] = [forward] + [
                    parameter.register_post_accumulate_grad_hook(self._note(key, module, name))
                    for name, parameter in module.module.named_parameters()
                    if parameter.requires_grad
                ]

    def rehearse(self, records: Mapping[str, Mapping[str, Any]]) -> None:
        """Lead each module through its first passes, as they were then. Its state is to be restored after it.

        Raises ArchitectureChangedError: a parameter is not there any more.
        """
        for key, record in records.items():
            if key not in self._modules:
                continue
            module, order = self._modules[key], record["order"]
            named = dict(module.module.named_parameters())
            missing = [name for name in order if name not in named]
            if missing:
                raise ArchitectureChangedError("arrivals_do_not_fit", module=key, names=", ".join(missing[:5]))
            if order:
                _rehearse(module, [named[name] for name in order])
                self._orders[key] = list(order)
            module.require_forward_param_sync = record["sends"]

    def _note_forward(self, key: str, module: DistributedDataParallel) -> Any:
        def hook(_module: nn.Module, _inputs: Any) -> None:
            if torch.is_grad_enabled() and module.require_backward_grad_sync:
                self._forward.add(key)

        return hook

    def _note(self, key: str, module: DistributedDataParallel, name: str) -> Any:
        def hook(parameter: torch.Tensor) -> None:
            order = self._watched.get(key)
            taking_part = key in self._forward and module.require_backward_grad_sync
            if order is not None and taking_part and name not in order:
                order.append(name)

        return hook


class _Zeros(nn.Module):
    """A forward of which the gradients come in the order given: what is made last is differentiated first."""

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        super().__init__()
        self._order = tuple(parameters)  # in a tuple they are no parameters of this module

    def forward(self) -> torch.Tensor:
        total = torch.zeros((), device=self._order[0].device)
        for parameter in reversed(self._order):
            total = total + (parameter * 0).sum()
        return total


def _rehearse(module: DistributedDataParallel, order: Sequence[nn.Parameter]) -> None:
    inner = module.module
    gradients = [(parameter, parameter.grad) for parameter in inner.parameters()]
    sends_buffers = module.broadcast_buffers
    for parameter, _ in gradients:
        parameter.grad = None
    # No forward of the user's, and none of the hooks on it.
    module.module, module.broadcast_buffers = _Zeros(order), False
    try:
        with torch.enable_grad():
            for _ in range(2):  # a static graph reduces its first one late
                type(module).forward(module).backward()  # type: ignore[no-untyped-call]  # past the hooks on it
    finally:
        module.module, module.broadcast_buffers = inner, sends_buffers
    for parameter, gradient in gradients:
        parameter.grad = gradient


def _modules_with(
    names: Mapping[int, str], modules: Iterable[DistributedDataParallel]
) -> dict[str, DistributedDataParallel]:
    of_names: dict[tuple[str, ...], DistributedDataParallel] = {}
    for module in modules:
        own = tuple(sorted(names[id(p)] for p in module.parameters() if id(p) in names))
        if own in of_names:
            raise GuardError("wrapped_twice", name=own[0])
        if own:
            of_names[own] = module
    found: dict[str, DistributedDataParallel] = {}
    for own, module in sorted(of_names.items(), key=lambda one: one[0]):
        number = sum(key.partition("#")[0] == own[0] for key in found)
        found[f"{own[0]}#{number + 1}" if number else own[0]] = module
    return found


def _instances(*kinds: type) -> list[Any]:
    """A module may be tracked, or only what is inside it: nothing but the memory knows of all."""
    objects = gc.get_objects()
    classes = {id(kind): kind for kind in map(type, objects)}  # by number: a class may have no hash
    wanted = {number for number, kind in classes.items() if issubclass(kind, kinds)}
    return [one for one in objects if id(type(one)) in wanted]
