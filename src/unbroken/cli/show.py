"""``unbroken show``: all that one checkpoint says of itself, without loading it."""

import argparse
from collections.abc import Iterable
from pathlib import Path

from unbroken.cli.checkpoints import Entry, batch_text, best_text, epoch_text, glance
from unbroken.cli.contents import Contents, Replayed, numbers_in, open_contents
from unbroken.cli.nothing import existing_file, no_such_file
from unbroken.cli.output import Row, columns, print_json, print_pairs, print_table, say, shortened
from unbroken.disk.space import human
from unbroken.messages import text
from unbroken.store import payload as keys
from unbroken.store.folder import CheckpointFolder
from unbroken.store.runstate import Reason

_PACKAGE = "package "
_REASONS: dict[str, str] = {
    Reason.START: "cli_saved_start",
    Reason.EPOCH: "cli_saved_epoch",
    Reason.STEPS: "cli_saved_steps",
    Reason.TIME: "cli_saved_time",
    Reason.ASKED: "cli_saved_asked",
    Reason.SIGNAL: "cli_saved_signal",
    Reason.BUDGET: "cli_saved_budget",
    Reason.LOADER_ERROR: "cli_saved_loader_error",
    Reason.END: "cli_saved_end",
    Reason.BRANCH: "cli_saved_branch",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, help=text("cli_help_file"))


def run(arguments: argparse.Namespace) -> int:
    """Raises NothingToResumeError, CheckpointDamagedError, UsageError (a folder)."""
    path = existing_file(arguments.file)
    entry = glance(CheckpointFolder(path.parent), path)
    if entry is None:
        raise no_such_file(path)
    contents = open_contents(path)
    if arguments.json:
        print_json(_as_json(entry, contents))
    else:
        _print(entry, contents)
    return 0


def _as_json(entry: Entry, contents: Contents) -> dict[str, object]:
    own, digests = contents.own, contents.info.tensors
    parent = contents.info.progress.parent
    return {
        **entry.as_json(),
        "parent": vars(parent) if parent else None,
        "library_version": contents.info.library_version or None,
        "seed": own.get("seed"),
        "tracked": list(keys.states_of(contents.payload)),
        "history": contents.histories,
        "replays": [vars(replay) for replay in contents.replays],
        "config": contents.config,
        "environment": contents.environment,
        "data": contents.data,
        "tensors": {
            path: {"dtype": stub.dtype, "shape": stub.shape, "digest": digests.get(path)}
            for path, stub in contents.tensors.items()
        },
    }


def _print(entry: Entry, contents: Contents) -> None:
    info, progress = contents.info, contents.info.progress
    pairs = [
        (text("cli_column_file"), str(entry.path)),
        (text("cli_column_state"), entry.state.label),
        (text("cli_column_size"), human(entry.size)),
        (text("cli_column_saved"), info.timestamp),
        (text("cli_saved_on"), _reason_text(progress.reason)),
        (text("cli_column_epoch"), epoch_text(progress)),
        (text("cli_column_batch"), batch_text(progress)),
        (text("cli_column_step"), str(progress.step)),
        (text("cli_column_best"), best_text(info)),
        (text("cli_finished"), progress.finished or "-"),
        (text("cli_column_run"), progress.run_id or text("cli_plain_file")),
        (text("cli_column_branch"), str(progress.branch)),
    ]
    if progress.parent:
        pairs.append((text("cli_parent"), text("cli_parent_value", **vars(progress.parent))))
    print_pairs(pairs)
    _print_histories(contents)
    _print_tensors(contents)
    _print_replays(contents.replays)
    _print_section(text("cli_config"), ((key, shortened(value)) for key, value in contents.config.items()))
    environment = {key: shortened(value) for key, value in contents.environment.items()}
    packages = [key for key in environment if key.startswith(_PACKAGE)]
    _print_section(text("cli_environment"), ((key, environment[key]) for key in environment if key not in packages))
    if packages:
        say(text("cli_packages", count=len(packages)))
    _print_section(text("cli_data"), ((key, str(value)) for key, value in contents.data.items()))


def _print_replays(replays: list[Replayed]) -> None:
    pairs = []
    for replay in replays:
        how = text("cli_replay_exact", steps=replay.steps)
        if replay.step is not None:
            streams = ", ".join(replay.streams)
            how = text("cli_replay_differs", step=replay.step, streams=streams, steps=replay.steps)
        pairs.append((text("cli_replay_after", after=replay.after), how))
    _print_section(text("cli_replays"), pairs)


def _reason_text(reason: str) -> str:
    return text(_REASONS[reason]) if reason in _REASONS else reason


def _print_histories(contents: Contents) -> None:
    rows = [Row([name, f"{values[-1]:.6g}", str(len(values))]) for name, values in contents.histories.items() if values]
    if rows:
        say()
        print_table(columns("cli_column_metric", "cli_column_last", "cli_column_epochs"), rows)


def _print_tensors(contents: Contents) -> None:
    rows = []
    for name in keys.states_of(contents.payload):
        prefix = keys.state_key(name)
        inside = {
            path: stub for path, stub in contents.tensors.items() if path.startswith((f"{prefix}.", f"{prefix}["))
        }
        dtypes = ", ".join(sorted({stub.dtype for stub in inside.values()})) or "-"
        rows.append(Row([name, str(len(inside)), f"{numbers_in(inside):,}", dtypes]))
    if rows:
        say()
        titles = ("cli_column_tracked", "cli_column_tensors", "cli_column_numbers", "cli_column_dtype")
        print_table(columns(*titles), rows)


def _print_section(title: str, pairs: Iterable[tuple[str, str]]) -> None:
    indented = [(f"  {key}", value) for key, value in pairs]
    if indented:
        say()
        say(title)
        print_pairs(indented)
