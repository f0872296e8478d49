"""``unbroken verify``: read every byte of the checkpoints and say which are good."""

import argparse
import os
import random
import re
import sys
from datetime import datetime
from pathlib import Path

from unbroken import contract
from unbroken.cli import deep
from unbroken.cli.checkpoints import Entry, State, examine, progress_cells, sort_newest_first
from unbroken.cli.nothing import no_such_file, nothing_found
from unbroken.cli.output import Row, columns, fitted, print_json, print_table, printable, say, working_on
from unbroken.cli.parsing import add_folder
from unbroken.disk.mount import mount_of
from unbroken.disk.space import human
from unbroken.errors import CheckpointDamagedError, DiskError, NothingToResumeError
from unbroken.messages import text
from unbroken.store import verified
from unbroken.store.folder import CheckpointFolder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_folder(parser, "path", "FOLDER|FILE", "cli_help_folder_or_file")
    parser.add_argument("--subset", metavar="N%", type=percent, help=text("cli_help_subset").replace("%", "%%"))
    parser.add_argument("--deep", action="store_true", help=text("cli_help_deep"))


def run(arguments: argparse.Namespace) -> int:
    """Returns 5 if anything is damaged, or if the one file named is no checkpoint at all.

    Raises NothingToResumeError if there is nothing to verify.
    """
    folder, paths = _to_examine(arguments.path)
    chosen = paths if arguments.subset is None else _subset(folder, paths, arguments.subset)
    on = datetime.now().strftime(contract.TIMESTAMP_FORMAT)
    entries, statuses = _examine_all(folder, chosen)
    if not entries:
        raise nothing_found(folder)
    counts: dict[str, tuple[int, int]] = {}
    if arguments.deep:
        entries, counts = deep.compare_tensors(entries)
    _note(folder, entries, statuses, on)
    mount = mount_of(folder.path)
    promises = deep.tried(folder.path) if arguments.deep else None
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
                "subset": None if arguments.subset is None else {"files": len(entries), "of": len(paths)},
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
        if len(chosen) < len(paths):
            _say_rest(folder, len(entries), len(paths))
        deep.print_mount(mount, promises, tried=arguments.deep)
    return CheckpointDamagedError.exit_code if damaged else 0


def _to_examine(path: Path) -> tuple[CheckpointFolder, list[Path]]:
    if not path.is_dir():
        folder = CheckpointFolder(path.parent)
        if not os.path.lexists(path):
            raise no_such_file(path) if path.suffix == ".pth" else nothing_found(CheckpointFolder(path))
        return folder, [path]
    folder = CheckpointFolder(path)
    return folder, folder.checkpoints()


def percent(word: str) -> float:
    """``"10%"`` → 0.1."""
    if not re.fullmatch(r"\d{1,3}(\.\d+)?%", word, re.ASCII) or not 0 < (percent := float(word[:-1])) <= 100:
        raise ValueError(word)
    return percent / 100


def _subset(folder: CheckpointFolder, paths: list[Path], fraction: float) -> list[Path]:
    """Those never verified, then those verified longest ago, of so much of all bytes: by and by all have their turn.

    One at least. In what order among equals is left to chance, for folders in which nothing is noted.
    """
    known = verified.last_verified(folder)
    sizes = {path: path.stat(follow_symlinks=False).st_size for path in paths if os.path.lexists(path)}
    order = random.sample([*sizes], len(sizes))
    order.sort(key=lambda path: known[path.name].on if path.name in known else "")
    room, chosen = fraction * sum(sizes.values()), list[Path]()
    for path in order:
        if not chosen or room > 0:
            chosen.append(path)
            room -= sizes[path]
    return chosen


def _examine_all(folder: CheckpointFolder, paths: list[Path]) -> tuple[list[Entry], dict[str, os.stat_result]]:
    """Every byte of each read; with the status of each file from before."""
    entries, statuses = [], {}
    for path in paths:
        try:
            status = path.stat(follow_symlinks=False)
            with working_on(path):
                entries.append(examine(folder, path))
            statuses[path.name] = status
        except (NothingToResumeError, FileNotFoundError):
            continue  # retention deleted it since the folder was read
    return sort_newest_first(folder, entries), statuses


def _note(folder: CheckpointFolder, entries: list[Entry], statuses: dict[str, os.stat_result], on: str) -> None:
    """For ``list`` and the next subset. That it can't be noted is said, and changes nothing in what was found."""
    known = [entry for entry in entries if entry.state is not State.FOREIGN and not entry.unread]
    try:
        verified.note(folder, {one.name: (statuses[one.name], one.state is State.GOOD) for one in known}, on)
    except DiskError as error:
        print(fitted(printable(str(error)), sys.stderr), file=sys.stderr)


def _say_rest(folder: CheckpointFolder, count: int, total: int) -> None:
    """How much of the folder was read now, and since when every file of it was."""
    known = verified.last_verified(folder)
    names = [path.name for path in folder.checkpoints()]
    never = sum(name not in known for name in names)
    if never or not names:
        say(text("cli_subset_never", count=count, total=total, never=never))
    else:
        say(text("cli_subset_since", count=count, total=total, since=min(known[name].on for name in names)))


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
