"""Shortcut: the run of opcodes that every plain tensor is written as, taken at once instead of one after the other.

It means what the opcodes mean, and no more: where anything is otherwise nothing is taken, and they are read one by one.
"""

import re
from collections.abc import MutableMapping
from typing import Any, NamedTuple

from unbroken.store.stubs import STORAGES, Global

REBUILT = "torch._utils._rebuild_tensor_v2"
_GET, _PUT, _WHOLE = rb"h.|j.{4}", rb"q.|r.{4}", rb"K.|M..|J.{4}"
_SIDES = rb"(\)|\(?(?:" + _WHOLE + rb")+[\x85-\x87t])(" + _PUT + rb")?"
_RUN = re.compile(
    rb"\(\((%(get)b)(%(get)b)(?:X(.{4})(\d{1,10})(%(put)b)|(%(get)b))(%(get)b)(%(whole)b)t(%(put)b)Q(%(whole)b)"
    rb"%(sides)b%(sides)b\x89(%(get)b)\)R(%(put)b)t(%(put)b)R"
    % {b"get": _GET, b"put": _PUT, b"whole": _WHOLE, b"sides": _SIDES},
    re.DOTALL,
)
_NUMBER = re.compile(_WHOLE, re.DOTALL)
_ENDS = {b"\x85": 1, b"\x86": 2, b"\x87": 3}

UNKNOWN: Any = object()
"""Stands in the memo for what was passed over: who asks for it has to read it again, one by one."""


class Run(NamedTuple):
    """A tensor: its storage and the view of it. ``end`` is where the pickle goes on, behind the call."""

    storage: str
    key: str
    elements: int
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    end: int


class Shortcut:
    """Of one pickle."""

    def __init__(self, pickle: bytes) -> None:
        self._pickle = pickle
        self._known: dict[bytes, tuple[int, ...] | None] = {}

    def take(self, at: int, memo: MutableMapping[int, Any]) -> Run | None:
        """The tensor that is rebuilt at ``at``, behind the name of the function; None if that is to be read."""
        found = _RUN.match(self._pickle, at)
        if found is None:
            return None
        (word, kind, length, digits, key_put, key_get, place, count, storage_put, offset, shape, shape_put,
         stride, stride_put, hooks, hooks_put, arguments_put) = found.groups()  # fmt: skip
        gets = [_index(word), _index(kind), _index(place), _index(hooks)]
        puts = [_index(put) for put in (key_put, storage_put, shape_put, stride_put, hooks_put, arguments_put) if put]
        if max(gets) >= min(puts):
            return None  # it may refer to what it has only just made
        said, storage, location, made = map(memo.get, gets)
        if said != "storage" or type(storage) is not Global or storage.name not in STORAGES:
            return None
        if type(location) is not str or made != _ORDERED:
            return None
        shape_of, stride_of = self._sides(shape), self._sides(stride)
        if shape_of is None or stride_of is None or bool(shape_of) != bool(shape_put):
            return None
        if bool(stride_of) != bool(stride_put):
            return None
        if key_get is None:
            if int.from_bytes(length, "little") != len(digits):
                return None
            key = digits.decode()
        else:
            key = memo.get(_index(key_get))
            if type(key) is not str:
                return None
        for number, put in enumerate(puts):  # in order: a later one may take the place of an earlier one
            memo[put] = UNKNOWN if number or key_put is None else key
        return Run(storage.name, key, _whole(count), _whole(offset), shape_of, stride_of, found.end())

    def _sides(self, raw: bytes) -> tuple[int, ...] | None:
        try:
            return self._known[raw]
        except KeyError:
            found = self._known[raw] = _sides(raw)
            return found


_ORDERED = Global("collections.OrderedDict")


def _sides(raw: bytes) -> tuple[int, ...] | None:
    if raw == b")":
        return ()
    marked, end = raw[:1] == b"(", raw[-1:]
    numbers = tuple(map(_whole, _NUMBER.findall(raw[marked:-1])))
    return numbers if (end == b"t" if marked else _ENDS.get(end) == len(numbers)) else None


def _index(raw: bytes) -> int:
    return int.from_bytes(raw[1:], "little")


def _whole(raw: bytes) -> int:
    return raw[1] if len(raw) == 2 else int.from_bytes(raw[1:], "little", signed=len(raw) == 5)
