"""Picture: the lineage of checkpoints as SVG: a lane for each branch, a mark for each checkpoint, by steps."""

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from unbroken.cli.checkpoints import Entry, State
from unbroken.messages import printable, text
from unbroken.store.ancestry import is_ancestor
from unbroken.store.manifest import Manifest
from unbroken.store.payload import ForkPoint

_WIDTH, _LANE, _LEFT, _RIGHT, _TOP = 720, 44, 110, 30, 26
_MOST_LANES, _MOST_MARKS = 24, 60


@dataclass(frozen=True)
class Lineage:
    """The picture, and how many branches and checkpoints it has no room for."""

    svg: str
    left_out: int


def lineage(entries: Sequence[Entry], archived: Sequence[Entry], run_id: str | None, told_by: Manifest) -> Lineage:
    """Of the checkpoints of one run, those in the folder and those moved aside."""
    aside = {id(entry) for entry in archived}
    known = [entry for entry in [*entries, *archived] if entry.manifest is not None and entry.run_id == run_id]
    infos = [entry.manifest for entry in known if entry.manifest is not None]
    forks = {info.progress.branch: info.progress.parent for info in infos if info.progress.parent is not None}
    branches = sorted({info.progress.branch for info in infos})
    lanes = {branch: lane for lane, branch in enumerate(branches[-_MOST_LANES:])}
    last = max((info.progress.step for info in infos), default=0) or 1
    tip = told_by.progress.branch
    ends = _way_to(tip, forks)

    def x(step: int) -> float:
        return round(_LEFT + min(step, last) / last * (_WIDTH - _LEFT - _RIGHT), 1)

    height = _TOP + _LANE * len(lanes) + 26
    size = {"viewBox": f"0 0 {_WIDTH} {height}", "width": str(_WIDTH), "height": str(height)}
    root = ET.Element("svg", {"role": "img", "class": "lineage", **size})
    ET.SubElement(root, "title").text = text("report_lineage_title", branches=len(branches), count=len(known))
    _axis(root, last, height)
    drawn = 0
    for branch, lane in lanes.items():
        y = _TOP + _LANE * lane + _LANE // 2
        own = [entry for entry in known if entry.manifest and entry.manifest.progress.branch == branch]
        steps = [entry.manifest.progress.step for entry in own if entry.manifest]
        fork = forks.get(branch)
        begun = fork.step if fork is not None else 0
        until = ends.get(branch)
        if fork is not None and fork.branch in lanes:
            above = _TOP + _LANE * lanes[fork.branch] + _LANE // 2
            bend = f"M{x(begun)} {above} C{x(begun)} {y} {x(begun)} {y} {x(begun) + 12} {y}"
            ET.SubElement(root, "path", {"class": "lane" if branch in ends else "lane left", "d": bend})
        turn = min(max(steps), until) if until is not None else max(steps) if branch in ends else begun
        for kind, first, end in (("lane left", turn, max(steps)), ("lane", begun, turn)):
            if first < end:
                line = {"x1": str(x(first)), "x2": str(x(end)), "y1": str(y), "y2": str(y)}
                ET.SubElement(root, "line", {"class": kind, **line})
        label = ET.SubElement(root, "text", {"x": "4", "y": str(y + 4)})
        label.text = text("report_branch", branch=branch)
        for entry in _some(own):
            drawn += 1
            on_the_way = _leads(entry, tip, forks)
            _mark(root, entry, x(entry.manifest.progress.step), y, left=not on_the_way or id(entry) in aside)  # type: ignore[union-attr]
    return Lineage(ET.tostring(root, encoding="unicode"), len(known) - drawn)


def _way_to(tip: int, forks: Mapping[int, ForkPoint]) -> dict[int, int | None]:
    """The branches on the way to ``tip``, each with the step at which the next began."""
    ends: dict[int, int | None] = {tip: None}
    branch = tip
    while (fork := forks.get(branch)) is not None and fork.branch not in ends:
        branch = fork.branch
        ends[branch] = fork.step
    return ends


def _leads(entry: Entry, tip: int, forks: Mapping[int, ForkPoint]) -> bool:
    assert entry.manifest is not None
    return entry.manifest.progress.branch == tip or is_ancestor(entry.manifest.progress, tip, forks)


def _some(entries: Iterable[Entry]) -> list[Entry]:
    """By their steps; where they are too many, some at equal distances and the last."""
    ordered = sorted(entries, key=lambda entry: (entry.manifest.progress.order, entry.name))  # type: ignore[union-attr]
    if len(ordered) <= _MOST_MARKS:
        return ordered
    return [ordered[at * (len(ordered) - 1) // (_MOST_MARKS - 1)] for at in range(_MOST_MARKS)]


def _mark(root: ET.Element, entry: Entry, x: float, y: float, *, left: bool) -> None:
    info = entry.manifest
    assert info is not None
    kind = "damaged" if entry.state is State.DAMAGED else "left" if left else "kept"
    mark = ET.SubElement(root, "circle", {"class": f"mark {kind}", "cx": str(x), "cy": str(y), "r": "5"})
    said = text("report_mark", name=entry.name, epoch=info.progress.epoch, step=info.progress.step)
    ET.SubElement(mark, "title").text = printable(said)


def _axis(root: ET.Element, last: int, height: int) -> None:
    for at in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = _LEFT + at * (_WIDTH - _LEFT - _RIGHT)
        ET.SubElement(root, "line", {"class": "grid", "x1": f"{x}", "x2": f"{x}", "y1": "10", "y2": str(height - 22)})
        label = ET.SubElement(root, "text", {"x": f"{x}", "y": str(height - 8), "text-anchor": "middle"})
        label.text = f"{round(at * last):,}"
    name = ET.SubElement(root, "text", {"x": "4", "y": str(height - 8)})
    name.text = text("cli_column_step")
