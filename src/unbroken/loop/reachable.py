"""Reachable: the random generators that functions of the loop draw from, wherever they are held, by their paths.

The variables of a frame are not all that its code draws from: there are classes and their attributes, closures and
defaults of functions, hooks, modules of the user's own. They are looked at once, and nothing is called.
"""

import logging
import random
import threading
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from types import BuiltinMethodType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
import xxhash
from torch.utils.data import DataLoader, Dataset, Sampler

from unbroken.loop.content import WHOLE, content_digest
from unbroken.loop.generators import is_library, state_of
from unbroken.loop.looks import GENERATOR
from unbroken.state.adapters import GENERATORS
from unbroken.state.origins import is_users, is_users_file

_MOST_OBJECTS = 20_000
_MOST_ITEMS = 64
_MOST_FOUND = 64

_LEFT_OUT = (str, bytes, int, float, complex, bool, np.ndarray, torch.dtype, CodeType)
_CONTAINERS = (dict, list, tuple, deque, set, frozenset)
_HOOKS = ("_backward_hooks", "_post_accumulate_grad_hooks")  # torch has no public name for them; None without any
# What a loader draws from is set by position; and nothing is drawn from these.
_NOT_LOOKED_INTO = (DataLoader, Dataset, Sampler, logging.Logger, threading.Thread, random.SystemRandom)


def reachable_generators(spaces: Iterable[tuple[str, Mapping[str, Any]]], known: set[int]) -> dict[str, Any]:
    """Those reached from the variables in ``spaces``, each with what its names begin with; not those in ``known``."""
    found: dict[str, Any] = {}
    seen: dict[int, object] = {}  # the objects too: one made for the search must not give its address to the next
    queue = deque((scope + name, value) for scope, space in spaces for name, value in _named(space.items()))
    while queue and len(seen) < _MOST_OBJECTS and len(found) < _MOST_FOUND:
        path, value = queue.popleft()
        if id(value) in seen or isinstance(value, _NOT_LOOKED_INTO):
            continue
        seen[id(value)] = value
        if isinstance(value, GENERATORS):
            if id(value) not in known:
                found[path] = value
            continue
        for step, child in _children(value):
            if child is not None and not (
                isinstance(child, _LEFT_OUT) or (isinstance(child, _CONTAINERS) and not child)
            ):
                queue.append((path + step, child))
    return found


def look_reached(generator: Any) -> str:
    """A short text for where it stands."""
    state = state_of(generator)
    if isinstance(generator, random.Random):
        return f"{GENERATOR}{xxhash.xxh3_64_hexdigest(repr(state).encode())}"  # of 625 numbers, at every save
    return f"{GENERATOR}{content_digest(state, WHOLE):016x}"


def _children(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, torch.Tensor):
        yield from (
            (f".{name}", getattr(value, name, None)) for name in _HOOKS if isinstance(value, torch.nn.Parameter)
        )
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
        file = getattr(value, "__file__", None)
        if file is not None and is_users_file(file) and not is_library(value.__name__):
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
    defaults = function.__defaults__ or ()
    named = code.co_varnames[code.co_argcount - len(defaults) : code.co_argcount]
    yield from ((f"({name})", value) for name, value in zip(named, defaults, strict=False))
    yield from ((f"({name})", value) for name, value in (function.__kwdefaults__ or {}).items())
    yield from _attributes(vars(function))
    names = function.__globals__  # of another module, as a rule: those of the loop's own are looked at anyway
    yield from ((f"({name})", names[name]) for name in code.co_names if name in names)


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
