"""``unbroken watch``: a run as it goes on, on the terminal, until Ctrl-C. It only reads."""

import argparse
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from unbroken.cli.output import print_json, print_pairs, say
from unbroken.cli.parsing import add_folder
from unbroken.cli.reports import tables
from unbroken.cli.reports.curves import thinned
from unbroken.cli.reports.story import Story, gather
from unbroken.cli.reports.tables import Pairs
from unbroken.errors import NothingToResumeError
from unbroken.loop.journal import key_of, reached
from unbroken.messages import clauses, printable, text
from unbroken.store import payload as keys
from unbroken.store.starts import BEGUN

_PAUSE = 1.0
_MOST_CURVES = 8
_WIDTH = 40
_BARS = "▁▂▃▄▅▆▇█"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_folder(parser)


def run(arguments: argparse.Namespace) -> int:
    """Raises NothingToResumeError if there is nothing to watch; what is gone later is waited for."""
    folder: Path = arguments.folder
    story = gather(folder)
    if arguments.json:
        print_json(_as_json(story))
    elif not sys.stdout.isatty():
        print_pairs(_pairs(story, None))
    else:
        _watch(folder, story)
    return 0


def _watch(folder: Path, story: Story) -> None:
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text

    def drawn(pairs: Pairs) -> Table:
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True, style="bold")
        table.add_column(overflow="fold")
        for name, value in pairs:
            table.add_row(Text(printable(name)), Text(printable(value)))
        table.add_row("", Text(text("watch_leave"), style="dim"))
        return table

    pace = Pace()
    try:
        with Live(drawn(_pairs(story, pace)), console=Console(), refresh_per_second=4) as live:
            while True:
                time.sleep(_PAUSE)
                try:
                    story = gather(folder)
                except NothingToResumeError:
                    continue  # moved aside at this moment, or deleted: the last that was seen stays
                live.update(drawn(_pairs(story, pace)))
    except KeyboardInterrupt:
        say(text("watch_left"))


class Pace:
    """How fast steps go by, of the last few looks."""

    def __init__(self) -> None:
        self._looks: list[tuple[float, int]] = []

    def of(self, step: int) -> float | None:
        """Steps per second now that ``step`` is reached; None before that can be said."""
        now = time.monotonic()
        self._looks = [*(look for look in self._looks if look[1] <= step), (now, step)][-10:]
        (before, first), span = self._looks[0], now - self._looks[0][0]
        return (step - first) / span if span > 0 and before < now else None


def step_now(story: Story) -> int:
    """The step that training has reached, as its journal tells, at least that of the newest state."""
    own, progress = story.told_by.own, story.told_by.info.progress
    seed, ranks = own.get("seed"), own.get("ranks")
    if progress.run_id is None or type(seed) is not int:
        return progress.step
    size = ranks.get("size") if isinstance(ranks, dict) else None
    key = key_of(progress.run_id, progress.branch, seed, size if type(size) is int else 1)
    return max(reached(story.folder.journal, key) or 0, progress.step)


def _pairs(story: Story, pace: Pace | None) -> Pairs:
    info, step = story.told_by.info, step_now(story)
    planned = story.told_by.own.get("planned_epochs")
    pairs = [
        (text("cli_column_run"), f"{info.progress.run_id or text('cli_plain_file')} ({story.folder.path})"),
        (text("cli_column_epoch"), _bar(info.progress.epoch, planned if type(planned) is int else None)),
        (text("watch_step"), f"{step:,}" + _speed(pace, step)),
        (text("report_last_saved"), f"{info.timestamp} ({tables.ago(info.timestamp)})"),
    ]
    for name, values in list(story.told_by.histories.items())[:_MOST_CURVES]:
        if len(values):
            pairs.append((name, f"{sparkline(values)} {tables.number(values[-1])}"))
    restarts = [restart for restart in story.restarts if restart.start.ended != BEGUN]
    told = text("report_not_recorded") if story.starts is None else str(len(restarts))
    pairs.append((text("report_restarts"), told))
    for restart in restarts[-3:]:
        start = restart.start
        pairs.append((f"  {start.at}", clauses([tables.ended_text(start), tables.place_text(start)])))
    pairs.append((text("report_proofs"), tables.proof_summary(story.proofs)))
    if story.figures is not None:
        pairs += tables.save_pairs(story.figures)
    return [*pairs, *tables.disk_pairs(story)[-2:]]


def _as_json(story: Story) -> dict[str, object]:
    progress = story.told_by.info.progress
    return {
        "folder": str(story.folder.path),
        **{name: getattr(progress, name) for name in ("run_id", "branch", "epoch", "batch", "batches")},
        "step": step_now(story),
        "saved_step": progress.step,
        "timestamp": story.told_by.payload[keys.TIMESTAMP],
        "planned_epochs": story.told_by.own.get("planned_epochs"),
        "metrics": story.told_by.info.metrics,
        "starts": None if story.starts is None else story.starts.as_json()["last"],
        "replays": [vars(replay) for replay in story.proofs],
        "saves": None if story.figures is None else story.figures.as_json(),
    }


def _bar(done: int, planned: int | None) -> str:
    if not planned or planned <= 0:
        return str(done)
    full = min(done / planned, 1.0)
    filled = int(full * _WIDTH)
    return f"{'█' * filled}{'░' * (_WIDTH - filled)} {done} / {planned}"


def _speed(pace: Pace | None, step: int) -> str:
    speed = pace.of(step) if pace is not None else None
    return "" if speed is None else f"  {text('watch_speed', speed=f'{speed:.3g}')}"


def sparkline(values: Sequence[float]) -> str:
    """A history in one line of bars, at most 40; what is no finite number is a blank."""
    shown = [values[at] for at in thinned(values, _WIDTH)]
    finite = [value for value in shown if math.isfinite(value)]
    if not finite:
        return ""
    low, span = min(finite), (max(finite) - min(finite)) or 1.0
    if not math.isfinite(span):
        return ""
    return "".join(
        _BARS[round((value - low) / span * (len(_BARS) - 1))] if math.isfinite(value) else " " for value in shown
    )
