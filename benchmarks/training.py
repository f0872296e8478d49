"""What a save costs a training loop: the time a loop with saves takes longer than the same loop without, per save."""

import time
from pathlib import Path
from typing import Any

import torch

from benchmarks import peers
from benchmarks.ours import Ours
from benchmarks.peers import Saver, built
from benchmarks.state import training
from benchmarks.table import Table

COLUMN = "time lost per save, ms"
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
        [COLUMN, "saves"],
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
            shown.add(saver.name, **{COLUMN: (taken - plain) / done * 1e3, "saves": done})
    for saver in savers:
        saver.close()
    torch.set_num_threads(before)
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
