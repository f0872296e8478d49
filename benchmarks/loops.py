"""What ``run.batches`` and the journal cost per batch, and what going to batch 100,000 of an epoch costs."""

import logging
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

import torch
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

import unbroken
from benchmarks.table import Table

BATCH, RESUME = "per batch, µs of the training thread's processor time", "until the next batch, ms"
STEP = "per step, µs"


def per_batch(batches: int, rounds: int, folder: Path) -> Table:
    shown = Table(
        "The cost of `run.batches`", [BATCH], note="Ours less the plain loader's; the journal is in it.", digits=1
    )
    logging.getLogger("unbroken").setLevel(logging.ERROR)
    data = TensorDataset(torch.arange(batches * 4).view(-1, 1).float())
    for workers in (0, 2):
        plain, ours = (
            DataLoader(data, batch_size=4, shuffle=True, num_workers=workers, persistent_workers=workers > 0)
            for _ in range(2)
        )
        label = f"{workers} workers" if workers else "in the process"
        place = folder / "run"
        shutil.rmtree(place, ignore_errors=True)
        with unbroken.Run(place) as run:
            run.track(model=torch.nn.Linear(1, 1))
            for _ in run.epochs(rounds):
                without = _per_batch(plain, batches)
                within = _per_batch(run.batches(ours), batches)
                shown.add(f"plain loader, {label}", **{BATCH: without})
                shown.add(f"run.batches, {label}", **{BATCH: within})
                shown.add(f"difference, {label}", **{BATCH: within - without})
    return shown


def _per_batch(loader: Iterable[object], batches: int) -> float:
    """With workers each batch is waited for: what is done meanwhile by other processes must not count."""
    iterator = iter(loader)
    next(iterator)
    start = time.thread_time()
    for _ in iterator:
        pass
    return (time.thread_time() - start) / batches * 1e6


def journal(rounds: int, folder: Path) -> Table:
    from unbroken.loop.journal import Journal, witness

    shown = Table("The journal", [STEP], digits=1)
    for _ in range(rounds):
        journal = Journal(folder / "journal", "benchmark")
        start = time.perf_counter()
        for step in range(5000):
            journal.write(step, witness(step, b"12345678"))
        shown.add("witness and record of a step", **{STEP: (time.perf_counter() - start) / 5000 * 1e6})
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
