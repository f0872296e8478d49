"""``python -m tests.kill.stops --stops N --seed S``: random stops over the matrix, and what came of them.

SIGTERM, SIGINT, SIGUSR1 and spent time budgets. Every resume that trains at all has to say that it trained steps again,
bit for bit, unless one step took longer than a stop trains on (a first one that compiles), and it says so; the end has
to be that of the run left alone; and no process may end long after a plain stop would.
"""

import argparse
import random
import re
import signal
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from tests.kill.matrix import IN_PROCESS, PROGRAMS, WORKERS
from tests.kill.toolkit import (
    STOPPED,
    Attempt,
    Interruption,
    Moment,
    Nursery,
    Outcome,
    Program,
    draw,
    moments,
    run_to_its_end,
)
from unbroken.course.train_on import LONGEST

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
STOPS_PER_RUN = 4
LATEST = 2.0  # seconds that a stop may take longer than a plain one, without any training after the signal

_KINDS = (moments.TRAINING, moments.TRAINING, moments.PROLOGUE, moments.VALIDATION, moments.SAVE_BEGUN)
_NOTHING = "没有可比较的内容"
_REPLAYED = re.compile("已重放 ([0-9]+) 步，与中断前逐位一致")


@dataclass
class Tally:
    """What came of the stops: by what they were, how many steps each resume trained again, what went wrong.

    ``long``: stops that trained on for as long as they may, and did not come to the end of a step.
    """

    stops: Counter[str] = field(default_factory=Counter)
    replayed: list[int] = field(default_factory=list)
    long: int = 0
    plain: dict[str, float] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    later: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def add(self, name: str, attempts: list[Attempt]) -> None:
        """Look at each process that was stopped and the one after it."""
        for stopped, resumed in pairwise(attempts):
            if stopped.code != STOPPED:
                continue
            self.stops[_cause_of(stopped)] += 1
            if stopped.signalled_at is not None:
                self.seconds.append(seconds_of(stopped))
                self.later.append(self.seconds[-1] - self.plain[name])
                if self.later[-1] > LATEST:
                    of = f"{self.seconds[-1]:.1f} s after its signal, a plain stop {self.plain[name]:.1f} s"
                    self.failures.append(f"{name}: ended {of}; last said: {stopped.last_line()}")
            found = _REPLAYED.search(resumed.log)
            if found is not None:
                self.replayed.append(int(found[1]))
            elif not any(line.startswith("trained ") for line in resumed.lines):
                continue
            elif stopped.signalled_at is not None and seconds_of(stopped) >= LONGEST and _NOTHING in resumed.log:
                self.long += 1
            else:
                self.failures.append(f"{name}: nothing replayed behind {stopped.last_line()!r}\n{resumed.log[-1500:]}")

    def compare(self, name: str, outcome: Outcome, reference: Outcome) -> None:
        parted = outcome.differences(reference)
        self.failures += [f"{name}: {line}\n{outcome.story()}" for line in [*outcome.problems, *map(str, parted[:3])]]


def _cause_of(attempt: Attempt) -> str:
    found = re.search(r"因 (\w+) 停止", attempt.log)
    return found[1] if found else "?"


def seconds_of(stopped: Attempt) -> float:
    """From the first signal to the end of the process."""
    assert stopped.signalled_at is not None
    return stopped.ended_at - stopped.signalled_at


def plain_stop(nursery: Nursery, program: Program, folder: Path) -> float:
    """Seconds that a stop of it takes where a second signal, 50 ms later, ends the training that goes on."""
    folder.mkdir()
    at_first_batch = Moment("training", "batch ")
    stop = Interruption(at_first_batch, signal.SIGTERM, insist=0.05, most=2)
    return seconds_of(nursery.attempt(program, folder, stop))


def stop_by_signals(stops: int, dice: random.Random, folder: Path, tally: Tally) -> None:
    with Nursery() as nursery:
        references = {name: run_to_its_end(nursery, PROGRAMS[name], folder / f"whole {name}") for name in PROGRAMS}
        tally.plain = {name: plain_stop(nursery, PROGRAMS[name], folder / f"plain {name}") for name in PROGRAMS}
        number = 0
        while tally.stops.total() < stops:
            name = [*PROGRAMS][number % len(PROGRAMS)]
            events = references[name].attempts[0].events
            there = [kind for kind in _KINDS if any(re.match(kind.pattern, text) for _, text in events)]
            plan = [
                Interruption(
                    draw(dice.choice(there), events, STOPS_PER_RUN, dice),
                    dice.choice(SIGNALS),
                    dice.choice(["group", "main"]),
                )
                for _ in range(STOPS_PER_RUN)
            ]
            outcome = run_to_its_end(nursery, PROGRAMS[name], folder / f"{number} {name}", plan)
            tally.add(name, outcome.attempts)
            tally.compare(name, outcome, references[name])
            number += 1


def stop_by_budgets(stops: int, dice: random.Random, folder: Path, tally: Tally) -> None:
    with Nursery() as nursery:
        for number in range(stops):
            program = (IN_PROCESS, WORKERS)[number % 2]
            budget = Program(program.path, (*program.arguments, "--stop-after", f"{dice.uniform(0.05, 0.5):.3f}"))
            run = folder / f"budget {number}"
            run.mkdir()
            attempts = [nursery.attempt(budget, run, number=1)]
            attempts.append(nursery.attempt(program, run, number=2))
            tally.add("a budget", attempts)
            if attempts[1].code != 0:
                tally.failures.append(f"a budget: exit code {attempts[1].code}\n{attempts[1].log[-1500:]}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stops", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    dice, tally = random.Random(options.seed), Tally()
    with tempfile.TemporaryDirectory(prefix="stops-") as folder:
        stop_by_budgets(options.stops // 8, dice, Path(folder), tally)
        stop_by_signals(options.stops, dice, Path(folder), tally)
    print("\n".join(tally.failures))
    said = ", ".join(f"{count} by {cause}" for cause, count in tally.stops.most_common())
    print(f"{tally.stops.total()} stops ({said}), seed {options.seed}")
    steps = tally.replayed
    print(f"{len(steps)} resumes replayed {sum(steps)} steps ({min(steps)}..{max(steps)} each)")
    print(f"{tally.long} said that they had nothing to compare: a step took longer than a stop trains on")
    print(f"a plain stop of each program: {min(tally.plain.values()):.2f} to {max(tally.plain.values()):.2f} s")
    latest, beyond = max(tally.seconds), max(tally.later)
    print(f"from the signal to the end: {latest:.2f} s at most, {beyond:.2f} s later than a plain stop at most")
    print(f"failures: {len(tally.failures)}")
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
