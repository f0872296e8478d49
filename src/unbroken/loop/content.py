"""Content: 64 bits over what a batch holds, whole or by pieces; whatever a loader may give, by public calls only."""

from collections.abc import Mapping
from functools import lru_cache
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
_NUMBERS = frozenset("biufc")
_PADDED = {np.dtype(np.longdouble).char: np.float64, np.dtype(np.clongdouble).char: np.complex128}
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
        if value.is_nested:
            # One has no shape, or one whose numbers are others in every process.
            return self._parts(value, _digest(f"{value.dtype}nested".encode(), seed))
        seed = _digest(_described(value.dtype, value.shape), seed)
        if value.layout is not torch.strided:
            return self._parts(value, seed)
        if not value.is_cpu or value.numel() == 0:
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
        # Not the bytes between fields, nor those behind a number of 80 bits: they are whatever was there before.
        if value.dtype.names:
            for name in value.dtype.names:
                seed = self._array(value[name], seed)
            return seed
        if value.dtype.char in _PADDED:
            near: np.ndarray[Any, Any] = value.astype(_PADDED[value.dtype.char])
            with np.errstate(invalid="ignore"):
                rest = (value - near).astype(near.dtype)
            return self._array(rest, self._array(near, seed))
        if value.dtype.hasobject:
            for item in value.flat:
                seed = self.add(item, seed, _DEEPEST)
            return seed
        return self._bytes(value, seed) if value.size else seed

    def _bytes(self, array: "np.ndarray[Any, Any]", seed: int) -> int:
        # In the order of the indices: the same values laid out otherwise are the same content.
        if array.nbytes <= self._most:
            whole = array if array.flags.c_contiguous else np.ascontiguousarray(array)
            # A time is none of the numbers that a buffer can have.
            plain = whole if whole.dtype.kind in _NUMBERS else whole.reshape(-1).view(np.uint8)
            return _digest(plain.data, seed)
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


@lru_cache(256)
def _described(dtype: torch.dtype, shape: tuple[int, ...]) -> bytes:
    """What is said of a tensor besides its values; made once for each kind, for it takes as long as a small one's."""
    return f"{dtype}{tuple(shape)}".encode()


def _array_of(value: torch.Tensor) -> "np.ndarray[Any, Any]":
    """Its memory as NumPy sees it. Not ``numpy()``, after which a tensor's storage can't be resized any more."""
    if value.is_complex() or value.is_neg():
        value = value.resolve_conj().resolve_neg()
    if value.dtype not in _KNOWN_TO_NUMPY:
        value = value.contiguous().reshape(-1)
        value = torch.view_as_real(value) if value.dtype is torch.complex32 else value.view(torch.uint8)
    array: np.ndarray[Any, Any] = np.from_dlpack(value)
    return array


_KNOWN_TO_NUMPY = frozenset(
    getattr(torch, name)
    for name in (
        *("float64", "float32", "float16", "complex128", "complex64"),
        *("int64", "int32", "int16", "int8", "uint8"),
    )
)
