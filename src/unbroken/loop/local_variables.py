"""Local variables: the plain values that a loop keeps in names of its own, and that no checkpoint has.

At a save it is noted what those are that training has changed and that will be read again before they are set; at the
same place after a resume those that are not what they were are named. Nothing is called, nothing is set.
"""

import argparse
import builtins
import enum
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import CodeType, FrameType, FunctionType, SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from unbroken import messages
from unbroken.loop import liveness
from unbroken.loop.looks import CONTAINERS, GENERATOR, STATEFUL, is_plain, is_stateful, look
from unbroken.state.adapters import GENERATORS
from unbroken.state.origins import is_users, is_users_file, users_frames
from unbroken.state.plain import is_looked_into
from unbroken.state.wrappers import unwrapped

_log = logging.getLogger("unbroken.rank")  # of each rank its own

_MOST_NAMED = 8
_FEW = 8  # of a list that is looked into
_DEEPEST = 3


class LocalVariables:
    """The variables in the frames of the user's that run the loop. ``tracked`` gives the objects kept elsewhere."""

    def __init__(self, tracked: Callable[[], Iterable[object]]) -> None:
        self._tracked = tracked
        self._first: dict[str, str] | None = None
        self._saved: Mapping[str, str] = {}
        self._saved_in_epoch = False
        self.waiting = True
        """Whether ``at_batch`` has to be called at the next boundary."""

    def resumed(self, saved: Mapping[str, str], *, in_epoch: bool) -> None:
        """The run goes on from a save at which ``fingerprint`` gave this."""
        self._saved, self._saved_in_epoch = saved, in_epoch

    def at_epoch(self) -> None:
        """An epoch is about to be handed to the user."""
        if self._first is None:
            self._first = {**_look_all(self._tracked(), live=True)}
            if not self._saved_in_epoch:
                self._compare()

    def at_batch(self) -> None:
        """The first batch of this process is about to be handed to the user."""
        self.waiting = False
        self._first = {**_look_all(self._tracked(), live=True), **(self._first or {})}
        if self._saved_in_epoch:
            self._compare()

    def fingerprint(self) -> dict[str, str]:
        """What variables hold now, as short texts, where training has changed it and somebody will read it."""
        if self._first is None:
            return {}
        now = _look_all(self._tracked(), live=True)
        first = self._first
        return {name: seen for name, seen in now.items() if first.get(name) != seen or name in self._saved}

    def _compare(self) -> None:
        now = _look_all(self._tracked(), live=False) if self._saved else {}
        lost = [name for name, seen in self._saved.items() if name in now and now[name] != seen]
        frame = next(users_frames(), None)
        if not lost or frame is None:
            return
        where = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        objects = [name for name in lost if self._saved[name].startswith((GENERATOR, STATEFUL))]
        others = [name for name in lost if name not in objects]
        lost_key = "globals_lost" if all(name.isidentifier() for name in others) else "variables_lost"
        for key, group in ((lost_key, others), ("objects_lost", objects)):
            names = [name.rpartition(":")[2] for name in group]
            if names:
                shown = ", ".join(names[:_MOST_NAMED]) + (", …" if len(names) > _MOST_NAMED else "")
                _log.warning(messages.text(key, names=shown, where=where, first=names[0].rpartition(".")[2]))


def say_what_is_missing() -> None:
    """The loop has nothing to train: of its variables those that code behind it reads are not there."""
    frame = next(users_frames(), None)
    if frame is None or "locals" in frame.f_code.co_names:  # whose variables are not looked at
        return
    there = {*_variables(frame), *frame.f_globals, *dir(builtins)}
    kinds = (liveness.LOCAL, liveness.GLOBAL)
    read = {name.partition(" ")[2] for name in liveness.live_behind(frame) if name.startswith(kinds)}
    names = sorted(name for name in read - there if not name.startswith(("_", ".")))
    if names:
        where = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        _log.info(messages.text("missing_behind_loop", names=", ".join(names[:_MOST_NAMED]), where=where))


def _look_all(tracked: Iterable[object], *, live: bool) -> dict[str, str]:
    known = set(_ids(tracked))
    found: dict[str, str] = {}
    reads: set[str] = set()
    spaces: dict[int, dict[str, Any]] = {}
    for frame in users_frames():
        names = liveness.live_at(frame)
        reads |= names
        code = frame.f_code
        in_module = code.co_name == "<module>"
        variables = _variables(frame)
        if not in_module:
            scope = f"{code.co_qualname}:"
            for name, value in variables.items():
                wanted = not live or liveness.LOCAL + name in names
                _add(found, scope + name, value, known, wanted=wanted, live=live)
        else:
            reads |= {liveness.GLOBAL + name[len(liveness.LOCAL) :] for name in names if name[0] == liveness.LOCAL[0]}
        spaces[id(frame.f_globals)] = frame.f_globals
    for space in spaces.values():
        inside = reads | _read_by_functions(space) if live else reads
        for name, value in list(space.items()):
            if not name.startswith("_"):
                wanted = not live or liveness.GLOBAL + name in inside
                _add(found, name, value, known, wanted=wanted, live=live)
    return found


def _ids(tracked: Iterable[object]) -> Iterator[int]:
    """What is tracked, with the parts of modules, what a wrapper is around, and what a scheduler schedules."""
    for one in tracked:
        yield id(one)
        inner = unwrapped(one)
        yield id(inner)
        for module in inner.modules() if isinstance(inner, torch.nn.Module) else ():
            yield id(module)


def _variables(frame: FrameType) -> dict[str, Any]:
    if "locals" in frame.f_code.co_names:
        return {}  # up to Python 3.12 it has the dict that we would be given, and would see it change
    variables = frame.f_locals
    found = {name: value for name, value in variables.items() if not name.startswith(("_", "."))}
    if sys.version_info < (3, 13) and frame.f_code.co_flags & 1:  # of a function: a dict that keeps all it holds alive
        variables.clear()
    return found


def _add(found: dict[str, str], name: str, value: object, known: set[int], *, wanted: bool, live: bool) -> None:
    if id(value) in known or name in found:
        return
    if is_plain(value) or is_stateful(value):
        if wanted:
            found[name] = look(value)
        if not isinstance(value, list | tuple):
            return
    _look_into(found, name, value, known, live, 0)


def _look_into(found: dict[str, str], name: str, value: object, known: set[int], live: bool, depth: int) -> None:
    """What objects of the user's keep in attributes, lists of them, and functions made by functions in variables."""
    if id(value) in known or depth > _DEEPEST:
        return
    if isinstance(value, list | tuple) and len(value) <= _FEW:
        for number, child in enumerate(value):
            _look_into(found, f"{name}[{number}]", child, known, live, depth + 1)
        return
    if isinstance(value, FunctionType):
        if not is_users_file(value.__code__.co_filename):
            return
        known.add(id(value))
        held = dict(zip(value.__code__.co_freevars, map(_content, value.__closure__ or ()), strict=False))
        held.update(vars(value))
        kept: set[str] | None = None
    elif isinstance(value, SimpleNamespace | argparse.Namespace):
        known.add(id(value))
        held, kept = vars(value), None
    elif _is_of_the_user(value):
        known.add(id(value))  # it may have other names, in other frames
        held = {**_slots(value), **getattr(value, "__dict__", {})}
        # A class without methods of its own is filled from outside.
        kept = _kept_attributes(type(value)) if live and _has_methods(type(value)) else None
    elif isinstance(value, DataLoader):
        known.add(id(value))
        sampler = getattr(value.batch_sampler, "sampler", value.batch_sampler) or value.sampler
        tensors = (torch.Tensor, np.ndarray)
        held = {key: child for key, child in getattr(sampler, "__dict__", {}).items() if isinstance(child, tensors)}
        kept, name = None, f"{name}.sampler"
    else:
        return
    for key, child in list(held.items()):
        always = (isinstance(child, CONTAINERS) and child) or isinstance(child, GENERATORS)
        if id(child) in known:
            continue
        if is_plain(child):
            if kept is None or key in kept or always:
                found.setdefault(f"{name}.{key}", look(child))
        elif is_stateful(child):
            found.setdefault(f"{name}.{key}", look(child))
        if not is_plain(child) or isinstance(child, list | tuple):
            _look_into(found, f"{name}.{key}", child, known, live, depth + 1)


def _has_methods(kind: type) -> bool:
    functions = [name for name, value in vars(kind).items() if isinstance(value, FunctionType)]
    return not all(name.startswith("__") and name.endswith("__") for name in functions)


def _is_of_the_user(value: object) -> bool:
    if isinstance(value, torch.nn.Module | torch.optim.Optimizer | Dataset | Sampler | enum.Enum):
        return False
    return is_users(type(value)) and (is_looked_into(value) or bool(_slots(value)))


def _slots(value: object) -> dict[str, Any]:
    names = [name for kind in type(value).__mro__ for name in _names_of(vars(kind).get("__slots__", ()))]
    return {name: getattr(value, name) for name in names if hasattr(value, name) and not name.startswith("__")}


def _names_of(slots: Any) -> tuple[str, ...]:
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _content(cell: Any) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None


def _read_by_functions(space: Mapping[str, Any]) -> set[str]:
    """The globals that functions of this module read before they set them."""
    names: set[str] = set()
    for value in list(space.values()):
        for code in _codes(value):
            if is_users_file(code.co_filename):
                names |= {name for name in liveness.live_at_entry(code) if name[0] == liveness.GLOBAL[0]}
    return names


def _kept_attributes(kind: type) -> set[str]:
    """The attributes that some method reads and then sets: not those that are only set anew, or only read."""
    names: set[str] = set()
    for base in kind.__mro__:
        if is_users(base):
            for code in _codes(base):
                names |= liveness.live_at_entry(code) & liveness.stored(code)
    return {name[len(liveness.ATTRIBUTE) :] for name in names if name[0] == liveness.ATTRIBUTE[0]}


def _codes(value: object) -> Iterator[CodeType]:
    if isinstance(value, FunctionType):
        inner = getattr(value, "__wrapped__", value)
        yield inner.__code__ if isinstance(inner, FunctionType) else value.__code__
    elif isinstance(value, type):
        for member in vars(value).values():
            if isinstance(member, FunctionType) and member.__name__ != "__init__":
                yield from _codes(member)
