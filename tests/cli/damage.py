"""Damage as disks and copies do it."""

import os
from pathlib import Path


def cut(path: Path) -> None:
    """The end of the file is missing."""
    path.write_bytes(path.read_bytes()[:-100])


def rot(path: Path, value: float) -> None:
    """One bit of the tensor data holding float32 ``value`` flips; neither size nor time tell."""
    import struct

    times = path.stat()
    content = bytearray(path.read_bytes())
    at = content.rindex(struct.pack("<f", value) * 8)
    content[at] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
