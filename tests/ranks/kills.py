"""``python -m tests.ranks.kills --kills N --seed S``: random kills and stops of ranks, over every kind and world size.

Each training is struck several times, at any stage: while it begins, in a step, in a save, at an epoch's end; one rank,
several at once, or all; by SIGKILL, SIGTERM or SIGUSR1 to one or to all. What every rank ends with has to be
what it ends with in the run left alone, and every replay that is told has to be bit for bit.
"""

import argparse
import random
import re
import shutil
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path

import torch.nn.parallel  # imported here, once, for the processes that are forked

from tests.ranks.program import KINDS
from tests.ranks.toolkit import Attempt, Strike, differences, start
from unbroken import Run

_ = (torch, Run)
STRIKES_PER_RUN = 4
_REPLAYED = re.compile(r"Replayed ([0-9]+) steps")
_DIFFERS = re.compile("REPLAY DIFFERS.*|differs from that on rank 0.*|other values than.*")
_KNOWN = re.compile(r"RanksError|Connection (closed|reset|refused)|Timed out waiting|RuntimeError: \[|Gloo connect")


def strike_of(size: int, dice: random.Random, longest: int) -> Strike:
    """Who is struck, when and how."""
    ranks = dice.choice(
        [(dice.randrange(size),), tuple(dice.sample(range(size), dice.randint(1, size))), tuple(range(size))]
    )
    number = dice.choice([signal.SIGKILL] * 3 + [signal.SIGTERM, signal.SIGUSR1])
    line = dice.choice([0, 1, dice.randrange(longest), dice.randrange(longest), dice.randrange(longest)])
    return Strike(
        ranks, dice.randrange(size), line, dice.choice([0.0, dice.random() * 0.02, dice.random() * 0.3]), number
    )


def longest_of(attempt: Attempt) -> int:
    return min(map(len, attempt.told)) - 2


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=sorted(KINDS))
    parser.add_argument("--size", type=int)
    arguments = parser.parse_args()
    dice = random.Random(arguments.seed)
    place = Path(tempfile.mkdtemp(prefix="ranks-"))
    struck: Counter[str] = Counter()
    replayed: list[int] = []
    failures: list[str] = []
    wholes: dict[tuple[str, int], Attempt] = {}
    number = 0
    while struck.total() < arguments.kills:
        name = arguments.only or [*KINDS][number % len(KINDS)]
        size = arguments.size or dice.choice([1, 2, 3, 3, 4, 4])
        if (name, size) not in wholes:
            wholes[name, size] = start(name, size, place / f"whole {name} {size}", every_steps=3)
            if not wholes[name, size].done:
                failures.append(f"{name} at {size}: the whole run did not end: {wholes[name, size].logs}")
                break
        whole, folder = wholes[name, size], place / f"{number} {name} {size}"
        number += 1
        told = len(failures)
        attempt, story = None, []
        for _ in range(STRIKES_PER_RUN + 1):
            last = len(story) == STRIKES_PER_RUN
            strike = None if last else strike_of(size, dice, longest_of(whole))
            attempt = start(name, size, folder, strike, every_steps=3)
            story.append(f"{strike} -> {attempt.codes} in {attempt.seconds:.1f} s")
            for log in attempt.logs:
                replayed += [int(found[1]) for found in _REPLAYED.finditer(log)]
                failures += [f"{name} at {size}: {found[0]} {story}" for found in _DIFFERS.finditer(log)]
                if "Traceback" in log and not _KNOWN.search(log):
                    failures.append(f"{name} at {size}: {story}\n{log[-2500:]}")
            if strike is not None and not attempt.done:
                struck[
                    f"{strike.number.name} to {'all' if len(strike.ranks) == size else len(strike.ranks)} of {size}"
                ] += 1
                if strike.number is not signal.SIGKILL and any(
                    code not in (75, -strike.number) for code in attempt.codes
                ):
                    early = attempt.codes.count(75) == 0
                    if not early:
                        failures.append(f"{name} at {size}: not 75 on every rank: {story}\n{attempt.logs}")
            if attempt.done:
                break
        assert attempt is not None
        if not attempt.done:
            failures.append(f"{name} at {size}: did not end: {story}\n{attempt.logs}")
        else:
            failures += [f"{name} at {size}: {one} {story}" for one in differences(attempt.ends, whole.ends)]
        print(
            f"{struck.total():4} struck, {len(replayed)} replays, {len(failures)} failures; {name} at {size}",
            flush=True,
        )
        for failure in failures[told:]:
            print(failure, "\n", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{number} trainings; {dict(sorted(struck.items()))}")
    print(f"{len(replayed)} resumes replayed {sum(replayed)} steps bit for bit; failures: {len(failures)}")
    shutil.rmtree(place, ignore_errors=True)
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
