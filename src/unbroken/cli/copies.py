"""Copies: one checkpoint folder copied to another, every byte read before and after, and no good copy ever lost."""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from unbroken.cli.checkpoints import Entry, State, archived_runs, examine
from unbroken.cli.nothing import nothing_found
from unbroken.cli.output import Row, columns, print_json, print_table, say, working_on
from unbroken.disk import durable
from unbroken.disk.digest import file_digest
from unbroken.disk.lock import FolderLock
from unbroken.disk.space import human, require_space
from unbroken.errors import CheckpointDamagedError, DiskError, NothingToResumeError, UsageError
from unbroken.messages import text
from unbroken.store import lineage, torchfile
from unbroken.store import manifest as manifests
from unbroken.store import payload as keys
from unbroken.store.folder import CheckpointFolder

INCOMING = "incoming.pth"  # in the internal folder: what has no name of its own yet


@dataclass(frozen=True)
class Pair:
    """A good file and where its copy belongs; ``unchanged`` if the copy there, read just now, is the same."""

    source: CheckpointFolder
    destination: CheckpointFolder
    name: str
    shown_as: Path
    size: int
    digest: str
    unchanged: bool

    @property
    def copy(self) -> Path:
        return self.destination.path / self.name

    def as_json(self) -> dict[str, object]:
        return {"file": str(self.shown_as), "copy": str(self.copy), "size": self.size, "digest": self.digest}


@dataclass(frozen=True)
class Copies:
    """How it went. ``left_out``: files not good enough to copy; ``replaced``: where what gave way is now."""

    copied: list[Pair]
    unchanged: list[Pair]
    left_out: list[Entry]
    moved_aside: Path | None
    replaced: list[Path]

    def as_json(self) -> dict[str, object]:
        return {
            "copied": [pair.as_json() for pair in self.copied],
            "unchanged": [pair.as_json() for pair in self.unchanged],
            "left_out": [
                {"file": str(entry.path), "state": entry.state.value, "reason": entry.reason} for entry in self.left_out
            ],
            "moved_aside": str(self.moved_aside) if self.moved_aside else None,
            "replaced": [str(path) for path in self.replaced],
        }


@contextlib.contextmanager
def locked(source: CheckpointFolder, destination: CheckpointFolder, inside: str) -> Iterator[None]:
    """Within the block this process holds the lock of ``destination``, which is made if there is none.

    Raises NothingToResumeError (nothing to copy), the UsageError ``inside`` (it lies in the source),
    FolderLockedError (a trainer uses it), DiskError.
    """
    if not [*source.checkpoints(), *archived_runs(source)]:
        raise nothing_found(source)
    if Path(os.path.realpath(destination.path)).is_relative_to(os.path.realpath(source.path)):
        raise UsageError(inside, folder=source.path, destination=destination.path)
    destination.prepare()
    lock = FolderLock.acquire(destination.lock_path, destination.path)
    try:
        yield
    finally:
        lock.release()


def copy_all(
    source: CheckpointFolder, destination: CheckpointFolder, put_aside: Callable[[Pair], Path | None]
) -> Copies:
    """Copy every good checkpoint of ``source`` and its archived runs to ``destination``, whose lock the caller holds.

    Each file is read whole before it is copied, and each copy after: a damaged file never replaces a good copy.
    What is the same there already is read, not written; another run found there moves to its archive. ``put_aside``
    is called before a copy replaces anything, and says where that is kept, if it is. Cut off anywhere, done again it
    is finished: the newest is copied last, and every name holds a whole file.
    """
    lineage.clean(destination)
    durable.remove_durably(destination.internal / INCOMING)
    moved_aside = _make_way(source, destination)
    pairs: list[Pair] = []
    left_out: list[Entry] = []
    for found in _look(source, destination):
        if isinstance(found, Pair):
            pairs.append(found)
        else:
            left_out.append(found)
    wanted = [pair for pair in pairs if not pair.unchanged]
    beside = max((pair.size for pair in wanted if os.path.lexists(pair.copy)), default=0)
    require_space(destination.path, sum(pair.size for pair in wanted) + beside)
    copied: list[Pair] = []
    replaced: list[Path] = []
    for pair in wanted:
        path = pair.source.path / pair.name
        aside = put_aside(pair) if os.path.lexists(pair.copy) else None
        replaced += [aside] if aside is not None else []
        try:
            copy_one(pair)
        except NothingToResumeError:
            continue  # deleted since it was read
        except CheckpointDamagedError as error:
            left_out.append(Entry(path, pair.size, State.DAMAGED, None, str(error)))
        else:
            copied.append(pair)
    for pair in pairs:
        if pair.unchanged:
            _seal(pair, pair.digest)
    _copy_records(source, destination)
    return Copies(copied, [pair for pair in pairs if pair.unchanged], left_out, moved_aside, replaced)


class KeptAside:
    """Keeps what a copy replaces; one folder of the archive, called ``label``, for all of one command.

    A damaged file is renamed. A good one is copied, so that its name has a good file at every moment.
    """

    def __init__(self, destination: CheckpointFolder, label: str) -> None:
        self._destination = destination
        self._label = label
        self._archive: CheckpointFolder | None = None

    def __call__(self, pair: Pair) -> Path:
        with working_on(pair.copy):
            if examine(pair.destination, pair.copy).state is State.DAMAGED:
                return pair.destination.set_aside(pair.copy, "damaged")
            if self._archive is None:
                self._archive = self._destination.new_archive(self._label)
            kept = self._archive.spare(self._archive.path / pair.name)
            incoming = self._destination.internal / INCOMING
            durable.copy_durably(pair.copy, incoming)
            durable.move_durably(incoming, kept)
        return kept


def _make_way(source: CheckpointFolder, destination: CheckpointFolder) -> Path | None:
    """Move the run in ``destination`` aside, if it holds one that ``source`` does not; under its name there."""
    here = {info.progress.run_id for info in manifests.describe_all(source)}
    there = {info.progress.run_id for info in manifests.describe_all(destination)}
    if there <= here:
        return None
    record = lineage.read_run_record(destination)
    run_id = record.run_id if record else next(iter(sorted(run for run in there if run)), "plain")
    label = f"run-{run_id[:8]}"
    for archived in archived_runs(source):
        same = lineage.read_run_record(archived)
        if same is not None and same.run_id == run_id:
            label = archived.path.name  # so that its files are found there, and not copied again
    return lineage.archive_run(destination, label)


def _folders(
    source: CheckpointFolder, destination: CheckpointFolder
) -> Iterator[tuple[CheckpointFolder, CheckpointFolder]]:
    """Archived runs first: what they hold may have been, until now, in the folder itself."""
    for archived in archived_runs(source):
        yield archived, CheckpointFolder(destination.archive / archived.path.name)
    yield source, destination


def _look(source: CheckpointFolder, destination: CheckpointFolder) -> Iterator[Pair | Entry]:
    """Every file to copy, the newest last; an Entry for what is not copied."""
    for here, there in _folders(source, destination):
        paths = sorted(here.checkpoints(), key=lambda path: path == here.latest)
        for path in paths:
            with working_on(path):
                try:
                    entry = examine(here, path)
                    if entry.state is State.DAMAGED or (entry.state is State.FOREIGN and not _is_sound(path)):
                        yield entry
                        continue
                    digest = _digest(path)
                except NothingToResumeError:
                    continue  # retention deleted it since the folder was read
                copy = there.path / path.name
                unchanged = copy.is_file() and not copy.is_symlink() and _digest(copy) == digest
            yield Pair(here, there, path.name, path.relative_to(source.path), entry.size, digest, unchanged)


def _is_sound(path: Path) -> bool:
    """Whether a file that is no checkpoint, such as other weights, is at least whole: else it cannot be told good."""
    try:
        torchfile.verify(path)
    except (CheckpointDamagedError, DiskError):
        return False
    return True


def _digest(path: Path) -> str:
    try:
        return file_digest(path)
    except FileNotFoundError:
        raise torchfile.nothing_there(path) from None
    except OSError as error:
        raise DiskError("store_unreadable", path=path, reason=error.strerror) from error


def copy_one(pair: Pair) -> None:
    """Copy one file and describe the copy.

    The source may have been replaced since it was read. So what is to replace an older copy is copied beside it
    first, and takes its name only once it is known to be good. Raises NothingToResumeError if the source is gone,
    CheckpointDamagedError if it is damaged by now.
    """
    path = pair.source.path / pair.name
    pair.destination.prepare()
    replaces = os.path.lexists(pair.copy)
    target = pair.destination.internal / INCOMING if replaces else pair.copy
    with working_on(path):
        try:
            written = durable.copy_durably(path, target)
        except DiskError as error:
            raise error if path.exists() else torchfile.nothing_there(path) from error
        try:
            if written.digest != pair.digest:
                torchfile.verify(target)
            if replaces:
                durable.copy_durably(target, pair.copy)
        except CheckpointDamagedError:
            durable.remove_durably(target)
            raise
        if replaces:
            durable.remove_durably(target)
    _seal(pair, written.digest)


def _seal(pair: Pair, digest: str) -> None:
    """Make sure that the copy has a manifest: the source's own if it describes the same bytes."""
    there = manifests.read(pair.destination, pair.name)
    if there is not None and there.digest == digest and manifests.is_current(there, pair.copy):
        return
    here = manifests.read(pair.source, pair.name)
    if here is not None and here.digest == digest:
        manifests.write(pair.destination, manifests.renamed(here, pair.copy))
        return
    payload = torchfile.read_metadata(pair.copy)
    with contextlib.suppress(CheckpointDamagedError):  # other weights have no manifest
        keys.check_contract(payload, pair.copy)
        info = manifests.of_payload(payload, pair.copy, digest=digest)
        manifests.write(pair.destination, info)


def _copy_records(source: CheckpointFolder, destination: CheckpointFolder) -> None:
    for here, there in _folders(source, destination):
        record = lineage.read_run_record(here)
        if record is not None and record != lineage.read_run_record(there):
            there.prepare()
            durable.copy_durably(here.run_json, there.run_json)
        for name in here.kept():
            if (there.path / name).is_file():
                there.mark(name)


def report(copies: Copies, destination: CheckpointFolder, of: dict[str, Path], done: str, *, as_json: bool) -> int:
    """Say what came of each file, and the sentence ``done``; the exit code, 5 if one was damaged and so not copied."""
    damaged = any(entry.state is State.DAMAGED for entry in copies.left_out)
    code = CheckpointDamagedError.exit_code if damaged else 0
    if as_json:
        print_json({**of, "destination": destination.path, **copies.as_json()})
        return code
    rows = [
        Row([str(pair.shown_as), human(pair.size), text(key)])
        for key, pairs in (("cli_copied", copies.copied), ("cli_unchanged", copies.unchanged))
        for pair in pairs
    ]
    rows += [Row([entry.name, human(entry.size), text("cli_left_out")], "bold red") for entry in copies.left_out]
    print_table(columns("cli_column_file", "cli_column_size", "cli_column_backup"), rows)
    for entry in copies.left_out:
        say(entry.reason)
    if copies.moved_aside is not None:
        say(text("cli_moved_aside", folder=destination.path, path=copies.moved_aside))
    for path in copies.replaced:
        say(text("cli_replaced", path=path))
    counts = {"copied": len(copies.copied), "unchanged": len(copies.unchanged)}
    size = human(sum(pair.size for pair in copies.copied))
    say(text(done, path=destination.path, size=size, **counts))
    return code
