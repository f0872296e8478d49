"""The trace: what a run under audit tells of itself (``course/observer``), one JSON line per moment, whole lines only.

Written only where ``UNBROKEN_TRACE`` names a file. A line is one ``write(2)`` of a file opened for appending, so
what was told survives the death of the process, and a reader never sees the half of a line followed by another.
This module is the one owner of the format, and imports no torch: the audit reads by it.

A line ``{"line": "names", "run": FOLDER, "names": […]}`` says what the values of this run's next lines are the values
of; any other is
``{"line": KIND, "run": FOLDER, "step": …, "epoch": …, "batch": …, "at": SECONDS, "values": […], …}``. A name is
``GROUP|PATH``; a mark behind the group tells what is only looked at from what a resume has to bring back.
"""

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from unbroken.errors import UsageError

FILE = "UNBROKEN_TRACE"
HOLD = "UNBROKEN_TRACE_HOLD"
ROOT = "UNBROKEN_TRACE_ROOT"

# Long enough to cost nothing while held; short enough that a stop signal is acted on at once.
_LOOK_EVERY = 0.005
_RANK = "#rank"


class Kind(StrEnum):
    """The moments at which a line is written."""

    START = "start"  # the run is about to look for its state; nothing is saved or restored yet
    BEGIN = "begin"  # the state is found, verified and restored, or as built
    STEP = "step"  # the user's code is done with a batch
    SAVE = "save"  # a snapshot is taken, and is being written from now on
    EPOCH = "epoch"  # the epoch is recorded, and not saved yet
    END = "end"  # all epochs or steps are done


class Group(StrEnum):
    """What a value belongs to, in the order in which, at one moment, a difference in one leads to one in the next."""

    SEED = "seed"
    COURSE = "course"  # which steps and epochs there are
    ORDER = "order"  # the indices of the batches
    DATA = "data"  # what the batches hold
    STREAM = "stream"  # random streams
    HISTORY = "history"
    LEARNING_RATE = "learning_rate"  # settings of an optimizer's parameter groups
    AVERAGE = "average"  # what ``run.average`` was given: the loss
    MODEL = "model"
    OPTIMIZER = "optimizer"
    SCHEDULER = "scheduler"
    OTHER = "other"  # anything else that is tracked
    STATE = "state"  # run.state
    VARIABLE = "variable"


class Mark(StrEnum):
    """What a value means for a resume."""

    SAVED = ""  # a resume has to bring it back
    UNTRACKED = "?"  # an object with a state of its own that nobody tracks
    HINT = "~"  # may differ, and may be why something else does
    BEFORE = "<"  # a hint, as it was when the batch was given out: what differs there is not a consequence of the step


@dataclass(frozen=True)
class Name:
    """Of what a value is the value."""

    group: Group
    path: str
    mark: Mark = Mark.SAVED

    def __str__(self) -> str:
        return f"{self.group}{self.mark}|{self.path}"

    @classmethod
    def parse(cls, text: str) -> "Name":
        """The inverse of ``str``. Raises ValueError."""
        head, _, path = text.partition("|")
        mark = next((mark for mark in Mark if mark and head.endswith(mark)), Mark.SAVED)
        return cls(Group(head.removesuffix(mark)), path, mark)


# How many graphs ``torch.compile`` has made.
COMPILED = Name(Group.OTHER, "torch.compile", Mark.HINT)


@dataclass(frozen=True)
class Place:
    """The first line of this kind, in one process, at or after this step (or this epoch): where to wait."""

    kind: Kind
    number: int

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"

    @classmethod
    def parse(cls, text: str) -> "Place":
        """The inverse of ``str``. Raises ValueError."""
        kind, _, number = text.partition(" ")
        return cls(Kind(kind), int(number))

    def holds(self, kind: Kind, step: int, epoch: int) -> bool:
        return kind is self.kind and (epoch if kind is Kind.EPOCH else step) >= self.number


class TraceFile:
    """Appends lines. At ``UNBROKEN_TRACE_HOLD`` it waits, once, for a signal: to be killed, or until ``released``."""

    def __init__(self, path: Path, hold: Place | None, released: Callable[[], bool]) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        self._hold = hold
        self._released = released
        self._names: list[str] = []

    def write(
        self,
        kind: Kind,
        *,
        run: str,
        step: int,
        epoch: int,
        batch: int,
        values: Mapping[Name, str] | None = None,
        facts: Mapping[str, object] | None = None,
    ) -> None:
        values = values or {}
        names = [str(name) for name in values]
        head = {"line": kind, "run": run, "step": step, "epoch": epoch, "batch": batch, "at": time.monotonic()}
        lines = [{**head, **(facts or {}), "values": list(values.values())}]
        if values and names != self._names:
            self._names = names
            lines.insert(0, {"line": "names", "run": run, "names": names})
        data = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines).encode()
        while data:
            data = data[os.write(self._descriptor, data) :]
        if self._hold is not None and self._hold.holds(kind, step, epoch):
            self._hold = None
            while not self._released():
                time.sleep(_LOOK_EVERY)


def trace_file(released: Callable[[], bool]) -> TraceFile | None:
    """The file to tell of this run in, if it is under audit."""
    path = os.environ.get(FILE)
    if not path:
        return None
    hold = os.environ.get(HOLD)
    return TraceFile(Path(path), Place.parse(hold) if hold else None, released)


def folder_of(run: str) -> str:
    """The inverse of ``name_of``: the folder, whichever rank told of it."""
    return run.partition(_RANK)[0]


def rank_of(run: str) -> int:
    """The rank that told of it."""
    rank = run.partition(_RANK)[2]
    return int(rank) if rank.isdecimal() else 0


def name_of(folder: Path, rank: int = 0) -> str:
    """What a run with this checkpoint folder is called in the trace: its path within the copy that is under audit.

    Each further ``rank`` has a run of its own. Raises UsageError for a folder outside of the copy: the user's own.
    """
    root, of_rank = os.environ.get(ROOT), f"{_RANK}{rank}" if rank else ""
    if not root:
        return f"{folder}{of_rank}"
    inside, whole = Path(os.path.realpath(root)), Path(os.path.realpath(folder))
    if not whole.is_relative_to(inside):
        raise UsageError("audit_folder_outside", folder=folder)
    return f"{whole.relative_to(inside)}{of_rank}"
