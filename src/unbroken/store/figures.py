"""Figures for people in a small file of bounded size beside the checkpoints, never in them: what took how long.

For people, and no more: one small file that is overwritten in place behind each save, not synced, and that may be
torn or deleted. It begins with the CRC-32 of the rest of its line, and is followed by nothing that counts.
"""

import contextlib
import json
import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from unbroken.store import payload as keys
from unbroken.store.folder import CheckpointFolder
from unbroken.store.lines import lines_of, overwrite, sealed, unsealed
from unbroken.store.save import SaveJob, SaveReport

FORMAT = 1

_POINTS = 128
_WIDTH = 20  # so many classes of durations in each power of ten: a median is right to 6 %
_SHORTEST, _LONGEST = 1e-6, 1e6  # seconds


class Point(NamedTuple):
    """Some saves, one after the other: which steps they were of, and the most of each figure among them."""

    first_step: int
    last_step: int
    saves: int
    failed: int
    size: int
    stalled: float
    seconds: float


@dataclass
class Durations:
    """How often each duration was met, by classes; the longest exactly."""

    classes: dict[int, int] = field(default_factory=dict)
    longest: float = 0.0

    def add(self, seconds: float) -> None:
        among = round(math.log10(min(max(seconds, _SHORTEST), _LONGEST)) * _WIDTH)
        self.classes[among] = self.classes.get(among, 0) + 1
        self.longest = max(self.longest, seconds)

    @property
    def median(self) -> float | None:
        """Within the width of a class; None without any."""
        half, seen = sum(self.classes.values()) / 2, 0
        for among in sorted(self.classes):
            seen += self.classes[among]
            if seen >= half:
                return float(min(10 ** (among / _WIDTH), self.longest))
        return None


@dataclass
class Figures:
    """Of all saves of one run. ``seconds``: from the hand-over until the state was durable under all its names."""

    run_id: str
    count: int = 0
    failed: int = 0
    stalled: Durations = field(default_factory=Durations)
    seconds: Durations = field(default_factory=Durations)
    points: list[Point] = field(default_factory=list)

    def add(self, step: int, size: int, stalled: float, seconds: float, *, failed: bool) -> None:
        self.count += 1
        self.failed += failed
        self.stalled.add(stalled)
        if not failed:
            self.seconds.add(seconds)
        self.points.append(Point(step, step, 1, int(failed), size, round(stalled, 6), round(seconds, 6)))
        if len(self.points) > _POINTS:
            self.points = [_merged(*self.points[at : at + 2]) for at in range(0, len(self.points), 2)]

    def as_json(self) -> dict[str, Any]:
        durations = {name: getattr(self, name) for name in ("stalled", "seconds")}
        return {
            "format": FORMAT,
            "run_id": self.run_id,
            "count": self.count,
            "failed": self.failed,
            **{name: [one.longest, list(one.classes.items())] for name, one in durations.items()},
            "points": self.points,
        }


class SaveFigures:
    """The figures of the run that is being saved in a folder. Used by the writer's thread alone; it never fails."""

    def __init__(self, folder: CheckpointFolder) -> None:
        self._folder = folder
        self._figures: Figures | None = None

    def note(self, job: SaveJob, report: SaveReport) -> None:
        """Count a save that has ended, and bring it to the file, if that may be written to."""
        progress = keys.progress_of(job.payload)
        if progress.run_id is None:
            return
        if self._figures is None or self._figures.run_id != progress.run_id:
            former = read_figures(self._folder)
            same = former is not None and former.run_id == progress.run_id
            self._figures = former if former is not None and same else Figures(progress.run_id)
        self._figures.add(progress.step, report.size, job.stalled, report.seconds, failed=report.error is not None)
        with contextlib.suppress(OSError):
            overwrite(self._folder.saves, sealed(self._figures.as_json()))


def read_figures(folder: CheckpointFolder) -> Figures | None:
    """What the file has; None if there is none that is whole and makes sense."""
    text = next(map(unsealed, lines_of(folder.saves)), None)
    try:
        return None if text is None else _from_json(json.loads(text))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _merged(first: Point, second: Point | None = None) -> Point:
    if second is None:
        return first
    most = (max(getattr(first, name), getattr(second, name)) for name in ("size", "stalled", "seconds"))
    return Point(
        first.first_step,
        second.last_step,
        first.saves + second.saves,
        first.failed + second.failed,
        *most,
    )


def _from_json(found: Any) -> Figures | None:
    if found["format"] != FORMAT or type(found["run_id"]) is not str:
        return None
    points = [Point(*row) for row in found["points"]]
    counts = [found["count"], found["failed"], *(count for point in points for count in point[:5])]
    spans = [duration for point in points for duration in point[5:]]
    if not all(map(_is_count, counts)) or not all(map(_is_span, spans)) or len(points) > _POINTS:
        return None
    stalled, seconds = (_durations(found[name]) for name in ("stalled", "seconds"))
    return Figures(found["run_id"], found["count"], found["failed"], stalled, seconds, points)


def _durations(found: Any) -> Durations:
    longest, classes = found
    if not _is_span(longest) or not all(_is_count(count) and type(among) is int for among, count in classes):
        raise ValueError(found)
    if any(abs(among) > 6 * _WIDTH for among, _ in classes):
        raise ValueError(found)
    return Durations(dict(classes), longest)


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _is_span(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value < math.inf  # type: ignore[operator]
