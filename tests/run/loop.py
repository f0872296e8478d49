"""One small training loop, written as a user would, that can be broken off anywhere and run again."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import unbroken


class BrokenOffError(Exception):
    """Stands for whatever ends a process in the middle."""


def data(length: int = 20) -> TensorDataset:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(length, 3, generator=generator)
    return TensorDataset(x, x.sum(1, keepdim=True))


class Trial:
    """Objects as a script would make them, and the loop over them; ``visit(place)`` is told where the loop stands."""

    def __init__(
        self, folder: Path, *, hidden: int = 4, batch_size: int = 4, asks: bool = True, **options: Any
    ) -> None:
        torch.manual_seed(1)
        self.model = nn.Sequential(nn.Linear(3, hidden), nn.Dropout(0.2), nn.Linear(hidden, 1))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.01)
        self.scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(self.optimizer, patience=0)
        self.loader = DataLoader(data(), batch_size=batch_size, shuffle=True)
        self.run = unbroken.Run(folder, **{"best": "aucs", "every": None, **options})
        self.run.track(model=self.model, optimizer=self.optimizer, scheduler=self.scheduler)
        self.trained: list[tuple[int, int]] = []
        self.asks = asks

    def train(self, epochs: int, visit: Callable[[str], None] = lambda place: None, *, close: bool = True) -> "Trial":
        run = self.run
        with run if close else nullcontext():
            for epoch in run.epochs(epochs):
                visit(f"prologue {epoch}")
                for x, y in run.batches(self.loader):
                    loss = nn.functional.mse_loss(self.model(x), y)
                    self.optimizer.zero_grad()
                    loss.backward()
                    self.optimizer.step()
                    run.average(train_losses=loss)
                    self.trained.append((run.epoch, run.batch))
                    self._settle()
                    visit(f"batch {epoch} {run.batch}")
                run.state["seen"] = run.state.get("seen", 0) + run.step
                val_loss = loss.item() + float(torch.rand(()))
                self.scheduler.step(val_loss)
                run.record(val_losses=val_loss, aucs=-val_loss)
                if self.asks:
                    run.save()  # a test cannot wait for a second to be over
                visit(f"validation {epoch}")
        return self

    def _settle(self) -> None:
        """A save at every step can only be told where it is if the loop, far faster than any disk, waits for it."""
        with suppress(unbroken.DiskError):  # a test's own doing
            self.run.flush()

    def result(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "history": {name: list(values) for name, values in self.run.history.items()},
            "best": (self.run.best.value, self.run.best.epoch),
            "state": dict(self.run.state),
            "stream": torch.get_rng_state(),
        }


def break_off_at(place: str) -> Callable[[str], None]:
    def visit(here: str) -> None:
        if here == place:
            raise BrokenOffError(place)

    return visit


class Lines(logging.Handler):
    """Collects what the log says."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


@contextmanager
def listening(level: int) -> Iterator[Lines]:
    """What the library logs within the block."""
    logger, promised, lines = logging.getLogger("unbroken"), logging.getLogger("unbroken.contract"), Lines()
    before = (logger.level, promised.level)
    for one in (logger, promised):
        one.addHandler(lines)
        one.setLevel(level)
    try:
        yield lines
    finally:
        for one, its_level in zip((logger, promised), before, strict=True):
            one.removeHandler(lines)
            one.setLevel(its_level)
