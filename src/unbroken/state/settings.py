"""Settings: what optimizers and schedules were built with, then and now, and which of the two goes on.

A resume restores them with the rest: whoever restarts with another learning rate trains on with the saved one. That
is said, for each setting whose value the script builds otherwise than before (not for what a schedule has made of it).
Where the user wants the new one, ``keep`` names it; then it is put in force once, when it has changed, and the schedule
goes on from there: the same command started again changes nothing more.
"""

import copy
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from unbroken.errors import UsageError
from unbroken.state.adapters import one_line
from unbroken.state.paths import (
    As,
    firsts_of,
    groups_of,
    is_plain,
    key_of,
    leaves,
    owner_of,
    plain_items,
    setting_of,
    value_of,
)
from unbroken.state.tracked import Tracked

_OF_A_SCHEDULE = {"initial_lr", "max_lr", "min_lr", "max_momentum", "base_momentum"}
_TOLD_BY_OTHERS = {"min_lr", "base_lrs"}
_MOVING = {"last_epoch", "best", "num_bad_epochs", "cooldown_counter", "T_cur", "T_i", "lr", "momentum", "betas"}


@dataclass(frozen=True)
class Setting:
    """One setting that is built otherwise than it was: ``name`` as in ``optimizer.lr``."""

    name: str
    then: Any
    now: Any
    in_force: Any


class Settings:
    """The settings of everything tracked. ``begin``, at most one ``resume``, and ``apply`` after every restoring."""

    def __init__(self, tracked: Tracked) -> None:
        self._tracked = tracked
        self._kept: list[str] = []
        self._now: As = {}
        self._groups: dict[str, dict[str, As]] = {}
        self._schedules: dict[str, tuple[As, dict[str, dict[str, As]]]] = {}
        self._changed: set[str] = set()
        self._then: As = {}
        self._guesses = False
        self._again = False
        self.built: As = {}

    def keep(self, names: Sequence[str]) -> None:
        """Have what these name as it is built now, wherever that differs from what it was built with."""
        self._kept += names

    def begin(self) -> None:
        """Note how everything is built, before anything is restored. Raises UsageError for a name of nothing."""
        if not self._again:
            self._now = self._as_it_is()
            self._groups = {name: groups_of(self._tracked, name) for name in self._tracked.optimizers}
        self.built = self._now
        for name in self._kept:
            owner, _, setting = name.partition(".")
            known = {setting_of(path) for path in self._now}
            if owner not in {*self._groups, *self._schedulers()} or (setting and name not in known):
                raise UsageError("keep_built_unknown", name=name, known=", ".join(sorted(known)) or "-")
            if setting and owner in self._schedulers():
                raise UsageError("keep_built_whole", name=name, owner=owner)

    def begin_again(self, asked: "Settings | None" = None) -> None:
        """The run begins a second time in this process, by which training has changed what is as built no longer.

        ``asked``: who says what to keep from now on.
        """
        self._again = True
        if asked is not None:
            self._kept = asked._kept

    def resume(self, then: object, before: object, positions: Mapping[str, Any], config: Mapping[str, Any]) -> None:
        """A state is about to be restored, of a run built like ``then``, or None, with the parameters ``before``.

        ``config`` are those of now.

        ``positions``: the saved states by name, schedulers' among them. Raises UsageError for a schedule that cannot
        stand where the saved one does.
        """
        if isinstance(then, Mapping):
            self._then = {path: value for path, value in then.items() if path in self._now and is_plain(value)}
        else:  # of an older version: a parameter of the run that has the setting's name and value tells
            self._guesses = True
            before = before if isinstance(before, Mapping) else {}
            for path, now in self._now.items():
                key = setting_of(path).rpartition(".")[2]
                if key in before and is_plain(before[key]) and key in config and config[key] == now:
                    self._then[path] = before[key]
        if self._again:
            # A state saved since has what was put in force before, and the one of then has it put in force as then.
            if not self._differing():
                self._changed, self._schedules = set(), {}
            if self._changed or self._schedules:
                return
        for path in self._differing():
            if setting_of(path) in self._kept or (owner_of(path) in self._kept and owner_of(path) in self._groups):
                self._changed.add(path)
        for name, scheduler in self._schedulers().items():
            mine = self._of_schedule(name, scheduler) & self._differing()
            if name in self._kept and mine:
                self._put_at_its_position(name, scheduler, positions.get(name), mine)

    def apply(self) -> None:
        """Put what is kept in force, over what was just restored."""
        for name in self._groups:
            if any(owner_of(path) == name for path in self._changed) and not self._is_set_by_schedule(name):
                self._apply_groups(name)
        for name, (state, groups) in self._schedules.items():
            scheduler = self._schedulers()[name]
            _load(name, scheduler, {**scheduler.state_dict(), **state})
            for first, live in self._live_groups(scheduler):
                for key, value in groups.get(first, {}).items():
                    _put(live, key, value)

    def settle(self) -> list[Setting]:
        """After the first restoring: what was put in force as it is built now; ``built`` is that of the state now."""
        in_force = self._as_it_is()
        if self._guesses:  # what a schedule does not move was built as it was restored
            fixed = {p for p in in_force if key_of(p) not in _MOVING or (key_of(p) == "lr" and not self._schedulers())}
            self._then = {p: in_force[p] for p in self._now if p in fixed and p not in self._changed} | self._then
        self.built = {
            path: now if path in self._changed else self._then.get(path, now) for path, now in self._now.items()
        }
        return list(_several(self._changed, self._then, self._now, in_force))

    def overruled(self) -> list[Setting]:
        """Settings built otherwise than then, with which the state goes on as it was saved."""
        in_force = self._as_it_is()
        paths = self._differing() - self._changed
        paths = {path for path in paths if path in in_force and in_force[path] != self._now[path]}
        return list(_several(paths, self._then, self._now, in_force))

    def to_keep(self, setting: str) -> str:
        """What to give to ``keep`` for a setting: of a schedule, and of what it sets, the schedule as a whole."""
        owner, key = owner_of(setting), key_of(setting)
        optimizer = self._tracked.optimizers.get(owner)
        if optimizer is None:
            return owner
        if key in _OF_A_SCHEDULE:
            return next((name for name, s in self._schedulers().items() if s.optimizer is optimizer), setting)
        return setting

    def _as_it_is(self) -> As:
        found: As = {}
        for name in self._tracked.optimizers:
            for first, group in groups_of(self._tracked, name).items():
                found |= {f"{name}[{first}].{key}": value for key, value in group.items()}
        for name, scheduler in self._schedulers().items():
            state = scheduler.state_dict()
            found |= dict(leaves(name, state)) if isinstance(state, Mapping) else {}
        return found

    def _schedulers(self) -> dict[str, Any]:
        """What is tracked and sets an optimizer's values: torch's schedulers, and those that look like them."""
        return {
            name: obj
            for name, obj in self._tracked.objects.items()
            if isinstance(obj, LRScheduler)
            or (not isinstance(obj, Optimizer) and isinstance(getattr(obj, "optimizer", None), Optimizer))
        }

    def _live_groups(self, scheduler: Any) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, optimizer in self._tracked.optimizers.items():
            if optimizer is scheduler.optimizer:
                yield from zip(firsts_of(self._tracked, name), optimizer.param_groups, strict=True)

    def _differing(self) -> set[str]:
        """What is built otherwise than it was."""
        return {path for path, now in self._now.items() if path in self._then and self._then[path] != now}

    def _of_schedule(self, name: str, scheduler: Any) -> set[str]:
        """The settings that make up a schedule: its own, and those it keeps in the groups of its optimizer."""
        owners = {n for n, optimizer in self._tracked.optimizers.items() if optimizer is scheduler.optimizer}
        return {p for p in self._now if owner_of(p) == name or (owner_of(p) in owners and key_of(p) in _OF_A_SCHEDULE)}

    def _is_set_by_schedule(self, optimizer: str) -> bool:
        live = self._tracked.optimizers[optimizer]
        return any(self._schedulers()[name].optimizer is live for name in self._schedules)

    def _put_at_its_position(self, name: str, scheduler: Any, saved: Any, differing: set[str]) -> None:
        """Note the schedule as built now where the saved one stands, and the groups' values that it sets there.

        One of torch's is run to that place, which is exact for all of them. Others keep the saved course, and have the
        settings that differ.
        """
        built = scheduler.state_dict()
        if not isinstance(scheduler, LRScheduler) or isinstance(scheduler, ReduceLROnPlateau):
            own = {path for path in differing if path.rpartition(".")[0] == name and key_of(path) in built}
            self._schedules[name] = {key_of(path): copy.deepcopy(built[key_of(path)]) for path in own}, {}
            self._changed |= own
            return
        before = {owner: plain_items(group) for owner, group in self._live_groups(scheduler)}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch's, of a schedule that steps before its optimizer
                for _ in range(int(saved["last_epoch"])):
                    scheduler.step()
        except Exception as error:
            raise UsageError("keep_built_failed", name=name, detail=one_line(error)) from error
        after = {owner: plain_items(group) for owner, group in self._live_groups(scheduler)}
        set_by_it = {key for owner, group in after.items() for key in group if group[key] != before[owner].get(key)}
        set_by_it |= {"lr", *_OF_A_SCHEDULE}
        groups = {owner: {k: v for k, v in group.items() if k in set_by_it} for owner, group in after.items()}
        self._schedules[name] = copy.deepcopy(scheduler.state_dict()), groups
        self._changed |= differing

    def _apply_groups(self, name: str) -> None:
        optimizer = self._tracked.optimizers[name]
        for first, live in zip(firsts_of(self._tracked, name), optimizer.param_groups, strict=True):
            built = self._groups[name].get(first, {})
            for key, value in built.items():
                path = f"{name}[{first}].{key}"
                if path in self._changed and key not in ("lr", "initial_lr"):
                    _put(live, key, value)
            lr, initial = f"{name}[{first}].lr", f"{name}[{first}].initial_lr"
            if "initial_lr" in live and initial in self._now and (initial in self._changed or lr in self._changed):
                _put(live, "lr", _scaled(value_of(live["lr"]), self._then.get(initial), built))
                _put(live, "initial_lr", built["initial_lr"])
            elif lr in self._changed:
                _put(live, "lr", built["lr"])
        for scheduler_name, scheduler in self._schedulers().items():
            if scheduler.optimizer is optimizer and isinstance(scheduler, LRScheduler):
                rates = [group.get("initial_lr", group["lr"]) for group in optimizer.param_groups]
                _load(scheduler_name, scheduler, _with_base_rates(scheduler.state_dict(), rates))


def _scaled(rate: Any, base: Any, built: As) -> Any:
    """The rate that a schedule has by now, had it been built with the new one."""
    if rate == base or not base or not isinstance(base, int | float):
        return built["initial_lr"]
    return float(rate) * (built["initial_lr"] / base)


def _put(group: dict[str, Any], key: str, value: Any) -> None:
    """Set a value as the kind of thing it is: rates may be tensors, betas are a tuple."""
    held = group.get(key)
    if isinstance(held, torch.Tensor):
        held.fill_(value)
    else:
        group[key] = tuple(value) if isinstance(held, tuple) else copy.deepcopy(value)


def _with_base_rates(state: dict[str, Any], rates: list[Any]) -> dict[str, Any]:
    changed = {**state}
    if len(state.get("base_lrs", ())) == len(rates):
        changed["base_lrs"] = list(rates)
    if isinstance(state.get("_schedulers"), list):
        changed["_schedulers"] = [_with_base_rates(inner, rates) for inner in state["_schedulers"]]
    return changed


def _load(name: str, scheduler: Any, state: Mapping[str, Any]) -> None:
    try:
        scheduler.load_state_dict(copy.deepcopy(dict(state)))
    except Exception as error:
        raise UsageError("keep_built_failed", name=name, detail=one_line(error)) from error


def _several(paths: set[str], then: As, now: As, in_force: As) -> Iterator[Setting]:
    """One setting for all the groups that have it alike."""
    told: dict[tuple[str, str], Setting] = {}
    for path in now:
        if path not in paths or key_of(path) in _TOLD_BY_OTHERS:
            continue
        if key_of(path) == "lr" and f"{path.removesuffix('.lr')}.initial_lr" in now:
            continue  # what a schedule makes of it at its start
        force = in_force.get(f"{path.removesuffix('.initial_lr')}.lr" if key_of(path) == "initial_lr" else path)
        name = setting_of(path)
        same = (name, repr((then.get(path), now[path], force)))
        told.setdefault(same, Setting(name, then.get(path), now[path], force))
    yield from told.values()
