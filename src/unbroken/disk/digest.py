"""Content digests: what a file holds, in one short string that names its own algorithm."""

import io
from pathlib import Path
from typing import BinaryIO

import xxhash

Buffer = bytes | bytearray | memoryview

_CHUNK = 1 << 20


def bytes_digest(*buffers: Buffer) -> str:
    """The digest of these buffers one after the other: ``"xxh3_128:<32 hex digits>"``."""
    digest = xxhash.xxh3_128()
    for buffer in buffers:
        digest.update(buffer)
    return _named(digest)


def file_digest(path: Path) -> str:
    """The digest of a file's bytes, in 1 MiB of memory whatever its size.

    Raises OSError as the system gave it: only the caller knows whether a file it cannot read is damaged or
    gone.
    """
    with path.open("rb", buffering=0) as file:
        return stream_digest(file)


def stream_digest(file: io.RawIOBase | BinaryIO, size: int | None = None) -> str:
    """The digest of what is left to read from an open binary file, or of its next ``size`` bytes if so many."""
    digest = xxhash.xxh3_128()
    window = memoryview(bytearray(_CHUNK))
    left = size
    while left != 0:
        count = file.readinto(window if left is None else window[:left])  # type: ignore[union-attr]
        if not count:
            break
        digest.update(window[:count])
        if left is not None:
            left -= count
    return _named(digest)


class HashingFile:
    """A binary file open for writing that counts and digests what passes through, in order.

    It refuses to seek, so its digest is always that of the file. The first OSError of the file below stays in
    ``error``: a writer in between (torch's, in C++) may turn it into an exception that no longer tells the
    cause.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = xxhash.xxh3_128()
        self.size = 0
        self.error: OSError | None = None

    @property
    def digest(self) -> str:
        return _named(self._digest)

    def write(self, data: Buffer) -> int:
        try:
            count = self._file.write(data)
        except OSError as error:
            self.error = self.error or error
            raise
        self._digest.update(data)
        self.size += count
        return count

    def flush(self) -> None:
        try:
            self._file.flush()
        except OSError as error:
            self.error = self.error or error
            raise

    def tell(self) -> int:
        return self.size

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        raise io.UnsupportedOperation("seek")

    def seekable(self) -> bool:
        return False

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True


def _named(digest: xxhash.xxh3_128) -> str:
    return f"xxh3_128:{digest.hexdigest()}"
