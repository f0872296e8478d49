"""Killed between any two file operations, a folder still has its newest good state, and nothing is lost."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.store.crash import every_kill
from tests.store.states import folder_in_memory, plain_state, put, put_with_manifest, state
from unbroken.store import lineage, torchfile
from unbroken.store.folder import CheckpointFolder
from unbroken.store.lineage import RunRecord
from unbroken.store.payload import ForkPoint, Payload, progress_of
from unbroken.store.retention import Policy
from unbroken.store.save import SaveJob, save

Order = tuple[str | None, int, int, int]


def order(payload: Payload) -> Order:
    progress = progress_of(payload)
    return (progress.run_id, progress.branch, progress.epoch, progress.batch)


def everywhere(folder: CheckpointFolder) -> set[Order]:
    """Every state in the folder or its archive, or about to be put there; each file must be whole."""
    found = set()
    for path in [*folder.path.rglob("*.pth"), *folder.interrupted()]:
        torchfile.verify(path)
        found.add(order(torchfile.read_metadata(path)))
    return found


def resumed(folder: CheckpointFolder) -> Order | None:
    point = lineage.find_resume_point(folder)
    assert point is None or not point.rejected
    return order(point.payload) if point else None


def no_shared_inodes(folder: CheckpointFolder) -> bool:
    inodes = [path.stat().st_ino for path in folder.path.rglob("*.pth")]
    return len(inodes) == len(set(inodes))


def record(folder: CheckpointFolder, run: str = "run-a") -> None:
    lineage.write_run_record(folder, RunRecord(run, 0, "2026-01-02 03:04:05", "python train.py"))


@pytest.fixture
def folder() -> Iterator[CheckpointFolder]:
    with folder_in_memory() as folder:
        yield folder


@pytest.fixture
def run(folder: CheckpointFolder) -> CheckpointFolder:
    """A run after 9 epochs, saved numbered every 2, best at 8."""
    record(folder)
    for epoch in (2, 4, 6, 8):
        put_with_manifest(folder, folder.epoch(epoch), state(epoch))
    for path, epoch in ((folder.best, 8), (folder.previous, 8), (folder.latest, 9)):
        put_with_manifest(folder, path, state(epoch))
    return folder


def saving(folder: CheckpointFolder, payload: Payload, *names: Path, keep: int | None = None) -> Callable[[], None]:
    def work() -> None:
        lineage.clean(folder)
        job = SaveJob(payload, names, Policy(keep) if keep is not None else None)
        report = save(folder, job, set())
        if report.error is not None:
            raise report.error

    return work


def test_a_save_with_all_its_steps(run: CheckpointFolder) -> None:
    work = saving(run, state(10), run.latest, run.epoch(10), run.best, keep=2)
    places = 0
    for places in every_kill(run.path, work):  # noqa: B007
        found = resumed(run)
        assert found in (("run-a", 0, 9, 0), ("run-a", 0, 10, 0))
        assert {("run-a", 0, 9, 0), ("run-a", 0, 8, 0)} <= everywhere(run)
        if found == ("run-a", 0, 9, 0):
            assert {path.name for path in run.checkpoints()} >= {"checkpoint_epoch_2.pth", "checkpoint_epoch_8.pth"}
        work()
        assert resumed(run) == ("run-a", 0, 10, 0)
        assert no_shared_inodes(run)
        names = [path.name for path in run.checkpoints()]
        assert names == [
            "checkpoint_best.pth",
            "checkpoint_epoch_10.pth",
            "checkpoint_epoch_8.pth",
            "checkpoint_latest.pth",
            "checkpoint_previous.pth",
        ]
        assert not list(run.path.rglob("*.tmp"))
        assert {path.name.removesuffix(".json") for path in run.manifests.iterdir()} == set(names)
    assert places > 15


FORK = ForkPoint("run-a", 0, 4, 0, 40)


def test_a_new_branch_and_what_it_leaves_behind(run: CheckpointFolder) -> None:
    before = everywhere(run)
    first = saving(run, state(4, branch=1, parent=FORK), run.latest)
    second = saving(run, state(6, branch=1, parent=FORK), run.latest, run.epoch(6), run.best, keep=1)
    places = 0
    for places in every_kill(run.path, first):  # noqa: B007
        found = resumed(run)
        assert found in (("run-a", 0, 9, 0), ("run-a", 1, 4, 0))
        assert before <= everywhere(run)
        if found == ("run-a", 1, 4, 0):  # killed before it was done with the old branch; it goes on all the same
            second()
            assert resumed(run) == ("run-a", 1, 6, 0)
            assert before - {("run-a", 0, 2, 0), ("run-a", 0, 4, 0)} <= everywhere(run)
            here = {order(torchfile.read_metadata(path)) for path in run.checkpoints()}
            assert {(branch, epoch) for _, branch, epoch, _ in here if branch == 0} <= {(0, 2), (0, 4)}
    assert places > 10


def test_a_second_branch_at_once_after_a_kill_loses_nothing_of_the_first(run: CheckpointFolder) -> None:
    before = everywhere(run)
    first = saving(run, state(4, branch=1, parent=FORK), run.latest)
    second = saving(run, state(2, branch=2, parent=ForkPoint("run-a", 0, 2, 0, 20)), run.latest, run.best)
    for _ in every_kill(run.path, first):
        there = everywhere(run)
        second()
        assert before | there <= everywhere(run)
        assert resumed(run) == ("run-a", 2, 2, 0)


def test_a_new_branch_takes_the_folder_with_its_first_save(run: CheckpointFolder) -> None:
    saving(run, state(4, branch=1, parent=FORK), run.latest)()
    assert [path.name for path in run.checkpoints()] == [
        "checkpoint_epoch_2.pth",
        "checkpoint_epoch_4.pth",
        "checkpoint_latest.pth",
    ]


def test_the_second_save_of_a_branch_killed_anywhere(run: CheckpointFolder) -> None:
    before = everywhere(run)
    put_with_manifest(run, run.previous, state(9))
    put_with_manifest(run, run.latest, state(4, branch=1, parent=FORK))  # and nothing moved yet
    second = saving(run, state(6, branch=1, parent=FORK), run.latest, run.epoch(6), run.best)
    for _ in every_kill(run.path, second):
        assert resumed(run) in (("run-a", 1, 4, 0), ("run-a", 1, 6, 0))
        assert before <= everywhere(run)
    assert not [
        path for path in run.checkpoints() if order(torchfile.read_metadata(path))[1:3] in ((0, 6), (0, 8), (0, 9))
    ]


def test_a_run_moved_to_the_archive(run: CheckpointFolder) -> None:
    put(run.set_aside(run.epoch(2), "damaged"), state(2))
    (run.internal / "journal").write_bytes(b"steps")
    before = everywhere(run)
    places = 0
    for places in every_kill(run.path, lambda: lineage.archive_run(run, "old")):  # noqa: B007
        found = resumed(run)
        assert before <= everywhere(run)
        archived = CheckpointFolder(run.archive / "old")
        if found is None:
            assert resumed(archived) == ("run-a", 0, 9, 0)
            assert {("run-a", 0, 4, 0), ("run-a", 0, 8, 0)} <= everywhere(archived)
        else:
            assert found == ("run-a", 0, 9, 0)
            again = CheckpointFolder(lineage.archive_run(run, "old"))
            assert resumed(run) is None
            assert resumed(again) == ("run-a", 0, 9, 0)
        assert before <= everywhere(run)
    assert places > 15
    archived = CheckpointFolder(run.archive / "old")
    assert lineage.read_run_record(archived) is not None
    assert lineage.read_run_record(run) is None
    assert (archived.internal / "journal").read_bytes() == b"steps"
    assert (archived.path / "checkpoint_epoch_2.pth.damaged").exists()
    assert all(info.digest for info in lineage.candidates(archived))
    assert not run.checkpoints() and not run.set_aside_files()


def test_a_damaged_newest_does_not_stay_behind_alone(run: CheckpointFolder) -> None:
    whole, written = run.latest.read_bytes(), run.latest.stat().st_mtime_ns
    run.latest.write_bytes(whole.replace(b"\x00\x00\xb4\x42", b"\x00\x00\xb4\x43"))  # 90.0 in the weights
    os.utime(run.latest, ns=(written, written))
    assert whole != run.latest.read_bytes()
    for _ in every_kill(run.path, lambda: lineage.archive_run(run, "old")):
        point = lineage.find_resume_point(run)
        place = point or lineage.find_resume_point(CheckpointFolder(run.archive / "old"))
        assert place is not None and order(place.payload) == ("run-a", 0, 8, 0)


def test_a_run_that_goes_on_from_a_plain_script_s_files(folder: CheckpointFolder) -> None:
    for path, epoch in ((folder.epoch(5), 5), (folder.epoch(10), 10), (folder.latest, 12)):
        put(path, plain_state(epoch))
    before = everywhere(folder)
    parent = ForkPoint(None, 0, 12, 0, 0)
    for batch, names in ((1, ()), (2, ()), (3, (folder.epoch(10), folder.best))):
        work = saving(folder, state(12, batch, branch=1, parent=parent), folder.latest, *names)
        for _ in every_kill(folder.path, work):
            assert before <= everywhere(folder)
            assert resumed(folder) in ((None, 0, 12, 0), ("run-a", 1, 12, batch - 1), ("run-a", 1, 12, batch))
            assert batch == 1 or resumed(folder) != (None, 0, 12, 0)


def test_another_run_s_files_are_never_replaced_but_moved(run: CheckpointFolder) -> None:
    before = everywhere(run)
    record(run, "run-b")
    for epoch in (1, 2):
        work = saving(run, state(epoch, run="run-b"), run.latest, run.epoch(epoch), keep=1)
        for _ in every_kill(run.path, work):
            assert before <= everywhere(run)
    assert resumed(run) == ("run-b", 0, 2, 0)
