"""The line per epoch: once for each, whatever ends the run in that moment."""

import io
import logging
import os
import signal
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import unbroken
from forecaster.progress import EpochReport


def test_done_is_said_behind_the_last_epochs_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("UNBROKEN_LANG", "en")
    for name in ("forecaster", "unbroken"):
        monkeypatch.setattr(logging.getLogger(name), "handlers", [])  # as another test's program may have set it up
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)
        caplog.set_level(logging.INFO, name)
    report = EpochReport(Console(file=io.StringIO()))
    loader = DataLoader(TensorDataset(torch.zeros(4, 1)), batch_size=2)
    with report, unbroken.Run(tmp_path, best="aucs") as run:
        run.track(model=nn.Linear(1, 1))
        for _ in report.epochs(run, 2, len(loader)):
            for _ in run.batches(loader):
                run.average(train_losses=0.1)
            run.record(val_losses=0.1, aucs=0.2)
    assert caplog.messages[-1] == "Done: 2 of 2 epochs."
    assert caplog.messages[-2].startswith("epoch 2/2")


class _StopsAtFirstLine(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        if "1/3" in self.lines[-1]:
            os.kill(os.getpid(), signal.SIGTERM)


def test_an_epoch_is_told_once_also_when_a_stop_signal_comes_in_that_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNBROKEN_LANG", "en")
    log, handler = logging.getLogger("forecaster"), _StopsAtFirstLine()
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    report = EpochReport(Console(file=io.StringIO()))
    loader = DataLoader(TensorDataset(torch.zeros(4, 1)), batch_size=2)
    try:
        with pytest.raises(unbroken.Stopped), report, unbroken.Run(tmp_path, best="aucs") as run:
            run.track(model=nn.Linear(1, 1))
            for _ in report.epochs(run, 3, len(loader)):
                for _ in run.batches(loader):
                    run.average(train_losses=0.1)
                run.record(val_losses=0.1, aucs=0.2)
    finally:
        log.removeHandler(handler)
    assert sum("1/3" in line for line in handler.lines) == 1
