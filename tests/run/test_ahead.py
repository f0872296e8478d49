"""A loop that takes batches ahead of training is told so at the end of its first epoch; no other loop is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import unbroken
from tests.run.loop import Lines

LOADER = DataLoader(TensorDataset(torch.arange(12.0).view(6, 2)), batch_size=1)


class Steps:
    def __init__(self, folder: Path) -> None:
        self.run = unbroken.Run(folder)
        self.model = nn.Linear(2, 1)
        self.optimizer = torch.optim.SGD(self.model.parameters(), 0.01)
        self.run.track(model=self.model, optimizer=self.optimizer)

    def backward(self, batch: Any) -> None:
        self.model(batch[0]).mean().backward()

    def step(self) -> None:
        self.optimizer.step()
        self.optimizer.zero_grad()

    def train(self, batch: Any) -> None:
        self.backward(batch)
        self.step()


def all_at_once(steps: Steps) -> None:
    for batch in list(steps.run.batches(LOADER)):
        steps.train(batch)


def ahead_by(count: int) -> Callable[[Steps], None]:
    def loop(steps: Steps) -> None:
        batches = iter(steps.run.batches(LOADER))
        waiting = [next(batches) for _ in range(count)]
        while waiting:
            following = next(batches, None)
            waiting += [] if following is None else [following]
            steps.train(waiting.pop(0))

    return loop


def plain(steps: Steps) -> None:
    for batch in steps.run.batches(LOADER):
        steps.train(batch)


def accumulating(steps: Steps) -> None:
    """The rest of an epoch is a step behind its last batch."""
    for batch in steps.run.batches(LOADER):
        steps.backward(batch)
        if steps.run.batch % 4 == 0:
            steps.step()
    steps.step()


def stepping_late(steps: Steps) -> None:
    """Each step is made when the next batch is there: its gradients are state, and come back."""
    for batch in steps.run.batches(LOADER):
        if steps.run.batch > 1:
            steps.step()
        steps.backward(batch)
    steps.step()


def warming_up(steps: Steps) -> None:
    """Nothing is trained at first, and something else behind the batches."""
    for batch in steps.run.batches(LOADER):
        if steps.run.batch > 2:
            steps.train(batch)
    for _ in range(2):
        steps.model.bias.data += 1


def left_by_break(steps: Steps) -> None:
    for batch in steps.run.batches(LOADER):
        steps.train(batch)
        if steps.run.batch == 3:
            break


def said(loop: Callable[[Steps], None], folder: Path, log: Lines) -> list[str]:
    steps = Steps(folder)
    for _ in steps.run.epochs(2):
        loop(steps)
    steps.run.close()
    return [line for line in log.lines if "ahead of training" in line]


@pytest.mark.parametrize(("loop", "count"), [(all_at_once, 6), (ahead_by(1), 1), (ahead_by(3), 3)])
def test_batches_taken_ahead_are_told(loop: Any, count: int, tmp_path: Path, log: Lines) -> None:
    (line,) = said(loop, tmp_path, log)
    assert f"ahead of training, by {count} (epoch 1)" in line


@pytest.mark.parametrize("loop", [plain, accumulating, stepping_late, warming_up, left_by_break])
def test_no_other_loop_is(loop: Any, tmp_path: Path, log: Lines) -> None:
    assert said(loop, tmp_path, log) == []
