"""``python -m benchmarks.against SOURCE``: this version beside another's folder ``src``, in turn, by what both offer.

Only calls that a user's script makes, since 0.1.0. Each round starts one process of each version for every group of
figures; what a version is measured by stands in ``GROUPS``, and runs in that process.
"""

import argparse
import contextlib
import io
import json
import logging
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.state import Training, training
from benchmarks.table import Table

OTHER, THIS, RATIO = "other", "this", "this / other"
_SAVES, _BETWEEN = 6, 40  # how many saves, and how many steps from one to the next

Figures = dict[str, float]


def saving(folder: Path) -> Figures:
    """A state of 100 MB: what a save costs the loop, and how long until it is durable."""
    run, given = _begun(folder / "saved", training(100))
    stalls: list[float] = []
    last = 0.0
    for number in range(1, _SAVES * _BETWEEN + 1):
        time.sleep(0.02)
        last = time.perf_counter()
        next(given)
        if number % _BETWEEN == 0:
            stalls.append(time.perf_counter() - last)
    run.close()
    durable = time.perf_counter() - last
    return {"stall of a save, 100 MB, ms": statistics.median(stalls[1:]) * 1e3, "until durable, ms": durable * 1e3}


def resuming(folder: Path) -> Figures:
    """The same state, of a process that ended without a word; up to the next batch."""
    place = folder / "resumed"
    resumes = place.exists()
    state = training(100)
    begun = time.perf_counter()
    _, given = _begun(place, state)
    took = time.perf_counter() - begun
    if not resumes:
        for _ in range(_BETWEEN + 1):
            next(given)
        time.sleep(2)  # the save is durable by then
        os.execv(sys.executable, _command(resuming, folder))
    return {"resume of 100 MB, ms": took * 1e3}


def _begun(place: Path, state: Training) -> tuple[Any, Iterator[object]]:
    """A run, and its batches behind the first."""
    import unbroken

    run = unbroken.Run(place, every=None, every_steps=_BETWEEN)
    run.track(model=state.model, optimizer=state.optimizer)

    def batches() -> Iterator[object]:
        for _ in run.epochs(1):
            yield from run.batches(DataLoader(TensorDataset(torch.zeros(2 * _SAVES * _BETWEEN, 1))))

    given = batches()
    next(given)
    return run, given


def batches(folder: Path) -> Figures:
    from benchmarks import loops  # imports the library

    table = loops.per_batch(500, 3, folder)
    rows = {"in the process": "`run.batches` in the process, µs", "2 workers": "`run.batches`, 2 workers, µs"}
    medians = {name: table.median(f"difference, {row}", loops.BATCH) for row, name in rows.items()}
    return {name: value for name, value in medians.items() if value is not None}


def starting(folder: Path) -> Figures:
    """From ``import torch`` on: the library's import, and a run of a small model up to its first batch."""
    begun = time.perf_counter()
    import unbroken

    imported = time.perf_counter()
    model = torch.nn.Linear(4, 1)
    run = unbroken.Run(folder / "begun")
    run.track(model=model, optimizer=torch.optim.SGD(model.parameters(), 0.1))
    for _ in run.epochs(1):
        next(iter(run.batches(DataLoader(TensorDataset(torch.zeros(8, 4))))))
        break
    first = time.perf_counter()
    run.close()
    return {"import unbroken, ms": (imported - begun) * 1e3, "until the first batch, ms": (first - imported) * 1e3}


def listing(folder: Path) -> Figures:
    """300 numbered checkpoints: what an epoch with such a save takes, and the command that lists them."""
    import unbroken
    from unbroken.cli import main

    model = torch.nn.Linear(4, 1)
    with unbroken.Run(folder / "numbered", every=None, every_epochs=1) as run:
        run.track(model=model)
        begun = time.perf_counter()
        for epoch in run.epochs(300):
            run.record(loss=float(epoch))
    saved = time.perf_counter() - begun
    begun = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        main(["list", str(folder / "numbered")])
    assert printed.getvalue().count("checkpoint_epoch_") >= 299
    return {
        "an epoch and its numbered save, ms": saved / 300 * 1e3,
        "`list` of 300, ms": (time.perf_counter() - begun) * 1e3,
    }


GROUPS: tuple[Callable[[Path], Figures], ...] = (starting, batches, saving, resuming, listing)


def table(sources: dict[str, Path], rounds: int, folder: Path) -> Table:
    shown = Table("This version beside another", [OTHER, THIS, RATIO], note="In turn, one process each.", digits=2)
    for number in range(rounds):
        for group in GROUPS:
            figures = {
                name: measured(source, group, folder / f"{name}-{number}")
                for name, source in (sources.items() if number % 2 else reversed(sources.items()))
            }
            for row in figures[THIS]:
                shown.add(row, **{name: figures[name][row] for name in sources})
                shown.add(row, **{RATIO: figures[THIS][row] / figures[OTHER][row]})
        for name in sources:
            shutil.rmtree(folder / f"{name}-{number}")
    return shown


def measured(source: Path, group: Callable[[Path], Figures], place: Path) -> Figures:
    place.mkdir(exist_ok=True)
    path = os.pathsep.join(map(str, (source, Path(__file__).resolve().parents[1])))
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(_command(group, place), env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def _command(group: Callable[[Path], Figures], place: Path) -> list[str]:
    return [sys.executable, "-m", "benchmarks.against", "--group", group.__name__, str(place)]


def main(words: Iterable[str]) -> None:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    parser = argparse.ArgumentParser(prog="python -m benchmarks.against", description=__doc__)
    parser.add_argument("source", type=Path, help="the folder src of the other version")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path.cwd(), help="where to write: the disk that is measured")
    parser.add_argument("--group", help=argparse.SUPPRESS)
    options = parser.parse_args([*words])
    if options.group:  # in a process of one of the versions
        logging.getLogger("unbroken").setLevel(logging.ERROR)
        group = next(group for group in GROUPS if group.__name__ == options.group)
        print(json.dumps(group(options.source)))
        return
    for needed in (options.source / "unbroken", options.folder):
        if not needed.is_dir():
            parser.error(f"there is no folder {needed}")
    sources = {OTHER: options.source.resolve(), THIS: Path(__file__).resolve().parents[1] / "src"}
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="benchmarks-") as place:
        print(table(sources, options.rounds, Path(place)).text())


if __name__ == "__main__":
    main(sys.argv[1:])
