"""The background writer: order, durability, full disks, and what it never does to a good checkpoint."""

import contextlib
import errno
import gc
import os
import resource
import shutil
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from tests.small_disk import mounted
from tests.store.crash import killed_before
from tests.store.states import put, same, state
from unbroken.disk.digest import file_digest
from unbroken.errors import DiskError
from unbroken.store import lineage, torchfile
from unbroken.store import manifest as manifests
from unbroken.store.folder import CheckpointFolder
from unbroken.store.payload import Payload
from unbroken.store.record import RunRecord, next_generation, read_run_record
from unbroken.store.retention import Policy
from unbroken.store.save import save
from unbroken.store.tensors import tensor_digests
from unbroken.store.writer import SaveJob, SaveReport, Writer

Start = Callable[[CheckpointFolder], Writer]


@pytest.fixture
def start() -> Iterator[Start]:
    with contextlib.ExitStack() as writers:

        def start(folder: CheckpointFolder) -> Writer:
            writer = Writer(folder)
            writers.callback(writer.close)
            return writer

        yield start


def saved(writer: Writer, payload: Payload, *names: Path, keep: int | None = None) -> SaveReport:
    writer.submit(SaveJob(payload, names, None if keep is None else Policy(keep)))
    writer.wait()
    (report,) = writer.take_reports()
    return report


def test_every_name_is_a_whole_file_of_its_own_with_its_manifest(folder: CheckpointFolder, start: Start) -> None:
    writer = start(folder)
    assert not writer.busy and writer.failure is None and writer.take_reports() == []
    for epoch in (1, 2, 3):
        report = saved(writer, state(epoch), folder.latest, folder.epoch(epoch), folder.best)
        assert report.names == (folder.latest, folder.epoch(epoch), folder.best)
        assert report.safe and report.error is None and report.missing == ()
        assert report.size == folder.latest.stat().st_size and report.seconds > 0
    epochs = {"latest": 3, "previous": 2, "best": 3, "epoch_1": 1, "epoch_2": 2, "epoch_3": 3}
    assert {path.name for path in folder.checkpoints()} == {f"checkpoint_{name}.pth" for name in epochs}
    assert len({path.stat().st_ino for path in folder.checkpoints()}) == len(epochs)
    for name, epoch in epochs.items():
        path = folder.path / f"checkpoint_{name}.pth"
        assert same(torchfile.read(path), state(epoch))
        known = manifests.describe(folder, path)
        assert known.digest == file_digest(path)
        assert dict(known.tensors) == tensor_digests(state(epoch))
        assert known.progress.epoch == epoch


def test_a_plain_save_over_one_name_changes_no_other(folder: CheckpointFolder, start: Start) -> None:
    saved(start(folder), state(1), folder.latest, folder.epoch(1), folder.best)
    torch.save({"x": 1}, folder.best)
    assert same(torchfile.read(folder.epoch(1)), state(1))
    assert same(torchfile.read(folder.latest), state(1))


def test_jobs_are_done_in_order_and_one_at_a_time(folder: CheckpointFolder, start: Start) -> None:
    writer = start(folder)
    for epoch in range(1, 9):
        writer.submit(SaveJob(state(epoch), (folder.latest, folder.epoch(epoch))))
    writer.wait()
    assert not writer.busy
    assert [report.names[1] for report in writer.take_reports()] == [folder.epoch(epoch) for epoch in range(1, 9)]
    assert [info.progress.epoch for info in lineage.candidates(folder)][:3] == [8, 8, 7]


def test_closing_finishes_the_job_in_hand_and_ends_the_thread(folder: CheckpointFolder) -> None:
    threads = threading.active_count()
    writer = Writer(folder)
    writer.submit(SaveJob(state(1), (folder.latest,)))
    writer.close()
    writer.close()
    assert threading.active_count() == threads
    assert same(torchfile.read(folder.latest), state(1))
    with pytest.raises(RuntimeError):
        writer.submit(SaveJob(state(2), (folder.latest,)))


def test_the_snapshot_is_let_go_as_soon_as_it_is_written_or_has_failed(folder: CheckpointFolder, start: Start) -> None:
    writer = start(folder)
    for names in ((folder.latest,), (folder.path / "none" / "a.pth",)):
        payload = state(1)
        gone = weakref.ref(payload["model_state_dict"]["weight"])
        writer.submit(SaveJob(payload, names))
        del payload
        writer.wait()
        gc.collect()
        assert gone() is None
    assert writer.failure is not None


def _kept_open(folder: CheckpointFolder) -> list[str]:
    """Files of the folder that have no name any more, and are not freed yet."""
    links = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            links.append(str(descriptor.readlink()))
    return [link for link in links if link.startswith(str(folder.path)) and link.endswith(" (deleted)")]


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc which files are open")
def test_what_a_state_replaces_is_freed_behind_its_manifest(
    folder: CheckpointFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[object] = []
    real = manifests.write

    def write(to: CheckpointFolder, manifest: manifests.Manifest) -> None:
        told.append((manifest.name, torch.load(folder.latest)["epoch"], _kept_open(folder)))
        real(to, manifest)

    for epoch in (1, 2, 3):
        if epoch == 3:
            monkeypatch.setattr(manifests, "write", write)
        assert save(folder, SaveJob(state(epoch), (folder.latest,)), set()).safe
    open_still = [f"{folder.previous} (deleted)"]
    assert told == [(folder.previous.name, 3, open_still), (folder.latest.name, 3, open_still)]
    assert not _kept_open(folder) and manifests.is_current(manifests.describe(folder, folder.latest), folder.latest)


def test_the_writer_steps_back_for_training_and_training_does_not(folder: CheckpointFolder, start: Start) -> None:
    mine = os.getpriority(os.PRIO_PROCESS, 0)
    writer = start(folder)
    saved(writer, state(1), folder.latest)
    thread = next(thread for thread in threading.enumerate() if thread.name == "unbroken-writer")
    assert thread.native_id is not None
    assert os.getpriority(os.PRIO_PROCESS, thread.native_id) == min(mine + 5, 19)
    assert os.getpriority(os.PRIO_PROCESS, 0) == mine
    assert thread.daemon


def test_retention_deletes_files_with_their_manifests_once_the_new_state_is_safe(
    folder: CheckpointFolder, start: Start
) -> None:
    writer = start(folder)
    for epoch in range(1, 6):
        report = saved(writer, state(epoch), folder.latest, folder.epoch(epoch), keep=2)
    assert report.deleted == ("checkpoint_epoch_3.pth",)
    assert [path.name for path in folder.checkpoints()] == [
        "checkpoint_epoch_4.pth",
        "checkpoint_epoch_5.pth",
        "checkpoint_latest.pth",
        "checkpoint_previous.pth",
    ]
    assert sorted(path.name for path in folder.manifests.iterdir()) == [
        f"{path.name}.json" for path in folder.checkpoints()
    ]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[CheckpointFolder]:
    with mounted(tmp_path / "disk", "size=1m") as disk:
        folder = CheckpointFolder(disk / "checkpoints")
        folder.prepare()
        yield folder


def fill(folder: CheckpointFolder, leave: int) -> Path:
    """A file that leaves about ``leave`` bytes free."""
    status = os.statvfs(folder.path)
    filler = folder.path / "filler"
    filler.write_bytes(bytes(max(0, status.f_bavail * status.f_frsize - leave)))
    return filler


BIG = 40_000  # floats: 160 kB


@pytest.mark.mounts
@pytest.mark.parametrize("leave", [0, 4096, 100_000, 200_000])
def test_a_full_disk_harms_no_good_checkpoint_and_is_got_over(small: CheckpointFolder, leave: int) -> None:
    writer = Writer(small)
    try:
        assert saved(writer, state(1, size=BIG), small.latest).safe
        filler = fill(small, leave)
        report = saved(writer, state(2, size=BIG), small.latest, small.epoch(2))
        if leave < 200_000:
            assert not report.safe and report.names == ()
        assert isinstance(report.error, DiskError) and writer.failure is report.error
        assert set(report.missing) == {small.latest, small.epoch(2)} - set(report.names)
        assert [path for path in small.path.rglob("*") if path.name.endswith(".tmp")] == []
        point = lineage.find_resume_point(small)
        assert point is not None and point.manifest.progress.epoch == (2 if report.safe else 1)
        filler.unlink()
        small.previous.unlink(missing_ok=True)
        assert saved(writer, state(3, size=BIG), small.latest).safe
        assert writer.failure is None
        assert same(torchfile.read(small.latest), state(3, size=BIG))
    finally:
        writer.close()


@pytest.mark.mounts
def test_a_disk_that_has_room_for_the_state_but_not_for_its_copies(small: CheckpointFolder) -> None:
    writer = Writer(small)
    try:
        assert saved(writer, state(1, size=BIG), small.latest).safe
        fill(small, 360_000)
        report = saved(writer, state(2, size=BIG), small.latest, small.best, small.epoch(2))
        assert report.names == (small.latest, small.best) and report.missing == (small.epoch(2),)
        assert report.safe and report.error is not None and report.error.key == "disk_full"
        assert sorted(path.name for path in small.path.iterdir() if path.name.startswith(".")) == [".unbroken"]
        for path in small.checkpoints():
            torchfile.verify(path)
    finally:
        writer.close()


def test_a_write_that_fails_inside_torch_is_told_by_its_cause(folder: CheckpointFolder) -> None:
    put(folder.latest, state(1))
    payload = state(2, size=BIG)  # made here: torch must not start its threads in a forked child

    def work() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
        report = save(folder, SaveJob(payload, (folder.latest,)), set())
        assert report.error is not None and report.error.key == "disk_write_failed"
        assert os.strerror(errno.EFBIG) in str(report.error) and not report.safe

    assert not killed_before(0, work)
    assert same(torchfile.read(folder.latest), state(1))
    assert not list(folder.path.glob(".*.tmp"))


def test_a_state_that_cannot_be_saved_is_a_failure_and_not_the_end(folder: CheckpointFolder, start: Start) -> None:
    writer = start(folder)
    saved(writer, state(1), folder.latest)
    bad = state(2)
    bad["unbroken"]["config"] = {"model": object()}
    report = saved(writer, bad, folder.latest)
    assert report.error is not None and not report.safe
    assert "unbroken.config.model is a builtins.object" in str(report.error)
    assert same(torchfile.read(folder.latest), state(1))
    assert not folder.previous.exists()
    assert saved(writer, state(2), folder.latest).safe
    assert writer.failure is None


def test_a_copy_that_fails_costs_neither_the_state_nor_the_other_copies(folder: CheckpointFolder, start: Start) -> None:
    folder.best.mkdir()
    report = saved(start(folder), state(1), folder.latest, folder.best, folder.epoch(1))
    assert report.safe and report.error is not None
    assert report.missing == (folder.best,)
    assert report.names == (folder.latest, folder.epoch(1))
    assert folder.best.is_dir()


def test_a_numbered_file_nobody_can_read_is_moved_and_not_replaced(folder: CheckpointFolder, start: Start) -> None:
    folder.epoch(1).write_bytes(b"torn")
    report = saved(start(folder), state(1), folder.latest, folder.epoch(1))
    (moved,) = report.archived
    assert moved.read_bytes() == b"torn" and moved.parent.parent == folder.archive
    assert same(torchfile.read(folder.epoch(1)), state(1))


def test_the_same_epoch_saved_again_by_the_same_branch_is_replaced(folder: CheckpointFolder, start: Start) -> None:
    writer = start(folder)
    saved(writer, state(1), folder.latest, folder.epoch(1))
    report = saved(writer, state(1, aucs=[0.7]), folder.latest, folder.epoch(1))
    assert report.archived == ()
    assert torchfile.read(folder.epoch(1))["aucs"] == [0.7]


def test_a_link_under_a_name_is_replaced_and_not_followed(
    folder: CheckpointFolder, start: Start, tmp_path: Path
) -> None:
    mine = put(tmp_path / "mine.pth", state(9))
    folder.latest.symlink_to(mine)
    assert saved(start(folder), state(1), folder.latest).safe
    assert not folder.latest.is_symlink()
    assert same(torchfile.read(mine), state(9))


@pytest.mark.parametrize("gone", ["checkpoints", ".unbroken", ".unbroken/manifests"])
def test_a_folder_deleted_during_the_training_is_made_again_and_told_once(
    folder: CheckpointFolder, start: Start, gone: str
) -> None:
    writer = start(folder)
    assert not saved(writer, state(1), folder.latest).made_again
    shutil.rmtree(folder.path if gone == "checkpoints" else folder.path / gone)
    report = saved(writer, state(2), folder.latest, folder.epoch(2))
    assert report.made_again and report.error is None
    assert not saved(writer, state(3), folder.latest).made_again
    point = lineage.find_resume_point(folder)
    assert point is not None and same(point.payload, state(3))
    assert manifests.read(folder, folder.epoch(2).name) is not None


def test_only_a_state_that_is_not_safe_counts_as_a_failure(folder: CheckpointFolder, start: Start) -> None:
    writer = start(folder)
    folder.best.mkdir()
    assert saved(writer, state(1), folder.latest, folder.best).error is not None
    assert writer.failure is None
    folder.latest.unlink()
    folder.latest.mkdir()
    report = saved(writer, state(2), folder.latest)
    assert not report.safe and writer.failure is report.error


def test_a_latest_nobody_can_read_is_moved_and_the_good_previous_stays(folder: CheckpointFolder, start: Start) -> None:
    writer = start(folder)
    saved(writer, state(1), folder.latest)
    saved(writer, state(2), folder.latest)
    folder.latest.write_bytes(b"torn")
    (moved,) = saved(writer, state(3), folder.latest).archived
    assert moved.read_bytes() == b"torn"
    assert same(torchfile.read(folder.previous), state(1))
    assert same(torchfile.read(folder.latest), state(3))


def test_a_state_saved_twice_does_not_push_the_one_before_it_out(folder: CheckpointFolder, start: Start) -> None:
    writer = start(folder)
    for epoch in (1, 2, 2):
        saved(writer, state(epoch), folder.latest)
    assert same(torchfile.read(folder.previous), state(1))


def test_a_trainer_cut_off_by_the_network_puts_nothing_in_place_of_what_a_later_one_saves(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    folder.prepare()
    first, later = ("run", 0, "2026-01-01", "python train.py"), ("run", 0, "2026-01-02", "python train.py")
    lineage.write_run_record(folder, RunRecord(*first, generation=next_generation(folder)))
    mine = read_run_record(folder)
    assert mine is not None and mine.generation == 1
    assert save(folder, SaveJob(state(1), (folder.latest,), generation=1), set()).safe
    lineage.write_run_record(folder, RunRecord(*later, generation=next_generation(folder)))
    before = file_digest(folder.latest)
    report = save(folder, SaveJob(state(2), (folder.latest,), generation=1), set())
    assert report.error is not None and report.error.key == "store_superseded" and not report.safe
    assert file_digest(folder.latest) == before and not list(tmp_path.glob(".*.tmp"))
    assert save(folder, SaveJob(state(2), (folder.latest,), generation=2), set()).safe
