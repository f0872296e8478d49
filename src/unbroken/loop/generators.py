"""Finds the random generators that a dataset or sampler holds for itself, and sets them by position."""

import random
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import BuiltinMethodType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from unbroken.loop.randomness import Position, seeds_at

Generator = random.Random | np.random.Generator | np.random.RandomState | torch.Generator

_OPAQUE = (str, bytes, int, float, complex, bool, type(None), ModuleType, torch.Tensor, np.ndarray, torch.dtype)

# How far the first search goes. The places of what it finds are part of the key that its seeds are made from, so it
# stays what it was in the first version; what only the second search finds comes behind.
_MOST_OBJECTS = 2_000
_MOST_ITEMS = 64

_FURTHER_OBJECTS = 20_000
_FLAT_ITEMS = 200_000  # of a container, looked at only to see that there is nothing in them to look into
_LIBRARIES = sys.stdlib_module_names | {"torch", "numpy", "torchdata", "unbroken"}


class Search(NamedTuple):
    """What was found, and whether everything within reach was looked at."""

    found: list[Generator]
    whole: bool


def find_generators(*roots: object) -> list[Generator]:
    """As ``search_generators``, for those who can do nothing about what it has not looked at."""
    return search_generators(*roots).found


def search_generators(*roots: object) -> Search:
    """The generators reachable from ``roots``: held by objects and their classes, in containers, closures and defaults,
    by bound methods, and as globals that their functions name; not the process's own three.

    The search is bounded; its order is a function of the objects' structure alone, so the same script finds
    the same generators in the same order in every process.
    """
    found, _ = _search(roots, _children, _MOST_OBJECTS, opaque=(*_OPAQUE, type))
    known = {id(generator) for generator in (*found, *_global_generators())}
    more, whole = _search(roots, _further_children, _FURTHER_OBJECTS, opaque=_OPAQUE)
    return Search(found + [generator for generator in more if id(generator) not in known], whole)


def _search(
    roots: Iterable[object], children: Callable[[object], Iterable[object]], most: int, opaque: tuple[type, ...]
) -> tuple[list[Generator], bool]:
    found: list[Generator] = []
    seen: dict[int, object] = {}  # the objects too: one made for the search must not give its address to the next
    queue = deque(roots)
    while queue and len(seen) < most:
        value = queue.popleft()
        if isinstance(value, opaque) or id(value) in seen:
            continue
        seen[id(value)] = value
        if isinstance(value, random.SystemRandom):
            continue  # has no state: what it gives can be repeated by nobody
        if isinstance(value, Generator):
            found.append(value)
        else:
            queue.extend(children(value))
    return found, not queue


def _global_generators() -> list[object]:
    """Those that are set by position anyway."""
    bound = (random.random, np.random.standard_normal)
    return [*(getattr(method, "__self__", None) for method in bound), torch.default_generator]


def _children(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())[:_MOST_ITEMS]
    if isinstance(value, list | tuple):
        return list(value[:_MOST_ITEMS])
    if isinstance(value, MethodType):
        return [value.__self__]
    if isinstance(value, FunctionType):
        return _cell_contents(value) + list(value.__defaults__ or ())
    return _attributes(value)


def _attributes(value: object) -> list[object]:
    children = list(_held(value, "__dict__", {}).values())
    for owner in type(value).__mro__:
        slots = owner.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            children.append(_held(value, name, None))
    if isinstance(value, nn.Module):
        children.extend(value.children())
    wrapped = _held(value, "func", None)  # functools.partial keeps its parts outside __dict__
    if wrapped is not None:
        children.extend([wrapped, _held(value, "args", ()), _held(value, "keywords", {})])
    return children


def _held(value: object, name: str, default: Any) -> Any:
    """An attribute of an object of anybody's, whose own ``__getattr__`` may raise anything; it is only looked at."""
    try:
        return getattr(value, name, default)
    except Exception:
        return default


def _further_children(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return [child for part in (value.keys(), value.values()) for child in _to_look_into(part)]
    if isinstance(value, list | tuple | deque | set | frozenset):
        return _to_look_into(value)
    if isinstance(value, MethodType):
        return [value.__self__, value.__func__]
    if isinstance(value, BuiltinMethodType):
        return [value.__self__]
    if isinstance(value, property | staticmethod | classmethod):
        return _to_look_into([getattr(value, "fget", None), getattr(value, "__func__", None)])
    if isinstance(value, FunctionType):
        defaults = [*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
        own = [] if _is_of_a_library(value) else list(_globals_named_in(value.__code__, value.__globals__))
        return [*_cell_contents(value), *defaults, *own, *vars(value).values()]
    if isinstance(value, type):
        classes = [owner for owner in value.__mro__ if not _is_of_a_library(owner)]
        return [child for owner in classes for child in _to_look_into(list(vars(owner).values()))]
    return [*_attributes(value), type(value)]


def _to_look_into(items: "Iterable[Any]") -> list[object]:
    """Those items of a container in which there may be something; numbers, texts and tuples of them are not."""
    kept: list[object] = []
    for number, item in enumerate(items):
        if number >= _FLAT_ITEMS and not kept:
            break  # a long list of plain samples
        if isinstance(item, _OPAQUE) or (type(item) is tuple and all(isinstance(part, _OPAQUE) for part in item)):
            continue
        kept.append(item)
        if len(kept) > _FURTHER_OBJECTS:
            break  # the search will say that it was cut off
    return kept


def _globals_named_in(code: CodeType, scope: dict[str, Any]) -> Iterator[object]:
    """What a function's code, and that of functions made in it, refers to by a global name, or as a module's."""
    named = [scope[name] for name in code.co_names if name in scope]
    for value in named:
        if not isinstance(value, ModuleType):
            yield value
        elif not is_library(value.__name__):
            yield from (vars(value)[name] for name in code.co_names if name in vars(value))
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _globals_named_in(constant, scope)


def _is_of_a_library(value: Any) -> bool:
    return is_library(_held(value, "__module__", None) or "")


def is_library(module: str) -> bool:
    """Whether a class or function of that module is none of the user's own."""
    return module != "__main__" and module.partition(".")[0] in _LIBRARIES


def _cell_contents(function: FunctionType) -> list[object]:
    contents: list[object] = []
    for cell in function.__closure__ or ():
        try:
            contents.append(cell.cell_contents)
        except ValueError:  # an empty cell: the name is not bound yet
            continue
    return contents


class OwnGenerators:
    """Generators that belong to a dataset or sampler: set by position while it works, back as they were after.

    So loading in this process leaves a generator that training also draws from as it was, just as loading in
    a worker does, which has a copy.
    """

    def __init__(self, generators: list[Generator]) -> None:
        self._generators = generators

    def seed(self, position: Position) -> None:
        """Set every generator as a function of ``position`` and its place in the list."""
        for place, generator in enumerate(self._generators):
            _seed_one(generator, position, f"own-{place}")

    def states(self) -> list[Any]:
        return [state_of(generator) for generator in self._generators]

    def set_states(self, states: list[Any]) -> None:
        for generator, state in zip(self._generators, states, strict=True):
            _set_state(generator, state)


def _seed_one(generator: Generator, position: Position, purpose: str) -> None:
    seeds = seeds_at(position, purpose)
    if isinstance(generator, torch.Generator):
        generator.manual_seed(seeds.torch)
    elif isinstance(generator, random.Random):
        generator.seed(seeds.python)
    elif isinstance(generator, np.random.RandomState) and isinstance(_bits(generator), np.random.MT19937):
        generator.seed(seeds.numpy)
    else:
        bits = _bits(generator)
        fresh: Callable[[Any], np.random.BitGenerator] = type(bits)
        bits.state = fresh(seeds.numpy).state


def _bits(generator: np.random.RandomState | np.random.Generator) -> np.random.BitGenerator:
    bits: np.random.BitGenerator = (
        generator.bit_generator if isinstance(generator, np.random.Generator) else generator._bit_generator
    )
    return bits


def state_of(generator: Generator | np.random.BitGenerator) -> Any:
    """The whole state of a generator, as it is set again."""
    if isinstance(generator, random.Random):
        return generator.getstate()
    if isinstance(generator, np.random.Generator):
        return generator.bit_generator.state
    if isinstance(generator, np.random.RandomState):
        return generator.get_state(legacy=False)
    return generator.state if isinstance(generator, np.random.BitGenerator) else generator.get_state()


def _set_state(generator: Generator, state: Any) -> None:
    if isinstance(generator, random.Random):
        generator.setstate(state)
    elif isinstance(generator, np.random.Generator):
        generator.bit_generator.state = state
    else:
        generator.set_state(state)
