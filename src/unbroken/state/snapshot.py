"""Snapshots: the state copied out of training's reach in one go, and compared bit for bit."""

import datetime
import struct
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from unbroken.disk.digest import bytes_digest
from unbroken.state.copying import copy_all
from unbroken.state.encoding import child_path as child_path
from unbroken.state.encoding import decode as decode
from unbroken.state.encoding import encode as encode
from unbroken.state.encoding import encode_with
from unbroken.state.memory import SnapshotMemory, place, room_for

_LEASED = 1 << 20  # below it, memory of its own costs less than it saves
_PLACED = 4 << 10  # the same of a single tensor

_memory = SnapshotMemory()


def copy_to_host(value: object, path: str = "") -> Any:
    """``value`` encoded, with every tensor copied into CPU memory: training may go on and change it.

    Tensors that are one tensor under several names (same memory, shape and strides: tied weights) are copied
    once and stay one. Dense layouts keep their strides (channels_last). A snapshot is for writing to a file, not
    for handing to live objects: its memory is used again by a later snapshot once it is gone, and is not there in
    forked processes. Raises ``UnsavableStateError``.
    """
    unique: dict[object, torch.Tensor] = {}
    encoded = encode_with(value, path, lambda tensor: unique.setdefault(_identity(tensor), tensor))
    dense = [tensor for tensor in unique.values() if tensor.layout == torch.strided and tensor.nbytes >= _PLACED]
    size = sum(map(room_for, dense))
    if size < _LEASED:
        return _replaced(encoded, {id(tensor): _copy(tensor) for tensor in unique.values()})
    lease = _memory.lease(size)
    copies: dict[int, torch.Tensor] = {}
    offset = 0
    for tensor in dense:
        copies[id(tensor)] = place(tensor, lease, offset)
        offset += room_for(tensor)
    copy_all([(copies[id(tensor)], tensor) for tensor in dense])
    for tensor in unique.values():
        if id(tensor) not in copies:
            copies[id(tensor)] = _copy(tensor)
    return _replaced(encoded, copies)


def reserve(size: int) -> None:
    """Prepare memory, in the background, for snapshots of ``size`` bytes: the first is then as quick as the others."""
    if size >= _LEASED:
        _memory.reserve(size)


def own_copy(value: object, path: str = "") -> Any:
    """A deep copy of a decoded value, for a ``load_state_dict`` that keeps the very tensors it is given."""
    unique: dict[object, torch.Tensor] = {}
    encoded = encode_with(value, path, lambda tensor: unique.setdefault(_identity(tensor), tensor))
    return decode(_replaced(encoded, {id(tensor): _copy(tensor) for tensor in unique.values()}), path)


def bytes_of(tensor: torch.Tensor) -> int:
    """How many bytes its values take, and its indices where its layout has any."""
    return sum(part.nbytes for part in _dense_parts(tensor.detach()))


def _identity(tensor: torch.Tensor) -> object:
    """Equal for tensors that are the same memory seen the same way. Holds only while both are alive."""
    if tensor.layout != torch.strided or not tensor.numel():
        return id(tensor)
    return (
        tensor.untyped_storage().data_ptr(),
        tensor.device,
        tensor.storage_offset(),
        tensor.shape,
        tensor.stride(),
        tensor.dtype,
    )


def _replaced(encoded: Any, copies: Mapping[int, torch.Tensor]) -> Any:
    """An encoded value with its tensors replaced by their copies, in place."""
    if isinstance(encoded, torch.Tensor):
        return copies[id(encoded)]
    if isinstance(encoded, dict):
        for key, child in encoded.items():
            encoded[key] = _replaced(child, copies)
        if type(encoded) is OrderedDict:
            _replaced(vars(encoded), copies)
    elif type(encoded) is list:
        encoded[:] = [_replaced(child, copies) for child in encoded]
    elif type(encoded) is tuple:
        return tuple(_replaced(child, copies) for child in encoded)
    return encoded


def _copy(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.clone() if tensor.device.type == "cpu" else tensor.to("cpu", copy=True)


def equal_bits(a: object, b: object, path: str = "") -> str | None:
    """The path of the first place where ``a`` and ``b`` differ in a bit or a type; ``None`` when they do not.

    NaNs with the same bits are equal, 0.0 and -0.0 are not, 1 and 1.0 and True are not. Parameters count as tensors,
    devices and the order of a dict's keys do not count. A difference at the root is ``"."``.
    """
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return None if _equal_tensors(a, b) else path or "."
    if type(a) is not type(b):
        return path or "."
    if isinstance(a, dict) and isinstance(b, dict):
        for key in a:
            if key not in b:
                return child_path(path, key)
            found = equal_bits(a[key], b[key], child_path(path, key))
            if found is not None:
                return found
        return next((child_path(path, key) for key in b if key not in a), None)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        for i, (x, y) in enumerate(zip(a, b, strict=False)):
            found = equal_bits(x, y, f"{path}[{i}]")
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


def _equal_tensors(a: torch.Tensor, b: torch.Tensor) -> bool:
    if a.dtype != b.dtype or a.layout != b.layout or a.shape != b.shape:
        return False
    return all(
        x.dtype == y.dtype and x.shape == y.shape and _equal_dense(x, y)
        for x, y in zip(_dense_parts(a.detach()), _dense_parts(b.detach()), strict=True)
    )


def _dense_parts(tensor: torch.Tensor) -> list[torch.Tensor]:
    if tensor.layout == torch.sparse_coo:
        coalesced = torch.tensor(tensor.is_coalesced())
        return [tensor._indices(), tensor._values(), coalesced]
    if tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
        return [tensor.crow_indices(), tensor.col_indices(), tensor.values()]
    if tensor.layout in (torch.sparse_csc, torch.sparse_bsc):
        return [tensor.ccol_indices(), tensor.row_indices(), tensor.values()]
    return [tensor]


def _equal_dense(a: torch.Tensor, b: torch.Tensor) -> bool:
    # By 128-bit digests, at several times the speed of torch.equal. Of bytes: NaNs are equal to themselves, and 0.0
    # is not -0.0.
    return a.numel() == 0 or bytes_digest(_bytes_of(a)) == bytes_digest(_bytes_of(b))


def _bytes_of(tensor: torch.Tensor) -> memoryview:
    plain = tensor.cpu().resolve_conj().resolve_neg().contiguous()
    # Not reshape: of a single element it keeps any stride, and then it is no row of bytes.
    return plain.as_strided((plain.numel(),), (1,)).view(torch.uint8).numpy().data
