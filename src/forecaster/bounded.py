"""BoundedReader: a byte stream that refuses to give more than a limit, whatever a gzip member unpacks to."""

import io
from typing import IO, Any


class BoundedReader(io.RawIOBase):
    """Gives what ``source`` gives; raises OverflowError once that is more than ``limit`` bytes."""

    def __init__(self, source: IO[bytes], limit: int) -> None:
        self._source = source
        self._limit = limit
        self._given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = self._source.read(len(buffer))
        buffer[: len(block)] = block
        self._given += len(block)
        if self._given > self._limit:
            raise OverflowError(f"> {self._limit >> 20} MiB")
        return len(block)
