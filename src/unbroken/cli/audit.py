"""``unbroken audit -- COMMAND…``: prove whether a script resumes exactly, and name what keeps it from doing so.

A script that uses ``unbroken.Run`` is compared at every step. Of any other only the file it ends with is compared:
``unbroken audit --checkpoints ckpt --final model.pt -- python train.py``; it is killed by the clock, and by what
happens in the folder of its checkpoints. Exit code 0 is for exact only.
"""

import argparse
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from unbroken.audit.moments import Kill
from unbroken.audit.report import Done, Outcome, Report, Request, Watcher
from unbroken.audit.runner import audit
from unbroken.audit.suspects import said_path, shown
from unbroken.audit.trace import Moment
from unbroken.audit.verdict import Finding, Sentence, Verdict
from unbroken.audit.words import GROUPS, KILLS
from unbroken.cli.output import Row, columns, print_json, print_pairs, print_table, printable, say, shortened
from unbroken.cli.parsing import positive
from unbroken.errors import UsageError
from unbroken.keep.arguments import seconds
from unbroken.loop.trace import Kind, rank_of
from unbroken.messages import clauses, listed, text

_TIME = "10min"
_NAMES = 3
_REDRAW = 0.1
_NOT_EXACT = 1
_OUTCOMES = {
    Outcome.REFERENCE: "audit_outcome_reference",
    Outcome.SAME: "audit_outcome_same",
    Outcome.DIFFERS: "audit_outcome_differs",
    Outcome.FAILED: "audit_outcome_failed",
    Outcome.NOT_RESUMED: "audit_outcome_not_resumed",
    Outcome.UNKNOWN: "audit_outcome_unknown",
}
_STYLES = {**dict.fromkeys((Outcome.DIFFERS, Outcome.FAILED, Outcome.NOT_RESUMED), "bold red"), Outcome.SAME: "green"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "unbroken audit [--kills N] [--time 10min] [--final FILE] [--checkpoints FOLDER] … -- COMMAND …"
    parser.add_argument("--kills", metavar="N", type=positive, default=len(Kill), help=text("cli_help_kills"))
    parser.add_argument("--time", metavar="TIME", default=_TIME, help=text("cli_help_time"))
    parser.add_argument("--final", metavar="FILE", type=Path, help=text("cli_help_final"))
    parser.add_argument("--checkpoints", metavar="FOLDER", type=Path, help=text("cli_help_checkpoints"))
    parser.add_argument("--keep-runs", action="store_true", help=text("cli_help_keep_runs"))
    parser.add_argument("--seed", metavar="N", type=int, help=text("cli_help_seed"))
    parser.add_argument("words", metavar="COMMAND", nargs="*", help=text("cli_help_audit_command"))


def run(arguments: argparse.Namespace) -> int:
    """Returns 1 for every verdict but exact. Raises UsageError (nothing could be audited), DiskError."""
    command = tuple(arguments.behind_dashes)
    if not command or arguments.words:
        raise UsageError("audit_no_command_given")
    folder = Path.cwd()
    request = Request(
        command=command,
        folder=folder,
        kills=arguments.kills,
        seconds=seconds(arguments.time, "--time"),
        checkpoints=_inside(folder, arguments.checkpoints),
        final=_inside(folder, arguments.final),
        keep_runs=arguments.keep_runs,
        seed=arguments.seed,
    )
    progress = _Progress()
    try:
        with _ending_what_it_started():
            report = audit(request, progress)
    finally:
        progress.clear()
    if arguments.json:
        print_json(_as_json(report))
    else:
        _print(report)
    return 0 if report.verdict is Verdict.EXACT else _NOT_EXACT


def _inside(folder: Path, path: Path | None) -> Path | None:
    """``path`` relative to the folder that is copied. Raises UsageError for that folder itself, and outside it."""
    if path is None:
        return None
    whole = (folder / path).absolute()
    if not whole.is_relative_to(folder) or ".." in path.parts:
        raise UsageError("audit_path_outside", path=path)
    if whole == folder:
        raise UsageError("audit_path_is_folder", path=path)
    return whole.relative_to(folder)


@contextmanager
def _ending_what_it_started() -> Iterator[None]:
    """Within the block a signal that ends this process also ends the script that it runs, and removes the copies."""

    def end(number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Progress(Watcher):
    """One line that is drawn over and over on a terminal; elsewhere a line per stage."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._started = time.monotonic()
        self._drawn_at = 0.0
        self._stage: Sentence | None = None
        self._last: Moment | None = None

    def stage(self, sentence: Sentence) -> None:
        self._stage, self._last = sentence, None
        if self._terminal:
            self._draw()
        else:
            print(printable(str(sentence)), file=sys.stderr, flush=True)

    def look(self, moment: Moment | None) -> None:
        if self._terminal and time.monotonic() - self._drawn_at > _REDRAW:
            self._last = moment
            self._draw()

    def clear(self) -> None:
        if self._terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def _draw(self) -> None:
        from rich.cells import cell_len, set_cell_size

        self._drawn_at = time.monotonic()
        parts = [f"{self._drawn_at - self._started:.0f} s", str(self._stage or "")]
        if self._last is not None:
            parts.append(text("audit_at", epoch=self._last.epoch, step=self._last.step))
        line = printable(" · ".join(parts))
        width = shutil.get_terminal_size().columns - 1
        line = set_cell_size(line, width) if cell_len(line) > width else line
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)


def _print(report: Report) -> None:
    titles = ("audit_column_run", "audit_column_at", "audit_column_took", "audit_column_result")
    print_table(columns(*titles), [row for run in report.runs for row in _rows(run)])
    say()
    say(_verdict(report))
    for finding in report.findings:
        say()
        print_pairs(_pairs(finding))
    notes = [str(note) for note in report.notes]
    if report.kills:
        notes.append(text("audit_note_seed", seed=report.seed))
    if report.kept is not None:
        notes.append(text("audit_stage_kept", path=report.kept))
    say()
    for note in notes:
        say(note)


def _rows(run: Done) -> list[Row]:
    took, result = f"{run.seconds:.1f} s", text(_OUTCOMES[run.outcome])
    at = _at(run.last)
    style = _STYLES.get(run.outcome, "")
    if not run.kills:
        return [Row([text("audit_row_whole", seed=run.hash_seeds[0]), at, took, result], style)]
    killed = [Row([text(KILLS[kill.kill]), _at(moment), "", ""]) for kill, moment in run.kills]
    return [*killed, Row([text("audit_row_end"), at, took, result], style)]


def _at(moment: Moment | None) -> str:
    if moment is None:
        return "-"
    if not moment.step and moment.epoch:  # a loop without batches
        return text("audit_row_epoch", epoch=moment.epoch)
    return text("audit_row_step", step=moment.step) if moment.step else text("audit_row_begin")


def _verdict(report: Report) -> str:
    verdict = report.verdict
    if verdict is Verdict.DOES_NOT_RESUME:
        return text("audit_verdict_does_not_resume", why=report.failures[0])
    if verdict is Verdict.NOT_RESUMED:
        return text("audit_verdict_not_resumed", why=report.not_resumed[0])
    if verdict is Verdict.EXACT:
        runs = sum(1 for run in report.runs if run.kills)
        key = "audit_verdict_exact" if report.traced else "audit_verdict_exact_files"
        return text(key, kills=report.kills, runs=runs)
    return text("audit_verdict_differs" if verdict is Verdict.DIFFERS else "audit_verdict_not_deterministic")


def _pairs(finding: Finding) -> list[tuple[str, str]]:
    pairs = [(text("audit_first"), _where(finding)), (text("audit_where"), _names(finding))]
    values = shown(finding.got), shown(finding.expected)
    if values[0] != values[1]:
        key = "audit_values" if finding.at_resume else "audit_values_own"
        pairs.append((text("audit_is"), text(key, got=values[0], expected=values[1])))
    if finding.also:
        pairs.append((text("audit_also"), listed(text(GROUPS[group]) for group in finding.also)))
    pairs.append((text("audit_cause"), str(finding.cause)))
    pairs.append((text("audit_remedy"), str(finding.remedy)))
    apart = [
        text("audit_distance", path=one.path, difference=f"{one.difference:.3g}")
        for one in finding.largest
        if one.difference
    ]
    if apart:
        pairs.append((text("audit_apart"), clauses(apart)))
    return pairs


def _where(finding: Finding) -> str:
    moment = finding.moment
    if moment is None:
        return text("audit_at_final")
    places = {Kind.STEP: "audit_at_step", Kind.EPOCH: "audit_at_epoch", Kind.END: "audit_at_end"}
    key = places.get(moment.kind, "audit_at_resume" if finding.at_resume else "audit_at_begin")
    where = text(key, step=moment.step, epoch=moment.epoch, batch=moment.batch, next=moment.step + 1)
    if (rank := rank_of(moment.run)) > 0:
        where = text("audit_on_rank", rank=rank, where=where)
    steps = finding.steps_after
    if finding.resumed is None or not steps:
        return where
    return text("audit_after_resume", where=where, steps=steps, from_step=finding.resumed.step)


def _names(finding: Finding) -> str:
    group = text(GROUPS[finding.group])
    names = ", ".join(shortened(said_path(name) if ":" in name else name) for name in finding.names[:_NAMES])
    if len(finding.names) > _NAMES:
        return text("audit_names_more", group=group, names=names, count=len(finding.names) - _NAMES)
    return text("audit_names", group=group, names=names)


def _as_json(report: Report) -> dict[str, object]:
    return {
        "command": list(report.request.command),
        "verdict": report.verdict.value,
        "exit_code": 0 if report.verdict is Verdict.EXACT else _NOT_EXACT,
        "said": _verdict(report),
        "compared": "steps" if report.traced else "final file",
        "kills": report.kills,
        "seed": report.seed,
        "seconds": round(report.seconds, 1),
        "runs": [_run_as_json(run) for run in report.runs],
        "findings": [_finding_as_json(finding) for finding in report.findings],
        "failures": [str(failure) for failure in report.failures],
        "not_resumed": [str(why) for why in report.not_resumed],
        "notes": [str(note) for note in report.notes],
        "kept": None if report.kept is None else str(report.kept),
    }


def _run_as_json(run: Done) -> dict[str, object]:
    return {
        "outcome": run.outcome.value,
        "hash_seeds": list(run.hash_seeds),
        "seconds": round(run.seconds, 1),
        "starts": run.starts,
        "steps": None if run.last is None else run.last.step,
        "kills": [
            {"kind": kill.kill.value, "step": None if moment is None else moment.step} for kill, moment in run.kills
        ],
    }


def _finding_as_json(finding: Finding) -> dict[str, object]:
    moment, resumed = finding.moment, finding.resumed
    return {
        "begins_at_resume": finding.at_resume,
        "moment": None if moment is None else moment.kind.value,
        **{name: getattr(moment, name, None) for name in ("run", "step", "epoch", "batch")},
        "resumed_from_step": None if resumed is None else resumed.step,
        "steps_after_resume": finding.steps_after,
        "group": finding.group.value,
        "names": list(finding.names),
        "expected": finding.expected,
        "got": finding.got,
        "also": [group.value for group in finding.also],
        "cause": str(finding.cause),
        "cause_key": finding.cause.key,
        "remedy": str(finding.remedy),
        "furthest_apart": [{"tensor": one.path, "difference": one.difference} for one in finding.largest],
    }
