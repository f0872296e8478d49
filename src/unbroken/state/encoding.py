"""The encoding of values: anything a checkpoint may hold, as what ``torch.load(weights_only=True)`` opens."""

import collections
import datetime
import enum
import pathlib
import re
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import torch

from unbroken.errors import ArchitectureChangedError, CheckpointDamagedError, UnsavableStateError
from unbroken.state.classes import class_named, is_namedtuple, name_of
from unbroken.store.trees import is_curve

MARK = "__unbroken__"
"""A dict with this key is not the user's: the key's value names the kind, the others hold its content."""

_COMPRESSED = ("sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc")
# fmt: off
_DTYPE_NAMES = (
    "float64", "float32", "float16", "bfloat16", "complex128", "complex64", "complex32",
    "int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8", "bool",
    "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu",
)
# fmt: on

_DEPTH = 100  # far below the recursion limit of pickle, which walks the same tree
_INT_BITS = 2000  # pickle's LONG1 holds 255 bytes, and weights_only refuses LONG4
_KEY_BITS = 63  # the store refuses longer ones: they can be made to collide in a hash table
_PLAIN = frozenset({str, bool, type(None), float, complex, torch.Size, torch.dtype, torch.device})
_CONTAINERS = frozenset({dict, list, tuple, collections.OrderedDict})
_TEXT = frozenset({str})
_PLAIN_KEYS = (str, bool, type(None), float)
_LAYOUTS = frozenset(getattr(torch, name) for name in ("strided", "sparse_coo", *_COMPRESSED))
_DTYPES = frozenset(getattr(torch, name) for name in _DTYPE_NAMES if hasattr(torch, name))
FACTORIES: dict[str, type] = {t.__name__: t for t in (dict, list, set, int, float, str, tuple)}
_PURE_PATHS: dict[str, type[pathlib.PurePath]] = {
    "path": pathlib.Path,
    "posix": pathlib.PurePosixPath,
    "windows": pathlib.PureWindowsPath,
}
_BARE = re.compile(r"[\w.-]+")
_ITEM_IS_EXACT = (np.float64, np.int64, np.bool_, np.str_, np.complex128)


def encode(value: object, path: str) -> object:
    """``value`` as safe types only, tensors detached but not copied; ``decode`` gives it back, type for type.

    Two exceptions lose their type and keep their value: numpy's float64, int64, bool and complex128 scalars become
    Python's. ``path`` names the value in the ``UnsavableStateError`` raised for what no safe file can hold.
    """
    return encode_with(value, path, lambda tensor: tensor)


def encode_with(value: object, path: str, keep: Callable[[torch.Tensor], torch.Tensor]) -> object:
    """``encode``, with each (detached) tensor replaced by ``keep(tensor)``."""
    return _Encoder(keep).encode(value, (None, path), 0)


def child_path(path: str, key: object) -> str:
    """The path of the value under ``key``: ``optimizer.state[0].exp_avg``, ``model.layers.0.weight``."""
    if type(key) is str and _BARE.fullmatch(key):
        return f"{path}.{key}" if path else key
    return f"{path}[{key!r}]"


# A path is spelled only in an error: here it is the path of the container, and the key or the words after it.
_Path = tuple[Any, object]


class _Words(str):
    """A part of a path that is no key: `` key 'x'``."""


def _spelled(path: _Path) -> str:
    container, key = path
    if container is None or isinstance(key, _Words):
        return ("" if container is None else _spelled(container)) + str(key)
    return child_path(_spelled(container), key)


class _Encoder:
    def __init__(self, keep: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self._keep = keep
        self._found_again: dict[type, bool] = {}

    def encode(self, value: Any, path: _Path, depth: int) -> object:
        if depth > _DEPTH:
            raise UnsavableStateError("state_too_deep", path=_spelled(path), depth=_DEPTH)
        kind = type(value)
        if kind in _PLAIN:
            return value
        if kind is int:
            return value if value.bit_length() <= _INT_BITS else {MARK: "int", "hex": hex(value)}
        if isinstance(value, torch.Tensor):
            return self._keep(_checked(value, path))
        if kind in (dict, collections.OrderedDict, collections.Counter, collections.defaultdict):
            return self._mapping(value, path, depth)
        if is_curve(value):
            return [*value]
        if kind is list:
            return [v if type(v) in _PLAIN else self.encode(v, (path, i), depth + 1) for i, v in enumerate(value)]
        if kind is tuple:
            return tuple(self.encode(v, (path, i), depth + 1) for i, v in enumerate(value))
        return self._marked(value, path, depth)

    def _mapping(self, value: Any, path: _Path, depth: int) -> object:
        kind = type(value)
        plain = MARK not in value and (set(map(type, value)) <= _TEXT or all(map(_is_plain_key, value)))
        if plain and kind is not collections.defaultdict:
            content = {k: v if type(v) in _PLAIN else self.encode(v, (path, k), depth + 1) for k, v in value.items()}
            if kind is dict:
                return content
            if kind is collections.Counter:
                return collections.Counter(content)
            ordered = collections.OrderedDict(content)
            # Module.state_dict() keeps its version numbers in an attribute; without them old
            # spectral_norm and InstanceNorm load the same tensors in another way.
            for name, attribute in vars(value).items():
                ordered.__dict__[name] = self.encode(attribute, (path, name), depth + 1)
            return ordered
        encoded: dict[str, object] = {MARK: kind.__name__}
        if kind is collections.defaultdict and value.default_factory is not None:
            factory = getattr(value.default_factory, "__name__", "")
            if FACTORIES.get(factory) is not value.default_factory:
                raise _unsavable(value.default_factory, (path, "default_factory"))
            encoded["factory"] = factory
        encoded["items"] = [
            [self.encode(k, (path, _Words(f" key {k!r}")), depth + 1), self.encode(v, (path, k), depth + 1)]
            for k, v in value.items()
        ]
        return encoded

    def _marked(self, value: Any, path: _Path, depth: int) -> object:
        kind = type(value)
        if kind in (set, frozenset):
            items = [self.encode(v, (path, _Words(f" item {v!r}")), depth + 1) for v in value]
            return {MARK: kind.__name__, "items": sorted(items, key=repr)}
        if kind in (bytes, bytearray):
            return {MARK: kind.__name__, "data": self._keep(_bytes_tensor(bytes(value)))}
        if isinstance(value, np.generic):
            if isinstance(value, _ITEM_IS_EXACT):
                return value.item()
            return {**self._array(np.asarray(value), path), MARK: "scalar"}
        if kind is np.ndarray:
            return self._array(value, path)
        if isinstance(value, pathlib.PurePath):
            return _encode_path(value, path)
        if kind in (datetime.datetime, datetime.date, datetime.time, datetime.timedelta):
            return _encode_time(value, path)
        if isinstance(value, enum.Enum) and self._is_found_again(kind) and kind.__members__.get(value.name) is value:
            return {MARK: "enum", "class": list(name_of(kind)), "name": value.name}
        if isinstance(value, tuple) and is_namedtuple(kind) and self._is_found_again(kind):
            items = [self.encode(v, (path, f), depth + 1) for f, v in zip(kind._fields, value, strict=True)]
            return {MARK: "namedtuple", "class": list(name_of(kind)), "items": items}
        raise _unsavable(value, path)

    def _is_found_again(self, kind: type) -> bool:
        """Whether a program that is started again has this class under the same name; one made in a call it has not."""
        if kind not in self._found_again:
            of_a_call = "<locals>" in kind.__qualname__
            self._found_again[kind] = not of_a_call and class_named(*name_of(kind)) is kind
        return self._found_again[kind]

    def _array(self, value: "np.ndarray[Any, Any]", path: _Path) -> dict[str, object]:
        if value.dtype.hasobject:
            raise UnsavableStateError("state_object_array", path=_spelled(path))
        descr = np.lib.format.dtype_to_descr(value.dtype)
        fortran = value.flags.f_contiguous and not value.flags.c_contiguous
        data = self._keep(_bytes_tensor(value.tobytes("F" if fortran else "C")))
        return {
            MARK: "ndarray",
            "dtype": self.encode(descr, (path, "dtype"), 0),
            "shape": list(value.shape),
            "order": "F" if fortran else "C",
            "data": data,
        }


def decode(value: Any, path: str = "") -> Any:
    """The inverse of ``encode``: tensors are given back as they are; a foreign mark is a damaged checkpoint."""
    return _decoded(value, (None, path))


def _decoded(value: Any, path: _Path) -> Any:
    kind = type(value)
    if kind not in _CONTAINERS:
        return value
    if kind is dict:
        if MARK in value:
            try:
                return _decode_marked(value, _spelled(path))
            except (LookupError, TypeError, ValueError, AttributeError, OverflowError, SyntaxError) as error:
                raise CheckpointDamagedError("state_bad_encoding", path=_spelled(path), detail=str(error)) from error
        return {k: _decoded(v, (path, k)) if type(v) in _CONTAINERS else v for k, v in value.items()}
    if kind is collections.OrderedDict:
        ordered = collections.OrderedDict((k, _decoded(v, (path, k))) for k, v in value.items())
        ordered.__dict__.update({k: _decoded(v, (path, k)) for k, v in vars(value).items()})
        return ordered
    if kind is list:
        return [*value] if is_curve(value) else [_decoded(v, (path, i)) for i, v in enumerate(value)]
    return tuple(_decoded(v, (path, i)) for i, v in enumerate(value))


def _decode_marked(value: dict[Any, Any], path: str) -> object:
    kind = value[MARK]
    if kind == "int":
        return int(value["hex"], 16)
    if kind in ("dict", "OrderedDict", "Counter", "defaultdict"):
        items = [(decode(k, f"{path} key"), decode(v, child_path(path, k))) for k, v in value["items"]]
        if kind == "defaultdict":
            factory = FACTORIES[value["factory"]] if "factory" in value else None
            return collections.defaultdict(factory, items)
        mapping: dict[Any, Any] = dict(items)
        if kind == "Counter":
            return collections.Counter(mapping)
        return collections.OrderedDict(mapping) if kind == "OrderedDict" else mapping
    if kind in ("set", "frozenset"):
        return {"set": set, "frozenset": frozenset}[kind](decode(v, f"{path} item") for v in value["items"])
    if kind in ("bytes", "bytearray"):
        return {"bytes": bytes, "bytearray": bytearray}[kind](_tensor_bytes(value["data"]))
    if kind in ("ndarray", "scalar"):
        array = _decode_array(value)
        return array[()] if kind == "scalar" else array
    if kind in _PURE_PATHS:
        return _PURE_PATHS[kind](value["text"])
    if kind == "timedelta":
        return datetime.timedelta(*value["parts"])
    if kind in ("datetime", "date", "time"):
        classes: dict[str, Any] = {c.__name__: c for c in (datetime.datetime, datetime.date, datetime.time)}
        time = classes[kind].fromisoformat(value["text"])
        return time.replace(fold=1) if "fold" in value else time
    if kind in ("enum", "namedtuple"):
        return _decode_classed(kind, value, path)
    raise ValueError(kind)


def _decode_classed(kind: str, value: dict[Any, Any], path: str) -> object:
    module, name = value["class"]
    found: Any = class_named(module, name)
    if kind == "enum" and isinstance(found, enum.EnumMeta) and value["name"] in found.__members__:
        return found.__members__[value["name"]]
    if kind == "namedtuple" and is_namedtuple(found) and len(found._fields) == len(value["items"]):
        return tuple.__new__(found, [decode(v, f"{path}[{i}]") for i, v in enumerate(value["items"])])
    raise ArchitectureChangedError("state_class_gone", path=path, name=f"{module}.{name}")


def _decode_array(value: dict[Any, Any]) -> "np.ndarray[Any, Any]":
    dtype = np.lib.format.descr_to_dtype(decode(value["dtype"]))
    if dtype.hasobject:
        raise ValueError("object array")
    flat = np.frombuffer(bytearray(_tensor_bytes(value["data"])), dtype=np.uint8)
    shape = tuple(value["shape"])
    count = 1
    for side in shape:
        count *= side
    if count * dtype.itemsize != flat.size:
        raise ValueError(f"{flat.size} bytes for {shape} of {dtype}")
    if flat.size == 0:
        return np.empty(shape, dtype)
    return flat.view(dtype).reshape(shape, order="F" if value["order"] == "F" else "C")


def _checked(value: torch.Tensor, path: _Path) -> torch.Tensor:
    kind = type(value)
    if kind is not torch.Tensor and kind is not torch.nn.Parameter:
        if torch.nn.parameter.is_lazy(value):
            raise UnsavableStateError("state_lazy_parameter", path=_spelled(path))
        raise UnsavableStateError("state_tensor_subclass", path=_spelled(path), type=kind.__name__)
    if value.is_meta or value.is_nested or value.layout not in _LAYOUTS or value.dtype not in _DTYPES:
        described = "meta" if value.is_meta else "nested" if value.is_nested else f"{value.layout}, {value.dtype}"
        raise UnsavableStateError("state_tensor_kind", path=_spelled(path), type=described)
    # Also drops attributes set on the tensor, which would make torch.save write the tensor's class.
    if kind is not torch.Tensor or value.requires_grad or value.__dict__:
        value = value.detach()
    return value.resolve_conj().resolve_neg() if value.is_complex() or value.is_neg() else value


def _unsavable(value: object, path: _Path) -> UnsavableStateError:
    kind = type(value)
    return UnsavableStateError("state_unsavable", path=_spelled(path), type=f"{kind.__module__}.{kind.__qualname__}")


def _is_plain_key(key: Hashable) -> bool:
    if type(key) is int:
        return key.bit_length() <= _KEY_BITS
    if type(key) is tuple:
        return all(type(k) is not tuple and _is_plain_key(k) for k in key)
    return type(key) in _PLAIN_KEYS


def _bytes_tensor(value: bytes) -> torch.Tensor:
    return torch.frombuffer(bytearray(value), dtype=torch.uint8) if value else torch.empty(0, dtype=torch.uint8)


def _tensor_bytes(value: torch.Tensor) -> bytes:
    return value.numpy().tobytes()


def _encode_path(value: pathlib.PurePath, path: _Path) -> object:
    for kind, cls in reversed(_PURE_PATHS.items()):
        if type(value) is (type(cls()) if kind == "path" else cls):
            return {MARK: kind, "text": str(value)}
    raise _unsavable(value, path)


def _encode_time(value: Any, path: _Path) -> object:
    if isinstance(value, datetime.timedelta):
        return {MARK: "timedelta", "parts": [value.days, value.seconds, value.microseconds]}
    zone = getattr(value, "tzinfo", None)
    if zone is not None and type(zone) is not datetime.timezone:
        raise UnsavableStateError("state_named_timezone", path=_spelled(path))
    fold = {"fold": 1} if getattr(value, "fold", 0) else {}
    return {MARK: type(value).__name__, "text": value.isoformat(), **fold}
