"""What ``run.batches`` and the journal cost per batch, and what going to batch 100,000 of an epoch costs."""

import logging
import shutil
import time
from pathlib import Path

import torch
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

import unbroken
from benchmarks.table import Table

BATCH, RESUME = "per batch, µs", "until the next batch, ms"


def per_batch(batches: int, rounds: int, folder: Path) -> Table:
    shown = Table(
        "The cost of `run.batches`", [BATCH], note="Ours less the plain loader's; the journal is in it.", digits=1
    )
    data = TensorDataset(torch.arange(batches * 4).view(-1, 1).float())
    for workers in (0, 2):
        plain = DataLoader(data, batch_size=4, shuffle=True, num_workers=workers, persistent_workers=workers > 0)
        label = f"{workers} workers" if workers else "in the process"
        for _ in range(rounds):
            without = _plain(plain) / batches * 1e6
            within = _run(plain, folder) / batches * 1e6
            shown.add(f"plain loader, {label}", **{BATCH: without})
            shown.add(f"run.batches, {label}", **{BATCH: within})
            shown.add(f"difference, {label}", **{BATCH: within - without})
    return shown


def _plain(loader: "DataLoader[object]") -> float:
    iterator = iter(loader)
    next(iterator)
    start = time.perf_counter()
    for _ in iterator:
        pass
    return time.perf_counter() - start


def _run(loader: "DataLoader[object]", folder: Path) -> float:
    logging.getLogger("unbroken").setLevel(logging.ERROR)
    place = folder / "run"
    shutil.rmtree(place, ignore_errors=True)
    with unbroken.Run(place) as run:
        run.track(model=torch.nn.Linear(1, 1))
        for _ in run.epochs(1):
            iterator = iter(run.batches(loader))
            next(iterator)
            start = time.perf_counter()
            for _ in iterator:
                pass
            taken = time.perf_counter() - start
    return taken


def journal(rounds: int, folder: Path) -> Table:
    from unbroken.loop.journal import Journal, witness

    shown = Table("The journal", [BATCH], digits=1)
    for _ in range(rounds):
        journal = Journal(folder / "journal", "benchmark")
        start = time.perf_counter()
        for step in range(5000):
            journal.write(step, witness(step, b"12345678"))
        shown.add("witness and record of a step", **{BATCH: (time.perf_counter() - start) / 5000 * 1e6})
        journal.close()
    return shown


def position(rounds: int) -> Table:
    from unbroken.loop.loaders import resumable

    shown = Table("Resuming at batch 100,000 of an epoch of 110,000", [RESUME], ratio_to=("unbroken", RESUME))
    data = TensorDataset(torch.zeros(880_000, 1))
    loader = DataLoader(data, batch_size=8, shuffle=True)
    for _ in range(rounds):
        start = time.perf_counter()
        next(resumable(loader, 1).iterate(epoch=1, loop=0, start=100_000))
        shown.add("unbroken", **{RESUME: (time.perf_counter() - start) * 1e3})
        start = time.perf_counter()
        next(iter(RandomSampler(data)))
        shown.add("limit: the user's own sampler begins", **{RESUME: (time.perf_counter() - start) * 1e3})
        start = time.perf_counter()
        for index, _ in enumerate(loader):
            if index == 100_000:
                break
        shown.add("a plain loader, batches skipped", **{RESUME: (time.perf_counter() - start) * 1e3})
    return shown
