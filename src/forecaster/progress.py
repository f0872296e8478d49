"""What is seen of a run while it trains: a bar on a terminal, one line per epoch in the log."""

import logging
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

import unbroken
from forecaster.messages import text

_log = logging.getLogger("forecaster")


class EpochReport:
    """Tells each epoch's figures once it is complete; shows the steps of the one in hand on a terminal."""

    def __init__(self, console: Console) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._told: int | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def epochs(self, run: "unbroken.Run", count: int, batches: int) -> Iterator[int]:
        """``run.epochs(count)``, with a line for every epoch that gets complete, also for one a signal ends."""
        trains = threading.current_thread()

        def tell_first(_: logging.LogRecord) -> bool:
            # What the library says once an epoch is complete, that the run is done, say, stands behind its line.
            if threading.current_thread() is trains:
                self._tell(run, count)
            return True

        library = [logging.getLogger(name) for name in ("unbroken", "unbroken.contract")]
        for logger in library:
            logger.addFilter(tell_first)
        try:
            for epoch in run.epochs(count):
                if self._told is None:
                    self._told = len(run.history.get("aucs", ()))
                    if run.resumed_from is None:
                        _log.info(text("from_scratch"))
                self._tell(run, count)
                self._task = self._bar.add_task(f"{epoch}/{count}", total=batches)
                yield epoch
                self._bar.remove_task(self._task)
            if self._told is None:
                _log.info(text("complete_already", epoch=run.epoch))
        finally:
            for logger in library:
                logger.removeFilter(tell_first)
            self._tell(run, count)

    def step(self, run: "unbroken.Run") -> None:
        """A batch is done."""
        if self._task is not None:
            self._bar.update(self._task, completed=run.batch)

    def _tell(self, run: "unbroken.Run", count: int) -> None:
        history = run.history
        while self._told is not None and self._told < len(history.get("aucs", ())):
            index = self._told
            self._told += 1  # first: a stop signal in the line below must not lead to a second one
            _log.info(
                text(
                    "epoch_line",
                    epoch=index + 1,
                    count=count,
                    train_loss=history["train_losses"][index],
                    val_loss=history["val_losses"][index],
                    correlation=history["aucs"][index],
                    best=run.best.value,
                    best_epoch=run.best.epoch,
                )
            )
