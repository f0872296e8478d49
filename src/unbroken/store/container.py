"""The zip container of a torch file, read strictly.

Python's ``zipfile`` and the C reader inside torch forgive different things, and a file on which two readers disagree is
how hostile ones get past checks. So only what ``torch.save`` writes is accepted, where there is nothing to disagree on.
"""

import re
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from unbroken.disk.digest import crc32
from unbroken.errors import CheckpointDamagedError

ALIGNMENT = 64
LOCAL = struct.Struct("<4s5H3L2H")
ENTRY = struct.Struct("<4s6H3L5H2L")
END64 = struct.Struct("<4sQ2H2L4Q")
LOCATOR = struct.Struct("<4sLQL")
END = struct.Struct("<4s4H2LH")
UTF8, SIZES_BEHIND = 0x0800, 0x0008  # the only flags: the others mean encryption, patches and the like
_FLAGS = frozenset({0, UTF8, SIZES_BEHIND, UTF8 | SIZES_BEHIND})
_FOLDER = 0x10  # for such a member torch (2.13) hands out uninitialised memory, and says nothing
FULL16, FULL32 = 0xFFFF, 0xFFFFFFFF
_WINDOW = 32 << 10
PIECE = 1 << 20  # stays in the processor's cache while it is looked at, digested and copied
_USUAL = re.compile(rb"\w+/(?:data/\d+|\.?\w+)")
_LEGACY_PICKLE = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"


class Member(NamedTuple):
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
    headers = _Headers(file)
    seen: set[str] = set()
    free_from = 0
    for name, header, length, crc in sorted(entries, key=lambda entry: entry[1]):
        if name.lower() in seen:  # torch looks names up without regard to case
            raise _bad("store_duplicate_member", path, member=name)
        seen.add(name.lower())
        offset = _data_offset(headers, name, header, path)
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
        while left and (chunk := file.read(min(left, PIECE))):
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
    if size < END.size:
        raise _bad("store_truncated", path, size=size)
    end_at = size - END.size
    mark, *disks, here, total, length, start, comment = END.unpack(_read_at(file, end_at, END.size))
    if mark != b"PK\x05\x06" or comment:
        raise _bad("store_truncated", path, size=size)
    if any(disks) or here != total:
        raise _bad("store_layout", path, detail="several volumes")
    locator_at = end_at - LOCATOR.size
    if locator_at > 0:
        mark, disk, at, volumes = LOCATOR.unpack(_read_at(file, locator_at, LOCATOR.size))
        if mark == b"PK\x06\x07":
            end_at = locator_at - END64.size
            if disk or volumes != 1 or at != end_at or end_at < 0:
                raise _bad("store_layout", path, detail="zip64 end record")
            start, length, total = _directory64(file, end_at, (start, length, total), path)
    if start + length != end_at or total * ENTRY.size > length:
        raise _bad("store_layout", path, detail="directory")
    return start, length, total


def _directory64(file: BinaryIO, at: int, short: tuple[int, int, int], path: Path) -> tuple[int, int, int]:
    fields = END64.unpack(_read_at(file, at, END64.size))
    mark, record, _, _, disk, first, here, total, length, start = fields
    agree = all(
        value in (full, exact)
        for value, full, exact in zip(short, (FULL32, FULL32, FULL16), (start, length, total), strict=True)
    )
    if mark != b"PK\x06\x06" or record != END64.size - 12 or disk or first or here != total or not agree:
        raise _bad("store_layout", path, detail="zip64 end record")
    return start, length, total


def _entries(directory: bytes, count: int, path: Path) -> Iterator[tuple[str, int, int, int]]:
    """Name, header offset, size and CRC of every entry."""
    at = 0
    for _ in range(count):
        if at + ENTRY.size > len(directory):
            raise _bad("store_layout", path, detail="directory")
        fields = ENTRY.unpack_from(directory, at)
        mark, _, _, flags, method = fields[:5]
        crc, packed, size, name_length, extra_length, comment_length, disk = fields[7:14]
        attributes, header = fields[15:]
        at += ENTRY.size
        raw = directory[at : at + name_length]
        extra = directory[at + name_length : at + name_length + extra_length]
        at += name_length + extra_length + comment_length
        if mark != b"PK\x01\x02" or disk or at > len(directory):
            raise _bad("store_layout", path, detail="directory")
        name = _name(raw, path)
        if method or flags not in _FLAGS:
            raise _bad("store_compressed", path, member=name)
        if attributes & _FOLDER:
            raise _bad("store_layout", path, detail=f"{name} as a folder")
        if extra:
            size, packed, header = _wide(extra, [size, packed, header])
        if size != packed:
            raise _bad("store_compressed", path, member=name)
        yield name, header, size, crc
    if at != len(directory):
        raise _bad("store_layout", path, detail="directory")


def _name(raw: bytes, path: Path) -> str:
    if _USUAL.fullmatch(raw):
        return raw.decode()
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
            if value == FULL32 and len(field) >= 8:
                values[index] = int.from_bytes(field[:8], "little")
                field = field[8:]
        break
    return values


class _Headers:
    """Pieces of a file, read in windows: of small members many headers lie in one."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._start = 0
        self._window = b""

    def at(self, place: int, count: int) -> bytes:
        """``count`` bytes, or what there is of them."""
        start = place - self._start
        if not 0 <= start <= len(self._window) - count:
            self._start, start = place, 0
            self._window = _read_at(self._file, place, max(count, _WINDOW))
        return self._window[start : start + count]


def _data_offset(headers: _Headers, name: str, header: int, path: Path) -> int:
    raw = headers.at(header, LOCAL.size)
    if len(raw) < LOCAL.size:
        raise _bad("store_member_outside", path, member=name)
    mark, _, flags, method, *_, name_length, extra_length = LOCAL.unpack(raw)
    sane = mark == b"PK\x03\x04" and not method and flags in _FLAGS
    there = headers.at(header + LOCAL.size, name_length)
    if not sane or (there != name.encode() and _name(there, path) != name):
        raise _bad("store_local_header", path, member=name)
    return header + LOCAL.size + int(name_length) + int(extra_length)


def _read_at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)


def _bad(key: str, path: Path, **values: object) -> CheckpointDamagedError:
    return CheckpointDamagedError(key, path=path, **values)
