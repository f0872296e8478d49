"""``unbroken verify``: read every byte of the checkpoints and say which are good."""

import argparse
import os
from pathlib import Path

from unbroken.cli import deep
from unbroken.cli.checkpoints import Entry, State, examine, progress_cells, sort_newest_first
from unbroken.cli.nothing import no_such_file, nothing_found
from unbroken.cli.output import Row, columns, print_json, print_table, say, working_on
from unbroken.cli.parsing import add_folder
from unbroken.disk.mount import mount_of
from unbroken.disk.space import human
from unbroken.errors import CheckpointDamagedError, NothingToResumeError
from unbroken.messages import text
from unbroken.store.folder import CheckpointFolder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_folder(parser, "path", "FOLDER|FILE", "cli_help_folder_or_file")
    parser.add_argument("--deep", action="store_true", help=text("cli_help_deep"))


def run(arguments: argparse.Namespace) -> int:
    """Returns 5 if anything is damaged, or if the one file named is no checkpoint at all.

    Raises NothingToResumeError if there is nothing to verify.
    """
    entries = _examined(arguments.path)
    counts: dict[str, tuple[int, int]] = {}
    if arguments.deep:
        entries, counts = deep.compare_tensors(entries)
    folder = arguments.path if arguments.path.is_dir() else arguments.path.parent
    mount = mount_of(folder)
    promises = deep.tried(folder) if arguments.deep else None
    bad = {State.DAMAGED} if arguments.path.is_dir() else {State.DAMAGED, State.FOREIGN}
    damaged = [entry for entry in entries if entry.state in bad]
    if arguments.json:
        print_json(
            {
                "path": str(arguments.path),
                "checkpoints": [
                    {**entry.as_json(), **deep.counts_as_json(counts.get(entry.name))} for entry in entries
                ],
                "damaged": len(damaged),
                "mount": deep.mount_as_json(mount, promises),
            }
        )
    else:
        _print_entries(entries, counts)
        for entry in entries:
            if entry.reason:
                say(entry.reason)
        good = sum(entry.state is State.GOOD for entry in entries)
        say(text("cli_verified", good=good, damaged=len(damaged)))
        deep.print_mount(mount, promises, tried=arguments.deep)
    return CheckpointDamagedError.exit_code if damaged else 0


def _examined(path: Path) -> list[Entry]:
    if not path.is_dir():
        folder = CheckpointFolder(path.parent)
        if not os.path.lexists(path):
            raise no_such_file(path) if path.suffix == ".pth" else nothing_found(CheckpointFolder(path))
        return _examine_all(folder, [path])
    folder = CheckpointFolder(path)
    entries = _examine_all(folder, folder.checkpoints())
    if not entries:
        raise nothing_found(folder)
    return entries


def _examine_all(folder: CheckpointFolder, paths: list[Path]) -> list[Entry]:
    entries = []
    for path in paths:
        try:
            with working_on(path):
                entries.append(examine(folder, path))
        except NothingToResumeError:
            continue  # retention deleted it since the folder was read
    return sort_newest_first(folder, entries)


def _print_entries(entries: list[Entry], counts: dict[str, tuple[int, int]]) -> None:
    titles = ["cli_column_file", "cli_column_epoch", "cli_column_batch", "cli_column_step", "cli_column_size"]
    titles += ["cli_column_state", "cli_column_as_saved"] if counts else ["cli_column_state"]
    rows = [
        Row(
            [entry.name, *progress_cells(entry.progress), human(entry.size), entry.state.label]
            + ([deep.counts_text(counts.get(entry.name))] if counts else []),
            entry.state.style,
        )
        for entry in entries
    ]
    print_table(columns(*titles), rows)
