"""``unbroken backup``: copy what a checkpoint folder holds, every copy verified, and no good copy ever lost."""

import argparse
from pathlib import Path

from unbroken.cli.checkpoints import State, examine
from unbroken.cli.copies import Copies, KeptAside, Pair, copy_all, locked, report
from unbroken.cli.output import working_on
from unbroken.messages import text
from unbroken.store.folder import CheckpointFolder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="FOLDER", type=Path, help=text("cli_help_folder"))
    parser.add_argument("destination", metavar="DEST", type=Path, help=text("cli_help_destination"))


def run(arguments: argparse.Namespace) -> int:
    """Returns 5 if a file was damaged and so not copied.

    Raises NothingToResumeError, UsageError (inside itself), FolderLockedError (a trainer uses the destination),
    DiskError.
    """
    source, destination = CheckpointFolder(arguments.folder), CheckpointFolder(arguments.destination)
    copies = back_up(source, destination)
    return report(copies, destination, {"folder": source.path}, "cli_backed_up", as_json=arguments.json)


def back_up(source: CheckpointFolder, destination: CheckpointFolder) -> Copies:
    """Copy every checkpoint of ``source`` and its archived runs to ``destination``, itself a checkpoint folder then.

    Nothing is replaced there but earlier states of the same run; what else gives way, such as a state ahead of the
    one that ``source`` has gone back to, is kept in the archive. Safe while ``source`` is being trained on: its
    files are replaced whole, and the newest is copied last.
    """
    with locked(source, destination, "cli_backup_inside"):
        keep = KeptAside(destination, "before-backup")
        return copy_all(source, destination, lambda pair: None if _is_earlier_state(pair) else keep(pair))


def _is_earlier_state(pair: Pair) -> bool:
    """Whether the copy to replace is of the same run as its source, and not ahead of it."""
    with working_on(pair.copy):
        there = examine(pair.destination, pair.copy)
        here = examine(pair.source, pair.source.path / pair.name)
    if there.state is not State.GOOD or there.progress is None or here.progress is None:
        return False
    return there.progress.run_id == here.progress.run_id and there.progress.order <= here.progress.order
