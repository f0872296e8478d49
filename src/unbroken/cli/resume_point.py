"""``unbroken resume-point``: which file the next resume takes, and why not the others."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from unbroken.cli.checkpoints import Entry, State, batch_text, progress_cells
from unbroken.cli.nothing import nothing_found
from unbroken.cli.output import Row, columns, fail, print_json, print_table, say, working_on
from unbroken.cli.parsing import add_folder
from unbroken.messages import text
from unbroken.store import lineage
from unbroken.store.ancestry import is_ancestor
from unbroken.store.folder import CheckpointFolder
from unbroken.store.lineage import Explanation
from unbroken.store.manifest import Manifest
from unbroken.store.payload import Progress


@dataclass(frozen=True)
class NotTaken:
    """A file that the resume passes over. ``why`` is one of damaged, same, older, left_behind, other_run, foreign."""

    name: str
    progress: Progress | None
    why: str
    reason: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_folder(parser)


def run(arguments: argparse.Namespace) -> int:
    """Returns 5 if all are damaged. Raises NothingToResumeError, and GuardError if the run is unclear."""
    folder = CheckpointFolder(arguments.folder)
    with working_on(folder.path):
        found = lineage.explain(folder)
    if found.chosen is None and not found.rejected:
        raise nothing_found(folder)
    passed_over = list(not_taken(found))
    document = {
        "folder": str(folder.path),
        "chosen": _chosen_as_json(folder, found.chosen),
        "not_taken": [{"file": other.name, "why": other.why, "reason": other.reason} for other in passed_over],
    }
    if found.chosen is None:
        if not arguments.json:
            _print_not_taken(passed_over)
        return fail(lineage.all_damaged(folder, found.rejected), as_json=arguments.json, document=document)
    if arguments.json:
        print_json(document)
        return 0
    _print_chosen(folder.path, found.chosen)
    if passed_over:
        say()
        _print_not_taken(passed_over)
    return 0


def not_taken(found: Explanation) -> Iterator[NotTaken]:
    """Every other file of the folder, with the reason why it is not the one; first those that may have been newer."""
    damaged = {other.path.name: other for other in [*found.rejected, *found.survey.damaged]}
    for other in damaged.values():
        yield NotTaken(other.path.name, other.progress, "damaged", other.reason)
    infos = found.survey.candidates
    forks = {info.progress.branch: info.progress.parent for info in infos if info.progress.parent}
    tip = max((info.progress.branch for info in infos), default=0)
    for info in infos:
        progress = info.progress
        if found.chosen is None or info.name == found.chosen.name or info.name in damaged:
            continue
        if progress.order == found.chosen.progress.order:
            yield NotTaken(info.name, progress, "same", text("cli_why_same", name=found.chosen.name))
        elif is_ancestor(progress, tip, forks):
            yield NotTaken(info.name, progress, "older", text("cli_why_older"))
        else:
            yield NotTaken(info.name, progress, "left_behind", text("cli_why_left_behind", branch=tip))
    for info in found.survey.others:
        why = text("cli_why_other_run", run=info.progress.run_id or text("cli_plain_file"))
        yield NotTaken(info.name, info.progress, "other_run", why)
    for link in found.survey.outside:
        yield NotTaken(link.path.name, link.progress, "foreign", link.reason)
    for path in found.survey.foreign:
        yield NotTaken(path.name, None, "foreign", text("cli_why_foreign"))


def _chosen_as_json(folder: CheckpointFolder, chosen: Manifest | None) -> dict[str, object] | None:
    if chosen is None:
        return None
    entry = Entry(folder.path / chosen.name, chosen.size, State.GOOD, chosen)
    return {**entry.as_json(), "next_epoch": chosen.progress.epoch + 1}


def _print_chosen(folder: Path, chosen: Manifest) -> None:
    progress = chosen.progress
    key = "cli_resume_inside" if progress.batch else "cli_resume_between"
    if progress.counts_steps_alone:
        key = "cli_resume_at_step"
    values = {"path": folder / chosen.name, "next": progress.epoch + 1, "timestamp": chosen.timestamp}
    say(text(key, **values, batch=batch_text(progress), step=progress.step))
    if progress.finished is not None:
        say(text("cli_resume_finished", reason=progress.finished))


def _print_not_taken(others: list[NotTaken]) -> None:
    titles = ("cli_column_not_taken", "cli_column_epoch", "cli_column_batch", "cli_column_step", "cli_column_why")
    rows = [
        Row([other.name, *progress_cells(other.progress), other.reason], "red" if other.why == "damaged" else "")
        for other in others
    ]
    print_table(columns(*titles), rows)
