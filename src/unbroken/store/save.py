"""One save: a snapshot made durable under all its names in the folder, and sealed by a manifest for each.

The order, and what is true if everything stops after each step:

1. the new state is written beside ``latest`` and renamed over it; the state before it becomes ``previous``.
   (At every moment ``latest`` is a whole file: the old state or the new one.) From here on the state is durable.
2. the manifests of both are written. (Stale ones are noticed by size and time, and rebuilt from the files.) What fell
   out of the names is freed only now: that takes a file system a while.
3. each further name gets a copy of ``latest``, a file of its own, and a manifest.
4. what a new branch has left behind moves to the archive: its successor is durable.
5. retention deletes: a file first, its manifest after it.

No step destroys another run's or branch's state: what a new file would replace moves to the archive first, unless
it is an earlier state of the same thing.
"""

import time
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import BinaryIO, TypeVar

from unbroken.disk import digest, durable, space
from unbroken.disk.durable import Written
from unbroken.errors import CheckpointDamagedError, DiskError, UnbrokenError
from unbroken.store import aside, index, retention, runstate, torchfile
from unbroken.store import manifest as manifests
from unbroken.store import payload as keys
from unbroken.store.ancestry import is_ancestor
from unbroken.store.folder import CheckpointFolder, is_numbered
from unbroken.store.manifest import Described, Manifest
from unbroken.store.payload import Payload, Progress
from unbroken.store.record import read_run_record
from unbroken.store.retention import Policy

Branch = tuple[str | None, int]
Made = TypeVar("Made")

_BESIDE = 64 << 10  # bytes: the manifest, folders that grow
_PAUSES = (0.1, 0.5)  # seconds before a failed write is tried again


@dataclass(frozen=True)
class SaveJob:
    """A snapshot to save: nobody may change ``payload`` any more.

    ``names``: ``latest`` first, the rest get copies of it. ``policy`` None deletes nothing; ``protected`` are
    names (of files) that retention must leave alone, such as the one resumed from. After the ``last`` none comes that
    would make up for it: its snapshot is kept until it is safe.
    """

    payload: Payload = field(repr=False)
    names: tuple[Path, ...]
    policy: Policy | None = None
    protected: AbstractSet[str] = frozenset()
    last: bool = False
    generation: int | None = None
    """Of the trainer: nothing is put in place once a later one has begun in the folder."""
    stalled: float = 0.0
    """Seconds for which training has stood still for it: while it was copied, and an earlier one was written."""


@dataclass(frozen=True)
class SaveReport:
    """How a save went. ``names`` are the files written; ``missing`` those that should have been.

    ``seconds``: until the state was durable under its first name, or had failed.

    ``made_again``: the folder, or what belongs in it, was gone since the save before.
    """

    names: tuple[Path, ...]
    size: int
    seconds: float
    error: DiskError | None
    missing: tuple[Path, ...] = ()
    archived: tuple[Path, ...] = ()
    deleted: tuple[str, ...] = ()
    made_again: bool = False

    @property
    def safe(self) -> bool:
        """Whether the state itself is durable, under its first name, whatever became of its copies."""
        return bool(self.names)


def save(folder: CheckpointFolder, job: SaveJob, retired: set[Branch]) -> SaveReport:
    """Save ``job`` in ``folder``; whatever goes wrong is in the report, and as much as possible done all the same.

    ``retired`` remembers, from one save to the next, the branches that have nothing left behind any more.
    """
    work = _Save(folder, job, retired)
    started = time.monotonic()
    error: DiskError | None = None
    try:
        work.run()
    except DiskError as failure:
        error = failure
    except Exception as failure:  # a save that fails must not end the writer, and so all later saves
        reason = str(failure) or type(failure).__name__
        error = DiskError("store_save_failed", path=job.names[0], reason=reason)
        error.__cause__ = failure
    _forget_frames(error)
    if error is not None:
        folder.retold(error)
    return SaveReport(
        names=tuple(work.written),
        size=work.size,
        seconds=(work.durable_at or time.monotonic()) - started,
        error=error,
        missing=tuple(name for name in job.names if name not in work.written),
        archived=tuple(work.archived),
        deleted=tuple(work.deleted),
        made_again=work.made_again,
    )


class _Save:
    """One save, step by step; what is done so far stays readable if a step fails."""

    def __init__(self, folder: CheckpointFolder, job: SaveJob, retired: set[Branch]) -> None:
        self._folder = folder
        self._job = job
        self._retired = retired
        self._progress = keys.progress_of(job.payload)
        self._errors: list[DiskError] = []
        self.written: list[Path] = []
        self.archived: list[Path] = []
        self.deleted: list[str] = []
        self.made_again = False
        self.durable_at: float | None = None
        self.size = 0

    def run(self) -> None:
        """Do every step that does not need one that failed; raise the first DiskError at the end."""
        latest, *copies = self._job.names
        self.made_again = self._folder.prepare()  # somebody may have deleted it in the middle of the run
        manifest = _again_if_it_may_pass(partial(self._save_latest, latest))
        for path in copies:
            self._try(partial(_again_if_it_may_pass, partial(self._save_copy, latest, path, manifest)))
        if not self._errors:
            self._try(self._retire)
            self._try(self._delete)
        if self._errors:
            raise self._errors[0]

    def _try(self, step: Callable[[], None]) -> bool:
        try:
            step()
        except DiskError as error:
            self._errors.append(error)
            return False
        return True

    @cached_property
    def _laid_out(self) -> torchfile.LaidOut:
        return torchfile.LaidOut(self._job.payload)

    def _save_latest(self, latest: Path) -> Manifest:
        with ExitStack() as replaced:
            return self._replace_latest(latest, replaced)

    def _replace_latest(self, latest: Path, replaced: ExitStack) -> Manifest:
        space.require_space(self._folder.path, self._laid_out.size + _BESIDE)
        previous = self._folder.previous
        before = self._current(latest)
        if before is None:
            self._try(lambda: self._make_way(latest, self._progress))
        elif _same_state(before.progress, self._progress) or self._is_second_name(latest):
            before = None  # saved a second time, or under another name too: the state before it stays where it is
        keep = before is not None and self._try(lambda: self._make_way(previous, before.progress))
        written, tensors = self._write(latest, previous if keep else None, replaced)
        self.size = written.size
        self.written.append(latest)
        self.durable_at = time.monotonic()
        if before is not None and manifests.is_current(before, previous):
            self._try(lambda: manifests.write(self._folder, manifests.renamed(before, previous)))
        manifest = manifests.of_payload(self._job.payload, latest, digest=written.digest, tensors=tensors)
        self._try(lambda: manifests.write(self._folder, manifest))
        return manifest

    def _write(self, latest: Path, previous: Path | None, replaced: ExitStack) -> tuple[Written, dict[str, str]]:
        tensors: dict[str, str] = {}

        def write(file: BinaryIO) -> None:
            tensors.update(self._laid_out.write(file))
            self._require_generation()

        try:
            return durable.write_durably(latest, write, keep_previous_as=previous, replaced=replaced), tensors
        except DiskError as error:
            if error.key != "disk_keep_failed":
                raise
            self._errors.append(error)  # latest is safe, only its predecessor could not be kept
            return Written(latest.stat().st_size, digest.file_digest(latest)), tensors

    def _require_generation(self) -> None:
        """A lock does not reach a trainer that the network has cut off; its next file has to name a later one."""
        now, mine = read_run_record(self._folder), self._job.generation
        if mine is not None and now is not None and now.generation > mine:
            raise DiskError("store_superseded", path=self._job.names[0], record=self._folder.run_json)

    def _save_copy(self, latest: Path, path: Path, manifest: Manifest) -> None:
        self._make_way(path, self._progress)
        durable.copy_durably(latest, path)
        self.written.append(path)
        copy = manifests.renamed(manifest, path)
        manifests.write(self._folder, copy)
        index.note(self._folder, [copy])

    def _make_way(self, path: Path, successor: Progress) -> None:
        """Move the file that ``successor`` replaces to the archive, unless it is an earlier state of the same thing.

        That is a state on the way to ``successor``; for a numbered file, one of its very branch.
        """
        if not (path.is_file() or path.is_symlink()) or self._is_second_name(path):
            return
        there = self._current(path)
        if there is not None and there.progress.run_id == successor.run_id:
            forks = {successor.branch: successor.parent} if successor.parent else {}
            same_branch = there.progress.branch == successor.branch
            if same_branch or (not is_numbered(path.name) and is_ancestor(there.progress, successor.branch, forks)):
                return
        archive = self._folder.new_archive(f"replaced-by-{self._progress.run_id}")
        self.archived.append(self._folder.move_into(archive, path))

    def _is_second_name(self, path: Path) -> bool:
        """Whether ``path`` is a link to a file of this folder: it is replaced, and the file keeps its own name."""
        try:
            return path.is_symlink() and torchfile.inside(path).is_file()
        except CheckpointDamagedError:
            return False

    def _retire(self) -> None:
        """Move to the archive what this branch has left behind; its newest file has just been made durable."""
        parent, branch = self._progress.parent, (self._progress.run_id, self._progress.branch)
        if parent is None or self._progress.run_id is None or branch in self._retired:
            return
        self.archived += aside.retire_branch(self._folder, self._progress.run_id, self._progress.branch, parent)
        self._retired.add(branch)

    def _delete(self) -> None:
        if self._job.policy is None:
            return
        for info in self._doomed(self._job.policy):
            durable.remove_durably(self._folder.path / info.name)
            self.deleted.append(info.name)
            durable.remove_durably(self._folder.manifest(info.name))

    def _doomed(self, policy: Policy) -> list[Described]:
        protected = {*self._job.protected, *self._folder.kept(), *(path.name for path in self._job.names)}
        protected |= self._folder.linked_to()
        scores = runstate.scores(self._job.payload) if policy.best is not None else {}

        def doomed(infos: Sequence[Described]) -> list[Described]:
            return retention.plan(infos, policy, protected, self._progress.run_id, scores)

        found = index.look(self._folder)
        index.tidy(self._folder, found)
        infos = index.describe_all(self._folder, found)
        chosen = doomed(infos)
        # Nothing is deleted on the index's word alone, neither for what goes nor for the newest, which stays for it.
        if all(map(self._as_its_manifest_says, [*chosen, *self._newest_numbered(infos)] if chosen else [])):
            return chosen
        return [*doomed(manifests.describe_all(self._folder))]

    def _newest_numbered(self, infos: Sequence[Described]) -> list[Described]:
        own = [info for info in infos if info.progress.run_id == self._progress.run_id and is_numbered(info.name)]
        return sorted(own, key=lambda info: info.progress.order)[-1:]

    def _as_its_manifest_says(self, info: Described) -> bool:
        there = manifests.known(self._folder, self._folder.path / info.name)
        return there is not None and manifests.is_same(there, info)

    def _current(self, path: Path) -> Manifest | None:
        """What is under ``path`` now; None if nothing, or nothing that can be described."""
        try:
            return manifests.describe(self._folder, path)
        except UnbrokenError:
            return None


def _again_if_it_may_pass(step: Callable[[], Made]) -> Made:
    """``step``, done again from its start, a few times, after an error that may pass by itself, as networks' do."""
    for pause in _PAUSES:
        try:
            return step()
        except DiskError as error:
            if not durable.may_pass(error):
                raise
        time.sleep(pause)
    return step()


def _same_state(one: Progress, other: Progress) -> bool:
    return (one.run_id, one.order) == (other.run_id, other.order)


def _forget_frames(error: BaseException | None) -> None:
    """Drop the tracebacks: they would keep the whole snapshot in memory for as long as the error is kept."""
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__
