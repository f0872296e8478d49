"""Each start of a run is a row in its record: from where, how the one before ended, what was lost, what has changed."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

import unbroken
from tests.run.loop import BrokenOffError, Trial, break_off_at
from unbroken.store.figures import read_figures
from unbroken.store.folder import CheckpointFolder
from unbroken.store.forecast import Plan
from unbroken.store.record import read_run_record
from unbroken.store.starts import Start


def starts(folder: Path) -> tuple[Start, ...]:
    record = read_run_record(CheckpointFolder(folder))
    assert record is not None and record.starts is not None
    assert record.starts.count == len(record.starts.last)
    return record.starts.last


def break_off(folder: Path, place: str, **options: Any) -> None:
    with pytest.raises(BrokenOffError):
        Trial(folder, **options).train(4, break_off_at(place))


def stop(folder: Path, place: str) -> None:
    def visit(here: str) -> None:
        if here == place:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(unbroken.Stopped):
        Trial(folder).train(4, visit)


def test_a_fresh_start_is_one_and_says_what_it_keeps(tmp_path: Path) -> None:
    Trial(tmp_path, every_epochs=2, keep=3, keep_space="1GB").train(1)
    [only] = starts(tmp_path)
    assert (only.ended, only.file, only.step, only.lost, only.changes) == ("begun", "", 0, None, ())
    assert (only.keeping, only.processes) == (Plan(2, 3, 10**9), 1)
    assert only.version == unbroken.__version__


def test_what_was_lost_is_counted_and_its_proof_is_that_of_the_start(tmp_path: Path) -> None:
    break_off(tmp_path, "batch 3 4")
    Trial(tmp_path, every_steps=1).train(4)
    _, second = starts(tmp_path)
    assert (second.ended, second.file, second.epoch, second.step) == ("broken_off", "checkpoint_latest.pth", 2, 10)
    assert second.reached in (13, 14) and second.lost == second.reached - 10
    [proof] = torch.load(tmp_path / "checkpoint_latest.pth", weights_only=True)["unbroken"]["replays"]
    assert (proof["start"], proof["after"], proof["difference"]) == (second.generation, 10, None)


def test_each_start_is_a_row_though_nothing_was_saved_in_between(tmp_path: Path) -> None:
    break_off(tmp_path, "batch 2 2")
    for _ in range(3):
        break_off(tmp_path, "batch 2 3")
    rows = starts(tmp_path)
    assert [start.step for start in rows] == [0, 5, 5, 5]
    assert [start.ended for start in rows] == ["begun", *["broken_off"] * 3]
    _, first, second, third = (start.reached for start in rows)
    assert first is not None and second is not None and 5 < first < second
    assert third is None  # the one before got as far as the one before that, or less far


def test_a_process_that_is_killed_before_it_saves_is_not_told_as_the_stop_before_it(tmp_path: Path) -> None:
    stop(tmp_path, "batch 2 2")
    break_off(tmp_path, "batch 2 4")
    Trial(tmp_path).train(4)
    assert [start.ended for start in starts(tmp_path)] == ["begun", "signal", "broken_off"]


def test_a_stop_is_told_from_a_kill_and_from_an_end(tmp_path: Path) -> None:
    stop(tmp_path, "batch 2 2")
    Trial(tmp_path).train(4)
    Trial(tmp_path).train(5)
    assert [start.ended for start in starts(tmp_path)] == ["begun", "signal", "complete"]


def test_going_back_is_a_branch_on_the_same_record(tmp_path: Path) -> None:
    Trial(tmp_path, every_epochs=1).train(3)
    Trial(tmp_path, every_epochs=1, resume=tmp_path / "checkpoint_epoch_1.pth").train(2)
    first, second = starts(tmp_path)
    assert (first.branch, second.branch) == (0, 1)
    assert (second.ended, second.file, second.epoch, second.lost) == ("went_back", "checkpoint_epoch_1.pth", 1, None)


def test_another_run_in_the_folder_begins_with_its_own_and_the_former_keeps_its_rows(tmp_path: Path) -> None:
    break_off(tmp_path, "batch 2 2")
    Trial(tmp_path).train(2)
    Trial(tmp_path, resume="never").train(1)
    assert [start.ended for start in starts(tmp_path)] == ["begun"]
    [former] = (tmp_path / "archive").iterdir()
    assert [start.ended for start in starts(former)] == ["begun", "broken_off"]
    figures = read_figures(CheckpointFolder(former))
    assert figures is not None and figures.count >= 2


def test_what_has_changed_is_in_its_row(tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    data.write_text("1")
    folder = tmp_path / "checkpoints"
    break_off(folder, "batch 2 2", config={"lr": 0.1, "gone": 1}, data=data)
    data.write_text("2")
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(threads + 1)
        Trial(folder, config={"lr": 0.2, "new": 2}, data=data, allow_changed_data=True).train(2)
    finally:
        torch.set_num_threads(threads)
    changes = {(change.kind, change.name): (change.old, change.new) for change in starts(folder)[1].changes}
    assert changes[("config", "lr")] == ("0.1", "0.2")
    assert changes[("config", "gone")] == ("1", "") and changes[("config", "new")] == ("", "2")
    assert changes[("environment", "threads")] == (str(threads), str(threads + 1))
    assert ("data", "") in changes


def test_a_run_of_a_version_that_kept_none_is_gone_on_with(tmp_path: Path) -> None:
    break_off(tmp_path, "batch 2 2")
    record = tmp_path / ".unbroken" / "run.json"
    found = json.loads(record.read_text())
    del found["starts"]
    record.write_text(json.dumps(found))
    Trial(tmp_path).train(2)
    [only] = starts(tmp_path)
    assert (only.generation, only.ended) == (2, "broken_off")


def test_saves_are_counted_with_what_they_took(tmp_path: Path) -> None:
    Trial(tmp_path, every_steps=1).train(2)
    figures = read_figures(CheckpointFolder(tmp_path))
    assert figures is not None
    assert figures.failed == 0 and figures.count >= 10
    assert figures.points[-1].last_step == 10
    assert 0 < figures.stalled.longest < 60 and 0 < figures.seconds.longest < 60
    assert figures.points[-1].size == (tmp_path / "checkpoint_latest.pth").stat().st_size


def test_a_save_that_failed_is_counted_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial(tmp_path, every_epochs=2)

    def visit(place: str) -> None:
        if place == "prologue 2":
            (tmp_path / "checkpoint_epoch_2.pth").mkdir()  # in the way of a name

    trial.train(3, visit)
    figures = read_figures(CheckpointFolder(tmp_path))
    assert figures is not None and figures.failed == 1 < figures.count
