"""Content: 64 bits over what a batch holds, whole or by pieces; whatever a loader may give, by public calls only."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import xxhash

WHOLE = 16 << 20
"""Bytes of one tensor that are all looked at, where it is done once; of a larger one, evenly spread pieces."""

SAMPLED = 16 << 10
"""The same where it is done at every step."""

_PIECE = 1 << 10
_DEEPEST = 8

_digest = xxhash.xxh3_64_intdigest
_SCALARS = (bool, int, float, complex, str, bytes, type(None))


def content_digest(value: object, most: int, *, turn: int = 0, seed: int = 0) -> int:
    """Of the values in ``value``: tensors, arrays, numbers and text in tuples, lists, mappings and plain objects.

    A tensor or array of more than ``most`` bytes is looked at in pieces of ``most`` bytes together, whose places
    ``turn`` shifts. What lies on an accelerator, and objects without attributes, count by their kind alone.
    """
    return _Content(most, turn).add(value, seed, 0)


class _Content:
    def __init__(self, most: int, turn: int) -> None:
        self._most = most
        self._turn = turn

    def add(self, value: Any, seed: int, depth: int) -> int:
        if isinstance(value, torch.Tensor):
            return self._tensor(value, seed)
        kind = type(value)
        if kind in _SCALARS:
            return _digest(repr(value).encode("utf-8", "surrogatepass"), seed)
        seed = _digest(kind.__qualname__.encode(), seed)
        if depth > _DEEPEST:
            return seed
        if isinstance(value, list | tuple):
            for item in value:
                seed = self.add(item, seed, depth + 1)
            return seed
        if isinstance(value, np.ndarray | np.generic):
            return self._array(np.asarray(value), seed)
        if isinstance(value, set | frozenset):
            return _digest(repr(sorted(map(repr, value))).encode(), seed)
        items = value if isinstance(value, Mapping) else getattr(value, "__dict__", {})
        for key, item in items.items():
            seed = self.add(item, self.add(key, seed, depth + 1), depth + 1)
        return seed

    def _tensor(self, value: torch.Tensor, seed: int) -> int:
        seed = _digest(f"{value.dtype}{tuple(value.shape)}".encode(), seed)
        if value.layout != torch.strided or value.is_nested:
            return self._parts(value, seed)
        if value.device.type != "cpu" or value.numel() == 0:
            return seed
        return self._bytes(_array_of(value.detach()), seed)

    def _parts(self, value: torch.Tensor, seed: int) -> int:
        if value.layout == torch.sparse_coo:
            dense = value.detach().coalesce()
            return self._tensor(dense.values(), self._tensor(dense.indices(), seed))
        if value.layout in (torch.sparse_csr, torch.sparse_bsr):
            parts = [value.crow_indices(), value.col_indices(), value.values()]
        elif value.layout in (torch.sparse_csc, torch.sparse_bsc):
            parts = [value.ccol_indices(), value.row_indices(), value.values()]
        else:
            parts = list(value.unbind()) if value.is_nested else []
        for part in parts:
            seed = self._tensor(part, seed)
        return seed

    def _array(self, value: "np.ndarray[Any, Any]", seed: int) -> int:
        seed = _digest(f"{value.dtype}{value.shape}".encode(), seed)
        if value.dtype.hasobject:
            for item in value.flat:
                seed = self.add(item, seed, _DEEPEST)
            return seed
        return self._bytes(value, seed) if value.size else seed

    def _bytes(self, array: "np.ndarray[Any, Any]", seed: int) -> int:
        if array.nbytes <= self._most:
            return _digest(np.ascontiguousarray(array).data, seed)
        # In the order of the indices: the same values laid out otherwise are the same content.
        if not array.flags.c_contiguous:
            return self._rows(array, seed)
        flat = array.reshape(-1).view(np.uint8)
        pieces = self._most // _PIECE
        stride = (flat.size - _PIECE) // max(pieces - 1, 1)
        shift = self._turn * 7919 * _PIECE % max(stride - _PIECE, 1)
        for number in range(pieces):
            start = min(number * stride + shift, flat.size - _PIECE)
            seed = _digest(flat[start : start + _PIECE].data, seed)
        return seed

    def _rows(self, array: "np.ndarray[Any, Any]", seed: int) -> int:
        rows = len(array)
        wanted = max(1, min(rows, self._most * rows // array.nbytes))
        for number in range(wanted):
            row = array[(number * rows // wanted + self._turn) % rows]
            seed = self._bytes(row, seed)
        return seed


def _array_of(value: torch.Tensor) -> "np.ndarray[Any, Any]":
    """Its memory as NumPy sees it. Not ``numpy()``, after which a tensor's storage can't be resized any more."""
    if value.is_complex() or value.is_neg():
        value = value.resolve_conj().resolve_neg()
    if not value.dtype.is_complex and value.dtype not in _KNOWN_TO_NUMPY:
        value = value.contiguous().reshape(-1).view(torch.uint8)
    array: np.ndarray[Any, Any] = np.from_dlpack(value)
    return array


_KNOWN_TO_NUMPY = frozenset(
    {torch.float64, torch.float32, torch.float16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8}
)
