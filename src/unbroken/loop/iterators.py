"""Iterators: where those stand that a loop draws from by ``next`` and no checkpoint has. Nothing is drawn from them."""

import dis
import gc
import inspect
import io
import itertools
from collections.abc import Callable, Iterator
from operator import length_hint
from types import CodeType, FrameType, GeneratorType
from typing import Any

import xxhash

from unbroken.loop import liveness
from unbroken.state.origins import is_our_file, is_users_file

ITERATOR = "iterator "
"""How the texts begin of where one stands."""

_HIDDEN, _DRAWN = " where?", " drawn from"
_NEW = ITERATOR + "new"
_DEEPEST = 6
_SHOWN = (itertools.count, itertools.repeat)


def is_iterator(value: object) -> bool:
    """Whether a loop may draw from it what comes next; a file only if nothing is written to it."""
    if isinstance(value, io.IOBase):
        return (
            type(value).__module__ in ("_io", "io") and not value.closed and value.readable() and not value.writable()
        )
    if isinstance(value, GeneratorType) and not is_users_file(value.gi_code.co_filename):
        return False
    return isinstance(value, Iterator) and not _is_around_a_run(value, 0)


def standing(value: Any, look: Callable[[Any], str]) -> str:
    """Where an iterator stands, as a short text; ``look`` gives one of a value that a generator function holds."""
    seen = _standing(value, look, 0)
    return seen if seen in (_NEW, ITERATOR) else ITERATOR + _digest(seen) + (_HIDDEN if _HIDDEN in seen else "")


def at_a_save(seen: str) -> str:
    """Of one that cannot be looked into: it was drawn from, for all that is known, as one made anew is not."""
    return seen.removesuffix(_HIDDEN) + _DRAWN if seen.startswith(ITERATOR) and seen.endswith(_HIDDEN) else seen


def _standing(value: Any, look: Callable[[Any], str], depth: int) -> str:
    if isinstance(value, GeneratorType):
        return _of_a_function(value, look, depth)
    if isinstance(value, _SHOWN):
        return repr(value)
    if hasattr(type(value), "__length_hint__") and type(value).__module__ == "builtins":
        return f"{type(value).__name__} {length_hint(value)}"
    return type(value).__name__ + _HIDDEN


def _of_a_function(value: "GeneratorType[Any, Any, Any]", look: Callable[[Any], str], depth: int) -> str:
    """By the variables that it will read, and the loops it is in; one that only repeats itself is as new."""
    state, frame = inspect.getgeneratorstate(value), value.gi_frame
    if state == inspect.GEN_CREATED:
        return _NEW
    if state == inspect.GEN_CLOSED or frame is None:
        return "closed"
    if state == inspect.GEN_RUNNING or depth > _DEEPEST:
        return "running"
    parts = []
    names = {name.removeprefix(liveness.LOCAL) for name in liveness.live_at(frame) & liveness.stored(frame.f_code)}
    held = inspect.getgeneratorlocals(value)
    for name in sorted(names.intersection(held)):
        child = held[name]
        parts.append(f"{name} {_standing(child, look, depth + 1) if is_iterator(child) else look(child)}")
    if value.gi_yieldfrom is not None:
        parts.append(_standing(value.gi_yieldfrom, look, depth + 1))
    elif _is_in_a_for(frame):
        inside = [one for one in gc.get_referents(value) if isinstance(one, Iterator)]
        parts += [_standing(one, look, depth + 1) for one in inside] or [_HIDDEN]
    return " ".join(parts) if parts else _NEW


def _is_in_a_for(frame: FrameType) -> bool:
    return any(begin < frame.f_lasti < end for begin, end in _loops(frame.f_code))


def _loops(code: CodeType) -> list[tuple[int, int]]:
    return [(one.offset, one.argval) for one in dis.get_instructions(code) if one.opname == "FOR_ITER"]


def _is_around_a_run(value: object, depth: int) -> bool:
    """Whether it gives on what ``run.batches`` and its like give, which come back by themselves."""
    if type(value).__module__.partition(".")[0] == "unbroken":
        return True
    if isinstance(value, GeneratorType):
        if value.gi_running:
            return True  # it is what has called the run
        if not is_users_file(value.gi_code.co_filename):
            return is_our_file(value.gi_code.co_filename)
    if depth > _DEEPEST or not isinstance(value, Iterator | tuple):
        return False
    return any(_is_around_a_run(one, depth + 1) for one in gc.get_referents(value))


def _digest(text: str) -> str:
    return xxhash.xxh3_64_hexdigest(text.encode("utf-8", "surrogatepass"))
