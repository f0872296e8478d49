"""Snapshots: the state copied out of training's reach in one go, and compared bit for bit."""

import datetime
import struct
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from unbroken.state.bulk import copy_all, first_difference
from unbroken.state.encoding import child_path as child_path
from unbroken.state.encoding import decode as decode
from unbroken.state.encoding import encode as encode
from unbroken.state.encoding import encode_with
from unbroken.state.memory import SnapshotMemory, place, room_for
from unbroken.store.trees import is_curve

_LEASED = 1 << 20  # below it, memory of its own costs less than it saves
_PLACED = 4 << 10  # the same of a single tensor

_HOLDERS = frozenset({torch.Tensor, dict, OrderedDict, Counter, list, tuple})

_memory = SnapshotMemory()

_Pair = tuple[str, tuple[torch.Tensor, torch.Tensor]]  # of dense tensors, and the path of what they are part of


def copy_to_host(value: object, path: str = "") -> Any:
    """``value`` encoded, with every tensor copied into CPU memory: training may go on and change it.

    Tensors that are one tensor under several names (same memory, shape and strides: tied weights) are copied
    once and stay one. Dense layouts keep their strides (channels_last). A snapshot is for writing to a file, not
    for handing to live objects: its memory is used again by a later snapshot once it is gone, and is empty in
    forked processes. Raises ``UnsavableStateError``.
    """
    return _on_host(*_encoded(value, path))


def encoded_to_host(encoded: Any) -> Any:
    """The same of a value that ``encode`` gave, and in its place: its dicts and lists are filled with the copies."""
    unique = _Unique()
    firsts = {id(tensor): unique.of(tensor) for tensor in _tensors_in(encoded)}
    return _on_host(_replaced(encoded, firsts), unique.tensors)


def _tensors_in(encoded: Any) -> Iterator[torch.Tensor]:
    if isinstance(encoded, torch.Tensor):
        yield encoded
    elif isinstance(encoded, dict | list | tuple) and not is_curve(encoded):
        for child in encoded.values() if isinstance(encoded, dict) else encoded:
            yield from _tensors_in(child)
        if type(encoded) is OrderedDict:
            yield from _tensors_in(vars(encoded))


def _on_host(encoded: Any, tensors: list[torch.Tensor]) -> Any:
    dense = [tensor for tensor in tensors if tensor.layout == torch.strided and tensor.nbytes >= _PLACED]
    size = sum(map(room_for, dense))
    copies: dict[int, torch.Tensor] = {}
    if size >= _LEASED:
        lease, offset = _memory.lease(size), 0
        for tensor in dense:
            copies[id(tensor)] = place(tensor, lease, offset)
            offset += room_for(tensor)
    return _filled(encoded, tensors, copies)


def reserve(size: int) -> None:
    """Prepare memory, in the background, for snapshots of ``size`` bytes: the first is then as quick as the others."""
    if size >= _LEASED:
        _memory.reserve(size)


def own_copy(value: object, path: str = "") -> Any:
    """A deep copy of a decoded value, for a ``load_state_dict`` that keeps the very tensors it is given."""
    encoded, tensors = _encoded(value, path)
    targets = {id(tensor): torch.empty_like(tensor) for tensor in tensors if _is_row(tensor)}
    return decode(_filled(encoded, tensors, targets), path)


def bytes_of(tensor: torch.Tensor) -> int:
    """How many bytes its values take, and its indices where its layout has any."""
    if tensor.layout is torch.strided:
        return tensor.nbytes
    return sum(part.nbytes for part in dense_parts(tensor.detach()))


def _encoded(value: object, path: str) -> tuple[Any, list[torch.Tensor]]:
    """``value`` encoded, and the tensors in it, those that are one tensor under several names once."""
    unique = _Unique()
    return encode_with(value, path, unique.of), unique.tensors


class _Unique:
    """Of the tensors that are the same memory seen the same way always the first. Keeps them alive."""

    def __init__(self) -> None:
        self.tensors: list[torch.Tensor] = []
        self._by_address: dict[int, list[torch.Tensor]] = {}

    def of(self, tensor: torch.Tensor) -> torch.Tensor:
        if tensor.layout is torch.strided:
            alike = self._by_address.setdefault(tensor.data_ptr(), [])
            # What begins elsewhere is another one: it need not be looked at further.
            for other in alike if tensor.numel() else ():
                if _is_the_same(tensor, other):
                    return other
            alike.append(tensor)
        self.tensors.append(tensor)
        return tensor


def _filled(encoded: Any, tensors: list[torch.Tensor], targets: dict[int, torch.Tensor]) -> Any:
    """``encoded`` with a copy in the place of each tensor: in its target, where it has one by its id."""
    copies = dict(targets)
    pairs = []
    for tensor in tensors:
        target = targets.get(id(tensor))
        if target is None:
            copies[id(tensor)] = tensor.clone() if tensor.is_cpu else tensor.to("cpu", copy=True)
        else:
            pairs.append((target, tensor))
    copy_all(pairs)
    return _replaced(encoded, copies)


def _is_the_same(tensor: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors that begin at the same address are the same memory seen the same way."""
    return (
        tensor.shape == other.shape
        and tensor.dtype == other.dtype
        and tensor.stride() == other.stride()
        and tensor.device == other.device
    )


def _replaced(encoded: Any, copies: Mapping[int, torch.Tensor]) -> Any:
    """An encoded value with its tensors replaced by their copies, in place."""
    if isinstance(encoded, torch.Tensor):
        return copies[id(encoded)]
    if isinstance(encoded, dict):
        for key, child in encoded.items():
            if type(child) is torch.Tensor:
                encoded[key] = copies[id(child)]
            elif type(child) in _HOLDERS:
                encoded[key] = _replaced(child, copies)
        if type(encoded) is OrderedDict:
            _replaced(vars(encoded), copies)
    elif type(encoded) is list and not is_curve(encoded):
        encoded[:] = [_replaced(child, copies) if type(child) in _HOLDERS else child for child in encoded]
    elif type(encoded) is tuple:
        return tuple(_replaced(child, copies) for child in encoded)
    return encoded


def _is_row(tensor: torch.Tensor) -> bool:
    return tensor.layout == torch.strided and tensor.device.type == "cpu" and tensor.is_contiguous()


def equal_bits(a: object, b: object, path: str = "") -> str | None:
    """The path of the first place where ``a`` and ``b`` differ in a bit or a type; ``None`` when they do not.

    NaNs with the same bits are equal, 0.0 and -0.0 are not, 1 and 1.0 and True are not. Parameters count as tensors,
    devices and the order of a dict's keys do not count. A difference at the root is ``"."``.
    """
    seen: list[_Pair] = []
    found = _compared(a, b, path, seen)
    index = first_difference([pair for _, pair in seen])
    return found if index is None else seen[index][0]


def _compared(a: object, b: object, path: str, seen: list[_Pair]) -> str | None:
    """The first difference but those in values of tensors, which are added to ``seen`` up to there."""
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        pairs = _dense_pairs(a, b)
        if pairs is None:
            return path or "."
        seen.extend((path or ".", pair) for pair in pairs)
        return None
    if type(a) is not type(b):
        return path or "."
    if isinstance(a, dict) and isinstance(b, dict):
        for key in a:
            if key not in b:
                return child_path(path, key)
            found = _compared(a[key], b[key], child_path(path, key), seen)
            if found is not None:
                return found
        return next((child_path(path, key) for key in b if key not in a), None)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        for i, (x, y) in enumerate(zip(a, b, strict=False)):
            found = _compared(x, y, f"{path}[{i}]", seen)
            if found is not None:
                return found
        return None if len(a) == len(b) else f"{path}[{min(len(a), len(b))}]"
    return None if _equal_leaves(a, b) else path or "."


def _equal_leaves(a: Any, b: Any) -> bool:
    if isinstance(a, float):
        return struct.pack("=d", a) == struct.pack("=d", b)
    if isinstance(a, complex):
        return struct.pack("=dd", a.real, a.imag) == struct.pack("=dd", b.real, b.imag)
    if isinstance(a, (np.ndarray, np.generic)):
        return bool(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes())
    if isinstance(a, (datetime.datetime, datetime.time)):
        return repr(a) == repr(b)  # one instant in two zones is equal to ==, and so are both sides of a fold
    if isinstance(a, (set, frozenset)):
        return sorted(map(repr, a)) == sorted(map(repr, b))
    return bool(a == b)


def _dense_pairs(a: torch.Tensor, b: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]] | None:
    """What two tensors consist of, side by side; None where they differ in more than the values of that."""
    if a.dtype != b.dtype or a.layout != b.layout or a.shape != b.shape:
        return None
    if a.layout is torch.strided:
        return [(a, b)]
    pairs = list(zip(dense_parts(a.detach()), dense_parts(b.detach()), strict=True))
    return pairs if all(x.dtype == y.dtype and x.shape == y.shape for x, y in pairs) else None


def dense_parts(tensor: torch.Tensor) -> list[torch.Tensor]:
    if tensor.layout == torch.sparse_coo:
        coalesced = torch.tensor(tensor.is_coalesced())
        return [tensor._indices(), tensor._values(), coalesced]
    if tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
        return [tensor.crow_indices(), tensor.col_indices(), tensor.values()]
    if tensor.layout in (torch.sparse_csc, torch.sparse_bsc):
        return [tensor.ccol_indices(), tensor.row_indices(), tensor.values()]
    return [tensor]
