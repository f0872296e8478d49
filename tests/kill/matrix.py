"""The configurations under test, and schedules of kills drawn for them."""

import random
import re
from collections.abc import Sequence
from pathlib import Path

from tests.kill import toolkit
from tests.kill.patterns.program import PATTERNS
from tests.kill.toolkit import Interruption, Kind, Outcome, Program, draw, moments

SCRIPT = Path(__file__).with_name("program.py")

IN_PROCESS = Program(SCRIPT, ("--workers", "0"))
WORKERS = Program(SCRIPT, ("--workers", "2"))
PERSISTENT = Program(SCRIPT, ("--workers", "2", "--persistent"))

# The one program with everything in it that makes a resume inexact, by who loads its data.
ONE_PROGRAM = {"in process": IN_PROCESS, "2 workers": WORKERS, "2 persistent workers": PERSISTENT}

_PATTERN_SCRIPT = SCRIPT.parent / "patterns" / "program.py"
_PATTERNS = {name: Program(_PATTERN_SCRIPT, (name,)) for name in PATTERNS}

PROGRAMS = {**ONE_PROGRAM, **_PATTERNS}

KILLS_PER_RUN = 4


def schedules(runs: int, reference: Outcome, dice: random.Random) -> list[list[Interruption]]:
    """Kills for so many runs: every kind of moment has its turn, at moments and of targets drawn at random."""
    first = [moments.BEFORE_FIRST_SAVE]
    later = [kind for kind in toolkit.KINDS if kind not in first and _occurs(kind, reference)]
    deck: list[Kind] = []
    schedule = []
    for run in range(runs):
        while len(deck) < KILLS_PER_RUN:
            deck += dice.sample(later, len(later))
        kinds = [deck.pop(0) for _ in range(KILLS_PER_RUN)]
        kinds.sort(key=lambda kind: kind == moments.RESUMING)  # not the first: there is nothing to resume yet
        schedule.append(drawn(first + kinds[1:] if run % 3 == 0 else kinds, reference, dice))
    return schedule


def drawn(kinds: Sequence[Kind], reference: Outcome, dice: random.Random) -> list[Interruption]:
    """One kill of each kind for one run, in this order."""
    events = reference.attempts[0].events
    return [
        Interruption(draw(kind, events, len(kinds), dice), target=dice.choice(["group", "group", "main"]))
        for kind in kinds
    ]


def _occurs(kind: Kind, reference: Outcome) -> bool:
    """A loop without epochs has no prologue and no validation."""
    return any(re.match(kind.pattern, text) for text in reference.attempts[0].lines)
