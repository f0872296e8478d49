"""Feeding: attributes of datasets and samplers that the loop sets (``dataset.augment = True``), and no checkpoint has.

What loading itself sets is left out, and so are containers that it fills, which are caches.
"""

import dis
import enum
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from types import CodeType, FunctionType
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from unbroken.loop import bindings, liveness
from unbroken.loop.holders import content
from unbroken.loop.looks import look
from unbroken.state.adapters import GENERATORS
from unbroken.state.origins import is_users, users_frames
from unbroken.state.plain import is_looked_into

FED = "fed "
"""How the names begin."""

_PARTS = ("dataset", "sampler", "batch_sampler", "collate_fn")
_LOADING = ("__getitem__", "__getitems__", "__iter__", "__next__", "__len__", "__call__")
_SCALARS = (bool, int, float, complex, str, bytes, type(None), enum.Enum, np.generic)
_SWITCHES = (bool, str, bytes, type(None), enum.Enum, np.bool_)
_FILLING = ("append", "appendleft", "extend", "insert", "add", "update", "setdefault", "pop", "popleft", "clear")
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
        self._between: Texts = {}
        self._set_again: set[str] = set()

    def look(self) -> None:
        """What they are: at first those that the program built, then those of the epoch's batches."""
        self._now = self._look()
        if self._first is None:
            self._first = self._now
        # What was other between two passes, and is again what it was in the one before, is set for each of them.
        self._set_again |= {name for name, seen in self._between.items() if self._now.get(name) == seen}
        self._between = {}

    def changed(self, *, in_pass: bool) -> Texts:
        """Those that are not as built; between two passes as they were in the one before, or have become since."""
        now, first = self._look() if in_pass else self._now | self._become(), self._first or {}
        return {name: seen for name, seen in now.items() if first.get(name) != seen}

    def _become(self) -> Texts:
        """Numbers and tensors that code behind the batches has changed (labels for the next epoch, a strength).

        A switch, as for validation, is set back before the next batches; so is what their code sets before them.
        """
        read, stored = set[str](), set[str]()
        for frame in users_frames():
            read |= liveness.live_at(frame)
            stored |= liveness.stored(frame.f_code)
        found = {}
        for name, seen in self._look(amounts=True).items():
            key = name.rpartition(".")[2]
            stays = liveness.ATTRIBUTE + key not in stored or read & {liveness.ATTRIBUTE + key, liveness.LOADED + key}
            if stays and self._now.get(name, seen) != seen:
                self._between[name] = self._now[name]
                if name not in self._set_again:
                    found[name] = seen
        return found

    def lost(self, saved: Mapping[str, str], *, in_pass: bool) -> list[str]:
        """Which are not what they were; between two passes, those that the code before the batches left as built."""
        now, first = self._now, self._first or {}
        other = [name for name in saved if name in now and now[name] != saved[name]]
        return [name for name in other if in_pass or first.get(name) == now[name]]

    def _look(self, *, amounts: bool = False) -> Texts:
        found: Texts = {}
        seen: set[int] = set()
        spaces = list(self._variables())
        for scope, variables in spaces:  # before loaders, which a loop may make anew in each epoch
            for name, value in list(variables.items()):
                if isinstance(value, Dataset | Sampler):
                    _add(found, f"{FED}{scope}{name}", value, seen, 0, amounts=amounts)
        for scope, variables in spaces:
            for name, value in list(variables.items()):
                for path, loader in _loaders(name, value):
                    found[f"{FED}{scope}{path}"] = self._which(f"{scope}{path}", loader)
                    if id(loader) not in seen:
                        seen.add(id(loader))
                        for part in _PARTS:
                            name = f"{FED}{scope}{path}.{part}"
                            _add(found, name, getattr(loader, part, None), seen, 0, amounts=amounts)
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


def _add(found: Texts, path: str, value: object, seen: set[int], depth: int, *, amounts: bool) -> None:
    """``amounts``: only numbers and what holds them."""
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
            if not (amounts and isinstance(child, _SWITCHES)):
                found[name] = look(child)
        elif isinstance(child, torch.Tensor | np.ndarray):
            if child.nbytes <= _MOST_BYTES:
                found[name] = look(child)
        elif isinstance(child, list | dict) and not _holds_parts(child):
            if not _fills_containers(kind):
                found[name] = f"{len(child)} {look(child) if _are_labels(child) else ''}"
        elif isinstance(child, list | tuple):
            for number, one in enumerate(child[:_FEW]):
                if isinstance(one, torch.Tensor) and one.nbytes <= _MOST_BYTES:
                    found[f"{name}[{number}]"] = look(one)
                _add(found, f"{name}[{number}]", one, seen, depth + 1, amounts=amounts)
        elif (inside := content(child)) is not None:
            found.update({f"{name}.{part}": look(one) for part, one in inside.items()})
        elif not isinstance(child, (dict, set, DataLoader, *GENERATORS)):
            if not amounts:
                found[name] = bindings.look(child, {})
            _add(found, name, child, seen, depth + 1, amounts=amounts)


def _few(value: Any) -> list[Any]:
    return list(itertools.islice(value.values() if isinstance(value, dict) else value, _FEW))


def _holds_parts(value: Any) -> bool:
    return any(isinstance(one, Dataset | Sampler | torch.Tensor) or is_looked_into(one) for one in _few(value))


def _are_labels(value: Any) -> bool:
    """Whether they are numbers, text, or tuples of these, as far as the first ones tell."""
    flat = [part for one in _few(value) for part in (one if isinstance(one, tuple) else (one,))]
    return all(isinstance(one, _SCALARS) for one in flat)


@cache
def _fills_containers(kind: Any) -> bool:
    """Whether loading puts something into containers, as a cache does; of a library's class nobody knows."""
    if not is_users(kind):
        return not kind.__module__.startswith("torch.utils.data")
    return any(
        one.opname == "STORE_SUBSCR" or (one.opname.startswith(("LOAD_ATTR", "LOAD_METHOD")) and one.argval in _FILLING)
        for code in _loading_codes(kind)
        for one in dis.get_instructions(code)
    )


@cache
def _set_by_loading(kind: Any) -> frozenset[str]:
    """The attributes that are set by what a loader calls, and by the methods which that calls."""
    names = {name for code in _loading_codes(kind) for name in liveness.stored(code)}
    return frozenset(name.removeprefix(liveness.ATTRIBUTE) for name in names if name.startswith(liveness.ATTRIBUTE))


@cache
def _loading_codes(kind: Any) -> list[CodeType]:
    methods = {
        name: value.__code__
        for base in reversed(kind.__mro__)
        if is_users(base)
        for name, value in vars(base).items()
        if isinstance(value, FunctionType)
    }
    waiting = [name for name in _LOADING if name in methods]
    done = set(waiting)
    for name in waiting:
        called = [one for one in methods[name].co_names if one in methods and one not in done]
        waiting += called
        done.update(called)
    return [methods[name] for name in waiting]
