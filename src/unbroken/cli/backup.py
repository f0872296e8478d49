"""``unbroken backup``: copy what a checkpoint folder holds, every copy verified, and no good copy ever lost."""

import argparse
import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from unbroken.cli.checkpoints import Entry, State, archived_runs, examine
from unbroken.cli.nothing import nothing_found
from unbroken.cli.output import Column, Row, print_json, print_table, say, working_on
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

NAME = "backup"

_INCOMING = "incoming.pth"


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


@dataclass(frozen=True)
class Outcome:
    """How a backup went. ``left_out`` are files that were not good enough to replace a copy."""

    copied: list[Pair]
    unchanged: list[Pair]
    left_out: list[Entry]
    moved_aside: Path | None

    @property
    def damaged(self) -> list[Entry]:
        return [entry for entry in self.left_out if entry.state is State.DAMAGED]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="FOLDER", type=Path, help=text("cli_help_folder"))
    parser.add_argument("destination", metavar="DEST", type=Path, help=text("cli_help_destination"))


def run(arguments: argparse.Namespace) -> int:
    """Returns 5 if a file was damaged and so not copied.

    Raises NothingToResumeError, UsageError (inside itself), FolderLockedError (a trainer uses the destination),
    DiskError.
    """
    source, destination = CheckpointFolder(arguments.folder), CheckpointFolder(arguments.destination)
    outcome = back_up(source, destination)
    if arguments.json:
        print_json(
            {
                "folder": str(source.path),
                "destination": str(destination.path),
                "copied": [_as_json(pair) for pair in outcome.copied],
                "unchanged": [_as_json(pair) for pair in outcome.unchanged],
                "left_out": [
                    {"file": str(entry.path), "state": entry.state.value, "reason": entry.reason}
                    for entry in outcome.left_out
                ],
                "moved_aside": str(outcome.moved_aside) if outcome.moved_aside else None,
            }
        )
    else:
        _print(destination, outcome)
    return CheckpointDamagedError.exit_code if outcome.damaged else 0


def back_up(source: CheckpointFolder, destination: CheckpointFolder) -> Outcome:
    """Copy every checkpoint of ``source`` and its archived runs to ``destination``, itself a checkpoint folder then.

    Each file is read whole before it is copied, and each copy after: a damaged file never replaces a good copy.
    Nothing is deleted there; another run found there moves to its archive. Safe while ``source`` is being
    trained on: its files are replaced whole, and the newest is copied last.
    """
    if not [*source.checkpoints(), *archived_runs(source)]:
        raise nothing_found(source)
    _refuse_inside(source, destination)
    destination.prepare()
    lock = FolderLock.acquire(destination.lock_path)
    try:
        lineage.clean(destination)
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
        copied = []
        for pair in wanted:
            path = pair.source.path / pair.name
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
    finally:
        lock.release()
    return Outcome(copied, [pair for pair in pairs if pair.unchanged], left_out, moved_aside)


def _refuse_inside(source: CheckpointFolder, destination: CheckpointFolder) -> None:
    inner, outer = (Path(os.path.realpath(folder.path)) for folder in (destination, source))
    if inner.is_relative_to(outer):
        raise UsageError("cli_backup_inside", folder=source.path, destination=destination.path)


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
    except FileNotFoundError as error:
        raise torchfile.nothing_there(path) from error
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
    target = pair.destination.internal / _INCOMING if replaces else pair.copy
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
        info = manifests.of_payload(payload, pair.copy, pair.copy.stat(), digest=digest, tensors={})
        manifests.write(pair.destination, info)


def _copy_records(source: CheckpointFolder, destination: CheckpointFolder) -> None:
    for here, there in _folders(source, destination):
        record = lineage.read_run_record(here)
        if record is not None and record != lineage.read_run_record(there):
            there.prepare()
            durable.copy_durably(here.run_json, there.run_json)


def _as_json(pair: Pair) -> dict[str, object]:
    return {"file": str(pair.shown_as), "copy": str(pair.copy), "size": pair.size, "digest": pair.digest}


def _print(destination: CheckpointFolder, outcome: Outcome) -> None:
    columns = [
        Column(text("cli_column_file"), whole=True),
        Column(text("cli_column_size"), right=True),
        Column(text("cli_column_backup")),
    ]
    rows = [
        Row([str(pair.shown_as), human(pair.size), text(key)])
        for key, pairs in (("cli_copied", outcome.copied), ("cli_unchanged", outcome.unchanged))
        for pair in pairs
    ]
    rows += [Row([entry.name, human(entry.size), text("cli_left_out")], "bold red") for entry in outcome.left_out]
    print_table(columns, rows)
    for entry in outcome.left_out:
        say(entry.reason)
    if outcome.moved_aside is not None:
        say(text("cli_moved_aside", path=outcome.moved_aside))
    counts = {"copied": len(outcome.copied), "unchanged": len(outcome.unchanged)}
    size = human(sum(pair.size for pair in outcome.copied))
    say(text("cli_backed_up", path=destination.path, size=size, **counts))
