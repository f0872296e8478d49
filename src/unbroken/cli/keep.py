"""``unbroken keep``: mark a checkpoint to be kept for ever, or take the mark away."""

import argparse
from pathlib import Path

from unbroken.cli.checkpoints import State, examine
from unbroken.cli.nothing import existing_file
from unbroken.cli.output import print_json, say, working_on
from unbroken.errors import CheckpointDamagedError, UsageError
from unbroken.messages import text
from unbroken.store.folder import CheckpointFolder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, help=text("cli_help_file"))
    parser.add_argument("--undo", action="store_true", help=text("cli_help_undo"))


def run(arguments: argparse.Namespace) -> int:
    """Raises NothingToResumeError, CheckpointDamagedError (only what is good is kept), UsageError, DiskError."""
    path = existing_file(arguments.file)
    folder = CheckpointFolder(path.parent)
    if arguments.undo:
        folder.unmark(path.name)
    else:
        _mark(folder, path)
    if arguments.json:
        print_json({"file": path.name, "path": str(path), "kept": not arguments.undo})
    else:
        say(text("cli_not_kept" if arguments.undo else "cli_kept_for_ever", path=path))
    return 0


def _mark(folder: CheckpointFolder, path: Path) -> None:
    if path in (folder.latest, folder.previous, folder.best):
        raise UsageError("cli_keep_is_replaced", path=path, copy=path.with_name("mine.pth"))
    with working_on(path):
        entry = examine(folder, path)
    if entry.state is not State.GOOD:
        raise CheckpointDamagedError("cli_keep_damaged", reason=entry.reason)
    folder.mark(path.name)
