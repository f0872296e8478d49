"""Tables: what the page and the screen say of a story, as rows of text in the user's language."""

import math
from collections.abc import Iterator, Mapping
from datetime import datetime

from unbroken import contract
from unbroken.cli.checkpoints import Entry, batch_text, best_text, epoch_text
from unbroken.cli.contents import Replayed
from unbroken.cli.output import shortened
from unbroken.cli.reports.curves import Curves
from unbroken.cli.reports.story import Story
from unbroken.disk.space import free_bytes, human
from unbroken.errors import DiskError
from unbroken.messages import listed, text
from unbroken.store.figures import Figures
from unbroken.store.folder import is_numbered
from unbroken.store.forecast import full_after
from unbroken.store.starts import BEGUN, BROKEN_OFF, COMPLETE, WENT_BACK, Change, Start

Pairs = list[tuple[str, str]]

_MOST_ROWS = 300
_FAR = 10_000

_ENDED = {
    BEGUN: "report_ended_begun",
    WENT_BACK: "report_ended_went_back",
    COMPLETE: "report_ended_complete",
    BROKEN_OFF: "report_ended_broken_off",
    "signal": "cli_saved_signal",
    "budget": "cli_saved_budget",
    "loader_error": "cli_saved_loader_error",
    "end": "cli_saved_end",
}
_KINDS = {
    "data": "report_change_data",
    "config": "report_change_config",
    "setting": "report_change_setting",
    "environment": "report_change_environment",
}


def summary(story: Story) -> Pairs:
    """What one wants to know first."""
    info, own = story.told_by.info, story.told_by.own
    progress, planned = info.progress, own.get("planned_epochs")
    of = f" / {planned}" if type(planned) is int else ""
    pairs = [
        (text("cli_column_epoch"), f"{epoch_text(progress)}{of}"),
        (text("cli_column_step"), f"{progress.step:,}"),
        (text("cli_column_best"), best_text(info)),
        (text("report_last_saved"), info.timestamp),
    ]
    if progress.batch and not progress.counts_steps_alone:
        pairs.insert(1, (text("cli_column_batch"), batch_text(progress)))
    if progress.finished:
        pairs.append((text("cli_finished"), progress.finished))
    restarts = [restart for restart in story.restarts if restart.start.ended != BEGUN]
    unknown = text("report_not_recorded")
    pairs.append((text("report_restarts"), unknown if story.starts is None else str(len(restarts))))
    lost = [restart.start.lost for restart in restarts]
    known = [steps for steps in lost if steps is not None]
    pairs.append((text("report_lost"), f"{sum(known):,}" if known or not lost else unknown))
    pairs.append((text("report_proofs"), proof_summary(story.proofs)))
    return pairs


def proof_summary(proofs: list[Replayed]) -> str:
    """How the proofs of all restarts came out."""
    if not proofs:
        return text("report_proofs_none")
    differ = [proof for proof in proofs if proof.step is not None]
    if differ:
        return text("report_proofs_differ", count=len(differ), of=len(proofs))
    return text("report_proofs_exact", count=len(proofs), steps=sum(proof.steps for proof in proofs))


def proof_text(proof: Replayed | None) -> str:
    if proof is None:
        return text("report_proof_none")
    if proof.step is None:
        return text("cli_replay_exact", steps=proof.steps)
    return text("cli_replay_differs", step=proof.step, streams=", ".join(proof.streams), steps=proof.steps)


def place_text(start: Start) -> str:
    """Where a start went on."""
    if start.epoch == 0:
        return text("report_place_step", step=start.step)
    key = "report_place_batch" if start.batch else "report_place"
    return text(key, epoch=start.epoch, batch=start.batch, step=start.step)


def restart_rows(story: Story) -> Iterator[dict[str, object]]:
    """One for each start, in order."""
    for restart in story.restarts:
        start = restart.start
        fresh = start.ended == BEGUN
        lost = "-" if fresh else text("report_unknown") if start.lost is None else str(start.lost)
        yield {
            "number": restart.number,
            "at": start.at,
            "from": "-" if fresh else place_text(start),
            "ended": ended_text(start),
            "lost": "-" if start.ended == WENT_BACK else lost,
            "proof": "-" if fresh else proof_text(restart.proof),
            "differs": restart.proof is not None and restart.proof.step is not None,
            "changes": [change_text(change) for change in start.changes],
            "where": listed([start.host, text("report_processes", count=start.processes), f"unbroken {start.version}"]),
            "left": restart.left,
        }


def ended_text(start: Start) -> str:
    """How what was before a start ended."""
    return text(_ENDED[start.ended]) if start.ended in _ENDED else start.ended


def change_text(change: Change) -> str:
    kind = text(_KINDS[change.kind]) if change.kind in _KINDS else change.kind
    if change.kind == "data":
        return kind
    absent = text("report_absent")
    told = text("state_change", setting=change.name, old=change.old or absent, new=change.new or absent)
    return text("audit_names", group=kind, names=told)


def marks(story: Story) -> list[dict[str, object]]:
    """Where curves are marked: each restart that is on the way to the state told of."""
    return [
        {"n": one.number, "x": one.start.position, "stopped": one.start.ended != BROKEN_OFF}
        for one in story.restarts
        if one.start.ended != BEGUN and not one.left and one.start.step <= story.told_by.info.progress.step
    ]


def checkpoint_rows(entries: list[Entry]) -> tuple[list[list[str]], int]:
    """The newest first, and how many there are no rows for."""
    rows = []
    for entry in entries[:_MOST_ROWS]:
        info = entry.manifest
        where = [str(info.progress.branch), str(info.progress.epoch), str(info.progress.step)] if info else ["-"] * 3
        saved = [best_text(info), info.timestamp] if info else ["-"] * 2
        rows.append([entry.name, *where, *saved, human(entry.size), entry.state.label])
    return rows, max(len(entries) - _MOST_ROWS, 0)


def save_pairs(figures: Figures) -> Pairs:
    """The figures of all saves in one look."""
    return [
        (text("report_saves_count"), f"{figures.count:,}"),
        (text("report_saves_failed"), f"{figures.failed:,}"),
        (text("report_saves_stalled"), _spans(figures.stalled.median, figures.stalled.longest)),
        (text("report_saves_seconds"), _spans(figures.seconds.median, figures.seconds.longest)),
    ]


def save_rows(figures: Figures) -> list[list[str]]:
    return [
        [
            f"{point.first_step} – {point.last_step}" if point.saves > 1 else f"{point.last_step}",
            *(str(count) for count in (point.saves, point.failed)),
            human(point.size),
            duration(point.stalled),
            duration(point.seconds),
        ]
        for point in figures.points
    ]


def disk_pairs(story: Story) -> Pairs:
    """What the checkpoints take, what is free, and for how long that will do."""
    entries = story.entries
    numbered = sum(entry.size for entry in entries if is_numbered(entry.name))
    pairs = [
        (text("report_disk_numbered"), human(numbered)),
        (text("report_disk_others"), human(sum(entry.size for entry in entries) - numbered)),
        (text("report_disk_archive"), human(sum(entry.size for entry in story.archived))),
    ]
    try:
        free = free_bytes(story.folder.path)
    except DiskError as error:
        return [*pairs, (text("report_disk_free"), str(error))]
    return [*pairs, (text("report_disk_free"), human(free)), (text("report_disk_forecast"), forecast_text(story, free))]


def forecast_text(story: Story, free: int) -> str:
    """For how many epochs the disk will do, if the run keeps what its last start was told to keep."""
    if story.starts is None or not story.starts.last:
        return text("report_not_recorded")
    last, info = story.starts.last[-1], story.told_by.info
    plan = last.keeping
    if plan is None:
        return text("report_forecast_steps")
    epoch, planned = info.progress.epoch, story.told_by.own.get("planned_epochs")
    full = full_after(plan, size=info.size, free=free, epoch=epoch, missing=0) if plan.interval != 0 else None
    if full is None:
        return text("report_forecast_enough")
    if type(planned) is int and full > planned:
        return text("report_forecast_planned", planned=planned)
    return text("report_forecast_far", epochs=_FAR) if full > _FAR else text("report_forecast_full", epoch=full)


def mapping_pairs(values: Mapping[str, object]) -> Pairs:
    return [(str(key), shortened(value, 300) or "-") for key, value in list(values.items())[:_MOST_ROWS]]


def curve_rows(curves: Curves) -> list[list[str]]:
    return [[str(epoch), *(number(values[at]) for values in curves.values)] for at, epoch in enumerate(curves.at)]


def number(value: float) -> str:
    return f"{value:.6g}"


def duration(seconds: float) -> str:
    """As people read it: ``12 ms``, ``1.4 s``, ``3 min``."""
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    return f"{seconds:.3g} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def ago(timestamp: str) -> str:
    """How long ago that was, as the clock of this machine has it; the text itself where it is no time."""
    try:
        seconds = (datetime.now() - datetime.strptime(timestamp, contract.TIMESTAMP_FORMAT)).total_seconds()
    except ValueError:
        return timestamp
    return text("report_ago", span=duration(max(math.floor(seconds), 0)))


def _spans(median: float | None, longest: float) -> str:
    if median is None:
        return "-"
    return listed([text("report_median", span=duration(median)), text("report_longest", span=duration(longest))])
