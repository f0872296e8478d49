"""Moments at which a process is killed: after something it said, or that happened in its folder, plus a delay."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from signal import SIGKILL, Signals
from typing import Literal

Target = Literal["group", "main"]

LAUNCHED = "launched"


@dataclass(frozen=True)
class Moment:
    """``delay`` seconds after the ``nth`` event of this process whose text starts with a match of ``pattern``.

    Events are the lines the script says (``batch 3 17 …``), what happens in its folder (``rename
    checkpoints/checkpoint_latest.pth``), and ``launched``.
    """

    label: str
    pattern: str
    nth: int = 1
    delay: float = 0.0

    def matches(self, text: str) -> bool:
        return re.match(self.pattern, text) is not None


@dataclass(frozen=True)
class Interruption:
    """A signal to a process at a moment; to its whole group, as when a node is lost, or to it alone.

    ``hold``: the script waits at that line, until the signal is sent, or for ever unless ``release``.
    ``insist``: send the signal again and again, so many seconds apart, until the process ends or has had ``most``.
    """

    moment: Moment
    signal: Signals = SIGKILL
    target: Target = "group"
    hold: str | None = None
    release: bool = True
    insist: float | None = None
    most: int | None = None

    def __str__(self) -> str:
        at = self.moment
        return (
            f"{self.signal.name} to the {self.target} {at.delay * 1000:.1f} ms after {at.label} "
            f"(/{at.pattern}/ #{at.nth})"
        )


@dataclass(frozen=True)
class Kind:
    """A kind of moment, to draw moments from."""

    label: str
    pattern: str


_TEMPORARY = r"create checkpoints/\."

ANYWHERE = Kind("anywhere", LAUNCHED)
BEFORE_FIRST_SAVE = Kind("before the first save", "started")
RESUMING = Kind("while resuming", "started")
PROLOGUE = Kind("prologue", "prologue ")
TRAINING = Kind("training step", "batch ")
VALIDATION = Kind("validation", "validation ")
SAVE_BEGUN = Kind("save: written", _TEMPORARY + r"checkpoint_latest\.pth\.")
SAVE_NAMED = Kind("save: named", r"rename checkpoints/checkpoint_(latest|previous)\.pth")
SAVE_COPIED = Kind("save: copied", _TEMPORARY + r"checkpoint_(epoch_\d+|best)\.pth\.")
MANIFEST = Kind("save: manifest", r"(create|rename) checkpoints/\.unbroken/manifests/")

KINDS = (
    ANYWHERE,
    BEFORE_FIRST_SAVE,
    RESUMING,
    PROLOGUE,
    TRAINING,
    VALIDATION,
    SAVE_BEGUN,
    SAVE_NAMED,
    SAVE_COPIED,
    MANIFEST,
)


def draw(kind: Kind, events: Sequence[tuple[float, str]], parts: int, dice: random.Random) -> Moment:
    """A moment of this kind, given the timed events of an uninterrupted run.

    With ``parts`` kills in one run, each is drawn from about that fraction of it, so that all have their turn.
    """
    if kind == ANYWHERE:
        return Moment(kind.label, kind.pattern, delay=dice.uniform(0, events[-1][0] * 1.2 / parts))
    if kind in (BEFORE_FIRST_SAVE, RESUMING):
        started, saved = (_time_of(text, events) for text in ("started", "begun"))
        return Moment(kind.label, kind.pattern, delay=dice.uniform(0, saved - started))
    times = sum(re.match(kind.pattern, text) is not None for _, text in events)
    nth = dice.randint(1, max(1, round(1.2 * times / parts)))
    delay = dice.choice([0.0, 10 ** dice.uniform(-4, -2)])
    return Moment(kind.label, kind.pattern, nth, delay)


def _time_of(prefix: str, events: Sequence[tuple[float, str]]) -> float:
    return next(at for at, text in events if text.startswith(prefix))
