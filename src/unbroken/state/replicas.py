"""Replicas: what of the ranks' states is everybody's, what is each one's own, and what must not differ.

One checkpoint has the state of the first rank, and of every other rank only what differs from that: random streams,
left-over gradients, sums, buffers. Weights and what optimizers keep must not differ.
"""

import struct
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
import torch
import xxhash

from unbroken.errors import CheckpointDamagedError
from unbroken.state.snapshot import dense_parts
from unbroken.store.runstate import Own

Path = tuple[Any, ...]
"""The keys that lead to a value in nested dicts."""

_digest = xxhash.xxh3_64_intdigest


def digests(tree: Any) -> dict[Path, int]:
    """64 bits of each value in nested dicts, and under the path of each dict of what keys it has."""
    return {path: _of(value) for path, value in _walk(tree, ())}


def differing(tree: Any, mine: Mapping[Path, int], first: Mapping[Path, int]) -> list[Own]:
    """What of ``tree``, whose digests are ``mine``, is not as in the one that ``first`` are of; whole dicts where the
    keys differ."""
    found: list[Own] = []
    for path in mine:
        within = any(path[: len(own.path)] == own.path for own in found)
        if not within and mine[path] != first.get(path):
            found.append(Own(path, _at(tree, path)))
    return found


def together(of_parts: Mapping[Path, int]) -> int:
    """One digest of many."""
    return _digest(struct.pack(f"<{len(of_parts)}Q", *of_parts.values()))


def overlaid(tree: Mapping[Any, Any], own: Collection[Own]) -> dict[Any, Any]:
    """``tree`` with a rank's own values in their places; shares all else with it.

    Raises CheckpointDamagedError: a place is not there.
    """
    result = dict(tree)
    for path, value in own:
        where: Any = result
        for key in path[:-1]:
            if not isinstance(where, dict) or not isinstance(where.get(key), dict):
                raise CheckpointDamagedError("state_bad_encoding", path="ranks", detail=str(path)[:60])
            child = where[key]
            copied = child.copy()
            vars(copied).update(vars(child)) if hasattr(child, "__dict__") else None
            where[key] = copied
            where = copied
        if not path or not isinstance(where, dict):
            raise CheckpointDamagedError("state_bad_encoding", path="ranks", detail=str(path)[:60])
        where[path[-1]] = value
    return result


def _walk(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict):
        yield path, tuple(value)
        for key, child in value.items():
            yield from _walk(child, (*path, key))
    else:
        yield path, value


def _at(tree: Any, path: Path) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def _of(value: Any, seed: int = 0) -> int:
    if isinstance(value, torch.Tensor):
        seed = _digest(f"{value.dtype}{tuple(value.shape)}".encode(), seed)
        for part in dense_parts(value.detach()):
            if part.numel():
                flat = part.cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
                flat = torch.view_as_real(flat) if flat.is_complex() else flat.view(torch.uint8)
                array: np.ndarray[Any, Any] = np.from_dlpack(flat)
                seed = _digest(array.data, seed)
        return seed
    if isinstance(value, list | tuple):
        for item in value:
            seed = _of(item, seed)
        return _digest(f"{type(value).__name__}{len(value)}".encode(), seed)
    if isinstance(value, dict):
        for key, item in value.items():
            seed = _of(item, _of(key, seed))
        return _digest(f"{type(value).__name__}{len(value)}".encode(), seed)
    if isinstance(value, np.ndarray | np.generic):
        return _digest(value.tobytes(), _digest(f"{value.dtype}{value.shape}".encode(), seed))
    if isinstance(value, float):
        return _digest(struct.pack("<d", value), seed)
    return _digest(f"{type(value).__name__}{value!r}".encode("utf-8", "surrogatepass"), seed)
