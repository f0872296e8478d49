"""Pickling: a payload walked once, and by that checked, weighed, pickled as ``torch.save`` does, its tensors named.

What comes out is to the byte what torch's pickler (protocol 2) makes of the same objects, but for empty bytes, which
torch's own safe reader would refuse; that pickler calls back for every number and text in them.
"""

import copyreg
import struct
from collections import Counter, OrderedDict
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from unbroken.errors import UnsavableStateError
from unbroken.store.opcodes import BATCH, Opcodes, floats, get, tuple_end, whole
from unbroken.store.references import ORDERED, References
from unbroken.store.trees import MAX_DEPTH, MAX_SHARED, is_attribute, is_curve, leaves

if TYPE_CHECKING:
    import torch

_LONGEST = 8 * 255  # bits of an integer that torch's safe reader knows
_FLOAT = struct.Struct(">d").pack
_CONSTANTS = {None: b"N", True: b"\x88", False: b"\x89"}
_REBUILDING = 8  # how deep the arguments of a call that rebuilds a tensor are
_KEYS = frozenset({str, bool, float, type(None), bytes, complex})


class Named(NamedTuple):
    """A tensor of the payload by one of its paths; ``fills``: the number of the storage that it is all of."""

    path: str
    tensor: "torch.Tensor"
    fills: int | None


class Pickled(NamedTuple):
    """The pickle, the storages it refers to by their place in the list, every tensor by every path."""

    pickle: bytes
    storages: "list[torch.UntypedStorage]"
    tensors: list[Named]


def pickled(payload: dict[str, Any]) -> Pickled:
    """``payload`` as a pickle. Tensors that share a storage come back sharing it.

    Raises UnsavableStateError with the path of the first value that no reader would give back; or if one storage is
    seen as two dtypes.
    """
    return _Walk().done(payload)


class _Walk:
    """One walk. What is written is remembered by its identity, as pickle does it, and then only referred to."""

    def __init__(self) -> None:
        import torch

        self._torch, self._plain = torch, torch.Tensor
        self._pickle = Opcodes()
        self._references = References(self._pickle)
        self._write, self._text, self._memo = self._pickle.write, self._pickle.text, self._pickle.memo
        self._held: list[object] = []  # made on the way: until the end nothing else may have their identities
        self._tensors: list[Named] = []
        self._repeated: list[tuple[str, object]] = []
        self._sizes: dict[int, int] = {}
        self._open: set[int] = set()
        self._values = 0
        self._inside = 0  # a call that rebuilds an object: what is in it has no path of its own
        self._attached = 0  # attributes of a container, which have none either
        self._by_kind: dict[type, Callable[[Any, str], int]] = {
            torch.Tensor: self._tensor,
            torch.nn.Parameter: self._tensor,
            dict: self._dict,
            list: self._list,
            tuple: self._tuple,
            OrderedDict: self._ordered,
            Counter: self._counter,
            set: self._set,
            bytes: self._raw,
            complex: self._reduced,
            torch.Size: self._reduced,
            torch.device: self._reduced,
            torch.dtype: self._dtype,
        }
        self._of_tensors: dict[type, Callable[[Any, str], int]] = {
            torch.layout: self._reduced,
            torch.storage.TypedStorage: self._storage,
            torch.UntypedStorage: self._storage,
        }

    def done(self, payload: dict[str, Any]) -> Pickled:
        size = self._value(payload, "")
        if size > max(MAX_SHARED, 16 * self._values):
            raise _tangled("containers shared too often")
        self._name_again()  # only now: how much that is, is known
        self._by_kind.clear()  # it refers back to this walk, which would keep all that until it is collected
        self._of_tensors.clear()
        return Pickled(self._pickle.ended(), self._references.storages, self._tensors)

    def _value(self, value: Any, path: str) -> int:
        """Write one value; how many there are in it, those in shared containers counted each time."""
        self._values += 1
        kind = type(value)
        if kind is str:
            self._write(self._text(value))
        elif kind is int:
            if value.bit_length() >= _LONGEST:
                raise _unsavable(path, value)
            self._write(whole(value))
        elif kind is float:
            self._write(b"G" + _FLOAT(value))
        elif kind is bool or value is None:
            self._write(_CONSTANTS[value])
        else:
            write = self._by_kind.get(kind) or (self._of_tensors.get(kind) if self._inside else None)
            if write is None:
                raise _unsavable(path, value)
            place = self._memo.get(id(value))
            if place is None:
                return write(value, path)
            self._write(get(place))
            return self._again(value, path)
        return 1

    def _again(self, value: Any, path: str) -> int:
        """It was written before, under another path: each tensor in it has this one, too."""
        if id(value) in self._open:
            raise _tangled("a container that holds itself")
        if not (self._inside or self._attached):
            self._repeated.append((path, value))
        return self._sizes.get(id(value), 1)

    def _name_again(self) -> None:
        for path, value in self._repeated:
            for below, tensor in leaves(value, whole_curves=True, path=path):
                if isinstance(tensor, self._plain):
                    self._tensors.append(Named(below, tensor, self._references.filled(tensor)))

    def _begin(self, value: object) -> None:
        self._open.add(id(value))
        if len(self._open) > MAX_DEPTH + (_REBUILDING if self._inside else 0):
            raise _tangled(f"containers more than {MAX_DEPTH} deep")

    def _end(self, value: object, size: int) -> int:
        self._open.discard(id(value))
        self._sizes[id(value)] = size
        return size

    def _dict(self, value: dict[Any, Any], path: str) -> int:
        self._begin(value)
        self._write(b"}")
        self._pickle.remember(value)
        count = len(value)
        # As the pickler of the standard library: behind a full batch comes one more, if only an empty one.
        size = self._items(value, path, count // BATCH + 1 if count > 1 else count, alone=count == 1)
        return self._end(value, size)

    def _items(self, value: dict[Any, Any], path: str, batches: int, *, alone: bool) -> int:
        """``alone``: the last batch, of one item, has no mark."""
        size, items, start = 1, iter(value.items()), f"{path}." if path else ""
        for number in range(1, batches + 1):
            marked = number < batches or not alone
            if marked:
                self._write(b"(")
            for key, child in islice(items, BATCH):
                if type(key) is str:
                    self._write(self._text(key))
                else:
                    self._key(key, path)
                size += self._value(child, f"{start}{key}")
            self._write(b"u" if marked else b"s")
        return size

    def _key(self, key: Any, path: str) -> None:
        if not all(map(_is_key, key if type(key) is tuple else (key,))):
            raise _unsavable(f"{path}[{key!r}]", key)
        self._value(key, path)

    def _list(self, value: list[Any], path: str) -> int:
        self._begin(value)
        self._write(b"]")
        self._pickle.remember(value)
        size, several = 1, len(value) > 1
        if is_curve(value):
            self._values += len(value)
            size += len(value)
            self._write(floats(value))
        else:
            for at in range(0, len(value), BATCH):
                if several:
                    self._write(b"(")
                for index in range(at, min(at + BATCH, len(value))):
                    size += self._value(value[index], f"{path}[{index}]")
                self._write(b"e" if several else b"a")
        return self._end(value, size)

    def _tuple(self, value: tuple[Any, ...], path: str) -> int:
        if not value:
            self._write(b")")
            return 1
        self._begin(value)
        size = 1
        if len(value) > 3:
            self._write(b"(")
        for index, child in enumerate(value):
            size += self._value(child, f"{path}[{index}]")
        self._write(tuple_end(len(value)))
        self._pickle.remember(value)
        return self._end(value, size)

    def _ordered(self, value: "OrderedDict[Any, Any]", path: str) -> int:
        self._begin(value)
        self._write(self._pickle.named(ORDERED) + b")R")
        self._pickle.remember(value)
        count = len(value)
        size = self._items(value, path, -(-count // BATCH), alone=count % BATCH == 1)
        attributes = vars(value)
        for name in attributes.keys() - set(filter(is_attribute, attributes)):
            raise _unsavable(f"{path}.{name}", attributes[name])
        if attributes:  # of a module's state: the version of each of its modules
            self._attached += 1
            self._value(attributes, path)
            self._attached -= 1
            self._write(b"b")
        return self._end(value, size)

    def _counter(self, value: "Counter[Any]", path: str) -> int:
        self._begin(value)
        counts: dict[Any, Any] = dict(value)
        self._held.append(counts)
        self._write(self._pickle.named("collections\nCounter"))
        size = self._dict(counts, path)
        self._write(b"\x85" + self._pickle.put() + b"R")
        self._pickle.remember(value)
        return self._end(value, size)

    def _set(self, value: set[Any], path: str) -> int:
        if not all(map(_is_key, value)):
            raise _unsavable(path, value)
        return self._reduced(value, path)

    def _raw(self, value: bytes, path: str) -> int:
        # Also of none, for which torch's pickler calls ``bytes``: that its own safe reader refuses.
        self._call("_codecs\nencode", (value.decode("latin1"), "latin1"), value, path)
        return 1

    def _dtype(self, value: "torch.dtype", path: str) -> int:
        self._write(self._pickle.named(f"torch\n{value.__reduce__()}"))
        return 1

    def _reduced(self, value: Any, path: str) -> int:
        """Written as the call that the object itself says will rebuild it."""
        reduce = copyreg.dispatch_table.get(type(value))
        rebuilt: Any = reduce(value) if reduce else value.__reduce_ex__(2)
        function, arguments = rebuilt[:2]
        module = function.__module__
        name = f"{'__builtin__' if module == 'builtins' else module}\n{function.__qualname__}"
        self._call(name, arguments, value, path)
        return 1

    def _call(self, name: str, arguments: tuple[Any, ...], value: object, path: str) -> None:
        self._held.append(arguments)
        self._write(self._pickle.named(name))
        self._inside += 1
        self._value(arguments, path)
        self._inside -= 1
        self._write(b"R")
        self._pickle.remember(value)

    def _tensor(self, tensor: "torch.Tensor", path: str) -> int:
        name = self._references.spelled(tensor)
        if name is None:
            raise _unsavable(path, tensor)
        if type(tensor) is self._plain and self._references.is_plain(tensor, name):
            fills = self._references.plain(tensor, name)
        else:
            self._reduced(tensor, path)
            fills = self._references.filled(tensor)
        if not (self._inside or self._attached):
            self._tensors.append(Named(path, tensor, fills))
        return 1

    def _storage(self, storage: Any, path: str) -> int:
        self._references.storage(storage)
        return 1


def _is_key(part: object) -> bool:
    return part.bit_length() < 64 if type(part) is int else type(part) in _KEYS


def _unsavable(name: str, value: object) -> UnsavableStateError:
    kind = type(value)
    return UnsavableStateError("store_unsavable", name=name[:200], kind=f"{kind.__module__}.{kind.__qualname__}")


def _tangled(detail: str) -> UnsavableStateError:
    return UnsavableStateError("store_tangled", detail=detail)
