"""Matching: whether the objects that are tracked, by name, are those that a checkpoint is of. Nothing is touched."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from unbroken import messages
from unbroken.errors import ArchitectureChangedError
from unbroken.state import functions
from unbroken.state.modules import ModuleState
from unbroken.state.wrappers import class_name, is_scheduler

_log = logging.getLogger("unbroken")

Objects = Mapping[str, object]


def classes_of(objects: Objects) -> dict[str, str]:
    """The class of every optimizer and scheduler."""
    return {name: class_name(obj) for name, obj in objects.items() if isinstance(obj, Optimizer) or is_scheduler(obj)}


def compare_classes(objects: Objects, saved: Mapping[str, str]) -> None:
    """Refuse another optimizer or scheduler than the one saved."""
    for name, then in saved.items():
        now = class_name(objects[name]) if name in objects else then
        if now != then:
            raise ArchitectureChangedError("state_class_changed", name=name, old=then, new=now)


def compare_names(objects: Objects, states: Mapping[str, Any], plain: bool) -> None:
    """Refuse other names than those saved; of a plain script's file they are only told."""
    absent = [name for name in objects if name not in states]
    dropped = [name for name in states if name not in objects]
    if plain:
        if absent:
            _log.warning(messages.text("state_left_as_built", names=", ".join(absent)))
        if dropped:
            _log.warning(messages.text("state_not_taken", names=", ".join(dropped)))
    elif absent or dropped:
        raise ArchitectureChangedError(
            "state_names_changed", absent=", ".join(absent) or "-", dropped=", ".join(dropped) or "-"
        )


def compare_kinds(objects: Objects, states: Mapping[str, Any], extras: Mapping[str, Any] | None) -> None:
    """Refuse an optimizer under the name of a module, and the like."""
    for name in states.keys() & objects.keys():
        obj = objects[name]
        now = "modules" if isinstance(obj, nn.Module) else "optimizers" if isinstance(obj, Optimizer) else None
        then = (
            now if extras is None else next((kind for kind in ("modules", "optimizers") if name in extras[kind]), None)
        )
        if then != now or (then is not None and not isinstance(states[name], Mapping)):
            raise ArchitectureChangedError("state_kind_changed", name=name, new=type(obj).__name__)


def compare_functions(saved: Mapping[str, Mapping[str, str]], current: Mapping[str, Mapping[str, str]]) -> None:
    """Tell of functions whose code has changed; ``current`` are the fingerprints of everything tracked."""
    paths = [
        f"{name}.{path}"
        for name, fingerprints in current.items()
        for path in functions.changed(saved.get(name, {}), fingerprints)
    ]
    if paths:
        _log.warning(messages.text("state_functions_changed", paths=", ".join(paths)))


def named_tensors(objects: Objects, modules: Iterable[ModuleState]) -> list[tuple[torch.Tensor, str]]:
    """Each parameter of ``modules``, and each tensor among ``objects``, with the first of its names in the alphabet."""
    known: dict[int, tuple[torch.Tensor, str]] = {}
    named: list[tuple[str, torch.Tensor]] = [
        (name, obj) for name, obj in objects.items() if isinstance(obj, torch.Tensor)
    ]
    for adapter in modules:
        named.extend(adapter.parameters())
    for name, parameter in named:
        known[id(parameter)] = (parameter, min(name, known.get(id(parameter), (parameter, name))[1]))
    return list(known.values())
