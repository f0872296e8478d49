"""``python -m tests.kill.report --kills N --seed S``: random SIGKILLs over the matrix, and what came of them."""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.kill.matrix import PROGRAMS, schedules
from tests.kill.toolkit import KINDS, Nursery, Outcome, Program, StuckError, run_to_its_end


class Tally:
    """What was tried in one configuration and what went wrong."""

    def __init__(self) -> None:
        self.runs = 0
        self.starts = 0
        self.killed: Counter[str] = Counter()
        self.replayed: list[int] = []
        self.failures: list[str] = []

    def add(self, outcome: Outcome, reference: Outcome) -> None:
        self.runs += 1
        self.starts += outcome.starts
        self.killed.update(interruption.moment.label for interruption, _ in outcome.delivered)
        self.replayed += outcome.replayed
        parted = outcome.differences(reference)
        if parted or outcome.problems or outcome.unproven:
            unproven = [f"attempt {number}: steps trained again, and nothing said of it" for number in outcome.unproven]
            wrong = [*outcome.problems, *unproven, *(f"differs: {difference}" for difference in parted[:3])]
            more = [f"… {len(parted)} names differ in all"] if len(parted) > 3 else []
            self.failures.append("\n".join([outcome.story(), *(f"  {line}" for line in wrong + more)]))


def measure(programs: dict[str, Program], kills: int, seed: int, folder: Path, console: Console) -> dict[str, Tally]:
    """Run trials in turn over the programs until so many kills were delivered."""
    dice = random.Random(seed)
    tallies = {name: Tally() for name in programs}
    with Nursery() as nursery:
        references = {
            name: run_to_its_end(nursery, program, folder / f"reference {name}") for name, program in programs.items()
        }
        plans = {name: iter(schedules(kills, references[name], dice)) for name in programs}
        while (delivered := sum(tally.killed.total() for tally in tallies.values())) < kills:
            name = min(tallies, key=lambda name: tallies[name].runs)
            tally, reference = tallies[name], references[name]
            console.print(f"{delivered}/{kills} kills, {sum(map(_failed, tallies.values()))} failures", end="\r")
            plan = next(plans[name])
            try:
                run = folder / f"{name} {tally.runs}"
                tally.add(run_to_its_end(nursery, programs[name], run, plan), reference)
            except StuckError as stuck:
                tally.runs += 1
                tally.failures.append("\n".join([*(f"  {kill}" for kill in plan), f"  {stuck}"]))
    return tallies


def table(tallies: dict[str, Tally], seed: int, seconds: float) -> Table:
    """One row per configuration; a replay is a resume that said its steps were the same as before the kill."""
    columns = ("runs", "processes", "kills", "replays", "steps replayed", "runs not equal")
    rows = {
        name: (tally.runs, tally.starts, tally.killed.total(), len(tally.replayed), sum(tally.replayed), _failed(tally))
        for name, tally in tallies.items()
    }
    everything = [sum(column) for column in zip(*rows.values(), strict=True)]
    grid = Table("", title=f"{everything[2]} SIGKILLs, seed {seed}, {seconds:.0f} s")
    for column in columns:
        grid.add_column(column, justify="right")
    for name, row in rows.items():
        grid.add_row(name, *map(str, row))
    grid.add_section()
    grid.add_row("all", *map(str, everything))
    return grid


def moments_table(tallies: dict[str, Tally]) -> Table:
    """Where the kills fell."""
    grid = Table()
    grid.add_column("killed")
    grid.add_column("kills", justify="right")
    for kind in KINDS:
        grid.add_row(kind.label, str(sum(tally.killed[kind.label] for tally in tallies.values())))
    return grid


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--only", nargs="+", choices=PROGRAMS, default=[*PROGRAMS], metavar="CONFIGURATION")
    options = parser.parse_args()
    programs = {name: PROGRAMS[name] for name in options.only}
    console = Console()
    console.width = max(console.width, 110)  # a table in a log is not to be squeezed
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kill-") as folder:
        tallies = measure(programs, options.kills, options.seed, Path(folder), console)
    for name, tally in tallies.items():
        for failure in tally.failures:
            console.print(f"{name}:\n{failure}", highlight=False, markup=False)
    console.print(moments_table(tallies))
    console.print(table(tallies, options.seed, time.monotonic() - started))
    return 1 if any(map(_failed, tallies.values())) else 0


def _failed(tally: Tally) -> int:
    return len(tally.failures)


if __name__ == "__main__":
    sys.exit(main())
