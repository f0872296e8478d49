"""``unbroken list``: every checkpoint, newest first, with its state, from manifests alone."""

import os
import re
from pathlib import Path

import pytest
import torch

from tests.cli.conftest import Command
from tests.cli.damage import cut
from tests.store.states import plain_state, put, put_with_manifest, state
from unbroken.store.aside import archive_run
from unbroken.store.folder import CheckpointFolder
from unbroken.store.payload import ForkPoint
from unbroken.store.record import RunRecord, write_run_record


def names(out: str) -> list[str]:
    """First cells of the table's rows."""
    return re.findall(r"^([\w.]+\.pth) ", out, re.MULTILINE)


def test_newest_first_whatever_clocks_and_names_say(run: CheckpointFolder, unbroken: Command) -> None:
    for at, path in enumerate((run.latest, run.previous, run.epoch(15), run.best, run.epoch(10), run.epoch(5))):
        os.utime(path, (at, at))
    assert names(unbroken("list").out) == [
        "checkpoint_latest.pth",
        "checkpoint_previous.pth",
        "checkpoint_epoch_15.pth",
        "checkpoint_best.pth",
        "checkpoint_epoch_10.pth",
        "checkpoint_epoch_5.pth",
    ]


def test_a_row_says_where_training_stood(run: CheckpointFolder, unbroken: Command) -> None:
    size = f"{run.latest.stat().st_size / 1000:.1f}"
    cells = unbroken("list").row("checkpoint_latest.pth")
    assert cells[:4] == ["checkpoint_latest.pth", "15", "4/10", "154"]
    assert cells[4:] == ["1.500000", "(15)", size, "kB", "2026-01-02", "03:04:05", "good"]
    assert unbroken("list").row("checkpoint_epoch_5.pth")[:4] == ["checkpoint_epoch_5.pth", "5", "-", "50"]


def test_before_there_is_a_best(folder: CheckpointFolder, unbroken: Command) -> None:
    put_with_manifest(folder, folder.latest, state(0))
    assert unbroken("list").row("checkpoint_latest.pth")[4] == "-"
    assert unbroken("list", "--json").json["checkpoints"][0]["best"] is None


def test_without_its_manifest_a_file_is_unverified(run: CheckpointFolder, unbroken: Command) -> None:
    run.manifest("checkpoint_epoch_5.pth").unlink()
    os.utime(run.epoch(10))
    said = unbroken("list")
    assert said.row("checkpoint_epoch_5.pth")[-1] == "unverified"
    assert said.row("checkpoint_epoch_10.pth")[-1] == "unverified"
    assert said.row("checkpoint_epoch_15.pth")[-1] == "good"


def test_a_damaged_file_stands_where_it_was_and_says_why(run: CheckpointFolder, unbroken: Command) -> None:
    cut(run.latest)
    said = unbroken("list")
    assert said.code == 0
    assert names(said.out)[0] == "checkpoint_latest.pth"
    assert said.row("checkpoint_latest.pth")[2:4] == ["4/10", "154"]
    assert said.row("checkpoint_latest.pth")[-1] == "damaged"
    assert "checkpoints/checkpoint_latest.pth was not loaded: the file is cut off" in said.out


def test_a_damaged_file_without_a_manifest_comes_last(run: CheckpointFolder, unbroken: Command) -> None:
    cut(run.latest)
    run.manifest(run.latest.name).unlink()
    said = unbroken("list")
    assert names(said.out)[-1] == "checkpoint_latest.pth"
    assert said.row("checkpoint_latest.pth")[1:4] == ["-", "-", "-"]


def test_other_weights_in_the_folder_are_not_damage(run: CheckpointFolder, unbroken: Command) -> None:
    torch.save({"weight": torch.ones(3)}, run.path / "other.pth")
    said = unbroken("list")
    assert said.row("other.pth")[-3:] == ["not", "a", "checkpoint"]
    assert "was not loaded" not in said.out


def test_a_plain_checkpoint_is_listed(folder: CheckpointFolder, unbroken: Command) -> None:
    put(folder.epoch(3), plain_state(3))
    assert unbroken("list").row("checkpoint_epoch_3.pth")[1:4] == ["3", "-", "0"]
    entry = unbroken("list", "--json").json["checkpoints"][0]
    assert (entry["epoch"], entry["run_id"], entry["state"]) == (3, None, "unverified")


def test_runs_and_branches_are_told_apart(folder: CheckpointFolder, unbroken: Command) -> None:
    write_run_record(folder, RunRecord("run-a", 1, "", ""))
    put_with_manifest(folder, folder.latest, state(4, branch=1, parent=ForkPoint("run-a", 0, 3, 0, 30)))
    put_with_manifest(folder, folder.epoch(9), state(9))
    put_with_manifest(folder, folder.path / "other.pth", state(20, run="run-b"))
    said = unbroken("list")
    assert names(said.out) == ["checkpoint_latest.pth", "checkpoint_epoch_9.pth", "other.pth"]
    assert said.row("checkpoint_latest.pth")[-2:] == ["1", "run-a"]
    assert said.row("checkpoint_epoch_9.pth")[-2:] == ["0", "run-a"]
    assert said.row("other.pth")[-2:] == ["0", "run-b"]


def test_the_folders_own_run_comes_first(run: CheckpointFolder, unbroken: Command) -> None:
    later = state(1, run="run-0")
    later["timestamp"] = "2027-01-01 00:00:00"
    put_with_manifest(run, run.path / "other.pth", later)
    assert names(unbroken("list").out)[0] == "checkpoint_latest.pth"
    assert names(unbroken("list").out)[-1] == "other.pth"
    run.run_json.unlink()
    assert names(unbroken("list").out)[0] == "other.pth"


def test_several_runs_and_no_record_are_listed_all_the_same(folder: CheckpointFolder, unbroken: Command) -> None:
    put_with_manifest(folder, folder.latest, state(4))
    put_with_manifest(folder, folder.path / "other.pth", state(2, run="run-b"))
    torch.save([1], folder.path / "other.list.pth")
    assert len(names(unbroken("list").out)) == 3


def test_what_lies_aside_is_pointed_out(run: CheckpointFolder, unbroken: Command) -> None:
    run.set_aside(run.epoch(5), "damaged")
    archived = archive_run(run, "run-a")
    put_with_manifest(run, run.latest, state(1, run="run-b"))
    put(run.epoch(1), state(1, run="run-b"))
    aside = run.set_aside(run.epoch(1), "damaged")
    said = unbroken("list")
    assert f"{archived} (5 files); to look into it: unbroken list {archived}" in said.out
    assert f"Set aside as damaged: {aside}" in said.out
    found = unbroken("list", "--json").json
    assert (found["archived"], found["set_aside"]) == ([str(archived)], [str(aside)])
    assert len(names(unbroken("list", archived).out)) == 5


def test_json(run: CheckpointFolder, unbroken: Command) -> None:
    cut(run.epoch(5))
    found = unbroken("list", "--json").json
    assert found["folder"] == "checkpoints"
    newest, *_, oldest = found["checkpoints"]
    assert newest == {
        "file": "checkpoint_latest.pth",
        "path": "checkpoints/checkpoint_latest.pth",
        "state": "good",
        "reason": None,
        "size": run.latest.stat().st_size,
        "run_id": "run-a",
        "branch": 0,
        "epoch": 15,
        "batch": 4,
        "batches": 10,
        "step": 154,
        "saved_on": "epoch",
        "finished": None,
        "timestamp": "2026-01-02 03:04:05",
        "metrics": {"train_losses": 1.0, "val_losses": 1.0, "aucs": 1.5},
        "best": {"value": 1.5, "epoch": 15},
        "digest": newest["digest"],
        "kept": False,
        "verified_on": None,
        "verified_good": None,
    }
    assert newest["digest"].startswith("xxh3_128:")
    assert oldest["state"] == "damaged"
    assert "cut off" in oldest["reason"]


def test_a_nan_is_json_all_the_same(folder: CheckpointFolder, unbroken: Command) -> None:
    put_with_manifest(folder, folder.latest, state(2, aucs=[0.5, float("nan")]))
    assert unbroken("list", "--json").json["checkpoints"][0]["metrics"]["aucs"] is None


class TestNothingFound:
    """What was looked for, where, what is there instead, and what to run next."""

    def test_no_folder(self, unbroken: Command, here: Path) -> None:
        said = unbroken("list")
        assert said.code == 3
        assert f"Looked for {here}/checkpoints/*.pth: that folder does not exist." in said.err
        assert f"There are no preprocessed data either ({here}/processed_data.npz)." in said.err
        assert "Start your training script" in said.err

    def test_the_training_program_is_named_where_it_is(self, unbroken: Command, here: Path) -> None:
        (here / "Training.py").write_text("")
        assert "To start training, run: python Training.py" in unbroken("list").err

    def test_an_empty_folder_and_a_cache(self, unbroken: Command, here: Path) -> None:
        (here / "checkpoints").mkdir()
        (here / "processed_data.npz").write_bytes(b"1234")
        said = unbroken("list")
        assert "that folder is empty" in said.err
        assert f"The preprocessed data are there: {here}/processed_data.npz (4 B)" in said.err

    def test_other_files(self, unbroken: Command, here: Path) -> None:
        (here / "checkpoints").mkdir()
        for name in "abcdefgh":
            (here / "checkpoints" / name).write_text("")
        assert "that folder holds only a, b, c, d, e, f, …" in unbroken("list").err

    def test_another_folder_has_them(self, run: CheckpointFolder, unbroken: Command, here: Path) -> None:
        (here / "results").mkdir()
        assert "run: unbroken list checkpoints" in unbroken("list", "results").err

    @pytest.mark.parametrize("command", ["list", "verify", "resume-point"])
    def test_only_archived_runs(self, run: CheckpointFolder, unbroken: Command, command: str) -> None:
        archived = archive_run(run, "run a")
        said = unbroken(command)
        assert said.code == 3
        assert f"run: unbroken list {archived}" in said.err

    def test_in_chinese(self, unbroken: Command) -> None:
        said = unbroken("list", "--lang", "zh")
        assert said.err.startswith("没有找到检查点。查找了 ")
        assert "该文件夹不存在" in said.err


def test_a_file_is_shown_and_not_listed(tmp_path: Path, unbroken: Command) -> None:
    folder = CheckpointFolder(tmp_path)
    folder.prepare()
    said = unbroken("list", str(put_with_manifest(folder, folder.latest, state(1))))
    assert said.code == 2
    assert "unbroken show" in said.err and "move it away" not in said.err
