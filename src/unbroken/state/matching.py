"""Matching: whether the objects that are tracked are those that a checkpoint is of."""

import logging
from collections.abc import Mapping
from typing import Any

from unbroken import messages
from unbroken.errors import ArchitectureChangedError
from unbroken.state import functions
from unbroken.state.adapters import ObjectState
from unbroken.state.kinds import class_name, is_scheduler
from unbroken.state.modules import ModuleState
from unbroken.state.optimizers import OptimizerState

_log = logging.getLogger("unbroken")


class Matching:
    """What is tracked, by name, held against what was saved. Nothing is touched."""

    def __init__(
        self,
        objects: Mapping[str, object],
        modules: Mapping[str, ModuleState],
        optimizers: Mapping[str, OptimizerState],
        others: Mapping[str, ObjectState],
    ) -> None:
        self._objects = objects
        self._modules = modules
        self._optimizers = optimizers
        self._others = others

    def classes(self) -> dict[str, str]:
        """The class of every optimizer and scheduler."""
        judged = {name: obj for name, obj in self._objects.items() if name in self._optimizers or is_scheduler(obj)}
        return {name: class_name(obj) for name, obj in judged.items()}

    def compare_classes(self, saved: Mapping[str, str]) -> None:
        """Refuse another optimizer or scheduler than the one saved."""
        for name, then in saved.items():
            now = class_name(self._objects[name]) if name in self._objects else then
            if now != then:
                raise ArchitectureChangedError("state_class_changed", name=name, old=then, new=now)

    def functions(self) -> dict[str, dict[str, str]]:
        """Fingerprints of the functions that objects hold and their state leaves out."""
        found = {name: adapter.functions() for name, adapter in self._others.items()}
        found.update({name: adapter.functions() for name, adapter in self._modules.items()})
        return {name: marks for name, marks in found.items() if marks}

    def compare_names(self, states: Mapping[str, Any], plain: bool) -> None:
        """Refuse other names than those saved; of a plain script's file they are only told."""
        absent = [name for name in self._objects if name not in states]
        dropped = [name for name in states if name not in self._objects]
        if plain:
            if absent:
                _log.warning(messages.text("state_left_as_built", names=", ".join(absent)))
            if dropped:
                _log.warning(messages.text("state_not_taken", names=", ".join(dropped)))
        elif absent or dropped:
            raise ArchitectureChangedError(
                "state_names_changed", absent=", ".join(absent) or "-", dropped=", ".join(dropped) or "-"
            )

    def compare_kinds(self, states: Mapping[str, Any], extras: Mapping[str, Any] | None) -> None:
        """Refuse an optimizer under the name of a module, and the like."""
        now = {name: self._kind(name) for name in self._objects}
        for name in states.keys() & now.keys():
            then = now[name]
            if extras is not None:
                then = (
                    "module" if name in extras["modules"] else "optimizer" if name in extras["optimizers"] else "other"
                )
            if then != now[name] or (then != "other" and not isinstance(states[name], Mapping)):
                raise ArchitectureChangedError("state_kind_changed", name=name, new=type(self._objects[name]).__name__)

    def _kind(self, name: str) -> str:
        return "module" if name in self._modules else "optimizer" if name in self._optimizers else "other"

    def compare_functions(self, saved: Mapping[str, Mapping[str, str]]) -> None:
        """Tell of functions whose code has changed."""
        current = self.functions()
        paths = [
            f"{name}.{path}"
            for name in self._objects
            for path in functions.changed(saved.get(name, {}), current.get(name, {}))
        ]
        if paths:
            _log.warning(messages.text("state_functions_changed", paths=", ".join(paths)))
