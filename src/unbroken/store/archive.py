"""The zip container of a torch file, read strictly: where each member lies, or why the file is not to be trusted.

Python's ``zipfile`` and the C reader inside torch forgive different things, and a file on which two readers
disagree is how hostile ones get past checks. So this reader accepts only what ``torch.save`` writes (STORED
members of one folder, in order, between the file's start and its directory), where there is nothing to disagree on.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from unbroken.disk.digest import crc32
from unbroken.errors import CheckpointDamagedError

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_PLAIN_FLAGS = 0x0808  # sizes behind the data, names in UTF-8; the others mean encryption, patches and the like
_FOLDER = 0x10  # for such a member torch (2.13) hands out uninitialised memory, and says nothing
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
_LEGACY_PICKLE = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Member:
    """One member: ``size`` bytes at ``offset`` of the file, stored as they are."""

    name: str
    offset: int
    size: int
    crc: int


@dataclass(frozen=True)
class Archive:
    """The members of a torch file by their name below its one folder (``data.pkl``, ``data/0``, …)."""

    members: dict[str, Member]

    def read(self, file: BinaryIO, name: str) -> bytes:
        """A member's bytes, unchecked."""
        member = self.members[name]
        file.seek(member.offset)
        return file.read(member.size)


def read_archive(file: BinaryIO, size: int, path: Path) -> Archive:
    """The members of the torch file open as ``file``, each within its ``size`` bytes and apart from the others.

    Raises CheckpointDamagedError saying which rule is broken. Reads the directory and the members' headers only.
    """
    _check_kind(file, size, path)
    start, length, count = _directory(file, size, path)
    file.seek(start)
    directory = file.read(length)
    if b"/constants.pkl" in directory:  # TorchScript
        raise _bad("store_not_torch", path)
    entries = list(_entries(directory, count, path))
    folders = {name.partition("/")[0] for name, *_ in entries}
    if len(folders) != 1:
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
        members[name.partition("/")[2]] = Member(name, offset, length, crc)
    if "data.pkl" not in members:
        raise _bad("store_not_torch", path)
    return Archive(members)


def check_sums(file: BinaryIO, archive: Archive, path: Path) -> None:
    """Raise CheckpointDamagedError naming the first member whose bytes do not have its CRC. Reads it all."""
    for member in archive.members.values():
        if _crc(file, member) != member.crc:
            raise _bad("store_crc", path, member=member.name.partition("/")[2])


def _crc(file: BinaryIO, member: Member) -> int:
    file.seek(member.offset)
    crc, left = 0, member.size
    while left:
        chunk = file.read(min(left, _CHUNK))
        if not chunk:
            return -1  # the file shrank while it was read
        crc = crc32(chunk, crc)
        left -= len(chunk)
    return crc


def _check_kind(file: BinaryIO, size: int, path: Path) -> None:
    if size == 0:
        raise _bad("store_empty", path)
    file.seek(0)
    head = file.read(max(64, len(_LEGACY_PICKLE)))
    if head.startswith(b"PK\x03\x04"):
        return
    if not head.strip(b"\0"):
        raise _bad("store_zeros", path)
    if head.startswith(_LEGACY_PICKLE):
        raise _bad("store_legacy", path)
    raise _bad("store_not_torch", path)


def _directory(file: BinaryIO, size: int, path: Path) -> tuple[int, int, int]:
    """Start, length and number of entries of the central directory, which must reach to the file's end records."""
    if size < _END.size:
        raise _bad("store_truncated", path, size=size)
    end_at = size - _END.size
    file.seek(end_at)
    mark, *disks, here, total, length, start, comment = _END.unpack(file.read(_END.size))
    if mark != b"PK\x05\x06" or comment:
        raise _bad("store_truncated", path, size=size)
    if any(disks) or here != total:
        raise _bad("store_layout", path, detail="several volumes")
    locator_at = end_at - _LOCATOR.size
    if locator_at > 0:
        file.seek(locator_at)
        mark, disk, at, volumes = _LOCATOR.unpack(file.read(_LOCATOR.size))
        if mark == b"PK\x06\x07":
            end_at = locator_at - _END64.size
            if disk or volumes != 1 or at != end_at or end_at < 0:
                raise _bad("store_layout", path, detail="zip64 end record")
            start, length, total = _directory64(file, end_at, (start, length, total), path)
    if start + length != end_at or total * _ENTRY.size > length:
        raise _bad("store_layout", path, detail="directory")
    return start, length, total


def _directory64(file: BinaryIO, at: int, short: tuple[int, int, int], path: Path) -> tuple[int, int, int]:
    file.seek(at)
    mark, record, _, _, disk, first, here, total, length, start = _END64.unpack(file.read(_END64.size))
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
        if method or flags & ~_PLAIN_FLAGS:
            raise _bad("store_compressed", path, member=name)
        if attributes & _FOLDER:
            raise _bad("store_layout", path, detail=f"{name} as a folder")
        size, packed, header = _wide(extra, size, packed, header)
        if size != packed:
            raise _bad("store_compressed", path, member=name)
        yield name, header, size, crc
    if at != len(directory):
        raise _bad("store_layout", path, detail="directory")


def _name(raw: bytes, path: Path) -> str:
    try:
        name = raw.decode("ascii")
    except UnicodeDecodeError:
        # torch names the folder after the file, which may be in any script
        name = raw.decode("utf-8", "replace")
    folder, slash, rest = name.partition("/")
    if not (folder and slash and rest) or rest.endswith("/") or "\0" in name or "\\" in name or ".." in name.split("/"):
        raise _bad("store_layout", path, detail=f"member name {name!r}")
    return name


def _wide(extra: bytes, size: int, packed: int, header: int) -> tuple[int, int, int]:
    """The three numbers with those that do not fit 32 bits taken from the zip64 extra field."""
    values = [size, packed, header]
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
    return values[0], values[1], values[2]


def _data_offset(file: BinaryIO, name: str, header: int, path: Path) -> int:
    file.seek(header)
    raw = file.read(_LOCAL.size)
    if len(raw) < _LOCAL.size:
        raise _bad("store_member_outside", path, member=name)
    mark, _, flags, method, *_, name_length, extra_length = _LOCAL.unpack(raw)
    if mark != b"PK\x03\x04" or method or flags & ~_PLAIN_FLAGS or _name(file.read(name_length), path) != name:
        raise _bad("store_local_header", path, member=name)
    return header + _LOCAL.size + int(name_length) + int(extra_length)


def _bad(key: str, path: Path, **values: object) -> CheckpointDamagedError:
    return CheckpointDamagedError(key, path=path, **values)
