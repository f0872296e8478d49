"""``python -m tests.faults.soak --kills N --seed S``: one training killed N times at random, and what is left of it."""

import argparse
import json
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.soaked import KEEP
from tests.kill.toolkit import Interruption, Kind, Moment, Nursery, Program
from tests.kill.toolkit.digests import checkpoint_digest, differences
from tests.kill.toolkit.moments import ANYWHERE, KINDS, RESUMING
from tests.kill.toolkit.trials import MAY_DIFFER

SCRIPT = Path(__file__).with_name("soaked.py")
EPOCHS_PER_KILL = 0.7

# Beside the newest KEEP numbered ones: latest, previous, best, the numbered one of the best epoch, the one resumed
# from, the newest before retention came to it, and what is being written and copied when the kill comes.
_FILES = KEEP + 8


@dataclass
class Soak:
    """What was seen of the folder after every kill."""

    killed: Counter[str] = field(default_factory=Counter)
    largest: int = 0
    bound: int = 0
    problems: list[str] = field(default_factory=list)

    def look(self, folder: Path) -> None:
        sizes = [path.stat().st_size for path in folder.rglob("*.pth*") if path.is_file()]
        checkpoint = max((path.stat().st_size for path in folder.glob("checkpoint_*.pth")), default=0)
        self.largest = max(self.largest, sum(sizes))
        self.bound = max(self.bound, _FILES * checkpoint)
        if sum(sizes) > self.bound > 0:
            names = sorted(path.name for path in folder.rglob("*.pth*"))
            self.problems.append(f"{sum(sizes)} bytes after kill {self.killed.total()}: {names}")


def soak(kills: int, seed: int, folder: Path, epochs: int | None = None) -> Soak:
    """Kill one training so many times, let it end, and compare it with one that was left alone."""
    dice, seen = random.Random(seed), Soak()
    goal = epochs or max(3, round(kills * EPOCHS_PER_KILL))
    program = Program(SCRIPT, (str(goal),))
    whole, killed = folder / "whole", folder / "killed"
    whole.mkdir()
    killed.mkdir()
    with Nursery() as nursery:
        attempt = nursery.attempt(program, whole, time_limit=1200)
        assert attempt.code == 0, attempt.log[-2000:]
        number = 0
        while seen.killed.total() < kills:
            number += 1
            moment = _moment(dice)
            interruption = Interruption(moment, target=dice.choice(["group", "main"]))
            attempt = nursery.attempt(program, killed, interruption, number=number, time_limit=1200)
            if not attempt.signals_sent:
                seen.problems.append(f"ended by itself after {seen.killed.total()} kills, code {attempt.code}")
                break
            seen.killed[moment.label] += 1
            seen.look(killed / "checkpoints")
        while attempt.code != 0 and number < 2 * kills + 10:
            number += 1
            attempt = nursery.attempt(program, killed, number=number, time_limit=1200)
            if attempt.code != 0:
                seen.problems.append(f"exit code {attempt.code}: {attempt.log[-1000:]}")
                break
    seen.look(killed / "checkpoints")
    seen.problems += _differences(killed, whole)
    seen.problems += _strays(killed / "checkpoints", goal)
    return seen


def _moment(dice: random.Random) -> Moment:
    kind: Kind = dice.choice(KINDS)
    if kind.pattern in (ANYWHERE.pattern, RESUMING.pattern):  # both come once
        return Moment(kind.label, kind.pattern, delay=dice.uniform(0, 0.5))
    return Moment(kind.label, kind.pattern, dice.randint(1, 3), dice.choice([0.0, 10 ** dice.uniform(-4, -2)]))


def _differences(killed: Path, whole: Path) -> Iterator[str]:
    for name in ("final.json",):
        if not (killed / name).exists():
            yield f"no {name}"
            return
        got, expected = (json.loads((folder / name).read_text()) for folder in (killed, whole))
        yield from (str(difference) for difference in differences(got, expected)[:5])
    for path in sorted((whole / "checkpoints").glob("checkpoint_*.pth")):
        other = killed / "checkpoints" / path.name
        if path.name == "checkpoint_previous.pth":
            continue
        if not other.exists():
            yield f"no {path.name}"
            continue
        got, expected = (checkpoint_digest(file, leave_out=MAY_DIFFER) for file in (other, path))
        yield from (str(difference) for difference in differences(got, expected)[:5])


def _strays(folder: Path, epochs: int) -> Iterator[str]:
    """Every file that a run of so many epochs, never killed, would not have."""
    numbered = sorted(
        int(found[1]) for path in folder.iterdir() if (found := re.fullmatch(r"checkpoint_epoch_(\d+)\.pth", path.name))
    )
    best = json.loads((folder / ".unbroken/manifests/checkpoint_latest.pth.json").read_text())["best_epoch"]
    wanted = {*range(epochs - KEEP + 1, epochs + 1), best}
    if set(numbered) - wanted or len(numbered) < KEEP:
        yield f"numbered checkpoints {numbered}, wanted at most {sorted(wanted)}"
    names = {f"checkpoint_{name}.pth" for name in ("latest", "previous", "best", *(f"epoch_{n}" for n in numbered))}
    inside = {"lock", "journal", "run.json", "saves", "index", *(f"manifests/{name}.json" for name in names)}
    expected = names | {f".unbroken/{name}" for name in inside}
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    yield from (f"stray: {name}" for name in sorted(found - expected))
    yield from (f"missing: {name}" for name in sorted(expected - found))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        seen = soak(options.kills, options.seed, Path(folder))
    for problem in seen.problems:
        print(problem)
    print(", ".join(f"{label} {count}" for label, count in seen.killed.most_common()))
    print(f"at most {seen.largest} bytes of checkpoints on disk, bound {seen.bound}")
    print(f"{seen.killed.total()} kills, {len(seen.problems)} problems, {time.monotonic() - started:.0f} s")
    return 1 if seen.problems else 0


if __name__ == "__main__":
    sys.exit(main())
