"""The zip container of a torch file, written as torch writes it, to the byte.

Its members are STORED, their data begin at multiples of 64 bytes, and their sizes and CRC-32 stand behind the data; so
the file is written in one go, each byte looked at once. The layout is that of miniz, to which torch's reader is
tied: with ``calculate_storage_offsets`` it works out where a storage lies without looking.
"""

import struct
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import BinaryIO

from unbroken.disk.digest import Buffer, crc32

ALIGNMENT = 64
_FOLDER = "archive/"
_LOCAL = struct.Struct("<4s5H3L2H")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_DESCRIPTOR = struct.Struct("<4sLLL")
_DESCRIPTOR64 = struct.Struct("<4sLQQ")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_END = struct.Struct("<4s4H2LH")
_UTF8, _SIZES_BEHIND = 0x0800, 0x0008
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
_PIECE = 1 << 20  # stays in the processor's cache while it is looked at, digested and copied

Watcher = Callable[[Buffer], object]


@dataclass(frozen=True)
class _Member:
    name: bytes
    header: int
    size: int
    crc: int


class Container:
    """A torch file in the making: add its members in order, then close it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._at = 0
        self._members: list[_Member] = []

    def add(self, name: str, data: Buffer, watchers: Collection[Watcher] = ()) -> None:
        """Append one member. Each of ``watchers`` is shown its bytes, in order, as they pass."""
        path = (_FOLDER + name).encode()
        view = memoryview(data).cast("B") if len(data) else memoryview(b"")
        header, size = self._at, len(view)
        flags = _UTF8 | _SIZES_BEHIND if size else _UTF8
        extra = _zip64(size, header)
        extra += _padding(header + _LOCAL.size + len(path) + len(extra) + 4)
        self._write(_LOCAL.pack(b"PK\3\4", 0, flags, 0, 0, 0, 0, 0, 0, len(path), len(extra)) + path + extra)
        crc = 0
        for start in range(0, size, _PIECE):
            piece = view[start : start + _PIECE]
            crc = crc32(piece, crc)
            for watch in watchers:
                watch(piece)
            self._write(piece)
        if size:
            wide = max(size, header) >= _FULL32
            self._write((_DESCRIPTOR64 if wide else _DESCRIPTOR).pack(b"PK\7\x08", crc, size, size))
        self._members.append(_Member(path, header, size, crc))

    def close(self) -> None:
        """Append torch's last two members and the directory. The file has then all it needs, and stays open."""
        self.add("version", b"3\n")
        # A name for the content, as torch gives it one; nothing reads it but statistics.
        content = crc32(b"".join(struct.pack("<L", member.crc) for member in self._members))
        names = crc32(b"\0".join(member.name for member in self._members))
        self.add(".data/serialization_id", f"{names:020d}{content:020d}".encode())
        start = self._at
        for member in self._members:
            self._write(_entry(member))
        end, count = self._at, len(self._members)
        length = end - start
        self._write(_END64.pack(b"PK\6\6", _END64.size - 12, 0x031E, 0x2D, 0, 0, count, count, length, start))
        self._write(_LOCATOR.pack(b"PK\6\7", 0, end, 1))
        short = min(count, _FULL16), min(count, _FULL16), min(length, _FULL32), min(start, _FULL32)
        self._write(_END.pack(b"PK\5\6", 0, 0, *short, 0))

    def _write(self, data: Buffer) -> None:
        self._file.write(data)
        self._at += len(data)


def _entry(member: _Member) -> bytes:
    size, header = min(member.size, _FULL32), min(member.header, _FULL32)
    flags = _UTF8 | _SIZES_BEHIND if member.size else _UTF8
    extra = _zip64(member.size, member.header)
    lengths = len(member.name), len(extra), 0
    fields = 0, 0, flags, 0, 0, 0, member.crc, size, size, *lengths, 0, 0, 0, header
    return _ENTRY.pack(b"PK\1\2", *fields) + member.name + extra


def _zip64(size: int, header: int) -> bytes:
    """The extra field for what does not fit 32 bits; empty if everything does."""
    wide = [size, size] if size >= _FULL32 else []
    if header >= _FULL32:
        wide.append(header)
    return struct.pack(f"<2H{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""


def _padding(start: int) -> bytes:
    """The extra field, 4 bytes at least, behind which data that would begin at ``start`` are aligned."""
    count = -start % ALIGNMENT
    return b"FB" + struct.pack("<H", count) + b"Z" * count
