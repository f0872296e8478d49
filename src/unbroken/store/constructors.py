"""What the pickle of a torch file may call: each call is answered with a stub or a plain value, after checks.

Calls that allocate what a file claims (``torch.Tensor(n)`` and ``bytearray(n)`` do, and torch's safe reader makes
them) are not among them; a storage must lie within its member of the file, and a tensor within its storage.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_MAX_EXPANDED = 1 << 28

ITEM_SIZES = {
    "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2,
    "complex128": 16, "complex64": 8, "complex32": 4,
    "int64": 8, "int32": 4, "int16": 2, "int8": 1,
    "uint64": 8, "uint32": 4, "uint16": 2, "uint8": 1, "bool": 1,
    "float8_e4m3fn": 1, "float8_e4m3fnuz": 1, "float8_e5m2": 1, "float8_e5m2fnuz": 1, "float8_e8m0fnu": 1,
}  # fmt: skip
"""Bytes per element of every dtype a checkpoint may hold."""

STORAGES = {
    "torch.DoubleStorage": "float64",
    "torch.FloatStorage": "float32",
    "torch.HalfStorage": "float16",
    "torch.BFloat16Storage": "bfloat16",
    "torch.ComplexDoubleStorage": "complex128",
    "torch.ComplexFloatStorage": "complex64",
    "torch.LongStorage": "int64",
    "torch.IntStorage": "int32",
    "torch.ShortStorage": "int16",
    "torch.CharStorage": "int8",
    "torch.ByteStorage": "uint8",
    "torch.BoolStorage": "bool",
    "torch.storage.UntypedStorage": "uint8",
}
_SPARSE = ("torch.sparse_coo", "torch.sparse_csr", "torch.sparse_csc", "torch.sparse_bsr", "torch.sparse_bsc")
DTYPES = {f"torch.{name}": name for name in ITEM_SIZES}


class Refused(Exception):  # noqa: N818 - a verdict on the file, turned into CheckpointDamagedError by torchfile
    """The pickle holds what a checkpoint may not; ``key`` and ``detail`` say what."""

    def __init__(self, key: str, detail: str) -> None:
        super().__init__(key, detail)
        self.key = key
        self.detail = detail


@dataclass(frozen=True)
class TensorStub:
    """What a tensor is, without its bytes."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Name:
    """A dtype, or a torch device, by its name."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Global:
    """Something the pickle may call, or a kind of storage, by its full name."""

    name: str


@dataclass(frozen=True)
class Storage:
    """A storage of ``size`` bytes in the member ``data/<key>``."""

    key: str
    dtype: str
    size: int


class Views:
    """The storages a pickle has claimed, each within the bytes its member has, and the tensors on them."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self._sizes = sizes
        self._claimed: dict[str, Storage] = {}
        self._expanded = 0

    def storage(self, identity: object) -> Storage:
        """The storage that a reference of the pickle names; refused if the file holds less than it claims."""
        if type(identity) is not tuple or len(identity) != 5 or identity[0] != "storage":
            raise Refused("store_pickle", "a reference to no storage")
        _, kind, key, location, count = identity
        if (
            type(kind) is not Global
            or kind.name not in STORAGES
            or type(key) is not str
            or type(location) is not str
            or not _is_count(count)
        ):
            raise Refused("store_pickle", "a storage")
        dtype = STORAGES[kind.name]
        size = self._sizes.get(key)
        if size is None or count * ITEM_SIZES[dtype] > size:
            raise Refused("store_storage", f"data/{key[:40]}: {count} x {dtype}")
        storage = Storage(key, dtype, count * ITEM_SIZES[dtype])
        # torch keeps the first description of a storage and ignores the others
        if self._claimed.setdefault(key, storage) != storage:
            raise Refused("store_storage", f"data/{key[:40]}: described twice")
        return storage

    def tensor(self, storage: Any, dtype: str, offset: Any, shape: Any, stride: Any) -> TensorStub:
        """The stub of a view of ``storage``; refused if any element would lie outside it."""
        sane = (
            type(storage) is Storage
            and _is_count(offset)
            and type(shape) is tuple
            and type(stride) is tuple
            and len(shape) == len(stride)
            and all(map(_is_count, (*shape, *stride)))
        )
        if not sane:
            raise Refused("store_pickle", "a tensor")
        item = ITEM_SIZES[dtype]
        count, last = 1, offset
        for length, step in zip(shape, stride, strict=True):
            count *= length
            last += (length - 1) * step
        if count and (last + 1) * item > storage.size:
            raise Refused("store_tensor", f"data/{storage.key[:40]}: {_shape_text(dtype, shape)}")
        # An expanded tensor repeats elements: whoever copies it needs more than the file holds.
        self._expanded += max(0, count * item - storage.size)
        if self._expanded > _MAX_EXPANDED or len(shape) > 64 or max(shape, default=0) >= 1 << 62:
            raise Refused("store_tensor", f"data/{storage.key[:40]}: {_shape_text(dtype, shape)}")
        return TensorStub(dtype, shape)


def _shape_text(dtype: str, shape: tuple[int, ...]) -> str:
    return f"{dtype}[{', '.join(map(str, shape))}]"[:120]


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 63


def checked_key(key: Any) -> Any:
    """A dict key that is cheap to hash: a scalar, or a flat tuple of them (hashing nested ones can take for ever)."""
    parts = key if type(key) is tuple else (key,)
    for part in parts:
        # Integers that differ by a multiple of 2**61 - 1 have one hash.
        if type(part) is int and part.bit_length() < 64:
            continue
        if type(part) not in (str, bool, float, type(None), bytes, complex, Name):
            raise Refused("store_pickle", f"a key of type {type(part).__name__}")
    return key


def _no_extras(requires_grad: Any, hooks: Any, metadata: Any = None) -> None:
    if type(requires_grad) is not bool or hooks or type(hooks) not in (OrderedDict, dict, type(None)):
        raise Refused("store_pickle", "hooks of a tensor")
    if metadata is not None and not (
        type(metadata) is dict
        and all(key in ("conj", "neg") and type(value) is bool for key, value in metadata.items())
    ):
        raise Refused("store_pickle", "metadata of a tensor")


def _tensor(
    views: Views,
    storage: Any,
    offset: Any,
    shape: Any,
    stride: Any,
    grad: Any,
    hooks: Any,
    metadata: Any = None,
) -> TensorStub:
    _no_extras(grad, hooks, metadata)
    return views.tensor(storage, storage.dtype, offset, shape, stride)


def _tensor_of_dtype(
    views: Views,
    storage: Any,
    offset: Any,
    shape: Any,
    stride: Any,
    grad: Any,
    hooks: Any,
    dtype: Any,
    metadata: Any = None,
) -> TensorStub:
    _no_extras(grad, hooks, metadata)
    return views.tensor(storage, DTYPES[dtype.text], offset, shape, stride)


def _parameter(_: Views, data: Any, requires_grad: Any, hooks: Any) -> TensorStub:
    _no_extras(requires_grad, hooks)
    if type(data) is not TensorStub:
        raise Refused("store_pickle", "a parameter without a tensor")
    return data


def _layout(_: Views, layout: Any) -> Name:
    if type(layout) is not str or layout not in _SPARSE:
        raise Refused("store_pickle", "a layout")
    return Name(layout)


def _sparse(_: Views, layout: Any, data: Any) -> TensorStub:
    tensors = 2 if layout == Name(_SPARSE[0]) else 3
    *parts, shape = data[: tensors + 1]
    if (
        type(layout) is not Name
        or layout.text not in _SPARSE
        or any(type(part) is not TensorStub for part in parts)
        or type(shape) is not tuple
        or not all(map(_is_count, shape))
    ):
        raise Refused("store_pickle", "a sparse tensor")
    return TensorStub(parts[-1].dtype, shape)


def _size(_: Views, items: Any) -> tuple[int, ...]:
    if type(items) is not tuple or not all(type(item) is int for item in items):
        raise Refused("store_pickle", "a torch.Size")
    return items


def _device(_: Views, kind: Any, index: Any = None) -> Name:
    if type(kind) is not str or not (index is None or _is_count(index)):
        raise Refused("store_pickle", "a torch.device")
    return Name(kind if index is None else f"{kind}:{index}")


def _ordered(_: Views) -> OrderedDict[Any, Any]:
    return OrderedDict()


def _counter(_: Views, counts: Any) -> Counter[Any]:
    if type(counts) is not dict:
        raise Refused("store_pickle", "a Counter")
    return Counter(counts)


def _encode(_: Views, text: Any, encoding: Any) -> bytes:
    if type(text) is not str or encoding != "latin1":
        raise Refused("store_pickle", "bytes")
    return text.encode("latin1")


def _bytearray(_: Views, *data: Any) -> bytes:
    # bytearray(10**12) would allocate
    if len(data) > 1 or (data and type(data[0]) is not bytes):
        raise Refused("store_pickle", "a bytearray")
    return data[0] if data else b""


def _set(_: Views, items: Any) -> set[Any]:
    if type(items) is not list:
        raise Refused("store_pickle", "a set")
    return {checked_key(item) for item in items}


def _complex(_: Views, real: Any, imaginary: Any) -> complex:
    if type(real) is not float or type(imaginary) is not float:
        raise Refused("store_pickle", "a complex number")
    return complex(real, imaginary)


CALLS: dict[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_of_dtype,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_sparse_tensor": _sparse,
    "torch.serialization._get_layout": _layout,
    "torch.Size": _size,
    "torch.device": _device,
    "collections.OrderedDict": _ordered,
    "collections.Counter": _counter,
    "_codecs.encode": _encode,
    "builtins.bytearray": _bytearray,
    "builtins.set": _set,
    "builtins.complex": _complex,
}
