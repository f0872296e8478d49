"""The zip container of a torch file: written as torch writes it, to the byte, and read strictly.

Its members are STORED in one folder, their data begin at multiples of 64 bytes, and their sizes and CRC-32 stand
behind the data; so it is written in one go, each byte looked at once. The layout is that of miniz, to which torch's
reader is tied: with ``calculate_storage_offsets`` it works out where a storage lies without looking.

Python's ``zipfile`` and the C reader inside torch forgive different things, and a file on which two readers disagree is
how hostile ones get past checks. So only what ``torch.save`` writes is accepted, where there is nothing to disagree on.
"""

import struct
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from unbroken.disk.digest import Buffer, crc32
from unbroken.errors import CheckpointDamagedError

ALIGNMENT = 64
_ROOT = "archive/"
_LOCAL = struct.Struct("<4s5H3L2H")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_DESCRIPTOR = struct.Struct("<4sLLL")
_DESCRIPTOR64 = struct.Struct("<4sLQQ")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_END = struct.Struct("<4s4H2LH")
_UTF8, _SIZES_BEHIND = 0x0800, 0x0008  # the only flags: the others mean encryption, patches and the like
_FOLDER = 0x10  # for such a member torch (2.13) hands out uninitialised memory, and says nothing
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
_PIECE = 1 << 20  # stays in the processor's cache while it is looked at, digested and copied
MOST_PER_MEMBER = 512
"""More bytes than what stands around a member's own, its padding and its entry in the directory take."""
_LEGACY_PICKLE = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"

Watcher = Callable[[Buffer], object]


@dataclass(frozen=True)
class Member:
    """One member: its header at ``header``, its ``size`` bytes at ``offset`` of the file, stored as they are."""

    name: str
    header: int
    offset: int
    size: int
    crc: int

    def read(self, file: BinaryIO) -> bytes:
        """Its bytes, unchecked."""
        file.seek(self.offset)
        return file.read(self.size)


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
        extra = _zip64(size, header) if max(size, header) >= _FULL32 else b""
        extra += _PADDINGS[(header + _LOCAL.size + len(path) + len(extra) + 4) % ALIGNMENT]
        head = _LOCAL.pack(b"PK\3\4", 0, _flags(size), 0, 0, 0, 0, 0, 0, len(path), len(extra)) + path + extra
        if type(data) is bytes and size <= _PIECE:
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
        for start in range(0, len(view), _PIECE):
            piece = view[start : start + _PIECE]
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
        self._write(_END64.pack(b"PK\6\6", _END64.size - 12, 0x031E, 0x2D, 0, 0, count, count, length, start))
        self._write(_LOCATOR.pack(b"PK\6\7", 0, end, 1))
        short = min(count, _FULL16), min(count, _FULL16), min(length, _FULL32), min(start, _FULL32)
        self._write(_END.pack(b"PK\5\6", 0, 0, *short, 0))
        self._pass_on()

    def _write(self, data: Buffer) -> None:
        self._at += len(data)
        if len(data) >= _PIECE:
            self._pass_on()
            self._file.write(data)
            return
        self._gathered.append(data)
        self._waiting += len(data)
        if self._waiting >= _PIECE:
            self._pass_on()

    def _pass_on(self) -> None:
        if self._gathered:
            self._file.write(b"".join(self._gathered))
            self._gathered, self._waiting = [], 0


def _descriptor(header: int, size: int, crc: int) -> bytes:
    """What stands behind the data of a member that has any."""
    if not size:
        return b""
    wide = max(size, header) >= _FULL32
    return (_DESCRIPTOR64 if wide else _DESCRIPTOR).pack(b"PK\7\x08", crc, size, size)


def _flags(size: int) -> int:
    return _UTF8 | _SIZES_BEHIND if size else _UTF8


def _entry(name: bytes, header: int, size: int, crc: int) -> bytes:
    extra, short, place = b"", size, header
    if max(size, header) >= _FULL32:
        extra, short, place = _zip64(size, header), min(size, _FULL32), min(header, _FULL32)
    fields = 0, 0, _flags(size), 0, 0, 0, crc, short, short, len(name), len(extra), 0, 0, 0, 0, place
    return _ENTRY.pack(b"PK\1\2", *fields) + name + extra


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


_PADDINGS = [_padding(start) for start in range(ALIGNMENT)]


def read_members(file: BinaryIO, size: int, path: Path) -> dict[str, Member]:
    """The members of the torch file open as ``file``, by their name below its one folder (``data.pkl``, ``data/0``, …).

    Each lies within the file's ``size`` bytes and apart from the others. Raises CheckpointDamagedError saying which
    rule is broken. Reads the directory and the members' headers only.
    """
    _check_kind(file, size, path)
    start, length, count = _directory(file, size, path)
    directory = _read_at(file, start, length)
    if b"/constants.pkl" in directory:  # TorchScript
        raise _bad("store_not_torch", path)
    entries = list(_entries(directory, count, path))
    if len({name.partition("/")[0] for name, *_ in entries}) != 1:
        raise _bad("store_layout", path, detail="members outside the one folder")
    members: dict[str, Member] = {}
    seen: set[str] = set()
    free_from = 0
    for name, header, length, crc in sorted(entries, key=lambda entry: entry[1]):
        if name.lower() in seen:  # torch looks names up without regard to case
            raise _bad("store_duplicate_member", path, member=name)
        seen.add(name.lower())
        offset = _data_offset(file, name, header, path)
        if header < free_from or offset + length > start:
            raise _bad("store_member_outside", path, member=name)
        free_from = offset + length
        members[name.partition("/")[2]] = Member(name, header, offset, length, crc)
    if "data.pkl" not in members:
        raise _bad("store_not_torch", path)
    return members


def check_sums(file: BinaryIO, members: Iterable[Member], path: Path) -> None:
    """Raise CheckpointDamagedError naming the first member whose bytes do not have its CRC. Reads it all."""
    for member in members:
        file.seek(member.offset)
        crc, left = 0, member.size
        while left and (chunk := file.read(min(left, _PIECE))):
            crc = crc32(chunk, crc)
            left -= len(chunk)
        if left or crc != member.crc:  # left: the file shrank while it was read
            raise _bad("store_crc", path, member=member.name.partition("/")[2])


def _check_kind(file: BinaryIO, size: int, path: Path) -> None:
    if size == 0:
        raise _bad("store_empty", path)
    head = _read_at(file, 0, 64)
    if head.startswith(b"PK\x03\x04"):
        return
    if not head.strip(b"\0"):
        raise _bad("store_zeros", path)
    raise _bad("store_legacy" if head.startswith(_LEGACY_PICKLE) else "store_not_torch", path)


def _directory(file: BinaryIO, size: int, path: Path) -> tuple[int, int, int]:
    """Start, length and number of entries of the central directory, which must reach to the file's end records."""
    if size < _END.size:
        raise _bad("store_truncated", path, size=size)
    end_at = size - _END.size
    mark, *disks, here, total, length, start, comment = _END.unpack(_read_at(file, end_at, _END.size))
    if mark != b"PK\x05\x06" or comment:
        raise _bad("store_truncated", path, size=size)
    if any(disks) or here != total:
        raise _bad("store_layout", path, detail="several volumes")
    locator_at = end_at - _LOCATOR.size
    if locator_at > 0:
        mark, disk, at, volumes = _LOCATOR.unpack(_read_at(file, locator_at, _LOCATOR.size))
        if mark == b"PK\x06\x07":
            end_at = locator_at - _END64.size
            if disk or volumes != 1 or at != end_at or end_at < 0:
                raise _bad("store_layout", path, detail="zip64 end record")
            start, length, total = _directory64(file, end_at, (start, length, total), path)
    if start + length != end_at or total * _ENTRY.size > length:
        raise _bad("store_layout", path, detail="directory")
    return start, length, total


def _directory64(file: BinaryIO, at: int, short: tuple[int, int, int], path: Path) -> tuple[int, int, int]:
    fields = _END64.unpack(_read_at(file, at, _END64.size))
    mark, record, _, _, disk, first, here, total, length, start = fields
    agree = all(
        value in (full, exact)
        for value, full, exact in zip(short, (_FULL32, _FULL32, _FULL16), (start, length, total), strict=True)
    )
    if mark != b"PK\x06\x06" or record != _END64.size - 12 or disk or first or here != total or not agree:
        raise _bad("store_layout", path, detail="zip64 end record")
    return start, length, total


def _entries(directory: bytes, count: int, path: Path) -> Iterator[tuple[str, int, int, int]]:
    """Name, header offset, size and CRC of every entry."""
    at = 0
    for _ in range(count):
        if at + _ENTRY.size > len(directory):
            raise _bad("store_layout", path, detail="directory")
        fields = _ENTRY.unpack_from(directory, at)
        mark, _, _, flags, method = fields[:5]
        crc, packed, size, name_length, extra_length, comment_length, disk = fields[7:14]
        attributes, header = fields[15:]
        at += _ENTRY.size
        raw = directory[at : at + name_length]
        extra = directory[at + name_length : at + name_length + extra_length]
        at += name_length + extra_length + comment_length
        if mark != b"PK\x01\x02" or disk or at > len(directory):
            raise _bad("store_layout", path, detail="directory")
        name = _name(raw, path)
        if method or flags & ~(_UTF8 | _SIZES_BEHIND):
            raise _bad("store_compressed", path, member=name)
        if attributes & _FOLDER:
            raise _bad("store_layout", path, detail=f"{name} as a folder")
        size, packed, header = _wide(extra, [size, packed, header])
        if size != packed:
            raise _bad("store_compressed", path, member=name)
        yield name, header, size, crc
    if at != len(directory):
        raise _bad("store_layout", path, detail="directory")


def _name(raw: bytes, path: Path) -> str:
    name = raw.decode("utf-8", "replace")  # torch names the folder after the file, which may be in any script
    folder, slash, rest = name.partition("/")
    if not (folder and slash and rest) or rest.endswith("/") or "\0" in name or "\\" in name or ".." in name.split("/"):
        raise _bad("store_layout", path, detail=f"member name {name!r}")
    return name


def _wide(extra: bytes, values: list[int]) -> list[int]:
    """The numbers with those that do not fit 32 bits taken from the zip64 extra field."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        field = extra[at + 4 : at + 4 + length]
        at += 4 + length
        if kind != 1:
            continue
        for index, value in enumerate(values):
            if value == _FULL32 and len(field) >= 8:
                values[index] = int.from_bytes(field[:8], "little")
                field = field[8:]
        break
    return values


def _data_offset(file: BinaryIO, name: str, header: int, path: Path) -> int:
    raw = _read_at(file, header, _LOCAL.size)
    if len(raw) < _LOCAL.size:
        raise _bad("store_member_outside", path, member=name)
    mark, _, flags, method, *_, name_length, extra_length = _LOCAL.unpack(raw)
    sane = mark == b"PK\x03\x04" and not method and not flags & ~(_UTF8 | _SIZES_BEHIND)
    if not sane or _name(file.read(name_length), path) != name:
        raise _bad("store_local_header", path, member=name)
    return header + _LOCAL.size + int(name_length) + int(extra_length)


def _read_at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)


def _bad(key: str, path: Path, **values: object) -> CheckpointDamagedError:
    return CheckpointDamagedError(key, path=path, **values)
