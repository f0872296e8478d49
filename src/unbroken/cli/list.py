"""``unbroken list``: every checkpoint there is, with progress, best, size, time and state, from manifests alone."""

import argparse
from collections.abc import Mapping
from dataclasses import replace

from unbroken.cli.checkpoints import Entry, State, archived_runs, best_text, look_into, progress_cells
from unbroken.cli.nothing import command, nothing_found
from unbroken.cli.output import Row, columns, print_json, print_table, say
from unbroken.cli.parsing import add_folder
from unbroken.disk.space import human
from unbroken.messages import text
from unbroken.store import verified
from unbroken.store.folder import CheckpointFolder
from unbroken.store.verified import Verified


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_folder(parser)


def run(arguments: argparse.Namespace) -> int:
    """Raises NothingToResumeError if there is none."""
    folder = CheckpointFolder(arguments.folder)
    entries = look_into(folder)
    if not entries:
        raise nothing_found(folder)
    archived = archived_runs(folder)
    aside = folder.set_aside_files()
    kept = folder.kept()
    known = verified.last_verified(folder)
    entries = [_as_verified(entry, known.get(entry.name)) for entry in entries]
    if arguments.json:
        print_json(
            {
                "folder": str(folder.path),
                "checkpoints": [
                    {**entry.as_json(), "kept": entry.name in kept, **_verification(known.get(entry.name))}
                    for entry in entries
                ],
                "archived": [str(run.path) for run in archived],
                "set_aside": [str(path) for path in aside],
            }
        )
        return 0
    _print_entries(entries, known)
    for entry in entries:
        if entry.state is State.DAMAGED:
            say(entry.reason)
        elif (last := known.get(entry.name)) is not None and not last.good:
            say(text("cli_verified_bad", path=entry.path, on=last.on))
    say(text("cli_state_note"))
    if marked := [entry.name for entry in entries if entry.name in kept]:
        say(text("cli_marked", names=", ".join(marked)))
    for run in archived:
        say(text("cli_archived", path=run.path, count=len(run.checkpoints()), command=command("list", run.path)))
    for path in aside:
        say(text("cli_set_aside", path=path))
    return 0


def _as_verified(entry: Entry, last: Verified | None) -> Entry:
    """Damaged, where no seal fits it, and it was found so when it was last read to its end: it is the same file."""
    if last is None or last.good or entry.state is not State.UNVERIFIED:
        return entry
    return replace(entry, state=State.DAMAGED, reason=text("cli_verified_bad", path=entry.path, on=last.on))


def _verification(last: Verified | None) -> dict[str, object]:
    """When the file was last read to its end, and whether it was good."""
    return {"verified_on": None if last is None else last.on, "verified_good": None if last is None else last.good}


def _print_entries(entries: list[Entry], known: Mapping[str, Verified]) -> None:
    several_runs = len({entry.run_id for entry in entries if entry.manifest}) > 1
    several_branches = len({entry.manifest.progress.branch for entry in entries if entry.manifest}) > 1
    titles = ["cli_column_file", "cli_column_epoch", "cli_column_batch", "cli_column_step", "cli_column_best"]
    titles += ["cli_column_size", "cli_column_saved", *["cli_column_verified"] * bool(known), "cli_column_state"]
    titles += ["cli_column_branch"] * several_branches + ["cli_column_run"] * several_runs
    rows = []
    for entry in entries:
        info = entry.manifest
        cells = [
            entry.name,
            *progress_cells(entry.progress),
            best_text(info) if info else "-",
            human(entry.size),
            info.timestamp if info else "-",
        ]
        if known:
            cells.append(known[entry.name].on[:10] if entry.name in known else "-")
        cells.append(entry.state.label)
        if several_branches:
            cells.append(str(info.progress.branch) if info else "-")
        if several_runs:
            cells.append((entry.run_id or "-")[:8])
        rows.append(Row(cells, entry.state.style if entry.state is not State.GOOD else ""))
    print_table(columns(*titles), rows)
