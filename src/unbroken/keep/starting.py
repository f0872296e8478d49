"""Starting from: a new run takes what another checkpoint, or a file of weights, has for what it tracks."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from unbroken import messages
from unbroken.errors import ArchitectureChangedError, CheckpointDamagedError, GuardError, UsageError
from unbroken.state.adapters import describe
from unbroken.state.encoding import decode
from unbroken.state.optimizers import Names
from unbroken.state.snapshot import own_copy
from unbroken.state.tracked import Tracked
from unbroken.state.wrappers import RENAMINGS
from unbroken.store import load
from unbroken.store import payload as keys

_log = logging.getLogger("unbroken")

_MOST_SHOWN = 20
_ALL = ""  # the name of what a file that is a state_dict itself has


@dataclass(frozen=True)
class Start:
    """What was asked for: ``names`` are tracked names, each with its name in the file; none of them: all there are."""

    path: Path
    names: Mapping[str, str]
    strict: bool


@dataclass
class _Fit:
    """What a tracked object takes: ``values`` are whole, in its own names. Then what is left over, and missing."""

    name: str
    source: str
    values: Any = None
    parameters: Names | None = None
    taken: int = 0
    cast: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


class Starting:
    """The files that a fresh run starts from; nothing is read before it is known that it is a fresh one."""

    def __init__(self) -> None:
        self._starts: list[Start] = []

    def add(self, path: str | os.PathLike[str], names: Mapping[str, str], strict: bool, tracked: Tracked) -> None:
        """Raises UsageError for names of nothing tracked, and for one that has its start already."""
        if not isinstance(path, str | os.PathLike):
            raise UsageError("bad_path", option="path", value=path)
        unknown = [name for name in names if name not in tracked.names]
        if unknown or not tracked.names:
            there = ", ".join(tracked.names) or "-"
            raise UsageError("start_untracked", names=", ".join(unknown) or "-", tracked=there)
        for earlier in self._starts:
            twice = [name for name in names if name in earlier.names]
            if twice or not names or not earlier.names:
                raise UsageError("start_twice", names=", ".join(twice) or "-")
        self._starts.append(Start(Path.cwd() / path, dict(names), strict))

    def passed_over(self) -> None:
        """The run goes on from a state of its own: say that these files were not looked at."""
        for start in self._starts:
            _log.info(messages.text("start_passed_over", path=start.path))

    def take(self, tracked: Tracked) -> None:
        """Give what is tracked what the files have for it. All are read, and refused, before anything is touched.

        Raises:
            GuardError: with ``strict``, something is left over or missing.
            And what ``unbroken.load`` raises.
        """
        planned = [(start, _plan(start, tracked)) for start in self._starts]
        for start, (_, left, missing) in planned:
            if start.strict and (left or missing):
                raise GuardError("start_refused", path=start.path, left=_some(left), missing=_some(missing))
        chosen = [fit for _, (fits, _, _) in planned for fit in fits]
        states = tracked.state()
        before = {fit.name: own_copy(states[fit.name], fit.name) for fit in chosen}
        try:
            for fit in chosen:
                tracked.take(fit.name, fit.values, fit.parameters)
        except (ArchitectureChangedError, CheckpointDamagedError):
            for fit in chosen:
                tracked.take(fit.name, before[fit.name])
            raise
        for start, (fits, left, missing) in planned:
            _tell(start, fits, left, missing)


def _plan(start: Start, tracked: Tracked) -> tuple[list[_Fit], list[str], list[str]]:
    """What fits, the paths that are left over, and those that are missing."""
    payload = load(start.path)
    saved, own = _states(payload, start.path), keys.own_of(payload)
    names = dict(start.names)
    left: list[str] = []
    missing: list[str] = []
    if not names:
        modules = [name for name in tracked.names if isinstance(tracked.objects[name], nn.Module)]
        if list(saved) == [_ALL] and len(modules) == 1:
            names = {modules[0]: _ALL}
        else:
            names = {name: name for name in tracked.names if name in saved}
            left = [name for name in saved if name not in names]
        missing = [name for name in tracked.names if name not in names]
    else:
        absent = [f"{name}={source!r}" for name, source in names.items() if source not in saved]
        if absent:
            there = ", ".join(map(repr, saved))
            raise GuardError("start_not_in_file", path=start.path, names=", ".join(absent), there=there)
    fits = []
    for name, source in names.items():
        fit = _fit(name, source, saved[source], tracked, own)
        left += fit.left
        missing += fit.missing
        if fit.values is not None:
            fits.append(fit)
    return fits, left, missing


def _states(payload: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """What a file has, by name: of a checkpoint its states, of another file its dicts, or the one that it is."""
    states = keys.states_of(payload)
    if not states:
        states = {key: one for key, one in payload.items() if isinstance(key, str) and isinstance(one, Mapping)}
    if not states and any(isinstance(one, torch.Tensor) for one in payload.values()):
        states = {_ALL: payload}
    if not states:
        raise GuardError("start_nothing_there", path=path)
    return states


def _fit(name: str, source: str, saved: Any, tracked: Tracked, own: Mapping[str, Any]) -> _Fit:
    state = decode(saved, source)
    if isinstance(tracked.objects[name], nn.Module):
        return _fit_module(name, source, state, tracked.state()[name])
    parameters = own.get("optimizer_parameters", {}).get(source)
    known = {one.partition(".")[0] for group in parameters or () for one in group}
    if not known <= set(tracked.names):  # under other names here: by their places, then
        parameters = None
    try:
        tracked.try_state(name, state, own.get("extras", {}).get("classes", {}).get(source), parameters)
    except (ArchitectureChangedError, CheckpointDamagedError) as error:
        return _Fit(name, source, left=[source or name], missing=[f"{name} ({error})"])
    return _Fit(name, source, state, parameters, taken=1)


def _fit_module(name: str, source: str, saved: Any, live: Mapping[str, Any]) -> _Fit:
    if not isinstance(saved, Mapping) or not all(isinstance(key, str) for key in saved):
        return _Fit(name, source, left=[source], missing=[name])
    rename = max(_renamings(), key=lambda one: len({one(key) for key in saved} & live.keys()))  # the first of equals
    given = {rename(key): value for key, value in saved.items()}
    fit = _Fit(name, source, values=own_copy(dict(live), name))
    for key, there in live.items():
        path = f"{name}.{key}"
        if key not in given:
            fit.missing.append(path)
            continue
        value = given.pop(key)
        if not _fits(there, value):
            fit.missing.append(f"{path} ({_look(value)} → {_look(there)})")
            continue
        if isinstance(there, torch.Tensor) and there.dtype != value.dtype:
            fit.cast.append(f"{path} ({_look(value)} → {_look(there)})")
            value = value.to(there.dtype)
        fit.values[key] = value
        fit.taken += 1
    fit.left = [f"{source}.{key}" if source else key for key in given]
    return fit


def _renamings() -> Iterator[Callable[[str], str]]:
    """How names of a file may differ from those here: by a wrapper that one side has (also that of an average)."""
    yield from RENAMINGS
    yield lambda key: f"module.{RENAMINGS[-1](key)}"


def _fits(there: Any, value: Any) -> bool:
    """Whether a value can be taken as it is, or with other precision; never with another meaning."""
    if not isinstance(there, torch.Tensor) or not isinstance(value, torch.Tensor):
        return not isinstance(there, torch.Tensor) and not isinstance(value, torch.Tensor)
    same_kind = there.is_floating_point() == value.is_floating_point() and there.is_complex() == value.is_complex()
    whole = there.is_floating_point() or there.is_complex() or there.dtype == value.dtype
    return there.shape == value.shape and same_kind and whole


def _look(value: Any) -> str:
    return describe(value.shape, value.dtype) if isinstance(value, torch.Tensor) else type(value).__name__


def _tell(start: Start, fits: list[_Fit], left: list[str], missing: list[str]) -> None:
    """One table: what was taken, left and missing."""
    _log.info(messages.text("started_from", path=start.path))
    for fit in fits:
        _log.info(messages.text("start_taken", name=fit.name, source=fit.source or start.path.name, count=fit.taken))
    rows = (("start_cast", [one for fit in fits for one in fit.cast]), ("start_left", left), ("start_missing", missing))
    for key, paths in rows:
        for path in paths[:_MOST_SHOWN]:
            _log.warning(messages.text(key, path=path))
        if len(paths) > _MOST_SHOWN:
            _log.warning(messages.text(key, path=f"… +{len(paths) - _MOST_SHOWN}"))


def _some(paths: list[str]) -> str:
    return ", ".join(paths[:8]) + (", …" if len(paths) > 8 else "") if paths else "-"
