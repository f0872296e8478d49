"""What a restart finds: folders that stay, links, and commands with resume=PATH that are started again."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import unbroken
from tests.run.loop import BrokenOffError, Lines, Trial, break_off_at
from tests.run.scripts import run_script


def epochs_of(trial: Trial) -> list[int]:
    return sorted({epoch for epoch, _ in trial.trained})


def latest_epoch(folder: Path) -> int:
    epoch: int = unbroken.load(folder / "checkpoint_latest.pth")["epoch"]
    return epoch


# Folders


def test_a_relative_folder_stays_that_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: Lines) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    (here / "data.csv").write_text("1,2")
    monkeypatch.chdir(here)
    trial = Trial(Path("ck"), data="data.csv")
    monkeypatch.chdir(there)  # before it begins, as a script that loads its data from elsewhere does

    def visit(place: str) -> None:
        if place == "batch 2 1":
            os.chdir(tmp_path)

    trial.train(3, visit)
    assert latest_epoch(here / "ck") == 3 and not list(there.iterdir()) and not (tmp_path / "ck").exists()
    assert str(here / "ck") in log.text  # from there, its relative name would be another folder
    monkeypatch.chdir(here)
    again = Trial(Path("ck"), resume="ck/checkpoint_latest.pth", data=["data.csv"])
    monkeypatch.chdir(there)
    assert epochs_of(again.train(4)) == [4]


def test_a_path_is_told_as_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: Lines) -> None:
    monkeypatch.chdir(tmp_path)
    Trial(Path("ck"), every_epochs=1).train(2)
    Trial(Path("ck"), resume="./ck/checkpoint_epoch_1.pth").train(2)
    assert str(tmp_path) not in log.text and "Resumed from ck/checkpoint_epoch_1.pth" in log.text
    (tmp_path / "ck" / "checkpoint_latest.pth").write_bytes(b"")
    with pytest.raises(unbroken.CheckpointDamagedError):
        Trial(Path("ck"), resume="ck/checkpoint_latest.pth").train(2)


# Links


def test_latest_as_a_link_to_a_numbered_one_is_that_state(tmp_path: Path) -> None:
    Trial(tmp_path, every_epochs=1).train(3)
    latest, numbered = tmp_path / "checkpoint_latest.pth", tmp_path / "checkpoint_epoch_3.pth"
    for name in ("previous", "best"):
        (tmp_path / f"checkpoint_{name}.pth").unlink(missing_ok=True)
    latest.unlink()
    latest.symlink_to(numbered.name)
    content = numbered.read_bytes()
    assert epochs_of(Trial(tmp_path, keep=1).train(5)) == [4, 5]
    assert not latest.is_symlink() and latest_epoch(tmp_path) == 5
    assert not numbered.exists() or numbered.read_bytes() == content


@pytest.mark.parametrize("command", ["list", "verify", "resume-point", "backup"])
def test_the_commands_know_a_link_as_the_resume_does(tmp_path: Path, command: str) -> None:
    folder = tmp_path / "ck"
    Trial(folder).train(2)
    for name in ("previous", "best"):
        (folder / f"checkpoint_{name}.pth").unlink(missing_ok=True)
    (folder / "store").mkdir()
    (folder / "checkpoint_latest.pth").rename(folder / "store" / "state.bin")
    (folder / "checkpoint_latest.pth").symlink_to("store/state.bin")
    words = [command, str(folder), *([str(tmp_path / "copy")] if command == "backup" else [])]
    done = subprocess.run([sys.executable, "-m", "unbroken", *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "checkpoint_latest.pth" in done.stdout, done.stdout + done.stderr
    if command == "backup":
        copy = tmp_path / "copy" / "checkpoint_latest.pth"
        assert not copy.is_symlink() and unbroken.load(copy)["epoch"] == 2
    assert epochs_of(Trial(folder).train(3)) == [3]
    assert (folder / "store" / "state.bin").is_file() and not (folder / "checkpoint_latest.pth").is_symlink()


@pytest.mark.parametrize("command", ["resume", "list", "verify", "resume-point", "backup"])
def test_a_link_out_of_the_folder_is_refused_by_name_and_nothing_is_changed(tmp_path: Path, command: str) -> None:
    folder, elsewhere = tmp_path / "ck", tmp_path / "elsewhere.pth"
    Trial(folder, best=None).train(2)
    (folder / "checkpoint_latest.pth").rename(elsewhere)
    (folder / "checkpoint_latest.pth").symlink_to("../elsewhere.pth")
    before = {path: path.lstat().st_mtime_ns for path in [elsewhere, *folder.glob("*.pth")]}
    if command == "resume":
        with pytest.raises(unbroken.GuardError, match=r"checkpoint_latest\.pth is a link out of its folder"):
            Trial(folder).train(3)
    else:
        words = [command, str(folder), *([str(tmp_path / "copy")] if command == "backup" else [])]
        done = subprocess.run([sys.executable, "-m", "unbroken", *words], capture_output=True, text=True, timeout=60)
        said = done.stdout + done.stderr
        assert "checkpoint_latest.pth" in said and str(elsewhere) in said and "Traceback" not in said
        assert done.returncode == {"resume-point": 4, "list": 0}.get(command, 5), said
    assert {path: path.lstat().st_mtime_ns for path in before} == before
    # Both ways on work: without the link, and with a copy in its place.
    (folder / "checkpoint_latest.pth").unlink()
    (folder / "checkpoint_latest.pth").write_bytes(elsewhere.read_bytes())
    assert epochs_of(Trial(folder).train(3)) == [3]


def test_an_old_checkpoint_moved_to_another_disk_and_linked_stops_nobody(tmp_path: Path, log: Lines) -> None:
    folder, store = tmp_path / "ck", tmp_path / "store"
    Trial(folder, every_epochs=1).train(3)
    store.mkdir()
    (folder / "checkpoint_epoch_1.pth").rename(store / "e1.pth")
    (folder / "checkpoint_epoch_1.pth").symlink_to(store / "e1.pth")
    content = (store / "e1.pth").read_bytes()
    assert epochs_of(Trial(folder, every_epochs=1).train(4)) == [4]
    assert (folder / "checkpoint_epoch_1.pth").is_symlink() and (store / "e1.pth").read_bytes() == content


@pytest.mark.parametrize("leads_to", ["checkpoint_epoch_9.pth", "checkpoint_latest.pth", "/nowhere/x.pth", ".."])
def test_a_link_that_leads_to_no_file_is_named_and_never_a_fresh_start(
    tmp_path: Path, log: Lines, leads_to: str
) -> None:
    folder = tmp_path / "ck"
    Trial(folder, best=None).train(2)
    latest = folder / "checkpoint_latest.pth"
    latest.unlink()
    latest.symlink_to(leads_to)
    trial = Trial(folder).train(3)
    assert epochs_of(trial) == [2, 3]  # from the state before it
    assert "checkpoint_latest.pth is a link that cannot be used" in log.text
    for path in folder.glob("*.pth"):
        path.unlink()
    latest.symlink_to(leads_to)
    with pytest.raises(unbroken.CheckpointDamagedError, match=r"checkpoint_latest\.pth"):
        Trial(folder).train(3)
    assert latest.is_symlink()


def test_a_folder_that_is_a_link_is_that_folder_or_refused_by_name(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    (tmp_path / "ck").symlink_to("disk")
    Trial(tmp_path / "ck").train(1)
    assert epochs_of(Trial(tmp_path / "ck").train(2)) == [2] and (tmp_path / "ck").is_symlink()
    disk.rename(tmp_path / "unmounted")
    with pytest.raises(unbroken.UsageError, match=r"ck is a link to disk, which is not there"):
        Trial(tmp_path / "ck").train(3)


def test_a_run_moved_aside_takes_its_links_along(tmp_path: Path) -> None:
    folder = tmp_path / "ck"
    Trial(folder, every_epochs=1).train(2)
    elsewhere = tmp_path / "elsewhere.pth"
    (folder / "checkpoint_epoch_1.pth").rename(elsewhere)
    (folder / "checkpoint_epoch_1.pth").symlink_to("../elsewhere.pth")
    Trial(folder, resume="never").train(1)
    (moved,) = folder.glob("archive/*/checkpoint_epoch_1.pth")
    assert moved.resolve() == elsewhere and unbroken.load(elsewhere)["epoch"] == 1


# resume=PATH, started again


def interrupted(folder: Path, place: str, **options: object) -> Trial:
    trial = Trial(folder, every_epochs=1, every_steps=1, **options)
    with pytest.raises(BrokenOffError):
        trial.train(6, break_off_at(place))
    return trial


def test_the_same_command_goes_on_with_what_came_of_it(tmp_path: Path, log: Lines) -> None:
    Trial(tmp_path, every_epochs=1).train(6)
    path = tmp_path / "checkpoint_epoch_2.pth"
    assert interrupted(tmp_path, "batch 4 2", resume=path).trained[0] == (3, 1)
    assert interrupted(tmp_path, "batch 5 3", resume=path).trained[0] == (4, 2)
    assert "going on from its newest state" in log.text
    Trial(tmp_path, every_epochs=1).train(5)  # the plain command in between takes nothing away
    again = Trial(tmp_path, every_epochs=1, every_steps=1, resume=path)
    whole = Trial(tmp_path / "whole").train(6)
    assert epochs_of(again.train(6)) == [3, 4, 5, 6]  # it had come to its planned end: asked again, it goes back again
    assert again.run.history == whole.run.history


def test_and_goes_back_once_more_from_a_copy_as_it_says(tmp_path: Path, log: Lines) -> None:
    Trial(tmp_path, every_epochs=1).train(6)
    path = tmp_path / "checkpoint_epoch_2.pth"
    interrupted(tmp_path, "batch 4 2", resume=path)
    interrupted(tmp_path, "batch 4 4", resume=path)
    command = log.text.partition(": cp ")[2].splitlines()[0].split()
    subprocess.run(["cp", *command], check=True)
    assert interrupted(tmp_path, "batch 4 2", resume=command[1]).trained[0] == (3, 1)
    assert interrupted(tmp_path, "batch 4 4", resume=command[1]).trained[0] == (4, 2)


def test_a_requeued_job_never_goes_back_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Trial(tmp_path, every_epochs=1).train(4)
    path = tmp_path / "checkpoint_epoch_2.pth"
    Trial(tmp_path, every_epochs=1, resume=path).train(4)
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert Trial(tmp_path, every_epochs=1, resume=path).train(4).trained == []


@pytest.mark.parametrize("name", ["latest", "previous", "best"])
def test_a_name_whose_file_is_replaced_as_the_run_goes_on(tmp_path: Path, name: str) -> None:
    Trial(tmp_path, every_epochs=1).train(3)
    path = tmp_path / f"checkpoint_{name}.pth"
    interrupted(tmp_path, "batch 5 2", resume=path)
    assert interrupted(tmp_path, "batch 5 4", resume=path).trained[0] == (5, 2)


def test_another_file_under_the_same_name_is_another_request(tmp_path: Path) -> None:
    Trial(tmp_path / "other", every_epochs=1).train(2)
    Trial(tmp_path / "ck", every_epochs=1).train(3)
    path = tmp_path / "begin.pth"
    path.write_bytes((tmp_path / "ck" / "checkpoint_epoch_2.pth").read_bytes())
    interrupted(tmp_path / "ck", "batch 4 2", resume=path)
    path.write_bytes((tmp_path / "ck" / "checkpoint_epoch_1.pth").read_bytes())
    assert interrupted(tmp_path / "ck", "batch 4 2", resume=path).trained[0] == (2, 1)
    payload = unbroken.load(tmp_path / "other" / "checkpoint_epoch_1.pth")
    del payload["unbroken"]
    import torch

    torch.save(payload, path)  # of a plain script
    assert interrupted(tmp_path / "ck", "batch 4 2", resume=path).trained[0] == (2, 1)
    assert interrupted(tmp_path / "ck", "batch 4 4", resume=path).trained[0] == (4, 2)


def test_a_file_that_retention_has_deleted_since(tmp_path: Path, log: Lines) -> None:
    Trial(tmp_path, every_epochs=1).train(3)
    path = tmp_path / "checkpoint_epoch_1.pth"
    interrupted(tmp_path, "batch 4 2", resume=path)
    path.unlink()
    assert interrupted(tmp_path, "batch 4 4", resume=path).trained[0] == (4, 2)
    assert "no longer there" in log.text


def test_the_folder_may_move_in_between(tmp_path: Path) -> None:
    Trial(tmp_path / "a", every_epochs=1).train(4)
    interrupted(tmp_path / "a", "batch 4 2", resume=tmp_path / "a" / "checkpoint_epoch_2.pth")
    (tmp_path / "a").rename(tmp_path / "b")
    again = interrupted(tmp_path / "b", "batch 4 4", resume=tmp_path / "b" / "checkpoint_epoch_2.pth")
    assert again.trained[0] == (4, 2)


@pytest.mark.slow
def test_a_loop_of_stopped_processes_gets_to_the_end(tmp_path: Path) -> None:
    body = """
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
run = unbroken.Run("ck", every_epochs=1, every=None, resume=sys.argv[1])
run.track(model=model, optimizer=optimizer)
for epoch in run.epochs(4):
    for n, (a, b) in enumerate(run.batches(loader)):
        step(model, optimizer, a, b)
        if len(sys.argv) > 2 and run.epoch > 1 and n == 3:
            os.kill(os.getpid(), signal.SIGTERM)
print("done", run.step)
"""
    assert run_script(tmp_path, body, "auto").code == 0
    codes = [run_script(tmp_path, body, "ck/checkpoint_epoch_1.pth", "stop").code for _ in range(4)]
    assert codes == [75, 75, 75, 0]


# What the last sentence promises


def test_an_error_s_way_on_says_that_it_may_come_again(tmp_path: Path, log: Lines) -> None:
    with pytest.raises(BrokenOffError):
        Trial(tmp_path).train(2, break_off_at("batch 1 3"))
    (said,) = (line for line in log.lines if line.startswith("BrokenOffError in epoch 1"))
    assert "Once the cause is fixed" in said and said.endswith("the same command goes on from there.")


def test_a_signal_is_no_error(tmp_path: Path, log: Lines) -> None:
    with pytest.raises(unbroken.Stopped):
        Trial(tmp_path).train(2, lambda place: os.kill(os.getpid(), signal.SIGTERM) if place == "batch 1 3" else None)
    assert "the cause is fixed" not in log.text
