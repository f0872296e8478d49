"""A folder that cannot be used: in the way, not writable, in use, on a disk that is full."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import unbroken
from tests.contract.commands import DONE, NOT_ON_DISK, REFUSED, STOPPED, USAGE, Running, assert_refused, digests, run
from tests.contract.conftest import EPOCHS, TASK, Copy, Trained, real_panel
from tests.small_disk import mounted

# Root may write anywhere; without these two capabilities even root is held to a folder's mode.
AS_OTHERS = (
    ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search")
    if os.geteuid() == 0
    else ()
)


@contextmanager
def not_writable(folder: Path) -> Iterator[None]:
    folder.chmod(0o555)
    try:
        yield
    finally:
        folder.chmod(0o755)


@pytest.mark.parametrize("command", [pytest.param("Training.py", marks=pytest.mark.slow), "resume_training.py"])
def test_checkpoints_is_a_file(fresh: Path, command: str) -> None:
    (fresh / "checkpoints").write_text("my notes\n")
    ended = run(fresh, command, *TASK)
    assert_refused(ended, USAGE, "checkpoints is a file, not a folder", "move it away")
    assert (fresh / "checkpoints").read_text() == "my notes\n"


def test_the_folder_is_not_writable(fresh: Path) -> None:
    before = digests(fresh)
    with not_writable(fresh):
        ended = run(fresh, "Training.py", *TASK, before=AS_OTHERS)
    assert_refused(ended, NOT_ON_DISK, "training.log", "Permission denied", "a folder you may write to")
    assert digests(fresh) == before


def test_the_checkpoint_folder_is_not_writable(finished: Trained, copy: Copy) -> None:
    folder = copy(finished)
    before = digests(folder)
    with not_writable(folder / "checkpoints"):
        ended = run(folder, "resume_training.py", "--epochs", str(EPOCHS + 1), before=AS_OTHERS)
    assert_refused(ended, NOT_ON_DISK, "Cannot write into checkpoints", "permission")
    assert digests(folder) == before


@pytest.mark.mounts
@pytest.mark.slow
def test_the_folder_is_on_a_read_only_disk(finished: Trained, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=20m") as disk:
        shutil.copytree(finished.folder, disk / "work")
        before = digests(disk / "work")
        remount = ("mount", "-o", "remount,ro", str(disk))
        assert os.spawnvp(os.P_WAIT, "mount", remount) == 0
        ended = run(disk / "work", "resume_training.py")
        assert_refused(ended, NOT_ON_DISK, "training.log", "Read-only file system", "a folder you may write to")
        assert run(disk / "work", "resume_training.py", "--list").code == DONE
        assert digests(disk / "work") == before


@pytest.mark.slow
def test_results_that_cannot_be_written_cost_the_results_and_not_the_training(fresh: Path) -> None:
    (fresh / "results.json").mkdir()
    ended = run(fresh, "Training.py", *TASK)
    assert_refused(ended, NOT_ON_DISK, "results.json", "Is a directory", "python resume_training.py")
    assert unbroken.load(fresh / "checkpoints" / "checkpoint_latest.pth")["epoch"] == EPOCHS
    (fresh / "results.json").rmdir()
    ended = run(fresh, "resume_training.py")
    assert ended.code == DONE and (fresh / "results.json").is_file(), ended.said


@pytest.mark.slow
def test_a_cache_that_is_no_file(fresh: Path) -> None:
    (fresh / "processed_data.npz").mkdir()
    assert_refused(run(fresh, "Training.py", *TASK), USAGE, "processed_data.npz is a folder", "name a file")


@pytest.mark.slow
def test_a_damaged_cache_is_made_anew_and_the_damaged_one_kept(finished: Trained, copy: Copy) -> None:
    folder = copy(finished)
    cache = folder / "processed_data.npz"
    good, damaged = cache.read_bytes(), cache.read_bytes()[:-500]
    cache.write_bytes(damaged)
    ended = run(folder, "resume_training.py")
    assert ended.code == DONE and "is damaged" in ended.out, ended.said
    assert cache.read_bytes() == good
    assert damaged in [path.read_bytes() for path in folder.glob("processed_data.npz.*")]


@pytest.mark.slow
def test_a_checkpoint_that_may_not_be_read(finished: Trained, copy: Copy) -> None:
    folder = copy(finished)
    path = folder / "checkpoints" / "checkpoint_epoch_10.pth"
    path.chmod(0)
    ended = run(folder, "Training.py", "--resume", str(path.relative_to(folder)), before=AS_OTHERS)
    assert_refused(ended, NOT_ON_DISK, "checkpoint_epoch_10.pth", "Permission denied", "permissions")


@pytest.mark.slow
def test_data_that_may_not_be_read(fresh: Path) -> None:
    (fresh / "panel.csv").chmod(0)
    ended = run(fresh, "Training.py", *TASK, before=AS_OTHERS)
    assert_refused(ended, USAGE, "panel.csv", "Permission denied", "permissions")


def test_a_second_trainer_is_refused_and_the_first_goes_on(fresh: Path) -> None:
    with Running(fresh, "Training.py", *TASK) as first:
        first.wait_until_said("epoch 1/")
        first.hold()  # it has the folder, and cannot end before the second has tried
        try:
            before = digests(fresh)
            second = run(fresh, "Training.py", *TASK)
            assert digests(fresh) == before
        finally:
            os.kill(first.pid, signal.SIGCONT)
        assert_refused(second, REFUSED, "checkpoints is in use", f"pid {first.pid}", "choose another folder")
        first.wait_until_said("epoch 2/")
        first.send(signal.SIGTERM)
        ended = first.end()
    assert ended.code == STOPPED and ended.err == "", ended.said
    assert run(fresh, "unbroken", "verify").code == DONE


@pytest.mark.slow
def test_the_folder_of_a_killed_trainer_is_free_at_once(fresh: Path) -> None:
    with Running(fresh, "Training.py", *TASK, "--num-workers", "2") as first:
        first.wait_until_said("epoch 1/")
        first.send(signal.SIGKILL)
        first.end()
    ended = run(fresh, "resume_training.py")
    assert ended.code == DONE and "恢复训练" in ended.out, ended.said


@pytest.mark.mounts
def test_s20_too_little_space_is_said_before_anything_is_trained(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=1m") as disk:
        (disk / "panel.csv").write_text(real_panel(), encoding="utf-8")
        _fill(disk, leave=200 << 10)
        ended = run(disk, "Training.py", *TASK)
        assert_refused(ended, NOT_ON_DISK, "Not enough space in checkpoints", "needed", "free", "unbroken prune")
        assert "train loss" not in ended.out
        assert not list(disk.rglob("*.pth"))


@pytest.mark.mounts
@pytest.mark.slow
def test_s20_a_disk_that_fills_up_during_training_harms_no_good_checkpoint(tmp_path: Path, finished: Trained) -> None:
    with mounted(tmp_path / "disk", "size=4m") as disk:
        (disk / "panel.csv").write_text(real_panel(), encoding="utf-8")
        with Running(disk, "Training.py", *TASK) as trainer:
            trainer.wait_until_said("epoch 2/")
            os.kill(trainer.pid, signal.SIGSTOP)
            filler = _fill(disk, leave=0)
            good = {path.read_bytes() for path in (disk / "checkpoints").glob("*.pth")}
            os.kill(trainer.pid, signal.SIGCONT)
            ended = trainer.end()
        assert ended.code == NOT_ON_DISK and "Traceback" not in ended.said, ended.said
        assert "SAVING FAILED for checkpoint_latest.pth" in ended.err
        left = {path.read_bytes() for path in (disk / "checkpoints").glob("*.pth")}
        assert left & good and not list((disk / "checkpoints").glob(".*.tmp"))
        assert run(disk, "unbroken", "verify").code == DONE
        filler.unlink()
        resumed = run(disk, "resume_training.py")
        assert resumed.code == DONE and "恢复训练" in resumed.out, resumed.said
        after = unbroken.load(disk / "checkpoints" / "checkpoint_latest.pth")
        assert after["aucs"] == finished.payload("latest")["aucs"]


def _fill(disk: Path, leave: int) -> Path:
    """Take all the space of ``disk`` but ``leave`` bytes."""
    filler = disk / "filler"
    statistics = os.statvfs(disk)
    filler.write_bytes(bytes(max(0, statistics.f_bavail * statistics.f_frsize - leave)))
    return filler
