"""Content digests: what a file holds, in one short string that names its own algorithm; and the checksum of zip."""

import io
from pathlib import Path
from typing import BinaryIO

import xxhash

try:  # several times as fast; there is not one for every machine
    from isal.isal_zlib import crc32 as crc32
except ImportError:
    from zlib import crc32 as crc32

Buffer = bytes | bytearray | memoryview

_CHUNK = 1 << 20


class Digest:
    """A digest in the making."""

    def __init__(self) -> None:
        self._state = xxhash.xxh3_128()
        self.update = self._state.update

    @property
    def text(self) -> str:
        """``"xxh3_128:<32 hex digits>"`` of the bytes so far."""
        return f"xxh3_128:{self._state.hexdigest()}"


def small_digest(content: Buffer) -> str:
    """The same of a few bytes, in one call, which keeps the interpreter's lock."""
    return f"xxh3_128:{xxhash.xxh3_128_hexdigest(content)}"


def bytes_digest(*buffers: Buffer) -> str:
    """The digest of these buffers one after the other."""
    digest = Digest()
    for buffer in buffers:
        digest.update(buffer)
    return digest.text


def file_digest(path: Path) -> str:
    """The digest of a file's bytes, in 1 MiB of memory whatever its size.

    Raises OSError as the system gave it: only the caller knows whether a file it cannot read is damaged or
    gone.
    """
    with path.open("rb", buffering=0) as file:
        return stream_digest(file)


def stream_digest(file: io.RawIOBase | BinaryIO, size: int | None = None) -> str:
    """The digest of what is left to read from an open binary file, or of its next ``size`` bytes if so many."""
    digest = Digest()
    window = memoryview(bytearray(_CHUNK))
    left = size
    while left != 0:
        count = file.readinto(window if left is None else window[:left])  # type: ignore[union-attr]
        if not count:
            break
        digest.update(window[:count])
        if left is not None:
            left -= count
    return digest.text
