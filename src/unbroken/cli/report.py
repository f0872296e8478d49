"""``unbroken report``: one page that shows what is recorded of a run."""

import argparse
import json
import os
from pathlib import Path
from typing import Any, BinaryIO

from unbroken.cli.output import print_json, say, shortened
from unbroken.cli.parsing import add_folder
from unbroken.cli.reports.page import MARK, render
from unbroken.cli.reports.story import gather
from unbroken.cli.reports.tables import Pairs
from unbroken.disk import durable
from unbroken.disk.space import human
from unbroken.errors import UsageError, reason_of
from unbroken.messages import text
from unbroken.store.manifest import read_bytes

_OF_AUDIT = ("verdict", "command", "said", "compared", "kills", "seed", "seconds", "findings", "failures", "notes")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_folder(parser, "place", "FOLDER|FILE", "cli_help_folder_or_file")
    parser.add_argument(
        "-o", "--output", metavar="X.html", type=Path, default=Path("report.html"), help=text("cli_help_report_output")
    )
    parser.add_argument("--audit", metavar="X.json", type=Path, help=text("cli_help_report_audit"))


def run(arguments: argparse.Namespace) -> int:
    """Raises NothingToResumeError, CheckpointDamagedError, UsageError (only a report is overwritten), DiskError."""
    output = arguments.output
    _require_replaceable(output)
    audit = None if arguments.audit is None else _audit(arguments.audit)
    page = render(gather(arguments.place), audit).encode()

    def write(file: BinaryIO) -> None:
        file.write(page)

    durable.write_durably(output, write)
    if arguments.json:
        print_json({"place": str(arguments.place), "output": str(output), "size": len(page)})
    else:
        say(text("cli_reported", path=output, size=human(len(page))))
    return 0


def _require_replaceable(output: Path) -> None:
    """A report is made again and again under its name; anything else there is not ours to replace."""
    if not output.absolute().parent.is_dir():
        raise UsageError("cli_export_no_folder", path=output, folder=output.absolute().parent)
    if os.path.lexists(output) and not _is_ours(output):
        raise UsageError("cli_export_exists", path=output)


def _is_ours(path: Path) -> bool:
    try:
        return MARK in read_bytes(path)[:2_000]
    except (OSError, ValueError):
        return False


def _audit(path: Path) -> Pairs:
    """What ``unbroken audit --json`` has printed, as far as it is shown. Raises UsageError for anything else."""
    try:
        found: Any = json.loads(read_bytes(path))
        return [(name, _said(found[name])) for name in _OF_AUDIT if found[name] not in (None, [], "")]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError("cli_no_audit", path=path, reason=reason_of(error)) from error


def _said(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(_said(item) for item in value[:20])
    return shortened(value, 1000)
