"""``unbroken restore``: what is missing or damaged comes back, and nothing that was there is lost."""

import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.cli.damage import cut, rot
from tests.store.crash import every_kill
from tests.store.states import put_with_manifest, same, state
from unbroken.cli.restore import restore
from unbroken.disk.lock import FolderLock
from unbroken.errors import CheckpointDamagedError
from unbroken.store import lineage, torchfile
from unbroken.store.folder import CheckpointFolder
from unbroken.store.record import RunRecord, write_run_record


@pytest.fixture
def backup(run: CheckpointFolder, unbroken: Command, here: Path) -> CheckpointFolder:
    """A backup of ``run``."""
    assert unbroken("backup", run.path, here / "backup").code == 0
    return CheckpointFolder(here / "backup")


def contents(folder: CheckpointFolder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.checkpoints()}


def everything(folder: CheckpointFolder) -> set[bytes]:
    return {path.read_bytes() for path in folder.path.rglob("checkpoint_*.pth*") if path.suffix != ".json"}


def test_a_folder_that_is_lost_comes_back_whole(
    run: CheckpointFolder, backup: CheckpointFolder, unbroken: Command
) -> None:
    before, listed = contents(run), unbroken("list").out
    unbroken("keep", backup.epoch(5))
    shutil.rmtree(run.path)
    said = unbroken("restore", backup.path, run.path)
    assert said.code == 0 and "Restored to checkpoints: 6 copied" in said.out
    assert contents(run) == before
    assert lineage.read_run_record(run) == lineage.read_run_record(backup)
    assert run.kept() == {"checkpoint_epoch_5.pth"}
    run.unmark("checkpoint_epoch_5.pth")
    assert unbroken("list").out == listed
    again = unbroken("restore", backup.path, run.path, "--json").json
    assert (again["copied"], len(again["unchanged"]), again["replaced"]) == ([], 6, [])


@pytest.mark.parametrize("harm", [cut, lambda path: rot(path, 154.0)])
def test_what_is_damaged_is_replaced_and_kept_beside(
    run: CheckpointFolder, backup: CheckpointFolder, unbroken: Command, harm: "object"
) -> None:
    assert callable(harm)
    harm(run.latest)
    damaged = run.latest.read_bytes()
    said = unbroken("restore", backup.path, run.path)
    assert said.code == 0 and "What was there before is now checkpoints/checkpoint_latest.pth.damaged" in said.out
    assert contents(run) == contents(backup)
    assert (run.path / "checkpoint_latest.pth.damaged").read_bytes() == damaged


def test_an_older_good_state_is_replaced_and_kept_in_the_archive(
    run: CheckpointFolder, backup: CheckpointFolder, unbroken: Command
) -> None:
    run.latest.unlink()
    put_with_manifest(run, run.best, state(10))
    said = unbroken("restore", backup.path, run.path, "--json").json
    assert said["replaced"] == ["checkpoints/archive/before-restore/checkpoint_best.pth"]
    assert contents(run) == contents(backup)
    assert same(torchfile.read(Path(said["replaced"][0])), state(10))


def test_a_folder_ahead_of_the_backup_is_refused_and_left_alone(
    run: CheckpointFolder, backup: CheckpointFolder, unbroken: Command
) -> None:
    put_with_manifest(run, run.latest, state(16))
    before = contents(run)
    said = unbroken("restore", backup.path, run.path)
    assert said.code == 4 and "ahead of the backup (step 160, the backup: 154)" in said.err
    assert "resume from" in said.err and len(said.err.splitlines()) == 1
    assert contents(run) == before


def test_another_run_moves_to_the_archive_whole(
    run: CheckpointFolder, backup: CheckpointFolder, unbroken: Command, here: Path
) -> None:
    other = CheckpointFolder(here / "other")
    other.prepare()
    write_run_record(other, RunRecord("run-b", 0, "2026-01-01 00:00:00", "python b.py"))
    put_with_manifest(other, other.latest, state(99, run="run-b"))
    said = unbroken("restore", backup.path, other.path)
    assert said.code == 0 and "held another run; it is now in" in said.out
    assert contents(other) == contents(backup)
    assert same(torchfile.read(other.archive / "run-run-b" / "checkpoint_latest.pth"), state(99, run="run-b"))


def test_what_is_damaged_in_the_backup_is_not_restored(
    run: CheckpointFolder, backup: CheckpointFolder, unbroken: Command
) -> None:
    good = run.epoch(10).read_bytes()
    rot(backup.epoch(10), 100.0)
    assert unbroken("restore", backup.path, run.path).code == 5
    assert run.epoch(10).read_bytes() == good


def test_refusals(run: CheckpointFolder, backup: CheckpointFolder, unbroken: Command, here: Path) -> None:
    assert unbroken("restore", "nowhere", run.path).code == 3
    assert unbroken("restore", backup.path, backup.path / "inner").code == 2
    lock = FolderLock.acquire(run.lock_path)
    try:
        assert unbroken("restore", backup.path, run.path).code == 4
    finally:
        lock.release()


def test_killed_anywhere_and_done_again_nothing_is_lost(
    run: CheckpointFolder, backup: CheckpointFolder, here: Path
) -> None:
    cut(run.previous)
    put_with_manifest(run, run.latest, state(12))
    run.epoch(15).unlink()
    run.best.unlink()
    before = everything(run)
    last = 0
    for kill in every_kill(run.path, lambda: restore(backup, run)):
        assert before <= everything(run)
        for path in run.checkpoints():
            if path != run.previous:
                torchfile.verify(path)
        point = lineage.find_resume_point(run)
        assert point is not None and point.manifest.progress.step >= 120
        restore(backup, run)
        assert contents(run) == contents(backup) and before <= everything(run)
        assert not list(run.path.rglob("*.tmp"))
        last = kill
    assert last > 20
    with pytest.raises(CheckpointDamagedError):
        torchfile.verify(run.path / "checkpoint_previous.pth.damaged")
