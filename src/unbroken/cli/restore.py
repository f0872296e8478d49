"""``unbroken restore``: bring a backup back into a checkpoint folder, overwriting nothing."""

import argparse
import os
from pathlib import Path

from unbroken.cli.checkpoints import archived_runs
from unbroken.cli.copies import Aside, Outcome, copy_all, print_outcome
from unbroken.cli.nothing import nothing_found
from unbroken.cli.output import print_json, working_on
from unbroken.disk.lock import FolderLock
from unbroken.errors import CheckpointDamagedError, GuardError, UsageError
from unbroken.messages import text
from unbroken.store import lineage
from unbroken.store.folder import CheckpointFolder
from unbroken.store.manifest import Manifest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("backup", metavar="BACKUP", type=Path, help=text("cli_help_backup_folder"))
    parser.add_argument("destination", metavar="DEST", type=Path, help=text("cli_help_restored_to"))


def run(arguments: argparse.Namespace) -> int:
    """Returns 5 if a file of the backup was damaged and so not restored.

    Raises NothingToResumeError, UsageError, GuardError (the folder is ahead of the backup, or a trainer uses it),
    DiskError.
    """
    backup, destination = CheckpointFolder(arguments.backup), CheckpointFolder(arguments.destination)
    outcome = restore(backup, destination)
    if arguments.json:
        folders = {"backup": str(backup.path), "destination": str(destination.path)}
        print_json({**folders, **outcome.as_json()})
    else:
        print_outcome(destination, outcome, "cli_restored")
    return CheckpointDamagedError.exit_code if outcome.damaged else 0


def restore(backup: CheckpointFolder, destination: CheckpointFolder) -> Outcome:
    """Copy every good checkpoint of ``backup`` to ``destination``; what gives way there is kept.

    A damaged file is kept beside its name, a good one in the archive, a whole other run too. A folder whose newest
    good state is ahead of the backup's is refused: restoring would take training away.
    """
    if not [*backup.checkpoints(), *archived_runs(backup)]:
        raise nothing_found(backup)
    there, here = (Path(os.path.realpath(folder.path)) for folder in (destination, backup))
    if there.is_relative_to(here):
        raise UsageError("cli_restore_inside", folder=backup.path, destination=destination.path)
    destination.prepare()
    lock = FolderLock.acquire(destination.lock_path, destination.path)
    try:
        _refuse_if_ahead(backup, destination)
        return copy_all(backup, destination, Aside(destination, "before-restore"))
    finally:
        lock.release()


def _refuse_if_ahead(backup: CheckpointFolder, destination: CheckpointFolder) -> None:
    ours, theirs = _newest(destination), _newest(backup)
    if ours is None or theirs is None or ours.progress.run_id != theirs.progress.run_id:
        return
    if ours.progress.order > theirs.progress.order:
        said = {"folder": destination.path, "step": ours.progress.step, "backup_step": theirs.progress.step}
        raise GuardError("cli_restore_ahead", **said, newest=backup.path / theirs.name)


def _newest(folder: CheckpointFolder) -> Manifest | None:
    with working_on(folder.path):
        return lineage.explain(folder).chosen
