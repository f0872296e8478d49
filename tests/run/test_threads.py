"""Batches taken in another thread than the loop's are refused where somebody hears it, and nobody waits for ever."""

import queue
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import unbroken

LOADER = DataLoader(TensorDataset(torch.arange(8.0)), batch_size=2)


def ahead(batches: Iterable[Any]) -> Iterator[Any]:
    """As many scripts load ahead."""
    waiting: queue.Queue[Any] = queue.Queue(2)
    end = object()

    def fill() -> None:
        for batch in batches:
            waiting.put(batch)
        waiting.put(end)

    threading.Thread(target=fill, daemon=True).start()
    while (batch := waiting.get(timeout=60)) is not end:
        yield batch


def by_epochs(run: unbroken.Run, seen: list[Any]) -> None:
    for _ in run.epochs(2):
        seen += ahead(run.batches(LOADER))


def by_steps(run: unbroken.Run, seen: list[Any]) -> None:
    seen += ahead(run.batches(LOADER, steps=8))
    run.close()


@pytest.mark.parametrize("loop", [by_epochs, by_steps])
def test_batches_taken_in_another_thread_are_refused_in_that_of_the_loop(tmp_path: Path, loop: Any) -> None:
    seen: list[Any] = []
    run = unbroken.Run(tmp_path)
    run.track(weight=torch.zeros(1))
    with pytest.raises(unbroken.UsageError, match="in another thread than the loop"):
        loop(run, seen)
    assert seen == [] and run.step == 0


def test_a_whole_loop_may_run_in_a_thread(tmp_path: Path) -> None:
    run = unbroken.Run(tmp_path)
    run.track(weight=torch.zeros(1))

    def train() -> None:
        for _ in run.epochs(2):
            for _ in run.batches(LOADER):
                pass

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    run.close()
    assert run.step == 8
