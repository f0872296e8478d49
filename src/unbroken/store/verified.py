"""Verified: when each checkpoint of a folder was last read to its end, and whether it was good then.

Not in the checkpoint, whose bytes are not touched, and not in its manifest, which the trainer writes: in a file of its
own, a line for each verification. A line counts only as long as its file has the inode, size and time that it names.
Lines are appended and never synced; a torn or damaged one fails its checksum and counts for nothing. It may be deleted.
"""

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from unbroken.errors import DiskError
from unbroken.store.folder import CheckpointFolder
from unbroken.store.lines import append, lines_of, sealed, unsealed, write_anew

_SPARE = 100  # lines that say nothing any more, before they are worth writing the file anew
_KINDS = (str, int, int, int, str, bool)


class Verified(NamedTuple):
    """One verification: ``on`` is when, as a checkpoint's timestamp is written."""

    name: str
    inode: int
    size: int
    mtime_ns: int
    on: str
    good: bool


def last_verified(folder: CheckpointFolder) -> dict[str, Verified]:
    """The last verification of each file that is still the one verified, by name."""
    found = {line.name: line for line in _lines(folder)}
    statuses = folder.statuses() if found else []
    return {name: line for name, status in statuses if (line := found.get(name)) and _fits(line, status)}


def note(folder: CheckpointFolder, results: Mapping[str, tuple[os.stat_result, bool]], on: str) -> None:
    """Add what has come of files, by name, as they were when they were read. Does nothing where no run has been.

    Raises DiskError if it can't be written.
    """
    if not folder.internal.is_dir():
        return
    lines = [Verified(name, at.st_ino, at.st_size, at.st_mtime_ns, on, good) for name, (at, good) in results.items()]
    path = folder.verified
    try:
        append(path, map(sealed, lines))
    except OSError as error:
        raise DiskError("store_verified_unwritable", path=path, reason=error.strerror or str(error)) from error
    _tidy(folder)


def _tidy(folder: CheckpointFolder) -> None:
    """Without a lock: what another verification adds meanwhile may be lost, and is then not known to be verified."""
    count, there = sum(1 for _ in _lines(folder)), last_verified(folder)
    if count > 2 * len(there) + _SPARE:
        write_anew(folder.verified, map(sealed, there.values()))


def _fits(line: Verified, status: os.stat_result) -> bool:
    return (line.inode, line.size, line.mtime_ns) == (status.st_ino, status.st_size, status.st_mtime_ns)


def _lines(folder: CheckpointFolder) -> Iterable[Verified]:
    for text in map(unsealed, lines_of(folder.verified)):
        with contextlib.suppress(ValueError, RecursionError):
            row = None if text is None else json.loads(text)
            if type(row) is list and tuple(map(type, row)) == _KINDS:
                yield Verified._make(row)
