"""``unbroken backup``: every copy is verified, nothing good is ever replaced by damage, and again costs nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.cli.conftest import Command
from tests.cli.damage import cut, rot
from tests.small_disk import mounted
from tests.store.states import put, put_with_manifest, same, state
from unbroken.cli.copies import Pair, copy_one
from unbroken.disk.digest import file_digest
from unbroken.disk.lock import FolderLock
from unbroken.errors import CheckpointDamagedError, NothingToResumeError
from unbroken.store import lineage, load
from unbroken.store.aside import archive_run
from unbroken.store.folder import CheckpointFolder
from unbroken.store.record import RunRecord, write_run_record


def contents(folder: CheckpointFolder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.checkpoints()}


def files(folder: CheckpointFolder) -> dict[str, tuple[int, int]]:
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.checkpoints()}


@pytest.fixture
def backup(here: Path) -> CheckpointFolder:
    return CheckpointFolder(here / "disk" / "backup")


def test_the_backup_is_a_folder_to_resume_from(
    run: CheckpointFolder, backup: CheckpointFolder, unbroken: Command
) -> None:
    said = unbroken("backup", run.path, backup.path)
    assert said.code == 0
    assert f"Backed up to {backup.path}: 6 copied" in said.out
    assert contents(backup) == contents(run)
    assert lineage.read_run_record(backup) == lineage.read_run_record(run)
    assert unbroken("list", backup.path).out == unbroken("list").out
    assert unbroken("verify", backup.path).code == 0
    point = lineage.find_resume_point(backup)
    assert point is not None
    assert same(point.payload, load(run.latest))


def test_again_only_what_changed_is_copied(run: CheckpointFolder, backup: CheckpointFolder, unbroken: Command) -> None:
    unbroken("backup", run.path, backup.path)
    before = files(backup)
    said = unbroken("backup", run.path, backup.path, "--json")
    assert (said.code, said.json["copied"], len(said.json["unchanged"])) == (0, [], 6)
    assert files(backup) == before
    put_with_manifest(run, run.latest, state(15, 5))
    said = unbroken("backup", run.path, backup.path, "--json")
    assert [pair["file"] for pair in said.json["copied"]] == ["checkpoint_latest.pth"]
    assert said.json["copied"][0]["digest"] == unbroken("list", "--json").json["checkpoints"][0]["digest"]
    assert {name for name, was in before.items() if files(backup)[name] != was} == {"checkpoint_latest.pth"}
    assert unbroken("list", backup.path).row("checkpoint_latest.pth")[1:4] == ["15", "5/10", "155"]


def test_a_copy_that_rotted_is_made_again(run: CheckpointFolder, backup: CheckpointFolder, unbroken: Command) -> None:
    unbroken("backup", run.path, backup.path)
    rot(backup.epoch(10), 100.0)
    said = unbroken("backup", run.path, backup.path, "--json")
    assert [pair["file"] for pair in said.json["copied"]] == ["checkpoint_epoch_10.pth"]
    assert contents(backup) == contents(run)


@pytest.mark.parametrize("damage", [cut, lambda path: rot(path, 154.0)])
def test_a_damaged_file_does_not_replace_its_copy(
    run: CheckpointFolder, backup: CheckpointFolder, unbroken: Command, damage: "object"
) -> None:
    unbroken("backup", run.path, backup.path)
    good = contents(backup)
    assert callable(damage)
    damage(run.latest)
    said = unbroken("backup", run.path, backup.path)
    assert said.code == 5
    assert said.row("checkpoint_latest.pth")[-2:] == ["NOT", "copied"]
    assert "checkpoint_latest.pth was not loaded" in said.out
    assert contents(backup) == good
    found = unbroken("backup", run.path, backup.path, "--json")
    assert (found.code, found.json["left_out"][0]["state"]) == (5, "damaged")


def test_what_the_folder_deleted_stays_in_the_backup(
    run: CheckpointFolder, backup: CheckpointFolder, unbroken: Command
) -> None:
    unbroken("backup", run.path, backup.path)
    run.epoch(5).unlink()
    assert unbroken("backup", run.path, backup.path).code == 0
    assert same(load(backup.epoch(5)), state(5))


def test_other_weights_are_copied_if_they_can_be_checked(
    run: CheckpointFolder, backup: CheckpointFolder, unbroken: Command
) -> None:
    torch.save({"weight": torch.ones(3)}, run.path / "weights.pth")
    (run.path / "notes.pth").write_text("hello")
    said = unbroken("backup", run.path, backup.path, "--json")
    assert said.code == 0
    assert [Path(entry["file"]).name for entry in said.json["left_out"]] == ["notes.pth"]
    assert (backup.path / "weights.pth").read_bytes() == (run.path / "weights.pth").read_bytes()
    assert unbroken("backup", run.path, backup.path, "--json").json["copied"] == []


def test_files_without_manifests_are_verified_and_described(
    folder: CheckpointFolder, backup: CheckpointFolder, unbroken: Command
) -> None:
    put(folder.latest, state(3))
    assert unbroken("backup", folder.path, backup.path).code == 0
    assert unbroken("list", backup.path).row("checkpoint_latest.pth")[-1] == "good"


def test_a_manifest_of_an_older_file_is_not_taken_along(
    folder: CheckpointFolder, backup: CheckpointFolder, unbroken: Command
) -> None:
    put_with_manifest(folder, folder.latest, state(3))
    put(folder.latest, state(4))
    assert unbroken("backup", folder.path, backup.path).code == 0
    assert unbroken("list", backup.path).row("checkpoint_latest.pth")[1] == "4"


class TestReplacedSinceItWasRead:
    """The trainer does not wait for a backup; neither do people who copy files by hand."""

    @pytest.fixture
    def pair(self, run: CheckpointFolder, backup: CheckpointFolder, unbroken: Command) -> Pair:
        unbroken("backup", run.path, backup.path)
        put_with_manifest(run, run.latest, state(15, 5))
        size, digest = run.latest.stat().st_size, file_digest(run.latest)
        return Pair(run, backup, run.latest.name, Path(run.latest.name), size, digest, unchanged=False)

    def test_by_a_newer_state(
        self, run: CheckpointFolder, backup: CheckpointFolder, pair: Pair, unbroken: Command
    ) -> None:
        put_with_manifest(run, run.latest, state(15, 6))
        copy_one(pair)
        assert contents(backup) == contents(run)
        assert unbroken("list", backup.path).row("checkpoint_latest.pth")[1:4] == ["15", "6/10", "156"]
        assert sorted(path.name for path in backup.internal.iterdir()) == ["lock", "manifests", "run.json"]

    def test_by_damage(self, run: CheckpointFolder, backup: CheckpointFolder, pair: Pair) -> None:
        before = contents(backup)
        cut(run.latest)
        with pytest.raises(CheckpointDamagedError):
            copy_one(pair)
        assert contents(backup) == before
        backup.latest.unlink()
        with pytest.raises(CheckpointDamagedError):
            copy_one(pair)
        assert not backup.latest.exists()

    def test_by_nothing(self, run: CheckpointFolder, backup: CheckpointFolder, pair: Pair) -> None:
        before = contents(backup)
        run.latest.unlink()
        with pytest.raises(NothingToResumeError):
            copy_one(pair)
        assert contents(backup) == before


def test_another_run_in_the_backup_moves_aside(
    run: CheckpointFolder, backup: CheckpointFolder, unbroken: Command
) -> None:
    write_run_record_of(run, "run-other-1234")
    backup.prepare()
    put_with_manifest(backup, backup.latest, state(99, run="run-other-1234"))
    write_run_record(backup, RunRecord("run-other-1234", 0, "", ""))
    write_run_record_of(run, "run-a")
    said = unbroken("backup", run.path, backup.path, "--json")
    assert said.code == 0
    aside = Path(said.json["moved_aside"])
    assert aside == backup.archive / "run-run-othe"
    assert same(load(aside / "checkpoint_latest.pth"), state(99, run="run-other-1234"))
    assert contents(backup) == contents(run)


def write_run_record_of(folder: CheckpointFolder, run_id: str) -> None:
    write_run_record(folder, RunRecord(run_id, 0, "", ""))


def test_a_run_that_was_started_afresh(run: CheckpointFolder, backup: CheckpointFolder, unbroken: Command) -> None:
    """The old run is in both archives, under one name, and was not copied again."""
    unbroken("backup", run.path, backup.path)
    old = contents(run)
    archived = archive_run(run, "my first")
    put_with_manifest(run, run.latest, state(1, run="run-b"))
    write_run_record_of(run, "run-b")
    said = unbroken("backup", run.path, backup.path, "--json")
    assert said.code == 0
    assert [pair["file"] for pair in said.json["copied"]] == ["checkpoint_latest.pth"]
    assert contents(CheckpointFolder(backup.archive / archived.name)) == old
    assert contents(backup) == contents(run)


def test_archived_runs_are_part_of_it(run: CheckpointFolder, backup: CheckpointFolder, unbroken: Command) -> None:
    archived = CheckpointFolder(archive_run(run, "run-a"))
    said = unbroken("backup", run.path, backup.path, "--json")
    assert said.code == 0
    assert said.json["copied"][0]["file"].startswith("archive/run-a/")
    copy = CheckpointFolder(backup.archive / "run-a")
    assert contents(copy) == contents(archived)
    assert lineage.read_run_record(copy) == lineage.read_run_record(archived)


@pytest.mark.parametrize("destination", ["checkpoints", "checkpoints/backup", "link/backup"])
def test_a_backup_inside_what_it_saves_is_refused(
    run: CheckpointFolder, here: Path, unbroken: Command, destination: str
) -> None:
    (here / "link").symlink_to(run.path)
    said = unbroken("backup", run.path, destination)
    assert said.code == 2
    assert "lies inside checkpoints" in said.err


def test_a_folder_that_is_trained_in_is_no_place_for_a_backup(
    run: CheckpointFolder, backup: CheckpointFolder, unbroken: Command
) -> None:
    backup.prepare()
    lock = FolderLock.acquire(backup.lock_path)
    try:
        assert unbroken("backup", run.path, backup.path).code == 4
    finally:
        lock.release()
    assert contents(backup) == {}
    assert unbroken("backup", run.path, backup.path).code == 0


@pytest.mark.mounts
def test_a_disk_too_small_says_so_before_it_begins(run: CheckpointFolder, here: Path, unbroken: Command) -> None:
    put_with_manifest(run, run.epoch(20), state(20, size=1 << 18))
    with mounted(here / "small", "size=512k") as small:
        said = unbroken("backup", run.path, small / "backup")
        assert said.code == 74
        assert "Not enough space" in said.err
        assert contents(CheckpointFolder(small / "backup")) == {}


def test_nothing_to_back_up(here: Path, unbroken: Command) -> None:
    assert unbroken("backup", "checkpoints", "backup").code == 3
    assert not (here / "backup").exists()


def test_while_the_folder_is_being_trained_in(
    run: CheckpointFolder, backup: CheckpointFolder, unbroken: Command
) -> None:
    """Another process replaces files without a pause; every backup of it is whole."""
    trainer = (
        "import itertools, sys\n"
        "from tests.store.states import *\n"
        "folder = CheckpointFolder('checkpoints')\n"
        "for n in itertools.count(1):\n"
        "    put_with_manifest(folder, folder.latest, state(16, 1 + n % 9, size=50_000))\n"
        "    put_with_manifest(folder, folder.epoch(20), state(20, size=50_000))\n"
        "    folder.epoch(20).unlink()\n"
        "    print(n, flush=True)\n"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen([sys.executable, "-c", trainer], stdout=subprocess.PIPE, env=env) as process:
        assert process.stdout is not None
        try:
            process.stdout.readline()
            for _ in range(5):
                assert unbroken("backup", run.path, backup.path).code == 0
                assert unbroken("verify", backup.path).code == 0
                assert unbroken("list", backup.path).row("checkpoint_latest.pth")[-1] == "good"
        finally:
            process.kill()


def test_a_state_ahead_of_the_one_gone_back_to_is_kept(
    run: CheckpointFolder, backup: CheckpointFolder, unbroken: Command
) -> None:
    assert unbroken("backup", run.path, backup.path).code == 0
    ahead = backup.latest.read_bytes()
    put_with_manifest(run, run.latest, state(10))
    said = unbroken("backup", run.path, backup.path)
    assert said.code == 0
    [kept] = backup.archive.glob("before-backup*/checkpoint_latest.pth")
    assert kept.read_bytes() == ahead
    assert str(kept) in said.out


def test_files_of_others_that_a_copy_replaces_are_kept(
    run: CheckpointFolder, backup: CheckpointFolder, unbroken: Command
) -> None:
    name = run.epoch(5).name
    assert run.epoch(5).exists()
    backup.prepare()
    torch.save({"precious": 1}, backup.path / name)
    theirs = (backup.path / name).read_bytes()
    assert unbroken("backup", run.path, backup.path).code == 0
    assert theirs in [path.read_bytes() for path in backup.path.rglob(f"{name}*") if path.is_file()]
    assert (backup.path / name).read_bytes() == run.epoch(5).read_bytes()
