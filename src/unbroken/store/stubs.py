"""What the pickle of a torch file may call: each call is answered with a stub or a plain value, after checks.

Calls that allocate what a file claims (``torch.Tensor(n)`` and ``bytearray(n)`` do, and torch's safe reader makes
them) are not among them; a storage must lie within its member of the file, and a tensor within its storage.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from unbroken.store.trees import Refused

ITEM_SIZES = {
    "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2,
    "complex128": 16, "complex64": 8, "complex32": 4,
    "int64": 8, "int32": 4, "int16": 2, "int8": 1,
    "uint64": 8, "uint32": 4, "uint16": 2, "uint8": 1, "bool": 1,
    "float8_e4m3fn": 1, "float8_e4m3fnuz": 1, "float8_e5m2": 1, "float8_e5m2fnuz": 1, "float8_e8m0fnu": 1,
}  # fmt: skip
"""Bytes per element of every dtype a checkpoint may hold."""

STORAGES = {
    "torch.DoubleStorage": "float64", "torch.FloatStorage": "float32", "torch.HalfStorage": "float16",
    "torch.BFloat16Storage": "bfloat16", "torch.ComplexDoubleStorage": "complex128",
    "torch.ComplexFloatStorage": "complex64", "torch.LongStorage": "int64", "torch.IntStorage": "int32",
    "torch.ShortStorage": "int16", "torch.CharStorage": "int8", "torch.ByteStorage": "uint8",
    "torch.BoolStorage": "bool", "torch.storage.UntypedStorage": "uint8",
}  # fmt: skip
_SPARSE = ("torch.sparse_coo", "torch.sparse_csr", "torch.sparse_csc", "torch.sparse_bsr", "torch.sparse_bsc")
DTYPES = {f"torch.{name}": name for name in ITEM_SIZES}
_MAX_EXPANDED = 1 << 28


@dataclass(frozen=True)
class TensorStub:
    """What a tensor is, without its bytes."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Label:
    """A dtype, a layout or a device of torch, by its name."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Global:
    """Something the pickle may call, or a kind of storage, by its full name."""

    name: str


@dataclass(frozen=True)
class _Storage:
    """A storage of ``size`` bytes in the member ``data/<key>``."""

    key: str
    dtype: str
    size: int


STAND_INS = frozenset({Global, _Storage})
"""Of what is no value of training: where one is left in what was read, only torch knows what it comes back as."""


class View(NamedTuple):
    """What a tensor is: elements of a storage, of which the first ``size`` bytes of the member ``data/<key>`` are."""

    key: str
    size: int
    dtype: str
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


def stub(view: View) -> Any:
    return TensorStub(view.dtype, view.shape)


class Storages:
    """The storages a pickle has claimed, each within the bytes its member has, and the tensors on them.

    ``make`` makes a tensor of what is known to lie within its storage; ``unusual`` is set once there is something
    else than plain tensors and values, of which only torch knows what they come back as.
    """

    def __init__(self, sizes: Mapping[str, int], make: Callable[[View], Any] = stub) -> None:
        self._sizes = sizes
        self._make = make
        self._claimed: dict[str, _Storage] = {}
        self._expanded = 0
        self._extents: dict[tuple[tuple[int, ...], tuple[int, ...]], tuple[int, int]] = {}
        self.unusual = False

    def storage(self, identity: object) -> _Storage:
        """The storage that a reference of the pickle names; refused if the file holds less than it claims."""
        match identity:
            case ("storage", Global(name), str(key), str(), int(count)) if type(identity) is tuple:
                pass
            case _:
                raise Refused("store_pickle", "a reference to no storage")
        if name not in STORAGES or not _is_count(count):
            raise Refused("store_pickle", "a storage")
        dtype, size = STORAGES[name], self._sizes.get(key)
        if size is None or count * ITEM_SIZES[dtype] > size:
            raise Refused("store_storage", f"data/{key[:40]}: {count} x {dtype}")
        storage = _Storage(key, dtype, count * ITEM_SIZES[dtype])
        # torch keeps the first description of a storage and ignores the others
        if self._claimed.setdefault(key, storage) != storage:
            raise Refused("store_storage", f"data/{key[:40]}: described twice")
        return storage

    def plain(
        self, name: str, key: str, count: int, offset: int, shape: tuple[int, ...], stride: tuple[int, ...]
    ) -> Any:
        """``tensor`` of a ``storage`` that both are whole numbers and nothing else."""
        dtype = STORAGES[name]
        item, there = ITEM_SIZES[dtype], self._sizes.get(key)
        known = self._extents.get((shape, stride))
        if known is None or there is None or key in self._claimed or not 0 <= offset <= count:
            return self.tensor(self.storage(("storage", Global(name), key, "cpu", count)), dtype, offset, shape, stride)
        elements, last = known
        size = count * item
        if size > there or (offset + last) * item > size or elements > count:
            return self.tensor(self.storage(("storage", Global(name), key, "cpu", count)), dtype, offset, shape, stride)
        self._claimed[key] = _Storage(key, dtype, size)
        return self._make(View(key, size, dtype, offset, shape, stride))

    def tensor(self, storage: Any, dtype: str, offset: Any, shape: Any, stride: Any) -> Any:
        """What ``make`` makes of a view of ``storage``; refused if any element would lie outside it."""
        sane = type(storage) is _Storage and _is_count(offset) and _are_counts(shape) and _are_counts(stride)
        if not sane or len(shape) != len(stride):
            raise Refused("store_pickle", "a tensor")
        item = ITEM_SIZES[dtype]
        count, last = 1, offset
        for length, step in zip(shape, stride, strict=True):
            count *= length
            last += (length - 1) * step
        # An expanded tensor repeats elements: whoever copies it needs more than the file holds.
        self._expanded += max(0, count * item - storage.size)
        outside = count and (last + 1) * item > storage.size
        if outside or self._expanded > _MAX_EXPANDED or len(shape) > 64 or max(shape, default=0) >= 1 << 62:
            said = f"{dtype}[{', '.join(map(str, shape))}]"[:120]
            raise Refused("store_tensor", f"data/{storage.key[:40]}: {said}")
        if min(stride, default=0) >= 0 and count:
            self._extents[shape, stride] = (count, last - offset + 1)
        return self._make(View(storage.key, storage.size, dtype, offset, shape, stride))


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 63


def _are_counts(values: object) -> bool:
    return type(values) is tuple and all(map(_is_count, values))


def checked_key(key: Any) -> Any:
    """A dict key that is cheap to hash: a scalar, or a flat tuple of them (hashing nested ones can take for ever)."""
    parts = key if type(key) is tuple else (key,)
    for part in parts:
        # Integers that differ by a multiple of 2**61 - 1 have one hash.
        if type(part) is int and part.bit_length() < 64:
            continue
        if type(part) not in (str, bool, float, type(None), bytes, complex, Label):
            raise Refused("store_pickle", f"a key of type {type(part).__name__}")
    return key


def _refuse_extras(storages: Storages, requires_grad: Any, hooks: Any, metadata: Any = None) -> None:
    if type(requires_grad) is not bool or hooks or type(hooks) not in (OrderedDict, dict, type(None)):
        raise Refused("store_pickle", "hooks of a tensor")
    known = type(metadata) is dict and all(k in ("conj", "neg") and type(v) is bool for k, v in metadata.items())
    if metadata is not None and not known:
        raise Refused("store_pickle", "metadata of a tensor")
    storages.unusual |= requires_grad or metadata is not None


def _tensor(storages: Storages, *arguments: Any) -> Any:
    storage, offset, shape, stride, *extras = arguments
    _refuse_extras(storages, *extras)
    return storages.tensor(storage, storage.dtype, offset, shape, stride)


def _tensor_of_dtype(storages: Storages, *arguments: Any) -> Any:
    storage, offset, shape, stride, grad, hooks, dtype, *metadata = arguments
    _refuse_extras(storages, grad, hooks, *metadata)
    return storages.tensor(storage, DTYPES[dtype.text], offset, shape, stride)


def _parameter(storages: Storages, data: Any, requires_grad: Any, hooks: Any) -> Any:
    _refuse_extras(storages, requires_grad, hooks)
    storages.unusual = True
    if not is_tensor(data):
        raise Refused("store_pickle", "a parameter without a tensor")
    return data


def _sparse(storages: Storages, layout: Any, data: Any) -> TensorStub:
    storages.unusual = True
    tensors = 2 if layout == Label(_SPARSE[0]) else 3
    *parts, shape = data[: tensors + 1]
    known = type(layout) is Label and layout.text in _SPARSE
    if not known or not all(map(is_tensor, parts)) or not _are_counts(shape):
        raise Refused("store_pickle", "a sparse tensor")
    return TensorStub(str(parts[-1].dtype).removeprefix("torch."), shape)


def is_tensor(value: object) -> bool:
    """Whether it is what ``make`` has made."""
    return hasattr(value, "shape") and hasattr(value, "dtype")


def _plain(
    what: str, fits: Callable[..., bool], make: Callable[..., Any], *, unusual: bool = False
) -> Callable[..., Any]:
    """A call that is answered with ``make`` of its arguments, if these are as they must be."""

    def call(storages: Storages, *arguments: Any) -> Any:
        if not fits(*arguments):
            raise Refused("store_pickle", what)
        storages.unusual |= unusual
        return make(*arguments)

    return call


CALLS: dict[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_of_dtype,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_sparse_tensor": _sparse,
    "torch.serialization._get_layout": _plain(
        "a layout", lambda layout: type(layout) is str and layout in _SPARSE, Label, unusual=True
    ),
    "torch.Size": _plain(
        "a torch.Size",
        lambda items: type(items) is tuple and all(type(item) is int for item in items),
        tuple,
        unusual=True,
    ),
    "torch.device": _plain(
        "a torch.device",
        lambda kind, index=None: type(kind) is str and (index is None or _is_count(index)),
        lambda kind, index=None: Label(kind if index is None else f"{kind}:{index}"),
        unusual=True,
    ),
    "collections.OrderedDict": _plain("an OrderedDict", lambda: True, OrderedDict),
    "collections.Counter": _plain("a Counter", lambda counts: type(counts) is dict, Counter),
    "_codecs.encode": _plain("bytes", lambda text, codec: type(text) is str and codec == "latin1", str.encode),
    # bytearray(10**12) would allocate
    "builtins.bytearray": _plain(
        "a bytearray", lambda data=b"": type(data) is bytes, lambda data=b"": data, unusual=True
    ),
    "builtins.set": _plain(
        "a set", lambda items: type(items) is list, lambda items: {checked_key(item) for item in items}
    ),
    "builtins.complex": _plain("a complex number", lambda *parts: [*map(type, parts)] == [float, float], complex),
}
