"""Packing: the zip container of a torch file, written as torch writes it, to the byte.

Its members are STORED in one folder, their data begin at multiples of 64 bytes, and their sizes and CRC-32 stand
behind the data; so it is written in one go, each byte looked at once. The layout is that of miniz, to which torch's
reader is tied: with ``calculate_storage_offsets`` it works out where a storage lies without looking.
"""

import struct
from collections.abc import Callable, Collection
from typing import BinaryIO

from unbroken.disk.digest import Buffer, crc32
from unbroken.store.container import (
    ALIGNMENT,
    END,
    END64,
    ENTRY,
    FULL16,
    FULL32,
    LOCAL,
    LOCATOR,
    PIECE,
    SIZES_BEHIND,
    UTF8,
)

_ROOT = "archive/"
DESCRIPTOR = struct.Struct("<4sLLL")
DESCRIPTOR64 = struct.Struct("<4sLQQ")
MOST_PER_MEMBER = 512
"""More bytes than what stands around a member's own, its padding and its entry in the directory take."""

Watcher = Callable[[Buffer], object]


class Container:
    """A torch file in the making: add its members in order, then close it.

    Small pieces are gathered before they are written: of a hundred thousand members each is only a few bytes.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._at = 0
        self._names: list[bytes] = []
        self._sums: list[int] = []
        self._entries: list[bytes] = []
        self._gathered: list[Buffer] = []
        self._waiting = 0

    def add(self, name: str, data: Buffer, watchers: Collection[Watcher] = ()) -> None:
        """Append one member. Each of ``watchers`` is shown its bytes, in order, as they pass."""
        path = (_ROOT + name).encode()
        header, size = self._at, len(data)
        extra = _zip64(size, header) if max(size, header) >= FULL32 else b""
        extra += _PADDINGS[(header + LOCAL.size + len(path) + len(extra) + 4) % ALIGNMENT]
        head = LOCAL.pack(b"PK\3\4", 0, _flags(size), 0, 0, 0, 0, 0, 0, len(path), len(extra)) + path + extra
        if type(data) is bytes and size <= PIECE:
            crc = crc32(data)
            for watch in watchers:
                watch(data)
            self._write(head + data + _descriptor(header, size, crc))
        else:
            self._write(head)
            crc = self._pass(memoryview(data).cast("B"), watchers)
            self._write(_descriptor(header, size, crc))
        self._names.append(path)
        self._sums.append(crc)
        self._entries.append(_entry(path, header, size, crc))

    def _pass(self, view: memoryview, watchers: Collection[Watcher]) -> int:
        """Write a large member piece by piece; its checksum."""
        crc = 0
        for start in range(0, len(view), PIECE):
            piece = view[start : start + PIECE]
            crc = crc32(piece, crc)
            for watch in watchers:
                watch(piece)
            self._write(piece)
        return crc

    def close(self) -> None:
        """Append torch's last two members and the directory. The file has then all it needs, and stays open."""
        self.add("version", b"3\n")
        # A name for the content, as torch gives it one; nothing reads it but statistics.
        content = crc32(struct.pack(f"<{len(self._sums)}L", *self._sums))
        names = crc32(b"\0".join(self._names))
        self.add(".data/serialization_id", f"{names:020d}{content:020d}".encode())
        start = self._at
        self._write(b"".join(self._entries))
        end, count = self._at, len(self._entries)
        length = end - start
        self._write(END64.pack(b"PK\6\6", END64.size - 12, 0x031E, 0x2D, 0, 0, count, count, length, start))
        self._write(LOCATOR.pack(b"PK\6\7", 0, end, 1))
        short = min(count, FULL16), min(count, FULL16), min(length, FULL32), min(start, FULL32)
        self._write(END.pack(b"PK\5\6", 0, 0, *short, 0))
        self._pass_on()

    def _write(self, data: Buffer) -> None:
        self._at += len(data)
        if len(data) >= PIECE:
            self._pass_on()
            self._file.write(data)
            return
        self._gathered.append(data)
        self._waiting += len(data)
        if self._waiting >= PIECE:
            self._pass_on()

    def _pass_on(self) -> None:
        if self._gathered:
            self._file.write(b"".join(self._gathered))
            self._gathered, self._waiting = [], 0


def _descriptor(header: int, size: int, crc: int) -> bytes:
    """What stands behind the data of a member that has any."""
    if not size:
        return b""
    wide = max(size, header) >= FULL32
    return (DESCRIPTOR64 if wide else DESCRIPTOR).pack(b"PK\7\x08", crc, size, size)


def _flags(size: int) -> int:
    return UTF8 | SIZES_BEHIND if size else UTF8


def _entry(name: bytes, header: int, size: int, crc: int) -> bytes:
    extra, short, place = b"", size, header
    if max(size, header) >= FULL32:
        extra, short, place = _zip64(size, header), min(size, FULL32), min(header, FULL32)
    fields = 0, 0, _flags(size), 0, 0, 0, crc, short, short, len(name), len(extra), 0, 0, 0, 0, place
    return ENTRY.pack(b"PK\1\2", *fields) + name + extra


def _zip64(size: int, header: int) -> bytes:
    """The extra field for what does not fit 32 bits; empty if everything does."""
    wide = [size, size] if size >= FULL32 else []
    if header >= FULL32:
        wide.append(header)
    return struct.pack(f"<2H{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""


def _padding(start: int) -> bytes:
    """The extra field, 4 bytes at least, behind which data that would begin at ``start`` are aligned."""
    count = -start % ALIGNMENT
    return b"FB" + struct.pack("<H", count) + b"Z" * count


_PADDINGS = [_padding(start) for start in range(ALIGNMENT)]
