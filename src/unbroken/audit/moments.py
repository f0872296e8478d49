"""Moments: when a script is killed, drawn from the course that it took when it was left alone. Pure."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from unbroken.audit.trace import Moment
from unbroken.loop.trace import Kind, Place

# A run shorter than this is over before a signal that was sent by the clock arrives.
_SHORT = 3.0
_MOST_IN_EXTRA_RUN = 4
_NEARLY_A_SAVE = 0.02
_PART = 0.4  # of a run in which there are several kills: each process has only the rest to do


class Kill(StrEnum):
    """The kinds of moments."""

    STOP = "stop"  # a stop signal inside an epoch: the state is saved there
    AGAIN = "again"  # killed soon after a resume
    RANDOM = "random"
    BEFORE_FIRST_SAVE = "before_first_save"
    AFTER_SAVE = "after_save"
    IN_SAVE = "in_save"
    EPOCH_END = "epoch_end"  # behind the last batch of an epoch: in its validation


@dataclass(frozen=True)
class Interruption:
    """One signal to the whole process group.

    ``place``: wait for this line of the trace, where the script ``hold``\\ s until the signal comes. ``delay``: so
    many seconds after that, or after its start. ``at_change``: then at the next change in the checkpoint folder.
    ``settled``: then once that folder is quiet.
    """

    kill: Kill
    place: Place | None = None
    hold: bool = False
    delay: float = 0.0
    at_change: bool = False
    settled: bool = False
    stop: bool = False  # by a stop signal, not by SIGKILL


@dataclass(frozen=True)
class Course:
    """How a run went that was left alone: its moments, in seconds since its start, and how long it took.

    ``watched``: it is known where its checkpoints are.
    """

    told: Sequence[tuple[float, Moment]]
    seconds: float
    watched: bool = True

    @property
    def begun(self) -> float:
        """When the first state was durable. Of a script that tells nothing: unknown, about a third."""
        return next((at for at, moment in self.told if moment.kind is Kind.BEGIN), self.seconds / 3)

    def numbers(self, kind: Kind) -> list[int]:
        return [m.epoch if kind is Kind.EPOCH else m.step for _, m in self.told if m.kind is kind]


def plan(course: Course, kills: int, dice: random.Random) -> list[list[Interruption]]:
    """One list per run to make, in the order in which its moments come; ``kills`` in all.

    The first ones are the most telling; what is beyond one of each kind is at random.
    """
    steps = course.numbers(Kind.STEP)
    runs = _of_traced(course, steps, dice) if len(steps) > 1 else _of_untraced(course, dice)
    planned: list[list[Interruption]] = []
    left = kills
    while left > 0:
        run = runs.pop(0) if runs else [_random(course, steps, dice) for _ in range(_MOST_IN_EXTRA_RUN)]
        planned.append(run[:left])
        left -= len(planned[-1])
    return planned


def _of_traced(course: Course, steps: list[int], dice: random.Random) -> list[list[Interruption]]:
    inside = _one_of(_inside_epochs(course), steps, 0.2, 0.6, dice)
    again = Place(Kind.STEP, inside + dice.randint(2, 3))
    saves = sorted(set(course.numbers(Kind.SAVE))) or steps
    saved = _one_of(saves, steps, 0.15, 0.45, dice)
    saving = _one_of(saves, steps, 0.45, 0.75, dice)
    return [
        [
            Interruption(Kill.STOP, Place(Kind.STEP, inside), hold=True, stop=True),
            Interruption(Kill.AGAIN, again, hold=True),
            _random(course, steps, dice),
        ],
        [
            Interruption(Kill.BEFORE_FIRST_SAVE, Place(Kind.START, 0), hold=True),
            Interruption(Kill.AFTER_SAVE, Place(Kind.SAVE, saved), hold=True, settled=True),
            Interruption(
                Kill.IN_SAVE,
                Place(Kind.SAVE, max(saving, saved + 1)),
                hold=True,
                delay=dice.uniform(0, _NEARLY_A_SAVE),
            ),
            _epoch_end(course, steps, dice),
        ],
    ]


def _of_untraced(course: Course, dice: random.Random) -> list[list[Interruption]]:
    """For a script that tells nothing of itself: by the clock, and by what happens in its checkpoint folder."""
    if not course.watched:
        return []
    return [
        [
            Interruption(Kill.AFTER_SAVE, delay=_late(course, 0.0, 0.3, dice), at_change=True, settled=True),
            Interruption(Kill.AGAIN, delay=_late(course, 0.0, 0.2, dice)),
            _random(course, [], dice),
        ],
        [
            Interruption(Kill.BEFORE_FIRST_SAVE, delay=course.begun * dice.uniform(0.5, 0.95)),
            Interruption(Kill.IN_SAVE, delay=_late(course, 0.0, 0.5, dice), at_change=True),
            _random(course, [], dice),
            _random(course, [], dice),
        ],
    ]


def _late(course: Course, low: float, high: float, dice: random.Random) -> float:
    return course.begun + (course.seconds - course.begun) * dice.uniform(low, high)


def _random(course: Course, steps: list[int], dice: random.Random) -> Interruption:
    training = course.seconds - course.begun
    if steps and training < _SHORT:
        return Interruption(Kill.RANDOM, Place(Kind.STEP, dice.choice(steps)), hold=True)
    if steps:
        return Interruption(Kill.RANDOM, Place(Kind.BEGIN, 0), delay=dice.uniform(0, training * _PART))
    return Interruption(Kill.RANDOM, delay=_late(course, 0.0, _PART, dice))


def _epoch_end(course: Course, steps: list[int], dice: random.Random) -> Interruption:
    """In the time between an epoch's last batch and its record; where that is nothing, at the last batch."""
    ends = [
        (before.step, epoch_at - at)
        for (at, before), (epoch_at, after) in pairwise(
            (at, moment) for at, moment in course.told if moment.kind in (Kind.STEP, Kind.EPOCH)
        )
        if before.kind is Kind.STEP and after.kind is Kind.EPOCH
    ]
    step = _one_of([step for step, _ in ends], steps, 0.6, 0.95, dice)
    gap = dict(ends).get(step, 0.0)
    if gap < 0.1:
        return Interruption(Kill.EPOCH_END, Place(Kind.STEP, step), hold=True)
    return Interruption(Kill.EPOCH_END, Place(Kind.STEP, step), delay=gap * dice.uniform(0.1, 0.9))


def _inside_epochs(course: Course) -> list[int]:
    """The steps that are neither the first of their epoch nor its last."""
    trained = [moment for _, moment in course.told if moment.kind in (Kind.STEP, Kind.EPOCH)]
    return [
        moment.step
        for moment, after in pairwise(trained)
        if moment.kind is after.kind is Kind.STEP and moment.batch > 1
    ]


def _one_of(candidates: Sequence[int], steps: Sequence[int], low: float, high: float, dice: random.Random) -> int:
    """One of the candidates, if possible between these parts of the way."""
    first, last = steps[0], steps[-1]
    wanted = [first + part * (last - first) for part in (low, high)]
    fitting = [step for step in candidates if wanted[0] <= step <= wanted[1]]
    return dice.choice(fitting or list(candidates) or list(steps))
