"""Starts: one row for each process that has begun a run or gone on with it, kept in the run record, for people.

Nothing is resumed from or decided by it. It is written where the run record is written anyway, at a start.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Self

from unbroken.store.forecast import Plan

FORMAT = 1

BEGUN, WENT_BACK, COMPLETE, BROKEN_OFF = "begun", "went_back", "complete", "broken_off"
"""How what was before a start ended, beside the reason of a state that was saved at a stop."""

STOPPED = frozenset({"signal", "budget", "loader_error", "end"})
"""Reasons of states that are the last of their process: it was stopped, or ended, with its state saved."""

_KEPT = 200
_CHANGES = 40
_LONGEST = 200


@dataclass(frozen=True)
class Change:
    """What is not as it was for the process before: a parameter, a version, the hardware, a setting, the data."""

    kind: str
    name: str
    old: str
    new: str


@dataclass(frozen=True)
class Start:
    """When a process began, with what state, and what is known of how the one before it ended.

    ``ended``: one of ``STOPPED``, or of the words above. ``reached`` is the last step that the process before is known
    to have trained; None where that is not known. ``keeping`` is what the process keeps; None where that depends on how
    many steps an epoch has. ``changes`` are against the state that is gone on from.
    """

    generation: int
    at: str
    host: str
    version: str
    file: str
    saved: str
    branch: int
    epoch: int
    batch: int
    batches: int | None
    step: int
    ended: str
    reached: int | None
    processes: int
    keeping: Plan | None
    changes: tuple[Change, ...] = field(default=())

    @property
    def lost(self) -> int | None:
        """Steps that were trained behind the state gone on from, and are trained again."""
        return None if self.reached is None else max(self.reached - self.step, 0)

    @property
    def place(self) -> tuple[str, int, int, int, int]:
        """Which state was gone on from."""
        return (self.saved, self.branch, self.epoch, self.batch, self.step)

    @property
    def position(self) -> float:
        """In epochs, as curves count them."""
        return self.epoch + (self.batch / self.batches if self.batches else 0.0)


@dataclass(frozen=True)
class Starts:
    """The last starts of a run; ``count`` is how many there were in all."""

    count: int
    last: tuple[Start, ...]

    @classmethod
    def none(cls) -> Self:
        return cls(0, ())

    def with_another(self, start: Start) -> "Starts":
        """With a row for ``start``, in which nothing is claimed of a process before it that has saved no state.

        That one was not the one that stopped with this state saved; and what the journal has may be of one before it.
        """
        before = self.last[-1] if self.last else None
        if before is not None and before.place == start.place:
            further = start.reached is not None and start.reached > (before.reached or before.step)
            ended = BROKEN_OFF if start.ended in STOPPED or (further and start.ended == COMPLETE) else start.ended
            start = replace(start, ended=ended, reached=start.reached if further else None)
        return Starts(self.count + 1, (*self.last, start)[-_KEPT:])

    def as_json(self) -> dict[str, Any]:
        return {"format": FORMAT, "count": self.count, "last": [asdict(start) for start in self.last]}


def starts_of(found: object) -> Starts | None:
    """What ``as_json`` has made; None for what is not there, or is something else."""
    if not isinstance(found, Mapping) or found.get("format") != FORMAT:
        return None
    count, last = found.get("count"), found.get("last")
    if type(count) is not int or type(last) is not list or len(last) > min(_KEPT, count):
        return None
    starts = [_start_of(row) for row in last]
    return None if None in starts else Starts(count, tuple(start for start in starts if start is not None))


def changes_of(kind: str, pairs: Iterable[tuple[object, object, object]]) -> list[Change]:
    """Changes as they are kept: their name, old and new, each a text of bounded length."""
    return [Change(kind, *(_short(part) for part in triple)) for triple in pairs]


def bounded(changes: Iterable[Change]) -> tuple[Change, ...]:
    return tuple(changes)[:_CHANGES]


_TEXTS = ("at", "host", "version", "file", "saved", "ended")
_COUNTS = ("generation", "branch", "epoch", "batch", "step", "processes")
_COUNTS_OR_NONE = ("batches", "reached")


def _start_of(row: object) -> Start | None:
    if not isinstance(row, dict) or row.keys() != {one.name for one in fields(Start)}:
        return None
    changes = row["changes"]
    sane = all(type(row[name]) is str for name in _TEXTS) and all(_is_count(row[name]) for name in _COUNTS)
    if not sane or not all(row[name] is None or _is_count(row[name]) for name in _COUNTS_OR_NONE):
        return None
    if type(changes) is not list or not all(_is_change(change) for change in changes):
        return None
    keeping = row["keeping"]
    if keeping is not None and not _is_plan(keeping):
        return None
    plan = None if keeping is None else Plan(**keeping)
    return Start(**{**row, "keeping": plan, "changes": tuple(Change(**change) for change in changes)})


def _is_plan(found: object) -> bool:
    if not isinstance(found, dict) or found.keys() != {one.name for one in fields(Plan)}:
        return False
    return all(value is None or _is_count(value) for value in found.values())


def _is_change(row: object) -> bool:
    names = {one.name for one in fields(Change)}
    return isinstance(row, dict) and row.keys() == names and all(type(value) is str for value in row.values())


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _short(value: object) -> str:
    said = str(value)
    return said if len(said) <= _LONGEST else said[: _LONGEST - 1] + "…"
