"""Lines: rows of JSON, each behind a checksum of its own, in small files that may be torn, damaged or deleted.

For what is a cache or for people to look at. What is added or put over is not synced, and is never written to what a
link leads to, nor to a device.
"""

import contextlib
import errno
import json
import os
import stat
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from unbroken.disk import durable
from unbroken.errors import DiskError
from unbroken.store import manifest as manifests

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def sealed(row: object) -> str:
    """One line: 8 hex digits, the CRC-32 of the rest, then JSON in ASCII: lone surrogates are escaped."""
    text = json.dumps(row, separators=(",", ":"))
    return f"{zlib.crc32(text.encode()):08x}{text}\n"


def unsealed(line: bytes) -> bytes | None:
    """The JSON of a line that is whole, without its end; None of any other."""
    return line[8:] if line[:8] == b"%08x" % zlib.crc32(line[8:]) else None


def lines_of(path: Path) -> list[bytes]:
    """The lines of the file, whole or not; none of one that can't be read."""
    try:
        return manifests.read_bytes(path).split(b"\n")
    except (OSError, ValueError):
        return []


def append(path: Path, lines: Iterable[str]) -> None:
    """Add lines, or what their checksums tell apart. Raises OSError."""
    descriptor = _opened(path, os.O_APPEND)
    try:
        os.write(descriptor, "".join(lines).encode())
    finally:
        os.close(descriptor)


def overwrite(path: Path, line: str) -> None:
    """Have it as the first line; what is behind it counts no more. Raises OSError."""
    descriptor = _opened(path, 0)
    try:
        os.pwrite(descriptor, line.encode(), 0)
    finally:
        os.close(descriptor)


def write_anew(path: Path, lines: Iterable[str]) -> None:
    """Have these lines and no others, if that can be done."""

    def write(file: BinaryIO) -> None:
        file.write("".join(lines).encode())

    with contextlib.suppress(DiskError):
        durable.write_durably(path, write)


def _opened(path: Path, flags: int) -> int:
    descriptor = os.open(path, _FLAGS | flags, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), str(path))
    return descriptor
