"""Drift: whether what is tracked is still what was built, so that a restart, which builds it anew, can take the state.

A restart begins with the objects as the script builds them before its loop. What the loop makes of them later (pruned,
grown, cast, untied) has no place there, and is told at the first save that holds it, not at the resume.
"""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from unbroken import messages
from unbroken.errors import ArchitectureChangedError
from unbroken.state.architecture import Architecture, architecture_of, differing, shape_of
from unbroken.state.modules import ModuleState
from unbroken.state.optimizers import Names, match_groups
from unbroken.state.tracked import Tracked
from unbroken.store.runstate import Training

_NAMED = 6


@dataclass(frozen=True)
class Built:
    """What a restart will build: shapes and dtypes, the buffers that may get others, who shares memory, groups.

    ``modules`` are the names of all modules, where a buffer may be registered late; ``ties`` has for every name of a
    parameter the first of its names, ``shared`` for every tensor the first name of those that begin where it does in
    memory; ``tensors`` are those tracked by themselves.
    """

    architecture: Architecture
    buffers: frozenset[str]
    modules: frozenset[str]
    ties: Mapping[str, str]
    shared: Mapping[str, str]
    groups: Mapping[str, Names]
    tensors: frozenset[str]

    @classmethod
    def of(cls, tracked: Tracked) -> "Built":
        """As it is now; before anything is restored or trained."""
        modules = _modules(tracked)
        return cls(
            architecture={**tracked.architecture(), **_tensors(tracked)},
            buffers=frozenset(path for module in modules for path, _ in module.buffers()),
            modules=frozenset(path for module in modules for path in module.names()),
            ties=_ties(modules),
            shared=_shared(modules),
            groups=tracked.optimizer_parameters(),
            tensors=frozenset(_tensors(tracked)),
        )


def differences(built: Built, tracked: Tracked, training: Training) -> list[str]:
    """What of the state being saved could not be given to the objects as ``built``; nothing, if a restart can take it.

    ``training`` is what was captured of ``tracked`` at this moment.
    """
    now = _tensors(tracked)
    late_groups = (training.extras or {}).get("late_groups", {})
    modules = _modules(tracked)
    for module in modules:
        now.update(architecture_of(module.name, training.states[module.name]))
    buffers = {path for module in modules for path, _ in module.buffers()}
    found = [*_reshaped(built, now, buffers), *_retied(built.ties, _ties(modules))]
    shared = _shared(modules)
    if buffers:  # one that is new shared nothing
        found += _retied({**{path: path for path in shared}, **built.shared}, shared, buffers)
    for name, names in (training.optimizer_parameters or {}).items():
        found += _regrouped(built, name, names, late_groups.get(name, 0))
    return found if len(found) <= _NAMED else [*found[:_NAMED], "…"]


def _reshaped(built: Built, now: Architecture, buffers: Set[str]) -> Iterator[str]:
    for path, old, new in differing(built.architecture, now):
        if new is None:
            yield messages.text("drift_gone", path=path, old=old)
        elif old is not None:
            if path not in built.buffers & buffers:  # a buffer is given its new shape
                yield messages.text("drift_other", path=path, old=old, new=new)
        elif path not in buffers or path.rpartition(".")[0] not in built.modules:  # else it is registered again
            yield messages.text("drift_new", path=path, new=new)


def _retied(built: Mapping[str, str], now: Mapping[str, str], told: Set[str] | None = None) -> list[str]:
    """Names that share one parameter, or memory, with others than they were built to; of ``told``, if it is given."""
    if built == now:
        return []
    common = built.keys() & now.keys()
    then_shared, now_shared = _sharers(built, common), _sharers(now, common)
    changed = sorted(
        name for name in common if then_shared[name] != now_shared[name] and (told is None or name in told)
    )
    return [messages.text("drift_ties", paths=", ".join(changed[:_NAMED]))] if changed else []


def _sharers(first_names: Mapping[str, str], names: Set[str]) -> dict[str, frozenset[str]]:
    shared: dict[str, set[str]] = {}
    for name in names:
        shared.setdefault(first_names[name], set()).add(name)
    return {name: frozenset(same) for same in shared.values() for name in same}


def _regrouped(built: Built, name: str, names: Names, late: int) -> list[str]:
    """The optimizer's parameters, if a restart could not give them to it as it did in the loop."""
    if names == built.groups[name]:
        return []
    there = {path for group in built.groups[name] for path in group}
    known = {*built.ties.values(), *built.tensors}
    to_match = [
        group
        for i, group in enumerate(names)
        if i < len(names) - late or not all(path in known and path not in there for path in group)
    ]
    try:
        match_groups(name, to_match, built.groups[name])
    except ArchitectureChangedError:
        others = sorted({path for group in to_match for path in group} ^ there) or sorted(there)
        return [messages.text("drift_groups", name=name, paths=", ".join(others[:_NAMED]))]
    return []


def _modules(tracked: Tracked) -> list[ModuleState]:
    return [ModuleState(name, obj) for name, obj in tracked.objects.items() if isinstance(obj, nn.Module)]


def _tensors(tracked: Tracked) -> dict[str, list[Any]]:
    return {name: shape_of(obj) for name, obj in tracked.objects.items() if isinstance(obj, torch.Tensor)}


def _ties(modules: list[ModuleState]) -> dict[str, str]:
    """Every name of every parameter, and the first in the alphabet of those that the same parameter has."""
    names: dict[int, list[str]] = {}
    for module in modules:
        for path, parameter in module.parameters():
            names.setdefault(id(parameter), []).append(path)
    return {path: min(same) for same in names.values() for path in same}


def _shared(modules: list[ModuleState]) -> dict[str, str]:
    """Every name of every parameter and buffer, and the first in the alphabet of those that begin where it does."""
    names: dict[object, list[str]] = {}
    for module in modules:
        for path, tensor in (*module.parameters(), *module.buffers()):
            if tensor is not None:
                names.setdefault(_memory_of(tensor) or path, []).append(path)
    return {path: min(same) for same in names.values() for path in same}


def _memory_of(tensor: torch.Tensor) -> int:
    """Where it begins in memory; 0 where it has none."""
    if tensor.layout != torch.strided or tensor.is_meta or not tensor.numel():
        return 0
    return tensor.data_ptr()
