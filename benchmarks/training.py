"""What a save costs a training loop: the time a loop with saves takes longer than the same loop without, per save."""

import logging
import shutil
import time
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, TensorDataset

import unbroken
from benchmarks import peers
from benchmarks.ours import Ours
from benchmarks.peers import Saver, built
from benchmarks.state import training
from benchmarks.table import Table

COLUMN, SHARE = "time lost per save, ms", 'of training time at every="10min", %'
STEP, SAVES = "a step, ms", "saves in 50 steps"
KINDS: list[Any] = [Ours, peers.TorchSaveSynced, peers.DcpAsync, peers.LightningAsync, peers.TorchCheckpointing]


def table(megabytes: float, threads: int, every: float, saves: int, rounds: int, folder: Path) -> Table:
    """A loop on ``threads`` cores that saves about every ``every`` seconds."""
    state = training(megabytes)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    work = torch.randn(700, 700)
    step = min(_timed(lambda: work @ work, 20) for _ in range(3)) / 20
    per_save = max(1, int(every / step))
    shown = Table(
        f"A training loop of {threads} of {before} cores, {state.bytes / 1e6:.0f} MB, a save every {every:g} s",
        [COLUMN, SHARE, "saves"],
        digits=2,
        note="The row 'no saves' is the noise floor: the same loop against itself.",
        ratio_to=("unbroken", COLUMN),
    )
    savers, shown.missing = built(state, folder, KINDS)
    for _ in range(rounds):
        plain, _ = _loop(work, per_save, saves, None)
        again, _ = _loop(work, per_save, saves, None)
        shown.add("no saves", **{COLUMN: (again - plain) / saves * 1e3})
        for saver in savers:
            taken, done = _loop(work, per_save, saves, saver)
            saver.finish()
            lost = (taken - plain) / done
            shown.add(saver.name, **{COLUMN: lost * 1e3, SHARE: lost / 600 * 100, "saves": done})
    for saver in savers:
        saver.close()
    torch.set_num_threads(before)
    return shown


def every_step(megabytes: float, rounds: int, folder: Path) -> Table:
    """Steps of 100 ms, a save after each, by the public API."""
    logging.getLogger("unbroken").setLevel(logging.ERROR)
    shown = Table(f"Steps of 100 ms, a state of {megabytes:.0f} MB saved after every one", [STEP, SAVES])
    state = training(megabytes)
    work = torch.randn(1000, 1000)
    repeats = max(1, int(0.1 / min(_timed(lambda: work @ work, 20) / 20 for _ in range(3))))
    loader = DataLoader(TensorDataset(torch.zeros(50, 1)))
    for number in range(rounds):
        for row, every in (("no saves in between", None), ("every_steps=1", 1)):
            place = folder / f"every-{number}-{every}"
            states, start = set(), 0.0
            with unbroken.Run(place, every_steps=every) as run:
                run.track(model=state.model, optimizer=state.optimizer)
                for _ in run.batches(loader, steps=50):
                    start = time.perf_counter() if run.step == 1 else start  # with the first state saved
                    for _ in range(repeats):
                        torch.matmul(work, work)
                    states.add((place / "checkpoint_latest.pth").stat().st_mtime_ns)
                ended = time.perf_counter()
            shutil.rmtree(place)
            shown.add(row, **{STEP: (ended - start) / 50 * 1e3, SAVES: len(states) - 1})
    return shown


def _loop(work: torch.Tensor, per_save: int, saves: int, saver: Saver | None) -> tuple[float, int]:
    """How long the steps took, and how many saves were begun in them."""
    done = 0
    due = False
    start = time.perf_counter()
    for step in range(saves * per_save):
        due = due or step % per_save == 0
        if saver is not None and due and not getattr(saver, "busy", False):
            saver.save()
            done, due = done + 1, False
        torch.matmul(work, work)
    return time.perf_counter() - start, done


def _timed(work: Any, times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        work()
    return time.perf_counter() - start
