"""Reachable: what functions of the loop draw from or count in, and no variable of a frame shows, by its path.

Classes and their attributes, closures and defaults of functions, hooks, modules of the user's own hold random
generators and plain values. Which there are is looked up once, and nothing is called.
"""

import enum
import logging
import random
import threading
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from functools import partial
from types import BuiltinMethodType, CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
import xxhash
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from torch.utils.data import DataLoader, Dataset, Sampler

from unbroken.loop import liveness
from unbroken.loop.generators import is_library, state_of
from unbroken.loop.kept import has_methods, kept_attributes
from unbroken.loop.looks import GENERATOR, is_plain, look
from unbroken.state.adapters import GENERATORS
from unbroken.state.hooks import hooks_on
from unbroken.state.origins import is_users, is_users_file
from unbroken.state.plain import is_looked_into

_MOST_OBJECTS = 20_000
_MOST_ITEMS = 64
_MOST_FOUND = 64
_MOST_PLACES = 1_000
_MOST_LOOKED_AT = 1_000  # items: of a longer container, it is seen whether its length changes

_LEFT_OUT = (str, bytes, int, float, complex, bool, np.ndarray, torch.dtype, CodeType)
_CHANGEABLE = (dict, list, deque, set)
_CONTAINERS = (dict, list, tuple, deque, set, frozenset)
# What a loader draws from is set by position; and nothing is drawn from these.
_NOT_LOOKED_INTO = (DataLoader, Dataset, Sampler, logging.Logger, threading.Thread, random.SystemRandom)


class Place(NamedTuple):
    """Where a plain value is held: under a ``key``, or in a cell; ``owner`` is the id of the function or the object."""

    holder: Any
    key: object = None
    owner: int = 0

    def value(self) -> Any:
        """``_GONE`` if there is none."""
        try:
            return self.holder.cell_contents if isinstance(self.holder, CellType) else self.holder[self.key]
        except (KeyError, ValueError):
            return _GONE


_GONE = object()


class Reached:
    """By their paths."""

    def __init__(self) -> None:
        self.generators: dict[str, Any] = {}
        self.places: dict[str, Place] = {}
        self._entries: dict[str, dict[Any, str]] = {}
        self._changing: dict[str, set[Any]] = {}

    def add(self, others: "Reached") -> None:
        """Those of ``others`` that are not known yet."""
        self.generators = {**others.generators, **self.generators}
        self.places = {**others.places, **self.places}

    def look(self, known: Set[int]) -> dict[str, str]:
        """A short text for each of what is not in ``known``, equal for equal values."""
        texts = {path: _of_a_generator(one) for path, one in self.generators.items() if id(one) not in known}
        for path, place in self.places.items():
            value = place.value()
            if place.owner in known or not is_plain(value) or isinstance(value, GENERATORS):
                continue
            if isinstance(value, dict):
                texts[path] = self._of_a_mapping(path, value)
                continue
            long = isinstance(value, _CONTAINERS) and len(value) > _MOST_LOOKED_AT
            texts[path] = f"{type(value).__name__} of {len(value)}" if long else look(value)
        return texts

    def _of_a_mapping(self, path: str, value: dict[Any, Any]) -> str:
        """By the entries that have been seen to change: one that only gets new ones is a cache, and no state."""
        if len(value) > _MOST_LOOKED_AT:
            return type(value).__name__
        before, now = self._entries.get(path, {}), {key: look(child) for key, child in value.items()}
        self._entries[path] = now
        changing = self._changing.setdefault(path, set())
        changing |= {key for key, seen in now.items() if before.get(key, seen) != seen}
        return look({repr(key): now[key] for key in value if key in changing})


def reachable(spaces: Sequence[tuple[str, Mapping[str, Any]]], known: Set[int]) -> Reached:
    """What is reached from ``spaces`` of variables, each with what its names begin with; no generator in ``known``."""
    found, inside = Reached(), {id(space) for _, space in spaces}
    seen: dict[int, object] = {}  # the objects too: one made for the search must not give its address to the next
    queue = deque((scope + name, value) for scope, space in spaces for name, value in _named(space.items()))
    while queue and len(seen) < _MOST_OBJECTS and len(found.generators) < _MOST_FOUND:
        path, value = queue.popleft()
        if id(value) in seen or isinstance(value, _NOT_LOOKED_INTO):
            continue
        seen[id(value)] = value
        if isinstance(value, GENERATORS):
            if id(value) not in known:
                found.generators[path] = value
            continue
        if len(found.places) < _MOST_PLACES:
            found.places.update((path + step, place) for step, place in _places(value, inside))
        for step, child in _children(value):
            if child is not None and not (
                isinstance(child, _LEFT_OUT) or (isinstance(child, _CONTAINERS) and not child)
            ):
                queue.append((path + step, child))
    return found


def _of_a_generator(generator: Any) -> str:
    """Where it stands."""
    state = state_of(generator)
    if isinstance(generator, random.Random):
        return f"{GENERATOR}{xxhash.xxh3_64_hexdigest(repr(state).encode())}"  # of 625 numbers, at every save
    return look(generator)


def _places(value: Any, inside: set[int]) -> Iterator[tuple[str, Place]]:
    """Those of a function, a class or a module; a function's globals, if they are not among those looked at anyway."""
    if isinstance(value, FunctionType):
        code = value.__code__
        if is_users_file(code.co_filename):
            cells = zip(code.co_freevars, value.__closure__ or (), strict=False)
            yield from ((f"({name})", Place(cell, owner=id(value))) for name, cell in cells)
            for name, default in _defaults(value):
                if isinstance(default, _CHANGEABLE):
                    yield f"({name})", Place([default], 0)
            if id(value.__globals__) not in inside:
                names, held = liveness.stored(code), value.__globals__
                for name in code.co_names:
                    if liveness.GLOBAL + name in names or isinstance(held.get(name), _CHANGEABLE):
                        yield f"({name})", Place(held, name)
    elif isinstance(value, type):
        if not issubclass(value, enum.Enum):
            for owner in filter(is_users, value.__mro__):
                yield from ((f".{name}", Place(vars(owner), name)) for name in _plain_names(vars(owner)))
    elif _counts(value):
        held = vars(value)
        yield from ((f".{name}", Place(held, name, id(value))) for name in kept_attributes(type(value), held))
    elif isinstance(value, ModuleType) and _is_of_the_user(value):
        inside.add(id(vars(value)))
        yield from ((f".{name}", Place(vars(value), name)) for name in _plain_names(vars(value)))


def _counts(value: object) -> bool:
    """Whether it is an instance of the user's that may keep something; what torch has is looked at elsewhere."""
    elsewhere = isinstance(value, torch.nn.Module | torch.optim.Optimizer | LRScheduler | ReduceLROnPlateau)
    return not elsewhere and is_looked_into(value) and has_methods(type(value))


def _plain_names(held: Mapping[str, Any]) -> list[str]:
    return [name for name, child in list(held.items()) if not name.startswith("__") and is_plain(child)]


def _children(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, torch.Tensor):
        yield from ((f".{name}", held) for name, held in hooks_on(value))
    elif isinstance(value, dict):
        for number, (key, child) in enumerate(list(value.items())[:_MOST_ITEMS]):
            yield f"[{key!r}]" if type(key) is str else f"[{number}]", child
    elif isinstance(value, _CONTAINERS):
        yield from ((f"[{number}]", child) for number, child in enumerate(list(value)[:_MOST_ITEMS]))
    elif isinstance(value, MethodType):
        yield from (("", value.__self__), ("", value.__func__))
    elif isinstance(value, BuiltinMethodType):
        yield "", value.__self__
    elif isinstance(value, property | staticmethod | classmethod):
        yield from (("", getattr(value, "fget", None)), ("", getattr(value, "__func__", None)))
    elif isinstance(value, partial):
        yield from (("", value.func), ("", value.args), ("", value.keywords))
    elif isinstance(value, weakref.ReferenceType):
        yield "", value()
    elif isinstance(value, FunctionType):
        yield from _of_a_function(value)
    elif isinstance(value, ModuleType):
        if _is_of_the_user(value):
            yield from _attributes(vars(value))
    elif isinstance(value, type):
        for owner in value.__mro__:
            if is_users(owner):
                yield from _attributes(vars(owner))
    elif type(value).__module__.partition(".")[0] != "unbroken":
        yield from _of_an_object(value)


def _of_a_function(function: FunctionType) -> Iterator[tuple[str, Any]]:
    code = function.__code__
    if not is_users_file(code.co_filename):
        return
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=False):
        try:
            yield f"({name})", cell.cell_contents
        except ValueError:  # the name is not bound yet
            continue
    yield from ((f"({name})", value) for name, value in _defaults(function))
    yield from _attributes(vars(function))
    names = function.__globals__  # of another module, as a rule: those of the loop's own are looked at anyway
    yield from ((f"({name})", names[name]) for name in code.co_names if name in names)


def _defaults(function: FunctionType) -> Iterator[tuple[str, Any]]:
    code, defaults = function.__code__, function.__defaults__ or ()
    yield from zip(code.co_varnames[code.co_argcount - len(defaults) : code.co_argcount], defaults, strict=False)
    yield from (function.__kwdefaults__ or {}).items()


def _is_of_the_user(module: ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and is_users_file(file) and not is_library(module.__name__)


def _of_an_object(value: Any) -> Iterator[tuple[str, Any]]:
    try:
        held = vars(value)
    except Exception:  # there are none, or the user's own raises something
        held = {}
    if isinstance(held, dict):
        yield from _attributes(held)
    for owner in type(value).__mro__:
        slots = owner.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else tuple(slots):
            member = owner.__dict__.get(name)
            if member is not None and not name.startswith("__") and is_users(owner):
                yield f".{name}", getattr(value, name, None)
    if is_users(type(value)):
        yield "", type(value)


def _attributes(held: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Modules keep their parts in a mapping, under whose names they are attributes."""
    for name, value in list(held.items()):
        if name == "_modules":
            yield from ((f".{key}", child) for key, child in value.items())
        elif not name.startswith("__"):
            yield f".{name}", value


def _named(items: Iterable[tuple[str, Any]]) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in items if not name.startswith("__")]
