"""Index: of what manifests of numbered checkpoints say, the part that decides what is resumed from and deleted.

In one file, so that thousands of them need not be opened.

A cache, and no more: a line counts only while its file has the inode, size and time that it names; what has no such
line is opened, as without an index. What is deleted or resumed from is described by its own manifest first. Lines are
appended and never synced; a torn or damaged one fails its checksum, and its file is opened. It may be deleted.
"""

import contextlib
import json
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from unbroken.store import manifest as manifests
from unbroken.store.folder import CheckpointFolder, is_numbered
from unbroken.store.lines import append, lines_of, sealed, unsealed, write_anew
from unbroken.store.manifest import Described, Manifest
from unbroken.store.payload import ForkPoint, Progress

_SPARE = 100  # lines that describe nothing any more, before they are worth writing the file anew
_NONE = type(None)
_COUNTS = (int, int, int, int)  # inode, size, mtime_ns, best_epoch
_KINDS = {
    (str, *_COUNTS, run, int, int, int, batches, int, str, finished, parent)
    for run in (str, _NONE)
    for batches in (int, _NONE)
    for finished in (str, _NONE)
    for parent in (list, _NONE)
}
_PARENTS = {(run, int, int, int, int) for run in (str, _NONE)}


class Known(NamedTuple):
    """What the index says of one file, as far as it decides what to resume from and what to delete."""

    name: str
    inode: int
    size: int
    mtime_ns: int
    best_epoch: int
    progress: Progress


class Look(NamedTuple):
    """``known`` are the files that are still as the index has them; ``unknown`` are all others, to be opened."""

    known: list[Known]
    unknown: list[Path]
    lines: int


def look(folder: CheckpointFolder) -> Look:
    """Every checkpoint file of the folder, none of them opened."""
    lines = lines_of(folder.index)
    by_name = {line.name: line for line in _read(lines)}
    known: list[Known] = []
    unknown: list[Path] = []
    for name, status in folder.statuses():
        line = by_name.get(name)
        if (
            line is not None
            and status.st_size == line.size
            and status.st_mtime_ns == line.mtime_ns
            and status.st_ino == line.inode
        ):
            known.append(line)
        else:
            unknown.append(folder.path / name)
    return Look(known, unknown, len(lines))


def describe_all(folder: CheckpointFolder, found: Look | None = None) -> list[Described]:
    """As ``manifests.describe_all``, by the index where that knows."""
    found = found or look(folder)
    opened = [info for path in found.unknown if (info := manifests.known(folder, path)) is not None]
    return [*found.known, *opened]


def note(folder: CheckpointFolder, infos: Iterable[Manifest]) -> None:
    """Add those of ``infos`` that are of numbered checkpoints; their manifests are written. It need not succeed."""
    lines = []
    for info in infos:
        path = folder.path / info.name
        if not is_numbered(info.name):
            continue
        with contextlib.suppress(OSError):
            status = path.stat(follow_symlinks=False)
            if stat.S_ISREG(status.st_mode) and manifests.fits(info, status):
                lines.append(_line(Known(info.name, status.st_ino, *_facts(info))))
    if lines:
        with contextlib.suppress(OSError):
            append(folder.index, lines)


def mend(folder: CheckpointFolder) -> None:
    """Add the numbered checkpoints that are missing. Only under the folder's lock."""
    found = look(folder)
    tidy(folder, found)
    missing = (manifests.known(folder, path) for path in found.unknown if is_numbered(path.name))
    note(folder, [info for info in missing if info is not None])


def tidy(folder: CheckpointFolder, found: Look) -> None:
    """Write the file anew once most of it describes what is gone, or makes no sense. Only under the folder's lock."""
    if found.lines > 2 * len(found.known) + _SPARE:
        write_anew(folder.index, map(_line, found.known))


def _facts(info: Described) -> tuple[int, int, int, Progress]:
    return (info.size, info.mtime_ns, info.best_epoch, info.progress)


def _line(known: Known) -> str:
    *facts, progress = known
    parent = progress.parent and [*vars(progress.parent).values()]
    return sealed([*facts, *progress[:-1], parent])


def _read(lines: Iterable[bytes]) -> list[Known]:
    """The lines that are whole, in order; none of an index that makes no sense."""
    whole = [row for row in map(unsealed, lines) if row is not None]
    try:
        rows = json.loads(b"[%b]" % b",".join(whole))
    except (ValueError, RecursionError):
        return []
    return [_known(row) for row in rows if type(row) is list and tuple(map(type, row)) in _KINDS and _is_fork(row[13])]


def _is_fork(parent: list[object] | None) -> bool:
    return parent is None or tuple(map(type, parent)) in _PARENTS


def _known(row: list[Any]) -> Known:
    if row[13] is not None:
        row[13] = ForkPoint(*row[13])
    return Known._make((*row[:5], Progress._make(row[5:])))
