"""The configurations under test, and schedules of kills drawn for them."""

import random
from collections.abc import Sequence
from pathlib import Path

from tests.kill import toolkit
from tests.kill.toolkit import Interruption, Kind, Outcome, Program, draw, moments

SCRIPT = Path(__file__).with_name("program.py")

IN_PROCESS = Program(SCRIPT, ("--workers", "0"))
WORKERS = Program(SCRIPT, ("--workers", "2"))
PERSISTENT = Program(SCRIPT, ("--workers", "2", "--persistent"))

PROGRAMS = {"in process": IN_PROCESS, "2 workers": WORKERS, "2 persistent workers": PERSISTENT}

KILLS_PER_RUN = 4


def schedules(runs: int, reference: Outcome, dice: random.Random) -> list[list[Interruption]]:
    """Kills for so many runs: every kind of moment has its turn, at moments and of targets drawn at random."""
    first = [moments.BEFORE_FIRST_SAVE]
    later = [kind for kind in toolkit.KINDS if kind not in first]
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
