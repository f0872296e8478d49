"""Evidence: whether the processes that were started again went on from a checkpoint. Pure.

A script that starts over each time, and does the same each time, ends with the same file: that proves nothing. So of a
resume two things must be seen: a checkpoint was opened for reading, and less was trained than from the start.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from unbroken.audit.candidates import PARTS, Left
from unbroken.audit.trace import Line, Traced
from unbroken.audit.verdict import Sentence
from unbroken.loop.trace import Kind, folder_of

_CLEARLY_SHORTER = 0.9
_NAMED = 3


class Restarts(StrEnum):
    """What was seen of the restarts of one run."""

    RESUMED = "resumed"
    NOTHING_THERE = "nothing_there"  # no checkpoint yet, at any of them
    NEVER_OPENED = "never_opened"
    NOTHING_LEFT = "nothing_left"  # opened, and nothing was saved after that: there may have been nothing to train
    AS_LONG = "as_long"  # opened, and then trained as much as from the start
    UNSEEN = "unseen"  # less was trained; whether a checkpoint was opened can't be seen here


@dataclass(frozen=True)
class Process:
    """One process of a run: what it found, opened for reading (None: could not be seen), saved, and how it ended.

    ``seconds`` are those of the clock, ``work`` those of the processor.
    """

    left: Left
    opened: frozenset[str] | None
    saves: int
    seconds: float
    work: float
    ended: bool

    @property
    def taken(self) -> frozenset[str]:
        """The checkpoints that it opened: those by their contents, and any other file that it had left before."""
        return (self.opened or frozenset()) & (self.left.offered | self.left.unknown)


@dataclass(frozen=True)
class Whole:
    """What a run from the start takes, and how often it saves."""

    seconds: float
    work: float
    saves: int


def of_run(processes: Sequence[Process], whole: Whole) -> tuple[Restarts, Sentence | None]:
    """What is seen of a run that was interrupted, by its processes in turn; where it is no resume, the sentence of why.

    A process that was ended before it saved anything may not have got so far as to open its checkpoint.
    """
    restarts = [process for process in processes[1:] if process.ended or process.saves]
    offered = [process for process in restarts if process.left.offered or process.taken]
    if not offered:
        return Restarts.NOTHING_THERE, None
    seen = all(process.opened is not None for process in offered)
    if seen and not all(process.taken for process in offered):
        untaken = next(process for process in offered if not process.taken)
        return Restarts.NEVER_OPENED, Sentence("audit_never_opened", {"files": named(untaken.left.offered)})
    last = processes[-1]
    saved_before = sum(process.saves for process in processes[:-1])
    counted = whole.saves > 1
    if counted and not any(process.saves for process in offered):
        return Restarts.NOTHING_LEFT, None
    shorter = last.seconds < (_CLEARLY_SHORTER if counted else 1) * whole.seconds
    if counted:  # by both clocks: the machine may just have had more time for it
        shorter = shorter and last.work < _CLEARLY_SHORTER * whole.work
    if shorter or (counted and last.saves <= whole.saves - saved_before / 2):
        return (Restarts.RESUMED if seen else Restarts.UNSEEN), None
    files = named(last.taken or last.left.offered)
    values = {"files": files, "seconds": f"{last.seconds:.1f}", "whole": f"{whole.seconds:.1f}"}
    return Restarts.AS_LONG, Sentence("audit_as_long", values)


def of_traced(attempts: Sequence[Traced]) -> tuple[Restarts, Sentence | None]:
    """The same of a run that tells where it began, and from what."""
    begun, went_on = [], False
    for attempt in attempts:
        begun.append(list[Line]())
        for line in attempt.lines():
            if line.moment.kind is Kind.BEGIN:
                begun[-1].append(line)
            elif line.moment.kind in (Kind.STEP, Kind.EPOCH):
                went_on |= len(begun) > 1 and any(map(_has_resumed, begun[-1]))
    if any(_has_resumed(line) for lines in begun[1:] for line in lines):
        return (Restarts.RESUMED if went_on else Restarts.NOTHING_LEFT), None
    told = next((folder_of(line.moment.run) for lines in begun for line in lines), None)
    if told is not None and len(begun) > 1 and not begun[-1]:
        return Restarts.NEVER_OPENED, Sentence("audit_never_opened", {"files": told})
    return Restarts.NOTHING_THERE, None


def _has_resumed(line: Line) -> bool:
    """Whether it is the beginning of a run that went on; a loop without batches has epochs only."""
    return line.resumed and bool(line.moment.step or line.moment.epoch)


def lacking(processes: Sequence[Process]) -> tuple[str, list[str]] | None:
    """A checkpoint that was gone on from, and which parts of a training none of those opened holds."""
    for process in processes[1:]:
        known = [path for path in sorted(process.taken) if path in process.left.lacking]
        if known:
            missing = frozenset.intersection(*(process.left.lacking[path] for path in known))
            return known[0], [part for part in PARTS if part in missing]
    return None


def named(paths: frozenset[str]) -> str:
    """A few of them."""
    listed = sorted(paths)
    return ", ".join(listed[:_NAMED]) + (", …" if len(listed) > _NAMED else "")
