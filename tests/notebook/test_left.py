"""A run whose loop was broken off and whose process lives on: asked again, it goes on as a restart does."""

import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

import unbroken
from tests.run.loop import Lines, data, listening


class BrokenOffError(Exception):
    """Stands for a mistake in the cell."""


class Built:
    """What the cell above builds, with attributes that training changes and a schedule."""

    def __init__(self) -> None:
        torch.manual_seed(1)
        self.model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.2), nn.Linear(4, 1))
        self.model.seen, self.model.steps = [], 0  # type: ignore[assignment]
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.01)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, 2, 0.5)
        self.loader = DataLoader(data(), batch_size=4, shuffle=True)

    def run(self, folder: Path, **options: Any) -> unbroken.Run:
        run = unbroken.Run(folder, every=None, **options)
        run.track(model=self.model, optimizer=self.optimizer, scheduler=self.scheduler)
        return run

    def step(self, run: unbroken.Run, x: torch.Tensor, y: torch.Tensor) -> None:
        loss = nn.functional.mse_loss(self.model(x), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        run.average(loss=loss)
        self.model.seen.append(run.step)  # type: ignore[union-attr,operator]
        self.model.steps += 1  # type: ignore[operator,assignment]

    def cell(self, run: unbroken.Run, at: int | None = None, how: str = "interrupt") -> None:
        for _ in run.epochs(5):
            for x, y in run.batches(self.loader):
                self.step(run, x, y)
                if run.step == at and how == "interrupt":
                    os.kill(os.getpid(), signal.SIGINT)
                elif run.step == at:
                    raise BrokenOffError
            self.scheduler.step()

    def end(self, run: unbroken.Run) -> list[object]:
        tensors = [*self.model.state_dict().values(), *self.optimizer.state_dict()["state"][0].values()]
        bits = [tensor.numpy().tobytes() for tensor in tensors]
        return [bits, self.model.seen, self.model.steps, run.history, self.scheduler.state_dict(), run.step]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    monkeypatch.setenv("UNBROKEN_LANG", "en")
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    with listening(10) as lines:
        yield lines


@pytest.fixture(scope="module")
def left_alone() -> list[object]:
    built = Built()
    with tempfile.TemporaryDirectory() as folder, built.run(Path(folder)) as run:
        built.cell(run)
        return built.end(run)


def broken_off(cell: Callable[[], None]) -> BaseException:
    with pytest.raises((KeyboardInterrupt, BrokenOffError)) as error:
        cell()
    return error.value


def run_as_a_cell(cell: Callable[[], None]) -> str:
    """Run it with no function of this test below it, as a notebook does; the name of the error it ends with."""
    errors: list[str] = [""]

    def run() -> None:
        try:
            cell()
        except Exception as error:
            errors.append(type(error).__name__)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return errors[-1]


@pytest.mark.parametrize("again", ["loop", "run", "all"])
@pytest.mark.parametrize("how", ["interrupt", "error"])
def test_a_cell_run_again_goes_on_exactly(
    tmp_path: Path, log: Lines, left_alone: list[object], how: str, again: str
) -> None:
    built = Built()
    run, hanging = built.run(tmp_path), []
    for at in (3, 12, 18):
        hanging.append(broken_off(lambda: built.cell(run, at, how)))  # noqa: B023 - as IPython keeps the last error
        if again == "all":
            built = Built()
        if again != "loop":
            run = built.run(tmp_path)
    built.cell(run)
    assert built.end(run) == left_alone
    assert "built with" not in log.text and "not exact" not in log.text and "DIFFERS" not in log.text
    assert len(hanging) == 3


def test_an_interrupt_says_what_was_saved_and_ends_no_session(tmp_path: Path, log: Lines) -> None:
    built = Built()
    run = built.run(tmp_path)
    error = broken_off(lambda: built.cell(run, 3))
    assert type(error) is KeyboardInterrupt
    assert f"the state is safe in {tmp_path}/checkpoint_latest.pth. Run the cell again" in str(error)


def test_without_a_session_a_stop_ends_the_process(tmp_path: Path, log: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(sys, "ps1")
    built = Built()
    run = built.run(tmp_path)
    with pytest.raises(unbroken.Stopped):
        built.cell(run, 3)


def test_a_loop_by_next_is_gone_on_with_by_the_cell_run_again(tmp_path: Path, log: Lines) -> None:
    """The iterator of the former cell is alive, and nobody takes from it any more."""
    ends, kept = [], []
    for at in (None, 7):
        built = Built()
        run = built.run(tmp_path / str(at), every_steps=2)

        def cell(at: int | None, built: Built = built, run: unbroken.Run = run) -> None:
            batches = iter(run.batches(built.loader, steps=12))
            kept.append(batches)
            while run.step < 12:
                built.step(run, *next(batches))
                if run.step == at:
                    run.flush()
                    raise BrokenOffError

        if at is not None:
            assert run_as_a_cell(lambda: cell(at)) == "BrokenOffError"  # noqa: B023
            assert run.step == at
        assert run_as_a_cell(lambda: cell(None)) == ""
        run.close()
        ends.append(built.end(run)[0])
    assert ends[0] == ends[1]


@pytest.mark.parametrize("where", ["here", "in another thread"])
def test_a_loop_in_hand_is_never_taken_over(tmp_path: Path, log: Lines, where: str) -> None:
    built, other = Built(), Built()
    run, second = built.run(tmp_path), other.run(tmp_path)
    refused: list[str] = []

    def ask() -> None:
        for action in (second.begin, lambda: list(run.epochs(9)), lambda: run.batches(built.loader, steps=9)):
            try:
                action()
            except unbroken.UnbrokenError as error:
                refused.append(type(error).__name__)

    for _ in run.epochs(2):
        for x, y in run.batches(built.loader):
            built.step(run, x, y)
            if run.step == 3:
                if where == "here":
                    ask()
                else:
                    thread = threading.Thread(target=ask)
                    thread.start()
                    thread.join()
    assert refused == ["FolderLockedError", "UsageError", "UsageError"]
    assert run.step == 10


def test_a_run_whose_state_is_gone_does_not_go_on_with_half_an_epoch(tmp_path: Path, log: Lines) -> None:
    built = Built()
    run = built.run(tmp_path)
    broken_off(lambda: built.cell(run, 3, "error"))
    for path in tmp_path.glob("*.pth"):
        path.unlink()
    with pytest.raises(unbroken.NothingToResumeError, match="what is in memory is half an epoch"):
        built.cell(run)


def test_batches_alone_do_not_go_on_in_an_epoch_that_was_left(tmp_path: Path, log: Lines) -> None:
    built = Built()
    run = built.run(tmp_path)
    broken_off(lambda: built.cell(run, 3, "error"))
    with pytest.raises(unbroken.UsageError, match="inside a loop over run"):
        run.batches(built.loader)


def test_a_with_block_run_again_goes_on(tmp_path: Path, log: Lines, left_alone: list[object]) -> None:
    built = Built()
    run = built.run(tmp_path)

    def cell(at: int | None = None) -> None:
        with run:
            built.cell(run, at)

    broken_off(lambda: cell(12))
    cell()
    assert built.end(run) == left_alone


def test_what_training_changed_behind_the_save_and_no_copy_has_is_named(tmp_path: Path, log: Lines) -> None:
    built = Built()
    built.model.table = torch.zeros(40_000)  # type: ignore[assignment]
    run = built.run(tmp_path)

    def cell(at: int | None) -> None:
        for _ in run.epochs(2):
            for x, y in run.batches(built.loader):
                built.step(run, x, y)
                built.model.table[run.step] += 1  # type: ignore[index,operator]
                if run.step == at:
                    raise BrokenOffError

    broken_off(lambda: cell(3))
    cell(None)
    assert "no checkpoint has them: model.table" in log.text


def test_variables_of_the_loop_come_back_too(tmp_path: Path, log: Lines) -> None:
    built = Built()
    run = built.run(tmp_path, every_steps=2)
    local = run.local(seen=[], patience=0)

    def cell(at: int | None) -> None:
        for _ in run.epochs(2):
            for x, y in run.batches(built.loader):
                built.step(run, x, y)
                local.seen.append(run.step)
                local.patience += 1
                if run.step == at:
                    run.flush()
                    raise BrokenOffError

    broken_off(lambda: cell(4))
    cell(None)
    assert (local.seen, local.patience) == (list(range(1, 11)), 10)
