"""The background writer: takes one snapshot at a time and makes it durable, while training goes on.

The order of a save, and what is true if everything stops after each step:

1. the new state is written beside ``latest`` and renamed over it; the state before it becomes ``previous``.
   (At every moment ``latest`` is a whole file: the old state or the new one.)
2. the manifests of both are written. (Stale ones are noticed by size and time, and rebuilt from the files.)
3. each further name gets a copy of ``latest``, a file of its own, and a manifest.
4. what a new branch has left behind moves to the archive; it is no longer needed: its successor is durable.
5. retention deletes: a file first, its manifest after it.
"""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from unbroken.disk import digest, durable, space
from unbroken.errors import CheckpointDamagedError, DiskError, NothingToResumeError
from unbroken.store import aside, retention, torchfile
from unbroken.store import manifest as manifests
from unbroken.store import payload as keys
from unbroken.store.folder import CheckpointFolder, epoch_number
from unbroken.store.manifest import Manifest
from unbroken.store.payload import Payload
from unbroken.store.retention import Policy
from unbroken.store.tensors import estimate, tensor_digests

_NICE = 19


@dataclass(frozen=True)
class SaveJob:
    """A snapshot to save: nobody may change ``payload`` any more.

    ``names``: ``latest`` first, the rest get copies of it. ``policy`` None deletes nothing; ``protected`` are
    names (of files) that retention must leave alone, such as the one resumed from.
    """

    payload: Payload = field(repr=False)
    names: tuple[Path, ...]
    policy: Policy | None = None
    protected: AbstractSet[str] = frozenset()


@dataclass(frozen=True)
class SaveReport:
    """How a save went. ``names`` are the files written; ``missing`` those that should have been."""

    names: tuple[Path, ...]
    size: int
    seconds: float
    error: DiskError | None
    missing: tuple[Path, ...] = ()
    archived: tuple[Path, ...] = ()
    deleted: tuple[str, ...] = ()

    @property
    def safe(self) -> bool:
        """Whether the state itself is durable, under its first name, whatever became of its copies."""
        return bool(self.names)


class Writer:
    """Saves jobs one after the other in one background thread that no failure ends.

    Nothing is called back: the owner asks (``busy``, ``failure``, ``take_reports``) when it suits it.
    """

    def __init__(self, folder: CheckpointFolder) -> None:
        self.folder = folder
        self.failure: DiskError | None = None
        self._retired: set[tuple[str | None, int]] = set()
        self._changed = threading.Condition()
        self._job: SaveJob | None = None
        self._closed = False
        self._reports: list[SaveReport] = []
        self._thread = threading.Thread(target=self._work, name="unbroken-writer", daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether a job is being saved."""
        with self._changed:
            return self._job is not None

    def submit(self, job: SaveJob) -> None:
        """Hand ``job`` over; waits until the writer is free, not until the job is done."""
        with self._changed:
            if self._closed:
                raise RuntimeError("the writer is closed")
            self._changed.wait_for(lambda: self._job is None)
            self._job = job
            self._changed.notify_all()

    def wait(self) -> None:
        """Return when everything handed over is durable or has failed."""
        with self._changed:
            self._changed.wait_for(lambda: self._job is None)

    def close(self) -> None:
        """Finish the job in hand and end the thread; again, it does nothing."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def take_reports(self) -> list[SaveReport]:
        """The reports of the saves finished since the last call, in order."""
        with self._changed:
            reports, self._reports = self._reports, []
            return reports

    def _work(self) -> None:
        _lower_priority()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._job is not None or self._closed)
                job = self._job
            if job is None:
                return
            report = self._report(job)
            with self._changed:
                self.failure = report.error
                self._reports.append(report)
                self._job = job = None
                self._changed.notify_all()

    def _report(self, job: SaveJob) -> SaveReport:
        save = _Save(self.folder, job, self._retired)
        started = time.monotonic()
        error: DiskError | None = None
        try:
            save.run()
        except DiskError as failure:
            error = failure
        except Exception as failure:  # a save that fails must not end this thread, and so all later ones
            reason = str(failure) or type(failure).__name__
            error = DiskError("store_save_failed", path=job.names[0], reason=reason)
            error.__cause__ = failure
        _forget_frames(error)
        return SaveReport(
            names=tuple(save.written),
            size=save.size,
            seconds=time.monotonic() - started,
            error=error,
            missing=tuple(name for name in job.names if name not in save.written),
            archived=tuple(save.archived),
            deleted=tuple(save.deleted),
        )


class _Save:
    """One save, step by step; what is done so far stays readable if a step fails."""

    def __init__(self, folder: CheckpointFolder, job: SaveJob, retired: set[tuple[str | None, int]]) -> None:
        self._folder = folder
        self._job = job
        self._retired = retired
        self._progress = keys.progress_of(job.payload)
        self.written: list[Path] = []
        self.archived: list[Path] = []
        self.deleted: list[str] = []
        self.size = 0

    def run(self) -> None:
        latest, *copies = self._job.names
        self._retire()
        manifest = self._save_latest(latest)
        first_error: DiskError | None = None
        for path in copies:
            try:
                self._save_copy(latest, path, manifest)
            except DiskError as error:  # one name that fails must not cost the others
                first_error = first_error or error
        if first_error is not None:
            raise first_error
        self._retire()
        self._delete()

    def _save_latest(self, latest: Path) -> Manifest:
        space.require_space(self._folder.path, estimate(self._job.payload))
        self._make_way(self._folder.previous)
        before = self._current(latest)
        not_kept: DiskError | None = None

        def write(file: BinaryIO) -> None:
            torchfile.write(self._job.payload, file)

        try:
            written = durable.write_durably(latest, write, keep_previous_as=self._folder.previous)
        except DiskError as error:
            if error.key != "disk_keep_failed":
                raise
            not_kept = error
            written = durable.Written(latest.stat().st_size, digest.file_digest(latest))
        self.size = written.size
        self.written.append(latest)
        if before is not None and not_kept is None:
            manifests.write(self._folder, manifests.renamed(before, self._folder.previous))
        tensors = tensor_digests(self._job.payload)
        manifest = manifests.of_payload(
            self._job.payload, latest, latest.stat(), digest=written.digest, tensors=tensors
        )
        manifests.write(self._folder, manifest)
        if not_kept is not None:
            raise not_kept
        return manifest

    def _save_copy(self, latest: Path, path: Path, manifest: Manifest) -> None:
        self._make_way(path)
        durable.copy_durably(latest, path)
        self.written.append(path)
        manifests.write(self._folder, manifests.renamed(manifest, path))

    def _make_way(self, path: Path) -> None:
        """Move a file that this save would replace to the archive, if it is not an earlier state of the same thing.

        For a numbered file: of the same branch; for the generation before the newest: of the same run.
        """
        numbered = epoch_number(path.name) is not None
        if not (numbered or path == self._folder.previous) or not os.path.lexists(path):
            return
        there = self._current(path)
        if (
            there is not None
            and there.progress.run_id == self._progress.run_id
            and (not numbered or there.progress.branch == self._progress.branch)
        ):
            return
        archive = self._folder.new_archive(f"replaced-by-{self._progress.run_id}")
        self.archived.append(self._folder.move_into(archive, path))

    def _retire(self) -> None:
        """Move to the archive what this branch has left behind, once its newest file is durable.

        Before the save, too: a branch resumed after a kill may not have finished this, and the save would
        replace ``previous``.
        """
        parent, branch = self._progress.parent, (self._progress.run_id, self._progress.branch)
        if parent is None or self._progress.run_id is None or branch in self._retired:
            return
        current = self._current(self._job.names[0])
        if current is None or (current.progress.run_id, current.progress.branch) != branch:
            return
        self.archived += aside.retire_branch(self._folder, self._progress.run_id, self._progress.branch, parent)
        self._retired.add(branch)

    def _delete(self) -> None:
        if self._job.policy is None:
            return
        infos = manifests.describe_all(self._folder)
        protected = {*self._job.protected, *(path.name for path in self._job.names)}
        for info in retention.plan(infos, self._job.policy, protected, self._progress.run_id):
            durable.remove_durably(self._folder.path / info.name)
            self.deleted.append(info.name)
            durable.remove_durably(self._folder.manifest(info.name))

    def _current(self, path: Path) -> Manifest | None:
        """What is under ``path`` now; None if nothing, or nothing that can be described."""
        try:
            return manifests.describe(self._folder, path)
        except (CheckpointDamagedError, NothingToResumeError):
            return None


def _forget_frames(error: BaseException | None) -> None:
    """Drop the tracebacks: they would keep the whole snapshot in memory for as long as the error is kept."""
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


def _lower_priority() -> None:
    """On Linux a thread has a niceness of its own: saving takes only the processor time that training leaves."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
