"""Rebound: names that began as what is tracked, and that training has bound to another value: that one is not saved.

``params = {name: p - rate * g ...}`` makes a new dict in each step. What was given to ``track`` stays as it was built,
and is what every checkpoint has.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch

from unbroken import messages
from unbroken.loop.bindings import STANDS_FOR
from unbroken.loop.looks import CONTAINERS
from unbroken.state.origins import is_users

_log = logging.getLogger("unbroken")

_FILLED = (torch.Tensor, np.ndarray, *CONTAINERS)
_DEEPEST = 2  # attributes of attributes of variables

Spaces = Iterable[tuple[str, Mapping[str, Any]]]


class Rebound:
    """Looks at the variables, and the attributes of the user's objects, under which tracked values are reached."""

    def __init__(self) -> None:
        self._paths: dict[str, tuple[str, object]] | None = None
        self._said: set[str] = set()

    def begin(self, spaces: Spaces, tracked: Mapping[str, object]) -> None:
        """The loop begins: under which names there are the tensors, arrays and containers that are tracked."""
        if self._paths is None:
            filled = {id(one): name for name, one in tracked.items() if _is_filled(one)}
            values = _values(spaces) if filled else ()
            self._paths = {path: (filled[id(value)], value) for path, value in values if id(value) in filled}

    def look(self, spaces: Spaces) -> dict[str, str]:
        """At a save: what each of them stands for. Those that stand for another value now are told, once."""
        paths = self._paths or {}
        now = dict(_values(spaces)) if paths else {}
        held = {name for path, (name, one) in paths.items() if now.get(path) is one}
        found = {}
        for path, (name, one) in paths.items():
            value = now.get(path, one)
            moved = value is not one and _is_filled(value) and (name not in held or path.rpartition(".")[2] == name)
            found[STANDS_FOR + path] = "another value" if moved else f"tracked {name}"
            if moved and name not in self._said:
                self._said.add(name)
                shown = path.rpartition(":")[2]
                _log.warning(messages.text("tracked_rebound", path=shown, name=name, kind=type(one).__name__))
        return found


def _is_filled(value: object) -> bool:
    return isinstance(value, _FILLED)


def _values(spaces: Spaces) -> Iterator[tuple[str, object]]:
    seen: set[int] = set()
    for scope, variables in spaces:
        for name, value in list(variables.items()):
            if not name.startswith("_"):
                yield from _below(scope + name, value, seen, 0)


def _below(path: str, value: object, seen: set[int], depth: int) -> Iterator[tuple[str, object]]:
    yield path, value
    if (
        depth == _DEEPEST
        or id(value) in seen
        or isinstance(value, (type, torch.nn.Module))
        or not is_users(type(value))
    ):
        return
    seen.add(id(value))
    for name, child in list(getattr(value, "__dict__", {}).items()):
        yield from _below(f"{path}.{name}", child, seen, depth + 1)
