"""Verified: when each checkpoint of a folder was last read to its end, and whether it was good then.

Not in the checkpoint, whose bytes are not touched, and not in its manifest, which the trainer writes: in a file of its
own, a line for each verification. A line counts only as long as its file has the inode, size and time that it names.
Lines are appended and never synced; a torn or damaged one fails its checksum and counts for nothing. It may be deleted.
"""

import contextlib
import errno
import json
import os
import stat
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

from unbroken.disk import durable
from unbroken.errors import DiskError
from unbroken.store import manifest as manifests
from unbroken.store.folder import CheckpointFolder

_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
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
        descriptor = os.open(path, _APPEND, 0o666)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
            os.write(descriptor, "".join(map(_line, lines)).encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        raise DiskError("store_verified_unwritable", path=path, reason=error.strerror or str(error)) from error
    _tidy(folder)


def _tidy(folder: CheckpointFolder) -> None:
    """Without a lock: what another verification adds meanwhile may be lost, and is then not known to be verified."""
    count, there = sum(1 for _ in _lines(folder)), last_verified(folder)
    if count > 2 * len(there) + _SPARE:

        def write(file: BinaryIO) -> None:
            file.write("".join(map(_line, there.values())).encode())

        with contextlib.suppress(DiskError):
            durable.write_durably(folder.verified, write)


def _fits(line: Verified, status: os.stat_result) -> bool:
    return (line.inode, line.size, line.mtime_ns) == (status.st_ino, status.st_size, status.st_mtime_ns)


def _line(one: Verified) -> str:
    row = json.dumps(list(one), separators=(",", ":"))  # ASCII: lone surrogates are escaped
    return f"{zlib.crc32(row.encode()):08x}{row}\n"


def _lines(folder: CheckpointFolder) -> Iterable[Verified]:
    for line in _content(folder.verified):
        if line[:8] == b"%08x" % zlib.crc32(line[8:]):
            with contextlib.suppress(ValueError, RecursionError):
                row = json.loads(line[8:])
                if type(row) is list and tuple(map(type, row)) == _KINDS:
                    yield Verified._make(row)


def _content(path: Path) -> list[bytes]:
    try:
        return manifests.read_bytes(path).split(b"\n")
    except (OSError, ValueError):
        return []
