"""An inert reader of the pickle in a torch file: it builds stubs and plain values, and calls nothing.

It runs the subset of opcodes that ``torch.save`` writes and torch's own ``weights_only`` reader accepts, with
the same meaning, so that what it has accepted, torch reads as it was checked here. It imports no module,
looks up no name, calls no constructor a file could choose, and allocates in proportion to the pickle's length
(the standard unpickler does not: one opcode can make its memo as large as memory). Every tensor must lie
within its storage, and every storage within its member of the file.
"""

import struct
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Mapping
from typing import Any

from unbroken.store.constructors import CALLS, DTYPES, STORAGES, Global, Name, Refused, Views, checked_key
from unbroken.store.constructors import ITEM_SIZES as ITEM_SIZES
from unbroken.store.constructors import TensorStub as TensorStub

MAX_DEPTH = 200
"""How deep containers may be nested, so that later code may recurse."""

_MAX_SHARED = 1_000_000


class _Mark:
    pass


_MARK = _Mark()


def read(pickle: bytes, storage_sizes: Mapping[str, int]) -> object:
    """The object pickled in ``pickle``, tensors as stubs; ``storage_sizes`` are the bytes of each storage member.

    Raises Refused for anything else than plain containers and values of a sane depth, and tensors that lie
    within their storages. Nothing in the pickle is ever run.
    """
    reader = _Reader(pickle, storage_sizes)
    try:
        value = reader.run()
    except (IndexError, KeyError, struct.error, UnicodeDecodeError, ValueError) as error:
        raise Refused("store_pickle", f"{type(error).__name__} at byte {reader.at}") from error
    check_tree(value, len(pickle))
    return value


class _Reader:
    """The stack machine. One method per opcode that may occur; every other opcode refuses the file."""

    def __init__(self, pickle: bytes, storage_sizes: Mapping[str, int]) -> None:
        self._pickle = pickle
        self._views = Views(storage_sizes)
        self.at = 0
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> object:
        pickle, handlers, stop = self._pickle, _HANDLERS, ord(".")
        while True:
            code = pickle[self.at]
            self.at += 1
            if code == stop:
                break
            handler = handlers.get(code)
            if handler is None:
                raise Refused("store_opcode", f"0x{code:02x} at byte {self.at - 1}")
            handler(self)
        value = self._stack.pop()
        if self._stack or self.at != len(pickle):
            raise Refused("store_pickle", f"something left over at byte {self.at}")
        return value

    def _take(self, count: int) -> bytes:
        raw = self._pickle[self.at : self.at + count]
        if len(raw) != count:
            raise IndexError
        self.at += count
        return raw

    def _line(self) -> str:
        end = self._pickle.index(b"\n", self.at)
        raw = self._pickle[self.at : end]
        self.at = end + 1
        return raw.decode("ascii")

    def _since_mark(self) -> list[Any]:
        stack = self._stack
        for at in range(len(stack) - 1, -1, -1):
            if stack[at] is _MARK:
                items = stack[at + 1 :]
                del stack[at:]
                return items
        raise IndexError

    def _pop(self) -> Any:
        value = self._stack.pop()
        if value is _MARK:
            raise IndexError
        return value

    def protocol(self) -> None:
        if self._take(1)[0] != 2:
            raise Refused("store_pickle", f"protocol {self._pickle[self.at - 1]}")

    def put(self) -> None:
        self._remember(self._take(1)[0])

    def long_put(self) -> None:
        self._remember(int.from_bytes(self._take(4), "little"))

    def _remember(self, index: int) -> None:
        if self._stack[-1] is _MARK:
            raise IndexError
        self._memo[index] = self._stack[-1]

    def get(self) -> None:
        self._stack.append(self._memo[self._take(1)[0]])

    def long_get(self) -> None:
        self._stack.append(self._memo[int.from_bytes(self._take(4), "little")])

    def text(self) -> None:
        length = int.from_bytes(self._take(4), "little")
        self._stack.append(self._take(length).decode("utf-8", "surrogatepass"))

    def long_integer(self) -> None:
        self._stack.append(int.from_bytes(self._take(self._take(1)[0]), "little", signed=True))

    def tuple_of(self, count: int) -> None:
        items = [self._pop() for _ in range(count)]
        self._stack.append(tuple(reversed(items)))

    def append(self) -> None:
        item = self._pop()
        self._target(list).append(item)

    def appends(self) -> None:
        items = self._since_mark()
        self._target(list).extend(items)

    def set_item(self) -> None:
        value, key = self._pop(), self._pop()
        self._set_items([key, value])

    def set_items(self) -> None:
        self._set_items(self._since_mark())

    def _set_items(self, items: list[Any]) -> None:
        target = self._target(dict, OrderedDict, Counter)
        if len(items) % 2:
            raise IndexError
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[checked_key(key)] = value

    def _target(self, *kinds: type) -> Any:
        target = self._stack[-1]
        if type(target) not in kinds:
            raise Refused("store_pickle", f"items for a {type(target).__name__} at byte {self.at}")
        return target

    def global_name(self) -> None:
        module, name = self._line(), self._line()
        module = "builtins" if module == "__builtin__" else module
        full = f"{module}.{name}"
        if full in DTYPES:
            self._stack.append(Name(full))
        elif full in STORAGES or full in CALLS:
            self._stack.append(Global(full))
        else:
            raise Refused(_kind_of_refusal(module), full[:200])

    def reduce(self) -> None:
        arguments, function = self._pop(), self._pop()
        if type(function) is not Global or function.name not in CALLS or type(arguments) is not tuple:
            raise Refused("store_pickle", f"a call at byte {self.at}")
        try:
            value = CALLS[function.name](self._views, *arguments)
        except (TypeError, AttributeError) as error:
            raise Refused("store_pickle", f"arguments of {function.name}") from error
        self._stack.append(value)

    def build(self) -> None:
        # An OrderedDict's attributes: torch hangs `_metadata` on a module's state_dict.
        state, target = self._pop(), self._target(OrderedDict)
        if type(state) is not dict or any(type(name) is not str or hasattr(OrderedDict, name) for name in state):
            raise Refused("store_pickle", f"attributes of a {type(target).__name__} at byte {self.at}")

    def persistent(self) -> None:
        self._stack.append(self._views.storage(self._pop()))


def _kind_of_refusal(module: str) -> str:
    """Tell what a plain script saves without thinking from what only an attacker would."""
    package = module.partition(".")[0]
    if package == "numpy":
        return "store_numpy"
    return "store_unsupported" if package in ("torch", "collections", "builtins", "copyreg") else "store_global"


def _push(make: Callable[[_Reader], Any]) -> Callable[[_Reader], None]:
    def push(reader: _Reader) -> None:
        reader._stack.append(make(reader))

    return push


_HANDLERS: dict[int, Callable[[_Reader], None]] = {
    ord(code): handler
    for code, handler in {
        "\x80": _Reader.protocol,
        "q": _Reader.put,
        "r": _Reader.long_put,
        "h": _Reader.get,
        "j": _Reader.long_get,
        "X": _Reader.text,
        "K": _push(lambda reader: reader._take(1)[0]),
        "M": _push(lambda reader: int.from_bytes(reader._take(2), "little")),
        "J": _push(lambda reader: int.from_bytes(reader._take(4), "little", signed=True)),
        "\x8a": _Reader.long_integer,
        "G": _push(lambda reader: struct.unpack(">d", reader._take(8))[0]),
        "N": _push(lambda _: None),
        "\x88": _push(lambda _: True),
        "\x89": _push(lambda _: False),
        ")": _push(lambda _: ()),
        "]": _push(lambda _: []),
        "}": _push(lambda _: {}),
        "(": _push(lambda _: _MARK),
        "t": _push(lambda reader: tuple(reader._since_mark())),
        "\x85": lambda reader: reader.tuple_of(1),
        "\x86": lambda reader: reader.tuple_of(2),
        "\x87": lambda reader: reader.tuple_of(3),
        "a": _Reader.append,
        "e": _Reader.appends,
        "s": _Reader.set_item,
        "u": _Reader.set_items,
        "c": _Reader.global_name,
        "R": _Reader.reduce,
        "b": _Reader.build,
        "Q": _Reader.persistent,
    }.items()
}


def check_tree(root: object, size: int) -> None:
    """Refuse cycles, extreme depth, and sharing that makes a small file a huge tree for whoever walks it.

    ``size`` is the length of the pickle, or anything less, such as the number of values in it.
    """
    limit = max(_MAX_SHARED, 16 * size)
    sizes: dict[int, int] = {}
    open_now: set[int] = set()
    stack: list[tuple[Any, bool]] = [(root, False)]
    while stack:
        value, done = stack.pop()
        children = children_of(value)
        if children is None or (not done and id(value) in sizes):
            continue
        if done:
            open_now.discard(id(value))
            sizes[id(value)] = 1 + sum(sizes.get(id(child), 1) for child in children)
            if sizes[id(value)] > limit:
                raise Refused("store_pickle", "containers shared too often")
            continue
        if id(value) in open_now:
            raise Refused("store_pickle", "a container that holds itself")
        open_now.add(id(value))
        if len(open_now) > MAX_DEPTH:
            raise Refused("store_pickle", f"containers more than {MAX_DEPTH} deep")
        stack.append((value, True))
        stack.extend((child, False) for child in children)


def children_of(value: object) -> Collection[Any] | None:
    """What a container holds; None for everything else."""
    if isinstance(value, dict):
        return value.values()
    if isinstance(value, list | tuple):
        return value
    return None
