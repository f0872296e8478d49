"""``unbroken restore``: bring a backup back into a checkpoint folder, overwriting nothing."""

import argparse
from pathlib import Path

from unbroken.cli.copies import Copies, KeptAside, copy_all, locked, report
from unbroken.cli.output import working_on
from unbroken.errors import GuardError
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
    copies = restore(backup, destination)
    return report(copies, destination, {"backup": backup.path}, "cli_restored", as_json=arguments.json)


def restore(backup: CheckpointFolder, destination: CheckpointFolder) -> Copies:
    """Copy every good checkpoint of ``backup`` to ``destination``; what gives way there is kept.

    A damaged file is kept beside its name, a good one in the archive, a whole other run too. A folder whose newest
    good state is ahead of the backup's is refused: restoring would take training away.
    """
    with locked(backup, destination, "cli_restore_inside"):
        _refuse_if_ahead(backup, destination)
        return copy_all(backup, destination, KeptAside(destination, "before-restore"))


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
