"""What Run promises to a loop, each in the smallest loop that can show it."""

import argparse
import logging
import math
import multiprocessing
import os
import platform
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import unbroken
from tests.run.loop import BrokenOffError, Lines, Trial, break_off_at, data
from unbroken.state.snapshot import copy_to_host, equal_bits

EPOCHS = 4
PER_EPOCH = 5


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The result of the loop never broken off."""
    folder = tmp_path_factory.mktemp("whole")
    return copy_to_host(Trial(folder).train(EPOCHS).result())


def broken_off(folder: Path, place: str, **options: Any) -> None:
    with pytest.raises(BrokenOffError):
        Trial(folder, **options).train(EPOCHS, break_off_at(place))


@pytest.mark.parametrize(
    "place",
    ["prologue 1", "batch 1 1", "batch 1 5", "validation 1", "prologue 2", "batch 3 1", "batch 3 4", "validation 4"],
)
@pytest.mark.parametrize("every_steps", [None, 1, 3])
@pytest.mark.one_in(4)
def test_a_run_broken_off_anywhere_ends_as_if_nothing_had_happened(
    tmp_path: Path, whole: Any, place: str, every_steps: int | None
) -> None:
    broken_off(tmp_path, place, every_steps=every_steps)
    resumed = Trial(tmp_path, every_steps=every_steps).train(EPOCHS)
    assert equal_bits(copy_to_host(resumed.result()), whole) is None


def test_broken_off_again_and_again(tmp_path: Path, whole: Any) -> None:
    for place in ("batch 1 3", "batch 1 4", "validation 1", "batch 2 2", "prologue 3", "batch 4 5"):
        broken_off(tmp_path, place, every_steps=1)
    assert equal_bits(copy_to_host(Trial(tmp_path, every_steps=1).train(EPOCHS).result()), whole) is None


def test_a_resume_inside_an_epoch_trains_only_what_is_left(tmp_path: Path) -> None:
    broken_off(tmp_path, "batch 2 4", every_steps=1)
    resumed = Trial(tmp_path, every_steps=1).train(2)
    assert resumed.trained == [(2, 4), (2, 5)]


def test_the_prologue_runs_again_from_the_epochs_own_streams(tmp_path: Path) -> None:
    draws: list[float] = []

    def visit(place: str) -> None:
        if place.startswith("prologue"):
            draws.append(float(torch.rand(())))

    def break_later(place: str) -> None:
        visit(place)
        break_off_at("batch 2 3")(place)

    with pytest.raises(BrokenOffError):
        Trial(tmp_path, every_steps=1).train(EPOCHS, break_later)
    Trial(tmp_path, every_steps=1).train(EPOCHS, visit)
    assert len(draws) == 1 + 1 + 3
    assert draws[1] == draws[2]


def test_what_the_prologue_changes_is_not_applied_twice(tmp_path: Path) -> None:
    def decay(trial: Trial, place: str) -> None:
        if place.startswith("prologue"):
            trial.optimizer.param_groups[0]["lr"] *= 0.5

    def go(folder: Path, stop_at: str) -> Trial:
        trial = Trial(folder, every_steps=1)
        try:
            trial.train(3, lambda place: (decay(trial, place), break_off_at(stop_at)(place))[0])
        except BrokenOffError:
            return trial
        return trial

    whole = go(tmp_path / "whole", "never").optimizer.param_groups[0]["lr"]
    go(tmp_path / "broken", "batch 2 3")
    assert go(tmp_path / "broken", "never").optimizer.param_groups[0]["lr"] == whole


def test_unfinished_accumulation_resumes_with_its_gradients(tmp_path: Path) -> None:
    def train(folder: Path, stop_at: int | None) -> torch.Tensor:
        torch.manual_seed(3)
        model = nn.Linear(3, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        run = unbroken.Run(folder, every_steps=1, every=None)
        run.track(model=model, optimizer=optimizer)
        with run:
            for _ in run.epochs(2):
                batches = run.batches(DataLoader(data(), batch_size=4))
                for x, y in batches:
                    nn.functional.mse_loss(model(x), y).backward()
                    if run.batch % 3 == 0 or run.batch == len(batches):
                        optimizer.step()
                        optimizer.zero_grad()
                    if run.step == stop_at:
                        raise BrokenOffError
        return model.weight.detach().clone()

    whole = train(tmp_path / "whole", None)
    for step in (1, 2, 3, 4, 5, 7):
        with pytest.raises(BrokenOffError):
            train(tmp_path / str(step), step)
        assert torch.equal(train(tmp_path / str(step), None), whole), f"broken off in step {step}"


def test_the_histories_have_the_length_of_epoch_in_every_file(tmp_path: Path) -> None:
    broken_off(tmp_path, "batch 3 4", every_steps=1)
    payload = unbroken.load(tmp_path / "checkpoint_latest.pth")
    assert payload["epoch"] == 2
    assert [len(payload[key]) for key in ("train_losses", "val_losses", "aucs")] == [2, 2, 2]
    assert payload["unbroken"]["batch"] == 3


def test_the_best_is_tracked_and_a_nan_is_never_it(tmp_path: Path) -> None:
    model = nn.Linear(1, 1)
    run = unbroken.Run(tmp_path, best="aucs")
    run.track(model=model)
    values = iter([math.nan, 0.2, math.nan, 0.1])
    with run:
        for epoch in run.epochs(4):
            if epoch == 2:
                assert (run.best.value, run.best.epoch) == (-math.inf, 0)
            run.record(aucs=next(values))
    assert (run.best.value, run.best.epoch) == (0.2, 2)
    assert unbroken.load(tmp_path / "checkpoint_best.pth")["epoch"] == 2


def test_numbered_checkpoints_and_no_shared_inodes(tmp_path: Path) -> None:
    Trial(tmp_path, every_epochs=2).train(EPOCHS)
    names = sorted(path.name for path in tmp_path.glob("*.pth"))
    assert names == [
        "checkpoint_best.pth",
        "checkpoint_epoch_2.pth",
        "checkpoint_epoch_4.pth",
        "checkpoint_latest.pth",
        "checkpoint_previous.pth",
    ]
    assert len({path.stat().st_ino for path in tmp_path.glob("*.pth")}) == len(names)


def test_a_finished_run_trains_nothing_more_and_says_so(tmp_path: Path, log: Lines) -> None:
    Trial(tmp_path).train(2)
    assert Trial(tmp_path).train(2).trained == []
    assert "Done: 2 of 2" in log.text
    assert Trial(tmp_path).train(3).trained == [(3, batch) for batch in range(1, 6)]


def test_stop_ends_the_run_on_purpose_and_stays(tmp_path: Path, log: Lines) -> None:
    trial = Trial(tmp_path)
    trial.train(EPOCHS, lambda place: trial.run.stop("good enough") if place == "batch 2 2" else None)
    assert trial.trained[-1] == (2, 5)
    assert "good enough" in log.text
    assert Trial(tmp_path).train(EPOCHS).trained == []


def test_a_stop_asked_for_inside_an_epoch_survives_a_break(tmp_path: Path) -> None:
    trial = Trial(tmp_path, every_steps=1)

    def visit(place: str) -> None:
        if place == "batch 2 2":
            trial.run.stop("enough")
        break_off_at("batch 2 4")(place)

    with pytest.raises(BrokenOffError):
        trial.train(EPOCHS, visit)
    resumed = Trial(tmp_path, every_steps=1).train(EPOCHS)
    assert resumed.trained == [(2, 4), (2, 5)]


def test_never_moves_a_former_run_aside_and_says_how_to_go_on_with_it(tmp_path: Path, log: Lines) -> None:
    broken_off(tmp_path, "batch 3 2", every_steps=1)
    fresh = Trial(tmp_path, resume="never").train(1)
    assert fresh.trained[0] == (1, 1)
    archived = list((tmp_path / "archive").rglob("checkpoint_latest.pth"))
    assert len(archived) == 1
    assert str(archived[0]) in log.text and "NOT finished" in log.text
    resumed = Trial(tmp_path / "elsewhere", resume=archived[0]).train(EPOCHS)
    assert resumed.trained[0] == (3, 2)


@pytest.mark.parametrize("variable", ["SLURM_RESTART_COUNT", "TORCHELASTIC_RESTART_COUNT"])
def test_a_requeued_job_resumes_although_told_to_start(
    tmp_path: Path, log: Lines, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    broken_off(tmp_path, "batch 2 1")
    monkeypatch.setenv(variable, "1")
    assert Trial(tmp_path, resume="never").train(2).trained[0] == (2, 1)
    assert variable in log.text


def test_an_older_checkpoint_starts_a_branch_and_the_old_ones_move_aside(tmp_path: Path, whole: Any) -> None:
    Trial(tmp_path, every_epochs=1).train(EPOCHS)
    branch = Trial(tmp_path, every_epochs=1, resume=tmp_path / "checkpoint_epoch_2.pth")
    with pytest.raises(BrokenOffError):
        branch.train(EPOCHS, break_off_at("batch 3 2"))
    assert branch.trained[0] == (3, 1)
    assert not (tmp_path / "checkpoint_epoch_4.pth").exists()
    assert list((tmp_path / "archive").rglob("checkpoint_epoch_4.pth"))
    resumed = Trial(tmp_path, every_epochs=1).train(EPOCHS)
    assert resumed.trained[0] == (3, 1)
    assert equal_bits(copy_to_host(resumed.result()), whole) is None


def test_a_damaged_latest_falls_back_and_loses_nothing(tmp_path: Path, log: Lines, whole: Any) -> None:
    broken_off(tmp_path, "batch 3 4", every_steps=1)
    latest = tmp_path / "checkpoint_latest.pth"
    content = bytearray(latest.read_bytes())
    content[len(content) // 2] ^= 1
    latest.write_bytes(content)
    resumed = Trial(tmp_path, every_steps=1).train(EPOCHS)
    assert resumed.trained[0] == (3, 3)
    assert equal_bits(copy_to_host(resumed.result()), whole) is None
    assert bytes(content) in [path.read_bytes() for path in tmp_path.glob("checkpoint_latest.pth.damaged*")]
    assert "damaged" in log.text


def test_all_damaged_is_an_error_and_never_a_fresh_start(tmp_path: Path) -> None:
    broken_off(tmp_path, "batch 2 1")
    for path in tmp_path.glob("*.pth"):
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(unbroken.CheckpointDamagedError):
        Trial(tmp_path).train(EPOCHS)
    assert list(tmp_path.rglob("checkpoint_latest.pth*"))


def test_an_explicit_path_is_never_replaced_by_another(tmp_path: Path) -> None:
    Trial(tmp_path).train(2)
    damaged = tmp_path / "checkpoint_latest.pth"
    damaged.write_bytes(damaged.read_bytes()[:-100])
    with pytest.raises(unbroken.CheckpointDamagedError, match="checkpoint_latest"):
        Trial(tmp_path, resume=damaged).train(EPOCHS)
    with pytest.raises(unbroken.NothingToResumeError, match=r"missing\.pth"):
        Trial(tmp_path, resume=tmp_path / "missing.pth").train(EPOCHS)


def test_a_plain_file_with_only_the_ten_keys_is_resumed_from(tmp_path: Path, log: Lines) -> None:
    trial = Trial(tmp_path / "other").train(2)
    payload = unbroken.load(tmp_path / "other" / "checkpoint_latest.pth")
    del payload["unbroken"]
    folder = tmp_path / "plain"
    folder.mkdir()
    torch.save(payload, folder / "checkpoint_latest.pth")
    resumed = Trial(folder).train(3)
    assert resumed.trained == [(3, batch) for batch in range(1, 6)]
    assert resumed.run.history["aucs"][:2] == trial.run.history["aucs"]
    assert "恢复训练，从 epoch 3 开始" in log.text
    assert "not written by Unbroken" in log.text


def test_the_contracts_lines_on_a_resume(tmp_path: Path, log: Lines) -> None:
    broken_off(tmp_path, "batch 1 4", every_steps=1)
    log.lines.clear()
    broken_off(tmp_path, "batch 3 3", every_steps=1)
    at = log.lines.index("恢复训练，从 epoch 1 开始")
    assert log.lines[at + 1 : at + 3] == ["当前最佳相关系数: 暂无", "第 1 轮已完成 3/5 批"]
    log.lines.clear()
    trial = Trial(tmp_path, every_steps=1).train(EPOCHS)
    at = log.lines.index("恢复训练，从 epoch 3 开始")
    history = trial.run.history["aucs"][:2]
    best = max(history)
    assert log.lines[at + 1] == f"当前最佳相关系数: {best:.6f} (epoch {history.index(best) + 1})"
    assert log.lines[at + 2] == "第 3 轮已完成 2/5 批"


def test_other_data_are_refused_by_name_and_allowed_by_one_flag(tmp_path: Path, log: Lines) -> None:
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text("1\n")
    second.write_text("2\n")
    Trial(tmp_path / "run", data=first).train(1)
    with pytest.raises(unbroken.DataChangedError, match=r"a\.csv.*b\.csv"):
        Trial(tmp_path / "run", data=second).train(2)
    assert Trial(tmp_path / "run", data=second, allow_changed_data=True).train(2).trained[0] == (2, 1)
    copied = tmp_path / "copied.csv"
    copied.write_text("2\n")
    Trial(tmp_path / "run", data=copied).train(3)


@pytest.mark.parametrize("branch", [False, True])
def test_with_other_data_the_best_is_judged_anew_and_stays_so(tmp_path: Path, log: Lines, branch: bool) -> None:
    folder, first, second = tmp_path / "run", tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text("1\n")
    second.write_text("2\n")
    before = Trial(folder, data=first, every_epochs=1).train(3).run
    best = before.best
    assert best.epoch in (1, 2, 3)
    source = {"resume": folder / "checkpoint_epoch_2.pth"} if branch else {}
    log.lines.clear()
    changed = {"data": second, "allow_changed_data": True, **source}
    done = 2 if branch else 3
    judged = Trial(folder, **changed).train(done).run.best
    assert (judged.value, judged.epoch) == (-math.inf, 0)
    assert any("judged anew" in line for line in log.lines)
    assert "当前最佳相关系数: 暂无" in log.lines
    log.lines.clear()
    again = Trial(folder, **changed).train(5).run
    new = again.history["aucs"][done:]
    assert again.best.epoch == done + 1 + new.index(max(new))


def test_another_architecture_is_refused_parameter_by_parameter(tmp_path: Path) -> None:
    Trial(tmp_path, hidden=4).train(1)
    before = {path: path.read_bytes() for path in tmp_path.glob("*.pth")}
    with pytest.raises(unbroken.ArchitectureChangedError, match=r"0\.weight") as refused:
        Trial(tmp_path, hidden=6).train(2)
    assert refused.value.exit_code == 4
    assert {path: path.read_bytes() for path in tmp_path.glob("*.pth")} == before


def test_other_tracked_objects_are_refused_by_name(tmp_path: Path) -> None:
    Trial(tmp_path).train(1)
    other = Trial(tmp_path)
    other.run.track(ema=nn.Linear(1, 1))
    with pytest.raises(unbroken.ArchitectureChangedError, match="ema"):
        other.train(2)


def test_changed_parameters_are_shown_and_trained_on(tmp_path: Path, log: Lines) -> None:
    Trial(tmp_path, config={"lr": 0.1, "wd": 0.0}).train(1)
    log.lines.clear()
    Trial(tmp_path, config={"lr": 0.2, "wd": 0.0}).train(2)
    assert "lr: 0.1 → 0.2" in log.text and "wd" not in log.text


def test_another_batch_size_is_refused_inside_an_epoch_only(tmp_path: Path) -> None:
    broken_off(tmp_path, "batch 2 3", every_steps=1, every_epochs=1)
    with pytest.raises(unbroken.LoaderRefusedError, match="2"):
        Trial(tmp_path, batch_size=10).train(2)
    fits = Trial(tmp_path, batch_size=10, resume=tmp_path / "checkpoint_epoch_1.pth").train(2)
    assert fits.trained == [(2, 1), (2, 2)]


def test_a_second_trainer_is_refused_while_the_first_runs(tmp_path: Path) -> None:
    def visit(place: str) -> None:
        if place == "batch 1 2":
            with pytest.raises(unbroken.FolderLockedError, match="in use"):
                Trial(tmp_path).train(1)

    Trial(tmp_path).train(1, visit)
    Trial(tmp_path).train(2)


def test_a_loader_that_fails_saves_first(tmp_path: Path) -> None:
    class Failing(TensorDataset):
        def __getitem__(self, index: int) -> Any:
            if index == 13:
                raise OSError("unreadable")
            return super().__getitem__(index)

    trial = Trial(tmp_path)
    trial.loader = DataLoader(Failing(*data().tensors), batch_size=4)
    with pytest.raises(OSError, match="unreadable"):
        trial.train(1)
    own = unbroken.load(tmp_path / "checkpoint_latest.pth")["unbroken"]
    assert (own["batch"], own["reason"]) == (3, "loader_error")


def test_a_loop_left_by_break_has_ended_on_purpose(tmp_path: Path, log: Lines) -> None:
    trial = Trial(tmp_path, every_epochs=2)
    with trial.run:
        for epoch in trial.run.epochs(EPOCHS):
            trial.run.record(aucs=float(epoch))
            if epoch == 2:
                break
    assert "before its end" not in log.text and log.text.count("complete") == 1
    assert {path.name for path in tmp_path.glob("*.pth")} >= {"checkpoint_best.pth", "checkpoint_epoch_2.pth"}
    again = Trial(tmp_path, every_epochs=2).train(EPOCHS)
    assert again.trained == [] and log.text.count("complete") == 2
    assert Trial(tmp_path, resume=str(tmp_path / "checkpoint_latest.pth")).train(EPOCHS).trained[0] == (3, 1)


def test_a_loop_left_by_an_error_is_interrupted_whoever_handles_it(tmp_path: Path, log: Lines) -> None:
    def train() -> None:
        for epoch in trial.run.epochs(EPOCHS):
            if epoch == 2:
                raise BrokenOffError

    trial = Trial(tmp_path)
    with trial.run, suppress(BrokenOffError):
        train()
    assert "before its end" in log.text
    assert Trial(tmp_path).train(EPOCHS).trained[0] == (1, 1)  # no second was over


def test_a_progress_bar_around_the_epochs_may_be_left_by_break(tmp_path: Path) -> None:
    def bar(epochs: Iterable[int]) -> Iterator[int]:
        yield from epochs

    def other_bar(epochs: Iterable[int]) -> Iterator[int]:
        for epoch in epochs:  # noqa: UP028
            yield epoch

    for number, around in enumerate((bar, other_bar, enumerate)):
        trial = Trial(tmp_path / str(number))
        with trial.run:
            for _ in around(trial.run.epochs(EPOCHS)):
                break
        assert Trial(tmp_path / str(number)).train(EPOCHS).trained == []


@pytest.mark.parametrize("where", ["prologue", "validation"])
def test_a_stop_among_short_epochs_loses_none_of_them(tmp_path: Path, where: str) -> None:
    def visit(place: str) -> None:
        if place == f"{where} 7":
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(unbroken.Stopped) as stopped:
        Trial(tmp_path, asks=False).train(20, visit)
    assert stopped.value.code == 75
    assert Trial(tmp_path).train(20).trained[0][0] >= 7


def test_short_epochs_are_saved_once_a_second_and_the_last_and_the_best_in_any_case(tmp_path: Path, log: Lines) -> None:
    trial = Trial(tmp_path)
    with trial.run:
        for epoch in trial.run.epochs(40):
            trial.run.record(aucs=float(-abs(epoch - 20)))
    saved = [line for line in log.lines if line.startswith("Saved")]
    assert len(saved) < 10
    best = unbroken.load(tmp_path / "checkpoint_best.pth")
    assert (best["epoch"], best["best_epoch"]) == (20, 20)
    assert unbroken.load(tmp_path / "checkpoint_latest.pth")["epoch"] == 40


def test_leaving_the_batches_early_ends_the_epoch(tmp_path: Path) -> None:
    model = nn.Linear(3, 1)
    run = unbroken.Run(tmp_path, every_steps=1)
    run.track(model=model)
    seen: list[tuple[int, int]] = []
    with run:
        for epoch in run.epochs(2):
            for _ in run.batches(DataLoader(data(), batch_size=4)):
                seen.append((epoch, run.batch))
                if run.batch == 2:
                    break
    assert seen == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert unbroken.load(tmp_path / "checkpoint_latest.pth")["unbroken"]["step"] == 4


def test_a_second_loop_of_an_epoch_runs_whole_with_positioned_randomness(tmp_path: Path) -> None:
    def train(folder: Path, stop: bool) -> list[list[float]]:
        model = nn.Linear(3, 1)
        run = unbroken.Run(folder, every_steps=1)
        run.track(model=model)
        orders: list[list[float]] = []
        with run:
            for _ in run.epochs(2):
                for _ in run.batches(DataLoader(data(), batch_size=4, shuffle=True)):
                    pass
                orders.append([])
                for x, _ in run.batches(DataLoader(data(), batch_size=4, shuffle=True)):
                    orders[-1].append(float(x[0, 0]))
                    if stop and run.epoch == 2:
                        raise BrokenOffError
        return orders

    whole = train(tmp_path / "whole", False)
    assert whole[0] != whole[1]
    with pytest.raises(BrokenOffError):
        train(tmp_path / "broken", True)
    assert train(tmp_path / "broken", False) == whole[1:]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
@pytest.mark.parametrize("place", ["prologue 2", "batch 2 3", "validation 2"])
def test_a_stop_signal_saves_and_stops_with_75(
    tmp_path: Path, whole: Any, log: Lines, number: signal.Signals, place: str
) -> None:
    before = signal.getsignal(number)

    def visit(here: str) -> None:
        if here == place:
            os.kill(os.getpid(), number)

    trial = Trial(tmp_path)
    with pytest.raises(unbroken.Stopped) as stopped:
        trial.train(EPOCHS, visit)
    assert stopped.value.code == 75
    assert signal.getsignal(number) == before
    assert number.name in log.text and "before its end" not in log.text
    last = {"prologue 2": (1, 5), "batch 2 3": (2, 3), "validation 2": (2, 5)}[place]
    saved = {(1, 5): (2, 1), (2, 3): (2, 4), (2, 5): (2, 5)}[last]
    # While the state was written it trained on, with steps that the resume has to train again.
    assert saved in trial.trained
    log.lines.clear()
    resumed = Trial(tmp_path).train(EPOCHS)
    assert resumed.trained[0] == saved
    assert equal_bits(copy_to_host(resumed.result()), whole) is None
    again = len(trial.trained) - trial.trained.index(saved)
    assert f"已重放 {again} 步，与中断前逐位一致" in log.text


class Signalling:
    """Sends SIGTERM to the process while its state is copied at the end of the epoch ``at``."""

    def __init__(self, run: unbroken.Run, at: int) -> None:
        self._run, self._at = run, at

    def state_dict(self) -> dict[str, int]:
        if self._run.epoch == self._at and self._run.batch == 0:
            self._at = -1
            os.kill(os.getpid(), signal.SIGTERM)
        return {"at": self._at}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self._at = state["at"]


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_signal_that_comes_while_an_epoch_s_end_is_saved_stops_the_process(tmp_path: Path, epoch: int) -> None:
    def train(at: int) -> int:
        run = unbroken.Run(tmp_path, seed=1, every_epochs=1)
        run.track(model=torch.nn.Linear(1, 1), signalling=Signalling(run, at))
        for _ in run.epochs(2):
            for _ in run.batches(DataLoader(TensorDataset(torch.ones(4, 1)), batch_size=2)):
                pass
        run.close()
        return run.epoch

    with pytest.raises(unbroken.Stopped) as stopped:
        train(epoch)
    assert stopped.value.code == 75
    assert train(-1) == 2


def test_a_spent_time_budget_stops_with_75(tmp_path: Path, log: Lines) -> None:
    trial = Trial(tmp_path, stop_after=1e-9)
    with pytest.raises(unbroken.Stopped) as stopped:
        trial.train(EPOCHS)
    assert stopped.value.code == 75 and trial.trained[0] == (1, 1) and len(trial.trained) < 5
    assert Trial(tmp_path).train(1).trained[0] == (1, 1)


def test_the_seed_of_the_first_process_stays(tmp_path: Path) -> None:
    first = Trial(tmp_path, seed=77)
    first.train(1)
    second = Trial(tmp_path, seed=78)
    second.train(2)
    assert second.run.seed == 77


def test_a_seed_of_numpys_is_the_same_after_a_resume(tmp_path: Path) -> None:
    """Seeds that NumPy's SeedSequence makes have 32 bits, and a type of their own."""
    whole = Trial(tmp_path / "whole", seed=np.uint32(7)).train(EPOCHS).result()
    with pytest.raises(BrokenOffError):
        Trial(tmp_path / "broken", seed=np.uint32(7), every_steps=1).train(EPOCHS, break_off_at("batch 2 3"))
    resumed = Trial(tmp_path / "broken", seed=np.uint32(7)).train(EPOCHS)
    assert type(resumed.run.seed) is int
    assert equal_bits(resumed.result(), whole) is None


@pytest.mark.parametrize(
    "options",
    [
        {"every_epochs": 0},
        {"every_steps": -1},
        {"every": "soon"},
        {"every": 0},
        {"every": [1]},
        {"keep": 0},
        {"keep": "3"},
        {"best": 3},
        {"best": "epoch"},
        {"config": argparse.Namespace(lr=0.1)},
        {"data": 5},
        {"data": ["prices.csv", 5]},
        {"resume": None},
        {"resume": True},
        {"resume": "latest"},
        {"stop_after": "1 week"},
        {"seed": 1.5},
        {"seed": "seven"},
        {"seed": 2**200},
    ],
)
def test_an_argument_out_of_range_is_one_clear_error(tmp_path: Path, options: dict[str, Any]) -> None:
    option, value = next(iter(options.items()))
    with pytest.raises(unbroken.UsageError, match=f"{option}|'{value}'"):
        unbroken.Run(tmp_path, **options)


@pytest.mark.parametrize("place", ["batch 1 2", "validation 1"])
def test_a_run_closed_inside_its_loop_says_so(tmp_path: Path, place: str) -> None:
    trial = Trial(tmp_path)

    def visit(here: str) -> None:
        if here == place:
            trial.run.close()

    with pytest.raises(unbroken.UsageError, match="closed"):
        trial.train(2, visit)
    assert trial.trained[-1] == ((1, 2) if place == "batch 1 2" else (1, PER_EPOCH))


def test_a_forked_child_that_ends_says_nothing_of_its_parents_run(tmp_path: Path, log: Lines) -> None:
    trial = Trial(tmp_path)

    def visit(here: str) -> None:
        if here == "batch 1 2":
            child = multiprocessing.get_context("fork").Process(target=trial.run.close)
            child.start()
            child.join(60)
            assert child.exitcode == 0

    trial.train(1, visit)
    assert trial.trained[-1] == (1, PER_EPOCH)


def test_the_loop_alone_keeps_its_run_alive(tmp_path: Path) -> None:
    def epochs() -> Any:
        run = unbroken.Run(tmp_path)
        run.track(model=nn.Linear(1, 1))
        return run.epochs(2)

    assert list(epochs()) == [1, 2]


def test_a_number_beyond_all_floats_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(unbroken.UsageError):
        unbroken.Run(tmp_path, every=10**400)
    with pytest.raises(unbroken.UsageError):
        unbroken.Run(tmp_path, keep_space="9" * 400 + "GB")
    run = unbroken.Run(tmp_path)
    with pytest.raises(unbroken.UsageError):
        run.record(x=10**400)
    with pytest.raises(unbroken.UsageError):
        run.average(10**400, x=1)


def test_a_best_metric_that_is_never_recorded_is_said_once(tmp_path: Path, log: Lines) -> None:
    Trial(tmp_path, best="auc").train(3)
    assert log.text.count("best='auc' was not recorded") == 1


def test_objects_without_names_are_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(unbroken.UsageError, match="name for each object"):
        unbroken.Run(tmp_path).track(nn.Linear(1, 1))


def test_misplaced_calls_are_clear_errors(tmp_path: Path) -> None:
    trial = Trial(tmp_path)
    with pytest.raises(unbroken.UsageError, match=r"run\.epochs"):
        trial.run.batches(trial.loader)
    for _ in trial.run.epochs(1):
        with pytest.raises(unbroken.UsageError, match="leave out steps"):
            trial.run.batches(trial.loader, steps=3)


@pytest.mark.parametrize("ending", ["whole", "error", "stop"])
def test_a_run_that_nobody_holds_any_more_gives_its_folder_free(tmp_path: Path, log: Lines, ending: str) -> None:
    """As in a notebook, where the cell that makes the run is run again."""
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    trial = Trial(tmp_path)

    def cell() -> None:
        for _ in trial.run.epochs(2):
            for _ in trial.run.batches(trial.loader):
                if ending == "error":
                    raise BrokenOffError
                if ending == "stop":
                    os.kill(os.getpid(), signal.SIGTERM)

    left: list[BaseException] = []
    try:
        cell()
    except (BrokenOffError, unbroken.Stopped) as error:
        left.append(error)  # its traceback keeps the loop alive, as a notebook does
    trial = Trial(tmp_path)
    cell_error = None if ending == "whole" else type(left[0])
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
    assert ("before its end" in log.text) == (ending == "error")
    if cell_error is None:
        cell()
    else:
        with pytest.raises(cell_error):
            cell()
    trial.run.close()  # not when it is collected: in a later test, which would hear of it


def test_tracking_too_late_is_a_clear_error(tmp_path: Path) -> None:
    trial = Trial(tmp_path)

    def visit(place: str) -> None:
        with pytest.raises(unbroken.UsageError, match="late"):
            trial.run.track(late=trial.model)

    trial.train(1, visit)


def test_a_state_that_cannot_be_saved_is_loud_and_training_goes_on(tmp_path: Path, log: Lines) -> None:
    trial = Trial(tmp_path)
    notes: list[Any] = []
    trial.run.state["notes"] = notes

    def visit(place: str) -> None:
        if place == "batch 2 1":
            notes.append(object())
        if place == "batch 4 1":
            notes.clear()

    trial.train(EPOCHS, visit)
    assert len(trial.trained) == EPOCHS * PER_EPOCH
    assert "SAVING FAILED" in log.text and "notes" in log.text
    assert unbroken.load(tmp_path / "checkpoint_latest.pth")["epoch"] == EPOCHS


@pytest.mark.parametrize("stop_at", [1, 3, 6, 7, 8, 11])
@pytest.mark.one_in(3)
def test_layers_unfrozen_in_a_prologue_stay_unfrozen_once(tmp_path: Path, stop_at: int) -> None:
    def train(folder: Path, stop_at: int | None) -> torch.Tensor:
        torch.manual_seed(4)
        model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
        optimizer = torch.optim.Adam(model[1].parameters(), lr=0.05)
        run = unbroken.Run(folder, every_steps=1, every=None)
        run.track(model=model, optimizer=optimizer)
        with run:
            for epoch in run.epochs(3):
                if epoch == 2:
                    optimizer.add_param_group({"params": model[0].parameters(), "lr": 0.01})
                for x, y in run.batches(DataLoader(data(), batch_size=4, shuffle=True)):
                    loss = nn.functional.mse_loss(model(x), y)
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    run.flush()
                    if run.step == stop_at:
                        raise BrokenOffError
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    with pytest.raises(BrokenOffError):
        train(tmp_path / "broken", stop_at)
    assert torch.equal(train(tmp_path / "broken", None), train(tmp_path / "whole", None))


def test_a_key_of_the_users_state_that_is_not_text_is_a_clear_error(tmp_path: Path) -> None:
    keys: Any = unbroken.Run(tmp_path).state
    with pytest.raises(unbroken.UnsavableStateError, match="must be text"):
        keys[1] = 2


def test_a_stop_signal_says_nothing_while_the_users_code_may_hold_a_lock_of_the_log(tmp_path: Path, log: Lines) -> None:
    """A lock that another thread holds and that is given back only when the interrupted code is left."""
    left, said = threading.Event(), []

    class Waiting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append((record.getMessage(), left.is_set()))

    handler = Waiting()
    logging.getLogger("unbroken").addHandler(handler)

    def visit(place: str) -> None:
        if place == "validation 2":
            said.clear()
            try:
                os.kill(os.getpid(), signal.SIGTERM)
                raise AssertionError("the signal was not acted on at once")
            finally:
                left.set()

    try:
        with pytest.raises(unbroken.Stopped):
            Trial(tmp_path).train(EPOCHS, visit)
    finally:
        logging.getLogger("unbroken").removeHandler(handler)
    assert any("SIGTERM" in message for message, _ in said)
    assert all(after for _, after in said), said


@pytest.mark.parametrize(("resume", "said"), [("auto", "the same command goes on"), ("never", "starts over")])
def test_what_an_error_s_way_on_says_is_true_of_the_command(tmp_path: Path, log: Lines, resume: str, said: str) -> None:
    run = unbroken.Run(tmp_path, resume=resume)
    run.track(model=nn.Linear(1, 1))
    with pytest.raises(KeyboardInterrupt), run:
        for _ in run.epochs(2):
            raise KeyboardInterrupt
    assert said in log.text


def test_a_spent_budget_is_told_as_that_also_where_no_step_comes(tmp_path: Path, log: Lines) -> None:
    run = unbroken.Run(tmp_path, stop_after=1e-6)
    run.track(model=nn.Linear(3, 1))
    with pytest.raises(unbroken.Stopped), run:
        for epoch in run.epochs(100):
            assert epoch < 5
    assert "budget" in log.text and "SIGTERM" not in log.text


def test_a_state_that_no_resume_would_take_is_refused_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: None)  # as from a system that tells it in another way
    visited: list[str] = []
    with pytest.raises(unbroken.UsageError, match=r"unbroken\.environment.*machine"):
        Trial(tmp_path).train(2, visited.append)
    assert not [place for place in visited if place.startswith("batch")]
