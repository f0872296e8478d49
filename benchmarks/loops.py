"""What ``run.batches`` and the journal cost per batch, and what going to batch 100,000 of an epoch costs."""

import logging
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

import unbroken
from benchmarks.table import Table

BATCH, WAIT, RESUME = "processor time per batch, µs", "until the batch is there, µs", "until the next batch, ms"
STEP = "per step, µs"
COMPUTED = 0.001  # seconds that a step computes


def per_batch(batches: int, rounds: int, folder: Path) -> Table:
    shown = Table(
        "The cost of `run.batches`",
        [BATCH, WAIT],
        note="Of the training thread; the batch before is freed, and the journal written. Both loaders are asked in "
        "turn, one thread computes for 1 ms after each batch; medians over an epoch, and of the differences.",
        digits=1,
    )
    logging.getLogger("unbroken").setLevel(logging.ERROR)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
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
                without, within = _asked_in_turn(iter(plain), iter(run.batches(ours)))
                for row, costs in (
                    ("plain loader", without),
                    ("run.batches", within),
                    ("difference", within - without),
                ):
                    processor, waited = np.median(costs, axis=0) * 1e6
                    shown.add(f"{row}, {label}", **{BATCH: processor, WAIT: waited})
    torch.set_num_threads(threads)
    return shown


def per_step(rounds: int, folder: Path) -> Table:
    """``run.steps`` beside ``range``: a loop that does nothing else."""
    shown = Table("The cost of `run.steps`", [STEP], note="Of 20,000 empty steps, a small model tracked.", digits=2)
    for number in range(rounds):
        start = time.thread_time()
        for _ in range(20_000):
            pass
        shown.add("plain Python", **{STEP: (time.thread_time() - start) / 20_000 * 1e6})
        with unbroken.Run(folder / f"steps-{number}") as run:
            model = torch.nn.Linear(4, 1)
            run.track(model=model, optimizer=torch.optim.Adam(model.parameters()))
            steps = iter(run.steps(20_200))
            for _ in range(200):
                next(steps)
            start = time.thread_time()
            for _ in steps:
                pass
            shown.add("run.steps", **{STEP: (time.thread_time() - start) / 20_000 * 1e6})
    return shown


def _asked_in_turn(*iterators: Iterator[object]) -> list[np.ndarray]:
    """Each iterator's costs, seconds of processor time and of waiting, per batch."""
    costs: list[list[tuple[float, float]]] = [[] for _ in iterators]
    held: list[object] = [next(iterator) for iterator in iterators]
    weights = torch.randn(100, 100)
    turn = 0
    while True:
        turn += 1
        for index in range(len(iterators)) if turn % 2 else reversed(range(len(iterators))):
            wall, processor = time.perf_counter(), time.thread_time()
            held[index] = next(iterators[index], None)
            costs[index].append((time.thread_time() - processor, time.perf_counter() - wall))
            while time.perf_counter() < wall + costs[index][-1][1] + COMPUTED:
                torch.mm(weights, weights)
        if held[0] is None:
            return [np.array(cost[:-1]) for cost in costs]


def journal(rounds: int, folder: Path) -> Table:
    from unbroken.course.proof import ReplayProof
    from unbroken.keep.cursor import Cursor
    from unbroken.keep.state import Parts
    from unbroken.loop.ranks import ranks_here
    from unbroken.state.gradients import Gradients
    from unbroken.state.history import History
    from unbroken.state.local import Locals
    from unbroken.state.origins import Mentions
    from unbroken.state.settings import Settings
    from unbroken.state.tracked import Tracked
    from unbroken.state.user import UserState
    from unbroken.store.folder import CheckpointFolder
    from unbroken.store.runstate import Identity

    shown = Table(
        "The journal", [STEP], note="Of a transformer of six layers and its AdamW, far behind a save.", digits=1
    )
    layer = torch.nn.TransformerEncoderLayer(64, 4, 128, batch_first=True)
    model = torch.nn.TransformerEncoder(layer, 6)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.randn(8, 5, 64)).sum().backward()
    optimizer.step()
    tracked = Tracked()
    tracked.add("model", model)
    tracked.add("optimizer", optimizer)
    history, cursor = History(), Cursor()
    gradients, variables = Gradients(tracked, Mentions("grad")), Locals(tracked.objects_by_name)
    parts = Parts(tracked, history, UserState(), gradients, cursor, Settings(tracked), variables)
    checkpoints = CheckpointFolder(folder / "journal")
    checkpoints.prepare()
    identity = Identity("benchmark", 0, None, 1)
    keeper: Any = SimpleNamespace(identity=identity, folder=checkpoints, saved_step=-1000, ranks=ranks_here())
    batch = [torch.randn(64, 10), torch.randn(64, 1)]
    for _ in range(rounds):
        proof = ReplayProof(keeper, parts, resumed=False)
        cursor.step = 0
        start = time.perf_counter()
        for _ in range(5000):
            proof.given(0, batch)
            history.average({"loss": 0.5})
            cursor.step += 1
            proof.stepped()
        shown.add("witness and record of a step", **{STEP: (time.perf_counter() - start) / 5000 * 1e6})
        proof.closed()
    return shown


def position(rounds: int) -> Table:
    from unbroken.loop.loaders import resumable

    shown = Table("Resuming at batch 100,000 of an epoch of 110,000", [RESUME], ratio_to=("unbroken", RESUME))
    data = TensorDataset(torch.zeros(880_000, 1))
    loader = DataLoader(data, batch_size=8, shuffle=True)
    for _ in range(rounds):
        start = time.perf_counter()
        batches = resumable(loader, 1).iterate(epoch=1, loop=0, start=100_000)
        next(batches)
        shown.add("unbroken", **{RESUME: (time.perf_counter() - start) * 1e3})
        start = time.perf_counter()
        indices = iter(RandomSampler(data))
        next(indices)
        shown.add("limit: the user's own sampler begins", **{RESUME: (time.perf_counter() - start) * 1e3})
        del batches, indices  # freeing them takes time, too
        start = time.perf_counter()
        for index, _ in enumerate(loader):
            if index == 100_000:
                break
        shown.add("a plain loader, batches skipped", **{RESUME: (time.perf_counter() - start) * 1e3})
    return shown
