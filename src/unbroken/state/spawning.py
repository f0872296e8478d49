"""Spawning: which child a generator of NumPy's gives next by ``spawn``, which is no part of what it calls its state."""

from collections.abc import Mapping
from typing import Any

import numpy as np

SPAWNED = "spawned"
"""The key under which a state has it; a generator that has spawned none has no such key."""

_MOST_AT_ONCE = 10_000
_POOL = range(4, 257)  # words; NumPy makes room for as many


def spawned(generator: object) -> int:
    """How many children it has spawned."""
    seeds = _seeds_of(generator)
    return seeds.n_children_spawned if isinstance(seeds, np.random.SeedSequence) else 0


def state_of(generator: np.random.BitGenerator) -> dict[str, Any]:
    """Its whole state."""
    seeds = _seeds_of(generator)
    if not isinstance(seeds, np.random.SeedSequence) or not seeds.n_children_spawned:
        return dict(generator.state)
    return {**generator.state, SPAWNED: {**_made_from(seeds), "children": seeds.n_children_spawned}}


def set_state(generator: np.random.BitGenerator, saved: Mapping[str, Any]) -> None:
    """Set what ``state_of`` gave."""
    state, seeds = without_children(saved), seeds_in(saved)
    generator.state = state  # numpy itself refuses the state of another kind
    live = _seeds_of(generator)
    if seeds is None and spawned(generator) and isinstance(live, np.random.SeedSequence):
        seeds = np.random.SeedSequence(live.entropy, spawn_key=live.spawn_key, pool_size=live.pool_size)
    if seeds is None:
        return
    if isinstance(live, np.random.SeedSequence) and _made_from(live) == _made_from(seeds):
        more = seeds.n_children_spawned - live.n_children_spawned
        if 0 <= more <= _MOST_AT_ONCE:
            live.spawn(more)
            return
    unpickled: Any = generator.__setstate__  # type: ignore[attr-defined]
    unpickled((state, seeds))  # there is no other way to a count that is less than now


def without_children(saved: Mapping[str, Any]) -> dict[str, Any]:
    """What NumPy calls the state."""
    return {key: value for key, value in saved.items() if key != SPAWNED}


def seeds_in(saved: Mapping[str, Any]) -> np.random.SeedSequence | None:
    """What the children of a state are made from, if it says so. Raises ValueError for what no state has."""
    found = saved.get(SPAWNED)
    if found is None:
        return None
    entropy, key, pool, children = (found[name] for name in ("entropy", "key", "pool", "children"))
    words = [entropy] if isinstance(entropy, int) else list(entropy)
    numbers = [*words, *key, pool, children]
    if not all(type(number) is int and number >= 0 for number in numbers) or pool not in _POOL or children >= 2**32:
        raise ValueError(SPAWNED)
    return np.random.SeedSequence(entropy, spawn_key=tuple(key), pool_size=pool, n_children_spawned=children)


def _made_from(seeds: np.random.SeedSequence) -> dict[str, Any]:
    entropy = seeds.entropy if isinstance(seeds.entropy, int) else [int(word) for word in seeds.entropy or ()]
    return {"entropy": entropy, "key": list(seeds.spawn_key), "pool": seeds.pool_size}


def _seeds_of(generator: object) -> object:
    inner = generator.bit_generator if isinstance(generator, np.random.Generator) else generator
    return inner.seed_seq if isinstance(inner, np.random.BitGenerator) else None
