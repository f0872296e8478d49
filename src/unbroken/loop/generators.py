"""Finds the random generators that a dataset or sampler holds for itself, and sets them by position."""

import random
from collections.abc import Callable
from types import FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from unbroken.loop.randomness import Position, seeds_at

Generator = random.Random | np.random.Generator | np.random.RandomState | torch.Generator

# Large enough for nested Subset, ConcatDataset and Compose; small enough to cost nothing on a list of samples.
_MOST_OBJECTS = 2_000
_MOST_ITEMS = 64
_OPAQUE = (str, bytes, int, float, complex, bool, type(None), type, ModuleType, torch.Tensor, np.ndarray)


class Search(NamedTuple):
    """What was found, and whether everything within reach was looked at."""

    found: list[Generator]
    whole: bool


def find_generators(*roots: object) -> list[Generator]:
    """As ``search_generators``, for those who can do nothing about what it has not looked at."""
    return search_generators(*roots).found


def search_generators(*roots: object) -> Search:
    """The generators reachable from ``roots`` through attributes, lists, tuples, dicts and closures.

    The search is bounded; its order is a function of the objects' structure alone, so the same script finds
    the same generators in the same order in every process.
    """
    found: list[Generator] = []
    seen: set[int] = set()
    queue: list[object] = list(roots)
    while queue and len(seen) < _MOST_OBJECTS:
        value = queue.pop(0)
        if isinstance(value, _OPAQUE) or id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, random.SystemRandom):
            continue  # has no state: what it gives can be repeated by nobody
        if isinstance(value, Generator):
            found.append(value)
        else:
            queue.extend(_children(value))
    return Search(found, whole=not queue)


def _children(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())[:_MOST_ITEMS]
    if isinstance(value, list | tuple):
        return list(value[:_MOST_ITEMS])
    if isinstance(value, MethodType):
        return [value.__self__]
    if isinstance(value, FunctionType):
        return _cell_contents(value) + list(value.__defaults__ or ())
    children = list(getattr(value, "__dict__", {}).values())
    for owner in type(value).__mro__:
        slots = owner.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            children.append(getattr(value, name, None))
    if isinstance(value, nn.Module):
        children.extend(value.children())
    wrapped = getattr(value, "func", None)  # functools.partial keeps its parts outside __dict__
    if wrapped is not None:
        children.extend([wrapped, getattr(value, "args", ()), getattr(value, "keywords", {})])
    return children


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
        return [_state(generator) for generator in self._generators]

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


def _state(generator: Generator) -> Any:
    if isinstance(generator, random.Random):
        return generator.getstate()
    if isinstance(generator, np.random.Generator):
        return generator.bit_generator.state
    if isinstance(generator, np.random.RandomState):
        return generator.get_state(legacy=False)
    return generator.get_state()


def _set_state(generator: Generator, state: Any) -> None:
    if isinstance(generator, random.Random):
        generator.setstate(state)
    elif isinstance(generator, np.random.Generator):
        generator.bit_generator.state = state
    else:
        generator.set_state(state)
