"""Trainers for tests of two at once: forked from a server that has torch imported, so that they start together."""

import multiprocessing
import signal
import time
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

import unbroken

EPOCHS = 2


def server() -> ForkServerContext:
    """Processes of this context begin with everything imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.faults.trainers"])
    return context


def train_at_once(folder: Path, barrier: Any, answers: Any, other_is_done: Any) -> None:
    """Begin together with another; who trains waits for the other's end, and who is refused tells why."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    model = nn.Linear(2, 1)
    run = unbroken.Run(folder, every_epochs=1, every_steps=1)
    run.track(model=model, optimizer=torch.optim.SGD(model.parameters(), lr=0.1))
    barrier.wait()
    try:
        for epoch in run.epochs(EPOCHS):
            if epoch == 1:
                assert other_is_done.wait(60)
            for (batch,) in run.batches(DataLoader(torch.utils.data.TensorDataset(torch.ones(4, 2)))):
                model(batch).sum().backward()
        run.close()
        answers.put(("trained", ""))
    except unbroken.UnbrokenError as error:
        answers.put((type(error).__name__, str(error)))
        other_is_done.set()
    except BaseException as error:
        answers.put((type(error).__name__, repr(error)))
        other_is_done.set()


class Slow(Dataset[torch.Tensor]):
    """Loading takes long, so a worker that has lost its trainer lives on for that long."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __len__(self) -> int:
        return 64

    def __getitem__(self, index: int) -> torch.Tensor:
        if index >= 4:
            time.sleep(self.seconds)
        return torch.full((2,), float(index))


def train_with_slow_workers(folder: Path, answers: Any, seconds: float) -> None:
    """Tell of each batch; the first ones come at once, the next one after ``seconds``."""
    torch.set_num_threads(1)
    model = nn.Linear(2, 1)
    run = unbroken.Run(folder, every_steps=1)
    run.track(model=model, optimizer=torch.optim.SGD(model.parameters(), lr=0.1))
    loader = DataLoader(Slow(seconds), batch_size=2, num_workers=2)
    try:
        for _ in run.epochs(1):
            for batch in run.batches(loader):
                model(batch).sum().backward()
                run.flush()
                answers.put(("batch", [worker.pid for worker in multiprocessing.active_children()], run.step))
    except unbroken.UnbrokenError as error:
        answers.put(("refused", [], str(error)))
