"""What the guide tells its reader to mind, minded by the software: S18 to S23, S25, S26."""

import json
import re
from pathlib import Path

import pytest
import torch

import unbroken
from tests.contract.commands import (
    DAMAGED,
    DONE,
    NOTHING_TO_RESUME,
    REFUSED,
    USAGE,
    assert_refused,
    digests,
    run,
)
from tests.contract.conftest import EPOCHS, TASK, Copy, Trained, real_panel


def test_s18_other_data_are_refused_naming_both(finished: Trained, copy: Copy) -> None:
    folder = copy(finished)
    (folder / "newer.csv").write_text(real_panel(days=190), encoding="utf-8")
    before = digests(folder / "checkpoints")
    ended = run(folder, "resume_training.py", "--data", "newer.csv", "--epochs", str(EPOCHS + 1))
    assert_refused(ended, REFUSED, "panel.csv", "newer.csv", "--allow-changed-data")
    assert len(set(re.findall(r"xxh3_128:[0-9a-f]+|[0-9a-f]{12,}", ended.err))) >= 2
    assert digests(folder / "checkpoints") == before


@pytest.mark.slow
def test_s18_a_file_of_the_same_name_is_known_by_its_content_and_one_flag_overrides(
    finished: Trained, copy: Copy
) -> None:
    folder = copy(finished)
    (folder / "panel.csv").write_text(real_panel(days=190), encoding="utf-8")
    more = ("--epochs", str(EPOCHS + 1))
    assert run(folder, "resume_training.py", *more).code == REFUSED
    allowed = run(folder, "resume_training.py", *more, "--allow-changed-data")
    assert allowed.code == DONE and "Going on with other data" in allowed.out, allowed.said
    assert "Use the same data" not in allowed.said  # it was asked for
    moved = folder / "renamed.csv"
    (folder / "panel.csv").rename(moved)
    more = ("--epochs", str(EPOCHS + 2))
    assert run(folder, "resume_training.py", *more, "--data", moved.name).code == DONE  # the name does not count


@pytest.mark.slow
def test_s18_after_a_refusal_the_right_data_are_not_preprocessed_again(finished: Trained, copy: Copy) -> None:
    folder = copy(finished)
    (folder / "newer.csv").write_text(real_panel(days=190), encoding="utf-8")
    assert run(folder, "resume_training.py", "--data", "newer.csv").code == REFUSED
    ended = run(folder, "resume_training.py")
    assert ended.code == DONE, ended.said
    assert "Data preprocessed" not in ended.out


def test_s19_what_changed_in_the_environment_is_shown(interrupted: Trained, by_hand: Trained) -> None:
    recorded = interrupted.payload("latest")["unbroken"]["environment"]
    assert recorded["torch"] == torch.__version__ and recorded["package market-calendar"] == "1.0"
    shown = [line for line in by_hand.ended.out.splitlines() if line.startswith("环境")]
    assert any("package market-calendar" in line and "1.0 → 2.0" in line for line in shown), by_hand.ended.out
    assert any("threads" in line and "1 → 2" in line for line in shown)
    assert len(shown) == 1
    assert by_hand.payload("latest")["unbroken"]["environment"]["package market-calendar"] == "2.0"


def test_s19_nothing_is_shown_where_nothing_changed(resumed: Trained) -> None:
    assert "Environment" not in resumed.ended.out


@pytest.mark.slow
def test_s21_the_retention_policy_keeps_the_newest_and_the_best(fresh: Path) -> None:
    ended = run(fresh, "Training.py", *TASK, "--epochs", "5", "--checkpoint-freq", "1", "--keep", "2")
    assert ended.code == DONE, ended.said
    left = {path.name for path in (fresh / "checkpoints").glob("*.pth")}
    assert {"checkpoint_epoch_4.pth", "checkpoint_epoch_5.pth"} <= left
    assert not left & {"checkpoint_epoch_1.pth", "checkpoint_epoch_2.pth"} or ended.out.count("Deleted") >= 2
    assert {"checkpoint_latest.pth", "checkpoint_previous.pth", "checkpoint_best.pth"} <= left
    for number in range(1, 6):
        gone = f"checkpoint_epoch_{number}.pth" not in left
        assert gone == (f"Deleted by the retention policy: checkpoint_epoch_{number}.pth" in ended.out)


def test_s21_prune_shows_what_it_would_delete_first(finished: Trained, copy: Copy) -> None:
    folder = copy(finished)
    before = digests(folder)
    shown = run(folder, "unbroken", "prune", "--keep", "1", "--dry-run")
    assert shown.code == DONE and "checkpoint_epoch_5.pth" in shown.out, shown.said
    assert digests(folder) == before
    unasked = run(folder, "unbroken", "prune", "--keep", "1")
    assert unasked.code == USAGE and "checkpoint_epoch_5.pth" in unasked.out and "--yes" in unasked.err
    assert digests(folder) == before
    done = run(folder, "unbroken", "prune", "--keep", "1", "--yes")
    assert done.code == DONE, done.said
    left = {path.name for path in (folder / "checkpoints").glob("*.pth")}
    assert left == {path.name for path in finished.folder.rglob("*.pth")} - {"checkpoint_epoch_5.pth"}


def test_s22_no_checkpoint_says_where_it_looked_what_it_found_and_what_to_run(fresh: Path) -> None:
    before = digests(fresh)
    ended = run(fresh, "resume_training.py")
    assert_refused(
        ended, NOTHING_TO_RESUME, "*.pth in checkpoints", "no such folder", "processed_data.npz", "python Training.py"
    )
    assert digests(fresh) == before and not (fresh / "checkpoints").exists()


def test_s22_what_else_is_there_is_named(finished: Trained, copy: Copy) -> None:
    folder = copy(finished)
    for path in (folder / "checkpoints").glob("*.pth"):
        path.unlink()
    (folder / "checkpoints" / "notes.txt").touch()
    before = digests(folder)
    ended = run(folder, "resume_training.py")
    assert_refused(ended, NOTHING_TO_RESUME, "notes.txt", "processed_data.npz are there", "python Training.py")
    assert digests(folder) == before
    for command in ("list", "resume-point", "verify"):
        said = run(folder, "unbroken", command)
        assert said.code == NOTHING_TO_RESUME and "checkpoints" in said.err, said.said


def test_s23_damage_is_found_before_loading_and_the_newest_good_one_is_taken(interrupted: Trained, copy: Copy) -> None:
    folder = copy(interrupted)
    latest = folder / "checkpoints" / "checkpoint_latest.pth"
    content = bytearray(latest.read_bytes())
    content[len(content) // 2] ^= 1
    latest.write_bytes(content)
    verified = run(folder, "unbroken", "verify")
    assert verified.code == DAMAGED and "checkpoint_latest.pth" in verified.said, verified.said
    good = interrupted.payload("previous")
    ended = run(folder, "resume_training.py", "--epochs", str(good["epoch"] + 1))
    assert ended.code == DONE, ended.said
    fell_back = next(line for line in ended.out.splitlines() if "is damaged and was set aside" in line)
    assert "checkpoint_latest.pth" in fell_back and "checksum mismatch" in fell_back
    assert f"恢复训练，从 epoch {good['epoch'] + 1} 开始" in ended.out
    batch = good["unbroken"]["batch"]
    assert (f"第 {good['epoch'] + 1} 轮已完成 {batch}/" in ended.out) == (batch > 0)
    assert bytes(content) in {path.read_bytes() for path in (folder / "checkpoints").rglob("*damaged*")}


def test_s23_all_damaged_is_said_and_never_a_fresh_start(finished: Trained, copy: Copy) -> None:
    folder = copy(finished)
    for path in (folder / "checkpoints").glob("*.pth"):
        path.write_bytes(path.read_bytes()[:-1000])
    before = digests(folder)
    ended = run(folder, "resume_training.py", *TASK)
    assert_refused(ended, DAMAGED, "No checkpoint in checkpoints can be loaded", "cut off", "backup")
    assert digests(folder) == before


def test_s25_a_backup_is_verified_after_the_copy(finished: Trained, copy: Copy) -> None:
    folder = copy(finished)
    ended = run(folder, "unbroken", "backup", "checkpoints", "safe", "--json")
    assert ended.code == DONE, ended.said
    names = {path.name for path in (folder / "checkpoints").glob("*.pth")}
    for name in names:
        assert (folder / "safe" / name).read_bytes() == (folder / "checkpoints" / name).read_bytes()
    assert {Path(entry["file"]).name for entry in json.loads(ended.out)["copied"]} == names
    verified = run(folder, "unbroken", "verify", "safe")
    assert verified.code == DONE, verified.said


def test_s25_a_damaged_file_never_replaces_a_good_backup(finished: Trained, copy: Copy) -> None:
    folder = copy(finished)
    assert run(folder, "unbroken", "backup", "checkpoints", "safe").code == DONE
    best = folder / "checkpoints" / "checkpoint_best.pth"
    good = best.read_bytes()
    best.write_bytes(good[:1000])
    ended = run(folder, "unbroken", "backup", "checkpoints", "safe")
    assert ended.code == DAMAGED and "checkpoint_best.pth" in ended.said
    assert (folder / "safe" / "checkpoint_best.pth").read_bytes() == good


def test_s26_parameters_are_in_the_log_and_in_every_checkpoint(finished: Trained) -> None:
    logged = re.search(r"Parameters: (\{.*\})", finished.log)
    assert logged is not None
    parameters = json.loads(logged[1])
    assert parameters["epochs"] == EPOCHS and parameters["batch_size"] == 8 and parameters["lr"] == 3e-4
    for path in (finished.folder / "checkpoints").glob("*.pth"):
        config = unbroken.load(path)["unbroken"]["config"]
        assert {name: config[name] for name in parameters} == parameters, path.name


def test_s26_what_changed_is_shown_on_resume(interrupted: Trained, by_hand: Trained, resumed: Trained) -> None:
    shown = [line for line in by_hand.ended.out.splitlines() if line.startswith("参数 ")]
    next_epoch = interrupted.payload("latest")["epoch"] + 1
    assert any("lr：0.0003 → 0.001" in line for line in shown), by_hand.ended.out
    assert any(f"epochs：{EPOCHS} → {next_epoch}" in line for line in shown)
    assert any("threads：1 → 2" in line for line in shown)
    assert len(shown) == 3
    assert by_hand.payload("latest")["optimizer_state_dict"]["param_groups"][0]["lr"] == 0.001
    assert "Parameter " not in resumed.ended.out
