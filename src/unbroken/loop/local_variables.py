"""Local variables: the plain values that a loop keeps in names of its own, and that no checkpoint has.

At a save it is noted what those are that training has changed and that will be read again before they are set; at the
same place after a resume those that are not what they were are named. Nothing is called, nothing is set.
"""

import argparse
import builtins
import enum
import logging
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from types import FrameType, FunctionType, SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from unbroken import messages
from unbroken.loop import bindings, liveness, process
from unbroken.loop.feeding import FED, Feeding
from unbroken.loop.holders import content
from unbroken.loop.iterators import ITERATOR, at_a_save, is_iterator
from unbroken.loop.kept import has_methods, kept_attributes, read_by_functions
from unbroken.loop.looks import CONTAINERS, GENERATOR, STATEFUL, is_plain, is_stateful, look
from unbroken.loop.reachable import Reached, reachable
from unbroken.loop.rebound import Rebound
from unbroken.loop.structure import FORMAT, HOOKS, Structure
from unbroken.state.adapters import GENERATORS
from unbroken.state.origins import is_users, is_users_file, users_frames
from unbroken.state.plain import is_looked_into
from unbroken.state.wrappers import unwrapped

_log = logging.getLogger("unbroken")

_MOST_NAMED = 8
_FEW = 8  # of a list that is looked into
_DEEPEST = 3
_KINDS = [
    "variables", "objects", "generators", "iterators", "bindings", "settings", "hooks", "formats", "feeding",
]  # fmt: skip
_REACHED = "reached "  # how the names begin of generators that are no variables of the loop


class LocalVariables:
    """The variables in the frames of the user's that run the loop.

    ``tracked`` gives the objects kept elsewhere. ``tell`` is given the sentences to be said, none perhaps, at the same
    places in each process of the run.
    """

    def __init__(self, tracked: Callable[[], Mapping[str, object]], tell: Callable[[list[str]], None]) -> None:
        self._tracked = tracked
        self._tell = tell
        self._first: dict[str, str] | None = None
        self._saved: Mapping[str, str] = {}
        self._saved_in_epoch = False
        self._lost: list[str] = []
        self._reached = Reached()
        self._seen: set[int] = set()
        self._structure = Structure()
        self._rebound = Rebound()
        self._feeding = Feeding(lambda: reversed(_spaces()))
        self._made: Set[str] = frozenset()
        self._compared = False
        self.waiting = True
        """Whether ``at_batch`` has to be called at the next boundary."""

    def resumed(self, saved: Mapping[str, str], *, in_epoch: bool) -> None:
        """The run goes on from a save at which ``fingerprint`` gave this."""
        self._saved, self._saved_in_epoch = saved, in_epoch

    def at_epoch(self) -> None:
        """An epoch is about to be handed to the user."""
        self.waiting = True
        if self._first is None:
            self._rebound.begin(_spaces(), self._tracked())
            self._first = self._look() | self._rebound.look(_spaces())
            self._feeding.look()
            if not self._saved_in_epoch:
                self._lost = self._differing(self._saved)
        elif not self._compared:
            self._say_lost()

    def at_batch(self) -> None:
        """The first batch of this process, or of an epoch, is about to be handed to the user."""
        self.waiting = False
        self._feeding.look()
        if self._compared:
            return
        self._compared = True
        look, begun = self._look(), self._first or {}
        # What the code before the batches makes of weights, a resume inside the epoch makes of later ones.
        self._first, self._made = {**look, **begun}, look.keys() - begun.keys()
        # What the code before the batches has set to what it was again was not lost.
        self._lost = self._differing(self._saved if self._saved_in_epoch else self._lost)
        fed = {name: seen for name, seen in self._saved.items() if name.startswith(FED)}
        self._lost += self._feeding.lost(fed, in_pass=self._saved_in_epoch)
        self._say_lost()

    def nothing_left(self) -> None:
        """The loop has nothing to train: variables that code behind it reads are not there, or are as built."""
        frame = next(users_frames(), None)
        if frame is None or "locals" in frame.f_code.co_names:  # whose variables are not looked at
            return
        read = liveness.names_read_behind(frame)
        there = {*_variables(frame), *frame.f_globals, *dir(builtins)}
        names = sorted(name for name in read - there if not name.startswith(("_", ".")))
        if names:
            where = f"{frame.f_code.co_filename}:{frame.f_lineno}"
            _log.info(messages.text("missing_behind_loop", names=", ".join(names[:_MOST_NAMED]), where=where))
        variables = [name for name in self._saved if re.split(r"[.\[(]", name.rpartition(":")[2])[0] in read]
        self._lost = self._differing(variables)
        self._say_lost()

    def fingerprint(self, *, in_pass: bool) -> dict[str, str]:
        """What variables hold now, as short texts, where training has changed it and somebody will read it.

        ``in_pass``: the save is between two batches of a loader.
        """
        if self._first is None:
            return {}
        now = {name: at_a_save(seen) for name, seen in self._look(search=False).items()} | self._rebound.look(_spaces())
        first, noted = self._first, self._saved.keys() | self._made
        found = {name: seen for name, seen in now.items() if first.get(name) != seen or name in noted}
        return {**found, **self._feeding.changed(in_pass=in_pass)}

    def _look(self, *, live: bool = True, search: bool = True) -> dict[str, str]:
        """``search`` looks for what is held elsewhere, too: which there is, is settled by the first step."""
        tracked = self._tracked()
        known = set(_ids(tracked.values()))
        found = _look_all(known, {id(one): name for name, one in tracked.items()}, live=live)
        found |= {**process.settings(), **self._structure.look(tracked, full=not live)}
        if search:
            spaces = _spaces()
            self._reached.add(reachable(spaces, {*known, *_seeded(spaces)}))
            self._seen |= known
        # What only a variable of the loop's body shows has none when the program begins anew.
        others = self._reached.look(self._seen if live else set())
        return {**found, **{_REACHED + path: seen for path, seen in others.items()}}

    def _differing(self, names: Iterable[str]) -> list[str]:
        """Those of the names in the save that are not what they were, where something was saved at all."""
        now = self._rebound.look(_spaces()) | self._look(live=False) if names else {}
        return [name for name in names if name in now and now[name] != self._saved[name]]

    def _say_lost(self) -> None:
        lost, self._lost = self._lost, []
        frame = next(users_frames(), None)
        self._tell([] if not lost or frame is None else list(self._sentences(lost, frame)))

    def _sentences(self, lost: Sequence[str], frame: FrameType) -> Iterator[str]:
        where = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        groups: dict[str, list[str]] = {f"{kind}_lost": [] for kind in _KINDS}
        for name in bindings.without_others(lost):
            groups[_kind_of(name, self._saved[name])].append(name)
        if all(name.isidentifier() for name in groups["variables_lost"]):
            groups["globals_lost"] = groups.pop("variables_lost")
        for key, group in groups.items():
            names = list(dict.fromkeys(map(_shown, group)))
            if names:
                shown = ", ".join(names[:_MOST_NAMED]) + (", …" if len(names) > _MOST_NAMED else "")
                path, last = names[0], re.split(r"[.\])(]", names[0].rstrip(")]"))[-1]
                yield messages.text(key, names=shown, where=where, first=last, path=path)


def _shown(name: str) -> str:
    """Without the function that it is a variable of."""
    for before in (_REACHED, bindings.STANDS_FOR, process.SET, FED):
        name = name.removeprefix(before)
    return name.rpartition(":")[2].removesuffix(_ending_of(name))


def _ending_of(name: str) -> str:
    return next((ending for ending in (HOOKS, FORMAT) if name.endswith(ending)), "")


def _kind_of(name: str, seen: str) -> str:
    """The sentence that is for it."""
    if name.startswith((process.SET, FED)):
        return "settings_lost" if name.startswith(process.SET) else "feeding_lost"
    if name.startswith(bindings.STANDS_FOR):
        return {HOOKS: "hooks_lost", FORMAT: "formats_lost"}.get(_ending_of(name), "bindings_lost")
    if seen.startswith(ITERATOR):
        return "iterators_lost"
    if (
        name.startswith(_REACHED)
        and seen.startswith(GENERATOR)
        and not all(part.isidentifier() for part in _shown(name).split("."))
    ):
        return "generators_lost"
    return "objects_lost" if seen.startswith((GENERATOR, STATEFUL)) else "variables_lost"


def _spaces() -> list[tuple[str, dict[str, Any]]]:
    """The variables of the user's frames, and of their modules, each with what their names begin with."""
    frames = list(users_frames())
    inside = [frame for frame in frames if frame.f_code.co_name != "<module>"]
    spaces = [(f"{frame.f_code.co_qualname}:", _variables(frame)) for frame in inside]
    return [*spaces, *{id(frame.f_globals): ("", frame.f_globals) for frame in frames}.values()]


def _seeded(spaces: Iterable[tuple[str, dict[str, Any]]]) -> Iterator[int]:
    """Generators that the loop seeds are variables like others: it matters where they are read before they are set."""
    names = {name for frame in users_frames() for name in liveness.seeded(frame.f_code)}
    return (id(held[name]) for _, held in spaces for name in names & held.keys())


def _look_all(known: set[int], tracked: Mapping[int, str], *, live: bool) -> dict[str, str]:
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
                _stand_for(found, scope + name, value, tracked, wanted=wanted)
                _add(found, scope + name, value, known, wanted=wanted, live=live)
        else:
            reads |= {liveness.GLOBAL + name[len(liveness.LOCAL) :] for name in names if name[0] == liveness.LOCAL[0]}
        spaces[id(frame.f_globals)] = frame.f_globals
    for space in spaces.values():
        inside = reads | read_by_functions(space) if live else reads
        for name, value in list(space.items()):
            if not name.startswith("_"):
                wanted = not live or liveness.GLOBAL + name in inside
                _stand_for(found, name, value, tracked, wanted=wanted)
                _add(found, name, value, known, wanted=wanted, live=live)
    return found


def _stand_for(found: dict[str, str], name: str, value: object, tracked: Mapping[int, str], *, wanted: bool) -> None:
    if wanted and (seen := bindings.look(value, tracked)):
        found.setdefault(bindings.STANDS_FOR + name, seen)


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
    if is_plain(value) or is_stateful(value) or is_iterator(value):
        if wanted:
            found[name] = look(value)
            _note(value, known)
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
        kept = kept_attributes(type(value), held) if live and has_methods(type(value)) else None
    elif isinstance(value, DataLoader):
        known.add(id(value))
        sampler = getattr(value.batch_sampler, "sampler", value.batch_sampler) or value.sampler
        tensors = (torch.Tensor, np.ndarray)
        held = {key: child for key, child in getattr(sampler, "__dict__", {}).items() if isinstance(child, tensors)}
        kept, name = None, f"{name}.sampler"
    elif (inside := content(value)) is not None:
        held, kept = inside, None
    else:
        return
    for key, child in list(held.items()):
        always = (isinstance(child, CONTAINERS) and child) or isinstance(child, GENERATORS)
        if id(child) in known:
            continue
        if is_plain(child):
            if kept is None or key in kept or always:
                found.setdefault(f"{name}.{key}", look(child))
                _note(child, known)
        elif is_stateful(child) or is_iterator(child):
            found.setdefault(f"{name}.{key}", look(child))
        if not is_plain(child) or isinstance(child, list | tuple):
            _look_into(found, f"{name}.{key}", child, known, live, depth + 1)


def _note(value: object, known: set[int]) -> None:
    """A generator has one name, by whatever others it is reached."""
    if isinstance(value, GENERATORS):
        known.add(id(value))


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
