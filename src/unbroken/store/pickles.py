"""The pickle of a torch file, read inertly.

Reading runs the subset of opcodes that ``torch.save`` writes and torch's own ``weights_only`` reader accepts, with
the same meaning, so that what is accepted here, torch reads as it was checked. It imports no module, looks up no
name, calls nothing that a file could choose, and allocates in proportion to the pickle's length (the standard unpickler
does not: one opcode can make its memo as large as memory).
"""

import struct
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from unbroken.store.shortcut import REBUILT, UNKNOWN, Shortcut
from unbroken.store.stubs import CALLS, DTYPES, STAND_INS, STORAGES, Global, Label, Storages, View, checked_key, stub
from unbroken.store.trees import Refused, check_tree, is_attribute

_MARK = object()
_STOP = ord(".")


class Read(NamedTuple):
    """What is in a pickle; ``unusual``: other things than plain tensors and values are."""

    value: object
    unusual: bool


def read(pickle: bytes, storage_sizes: Mapping[str, int], make: Callable[[View], Any] = stub) -> Read:
    """The object pickled in ``pickle``, tensors as ``make`` makes them.

    ``storage_sizes`` are the bytes of each storage member. Raises Refused for anything else than plain containers and
    values of a sane depth, and tensors that lie within their storages. Nothing in the pickle is ever run.
    """
    try:
        return _read(_Reader(pickle, Storages(storage_sizes, make), Shortcut(pickle)))
    except Refused:  # of what was taken at once something may have been asked for; the verdict is of one by one
        return _read(_Reader(pickle, Storages(storage_sizes, make), None))


def _read(reader: "_Reader") -> Read:
    try:
        value = reader.run()
    except (IndexError, KeyError, ValueError, struct.error) as error:
        raise Refused("store_pickle", f"{type(error).__name__} at byte {reader.at}") from error
    met = check_tree(value, len(reader.pickle))
    return Read(value, reader.storages.unusual or not met.isdisjoint(STAND_INS))


class _Reader:
    """The stack machine. One line of ``_HANDLERS`` per opcode that may occur; every other opcode refuses the file."""

    def __init__(self, pickle: bytes, storages: Storages, shortcut: Shortcut | None) -> None:
        self.pickle = pickle
        self.storages = storages
        self._shortcut = shortcut
        self.at = 0
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> object:
        pickle, handlers = self.pickle, _HANDLERS
        while (code := pickle[self.at]) != _STOP:
            self.at += 1
            if code not in handlers:
                raise Refused("store_opcode", f"0x{code:02x} at byte {self.at - 1}")
            form, handler = handlers[code]
            if form.size:
                handler(self, *form.unpack(self._take(form.size)))
            else:
                handler(self)
        self.at += 1
        (value,) = self.last(1)
        if self._stack or self.at != len(pickle):
            raise self._refused("something left over")
        return value

    def _refused(self, detail: str) -> Refused:
        return Refused("store_pickle", f"{detail} at byte {self.at}")

    def _take(self, count: int) -> bytes:
        raw = self.pickle[self.at : self.at + count]
        if len(raw) != count:
            raise IndexError
        self.at += count
        return raw

    def _line(self) -> str:
        end = self.pickle.index(b"\n", self.at)
        raw = self.pickle[self.at : end]
        self.at = end + 1
        return raw.decode("ascii")

    def since_mark(self) -> list[Any]:
        stack = self._stack
        for at in range(len(stack) - 1, -1, -1):
            if stack[at] is _MARK:
                items = stack[at + 1 :]
                del stack[at:]
                return items
        raise IndexError

    def last(self, count: int) -> list[Any]:
        items = self._stack[-count:]
        if len(items) != count or any(item is _MARK for item in items):
            raise IndexError
        del self._stack[-count:]
        return items

    def protocol(self, number: int) -> None:
        if number != 2:
            raise Refused("store_pickle", f"protocol {number}")

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def text(self, length: int) -> None:
        self.push(self._take(length).decode("utf-8", "surrogatepass"))

    def long_integer(self, length: int) -> None:
        self.push(int.from_bytes(self._take(length), "little", signed=True))

    def put(self, index: int) -> None:
        if self._stack[-1] is _MARK:
            raise IndexError
        self._memo[index] = self._stack[-1]

    def get(self, index: int) -> None:
        value = self._memo[index]
        if type(value) is Global and value.name == REBUILT and self._shortcut is not None:
            run = self._shortcut.take(self.at, self._memo)
            if run is not None:
                self.push(self.storages.plain(*run[:-1]))
                self.at = run.end
                return
        if value is UNKNOWN:
            raise self._refused("passed over")
        self.push(value)

    def extend(self, items: list[Any]) -> None:
        self._target(list).extend(items)

    def set_items(self, items: list[Any]) -> None:
        target = self._target(dict, OrderedDict, Counter)
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[checked_key(key)] = value

    def _target(self, *kinds: type) -> Any:
        target = self._stack[-1]
        if type(target) not in kinds:
            raise self._refused(f"items for a {type(target).__name__}")
        return target

    def global_name(self) -> None:
        module, name = self._line(), self._line()
        full = f"{'builtins' if module == '__builtin__' else module}.{name}"
        if full in DTYPES:
            self.storages.unusual = True
            self.push(Label(full))
        elif full in STORAGES or full in CALLS:
            self.push(Global(full))
        else:
            raise Refused(_kind_of_refusal(full), full[:200])

    def reduce(self) -> None:
        function, arguments = self.last(2)
        if type(function) is not Global or function.name not in CALLS or type(arguments) is not tuple:
            raise self._refused("a call")
        try:
            self.push(CALLS[function.name](self.storages, *arguments))
        except (TypeError, AttributeError) as error:
            raise Refused("store_pickle", f"arguments of {function.name}") from error

    def build(self) -> None:
        # An OrderedDict's attributes: torch hangs `_metadata` on a module's state_dict.
        (state,), target = self.last(1), self._target(OrderedDict)
        if type(state) is not dict or not all(map(is_attribute, state)):
            raise self._refused(f"attributes of a {type(target).__name__}")
        vars(target).update(state)

    def persistent(self) -> None:
        self.push(self.storages.storage(*self.last(1)))


def _kind_of_refusal(name: str) -> str:
    """Tell what a plain script saves without thinking from what only an attacker would."""
    package = name.partition(".")[0]
    if package == "numpy":
        return "store_numpy"
    return "store_unsupported" if package in ("torch", "collections", "builtins", "copyreg") else "store_global"


# Of each opcode how its argument, or the length of that, is spelled, and what it does.
_HANDLERS: dict[int, tuple[struct.Struct, Callable[..., None]]] = {
    ord(code): (struct.Struct(form), handler)
    for code, form, handler in (
        ("\x80", "B", _Reader.protocol),
        ("q", "B", _Reader.put),
        ("r", "<L", _Reader.put),
        ("h", "B", _Reader.get),
        ("j", "<L", _Reader.get),
        ("X", "<L", _Reader.text),
        ("K", "B", _Reader.push),
        ("M", "<H", _Reader.push),
        ("J", "<l", _Reader.push),
        ("\x8a", "B", _Reader.long_integer),
        ("G", ">d", _Reader.push),
        ("N", "", lambda reader: reader.push(None)),
        ("\x88", "", lambda reader: reader.push(True)),
        ("\x89", "", lambda reader: reader.push(False)),
        (")", "", lambda reader: reader.push(())),
        ("]", "", lambda reader: reader.push([])),
        ("}", "", lambda reader: reader.push({})),
        ("(", "", lambda reader: reader.push(_MARK)),
        ("t", "", lambda reader: reader.push(tuple(reader.since_mark()))),
        ("\x85", "", lambda reader: reader.push(tuple(reader.last(1)))),
        ("\x86", "", lambda reader: reader.push(tuple(reader.last(2)))),
        ("\x87", "", lambda reader: reader.push(tuple(reader.last(3)))),
        ("a", "", lambda reader: reader.extend(reader.last(1))),
        ("e", "", lambda reader: reader.extend(reader.since_mark())),
        ("s", "", lambda reader: reader.set_items(reader.last(2))),
        ("u", "", lambda reader: reader.set_items(reader.since_mark())),
        ("c", "", _Reader.global_name),
        ("R", "", _Reader.reduce),
        ("b", "", _Reader.build),
        ("Q", "", _Reader.persistent),
    )
}
