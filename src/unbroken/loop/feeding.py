"""Feeding: attributes of datasets and samplers that the loop sets (``dataset.augment = True``), and no checkpoint has.

What loading itself sets is left out, and so are containers, which are caches as a rule.
"""

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from types import FunctionType
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from unbroken.loop import bindings, liveness
from unbroken.loop.holders import content
from unbroken.loop.looks import look
from unbroken.state.adapters import GENERATORS
from unbroken.state.origins import is_users
from unbroken.state.plain import is_looked_into

FED = "fed "
"""How the names begin."""

_PARTS = ("dataset", "sampler", "batch_sampler", "collate_fn")
_LOADING = ("__getitem__", "__getitems__", "__iter__", "__next__", "__len__", "__call__")
_SCALARS = (bool, int, float, complex, str, bytes, type(None), enum.Enum, np.generic)
_MOST_BYTES = 64 << 10
_MOST = 100
_FEW = 8
_DEEPEST = 4

Texts = dict[str, str]


class Feeding:
    """Looks at the attributes when the process begins, and at the first batch of each epoch."""

    def __init__(self, variables: Callable[[], Iterable[tuple[str, Mapping[str, Any]]]]) -> None:
        self._variables = variables
        self._first: Texts | None = None
        self._built: dict[str, object] = {}
        self._now: Texts = {}

    def look(self) -> None:
        """What they are: at first those that the program built, then those of the epoch's batches."""
        self._now = self._look()
        if self._first is None:
            self._first = self._now

    def changed(self, *, in_pass: bool) -> Texts:
        """Those that are not as built; between two passes as they were in the one before."""
        now, first = self._look() if in_pass else self._now, self._first or {}
        return {name: seen for name, seen in now.items() if first.get(name) != seen}

    def lost(self, saved: Mapping[str, str], *, in_pass: bool) -> list[str]:
        """Which are not what they were; between two passes, those that the code before the batches left as built."""
        now, first = self._now, self._first or {}
        other = [name for name in saved if name in now and now[name] != saved[name]]
        return [name for name in other if in_pass or first.get(name) == now[name]]

    def _look(self) -> Texts:
        found: Texts = {}
        seen: set[int] = set()
        for scope, variables in self._variables():
            for name, value in list(variables.items()):
                for path, loader in _loaders(name, value):
                    found[f"{FED}{scope}{path}"] = self._which(f"{scope}{path}", loader)
                    if id(loader) not in seen:
                        seen.add(id(loader))
                        for part in _PARTS:
                            _add(found, f"{FED}{scope}{path}.{part}", getattr(loader, part, None), seen, 0)
        return found

    def _which(self, name: str, loader: DataLoader[Any]) -> str:
        """Whether it is the loader that the program began with under this name; all later ones look alike."""
        if self._first is None:
            self._built[name] = loader
        return "as built" if self._built.get(name) is loader else "another"


def _loaders(name: str, value: object) -> Iterator[tuple[str, DataLoader[Any]]]:
    if isinstance(value, DataLoader):
        yield name, value
    elif is_looked_into(value):
        held = list(vars(value).items())
        yield from ((f"{name}.{key}", child) for key, child in held if isinstance(child, DataLoader))


def _add(found: Texts, path: str, value: object, seen: set[int], depth: int) -> None:
    if depth > _DEEPEST or id(value) in seen or not (isinstance(value, Dataset | Sampler) or is_looked_into(value)):
        return
    seen.add(id(value))
    kind: Any = type(value)
    by_loading = _set_by_loading(kind) if is_users(kind) else frozenset[str]()
    defaults = {
        key: child for kind in reversed(type(value).__mro__) if is_users(kind) for key, child in vars(kind).items()
    }
    held = {key: child for key, child in defaults.items() if isinstance(child, _SCALARS)}
    for key, child in {**held, **getattr(value, "__dict__", {})}.items():
        if key.startswith("__") or key in by_loading or len(found) >= _MOST:
            continue
        name = f"{path}.{key}"
        if isinstance(child, _SCALARS):
            found[name] = look(child)
        elif isinstance(child, torch.Tensor | np.ndarray):
            if child.nbytes <= _MOST_BYTES:
                found[name] = look(child)
        elif isinstance(child, list | tuple):
            for number, one in enumerate(child[:_FEW]):
                _add(found, f"{name}[{number}]", one, seen, depth + 1)
        elif (inside := content(child)) is not None:
            found.update({f"{name}.{part}": look(one) for part, one in inside.items()})
        elif not isinstance(child, (dict, set, DataLoader, *GENERATORS)):
            found[name] = bindings.look(child, {})
            _add(found, name, child, seen, depth + 1)


@cache
def _set_by_loading(kind: Any) -> frozenset[str]:
    """The attributes that are set by what a loader calls, and by the methods which that calls."""
    methods = {
        name: value.__code__
        for base in reversed(kind.__mro__)
        if is_users(base)
        for name, value in vars(base).items()
        if isinstance(value, FunctionType)
    }
    waiting, names = [name for name in _LOADING if name in methods], set[str]()
    done = set(waiting)
    while waiting:
        code = methods[waiting.pop()]
        names |= {name for name in liveness.stored(code) if name.startswith(liveness.ATTRIBUTE)}
        called = [name for name in code.co_names if name in methods and name not in done]
        waiting += called
        done.update(called)
    return frozenset(name.removeprefix(liveness.ATTRIBUTE) for name in names)
