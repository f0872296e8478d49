"""Forging torch files: hostile pickles and containers, byte by byte, as torch would never write them."""

import io
import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path

Member = tuple[str, bytes]


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def integer(value: int) -> bytes:
    size = (value.bit_length() + 8) // 8
    return b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True)


def called(module: str, name: str, *arguments: bytes) -> bytes:
    """A GLOBAL called with these (pickled) arguments."""
    return f"c{module}\n{name}\n".encode() + b"(" + b"".join(arguments) + b"tR"


def storage(key: str, count: int, kind: str = "FloatStorage", module: str = "torch") -> bytes:
    return b"(" + text("storage") + f"c{module}\n{kind}\n".encode() + text(key) + text("cpu") + integer(count) + b"tQ"


def tensor(
    key: str, shape: Iterable[int], *, count: int, stride: Iterable[int] | None = None, offset: int = 0
) -> bytes:
    """A float32 tensor on the storage ``key`` that claims ``count`` elements."""
    shape = tuple(shape)
    stride = tuple(1 for _ in shape) if stride is None else tuple(stride)
    return called(
        "torch._utils",
        "_rebuild_tensor_v2",
        storage(key, count),
        integer(offset),
        b"(" + b"".join(map(integer, shape)) + b"t",
        b"(" + b"".join(map(integer, stride)) + b"t",
        b"\x89",
        called("collections", "OrderedDict"),
    )


def payload(*values: bytes) -> bytes:
    """A pickle of a dict with these (pickled) values."""
    items = b"".join(text(f"key{n}") + value for n, value in enumerate(values))
    return b"\x80\x02}(" + items + b"u."


def archive(path: Path, *members: Member, method: int = zipfile.ZIP_STORED) -> Path:
    """A zip of these members, in the one folder torch uses."""
    with zipfile.ZipFile(path, "w", method) as file:
        for name, data in members:
            file.writestr(f"archive/{name}" if not name.startswith("/") else name[1:], data)
    return path


def torch_file(path: Path, pickle: bytes, *members: Member) -> Path:
    """A torch file with this pickle and these storages (``("data/0", bytes)``)."""
    rest = (("byteorder", b"little"), ("version", b"3\n"))
    return archive(path, ("data.pkl", pickle), *members, *rest)


def entries(raw: bytes) -> dict[str, tuple[int, int]]:
    """Where each member's local header and directory entry begin."""
    with zipfile.ZipFile(io.BytesIO(raw)) as file:
        locals_ = {info.filename: info.header_offset for info in file.infolist()}
        start = file.start_dir
    found = {}
    for name, header in locals_.items():
        at = raw.index(b"PK\x01\x02", start)
        found[name] = (header, at)
        start = at + 46
    return found


def patched(raw: bytes, at: int, layout: str, *values: int) -> bytes:
    """``raw`` with the numbers at ``at`` replaced."""
    packed = struct.pack("<" + layout, *values)
    return raw[:at] + packed + raw[at + len(packed) :]
