"""The journal: a tiny witness of every step, kept so that the steps trained again after a kill can be compared.

One file of fixed size, a ring of records of 64 bytes, written through a shared memory map: no system call per
step, nothing is ever synced, and what was written survives the death of the process (not of the machine). Each
record has a checksum; one that does not fit is as good as absent.
"""

import errno
import mmap
import os
import struct
from dataclasses import dataclass
from functools import reduce
from operator import xor
from pathlib import Path

import numpy as np
import xxhash

_MAGIC = b"unbroken-journal"
_HEADER = struct.Struct("<16sI44x")
_RECORD = struct.Struct("<QQQQQQQQ")  # step, key of the run, five witnesses, and all of these xored
_VERSION = 5

digest = xxhash.xxh3_64_intdigest


# 64 bits each: the indices of all batches of the epoch so far; the bits of what ``average`` was given in a step, and of
# some weights behind it; the three streams.
WITNESSES = ("order", "average", "python", "numpy", "torch")
Witness = tuple[int, int, int, int, int]


def _fill(descriptor: int, size: int) -> None:
    """Zeros, none of them a hole: one met in a full disk later would be a SIGBUS. Where they do not fit, nothing."""
    os.ftruncate(descriptor, 0)
    try:
        if os.pwrite(descriptor, bytes(size), 0) < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        os.ftruncate(descriptor, 0)  # what little room there is is for the state
        raise


class Journal:
    """The ring file of one folder. ``key`` tells the run, branch and settings apart whose steps may be compared.

    ``capacity`` is how many steps it holds.
    """

    capacity = 16_384

    def __init__(self, path: Path, key: str) -> None:
        self._key = digest(key.encode())
        size = _HEADER.size + self.capacity * _RECORD.size
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            if os.fstat(descriptor).st_size != size:
                _fill(descriptor, size)
            self._map = memoryview(mmap.mmap(descriptor, size))
        finally:
            os.close(descriptor)
        header = _HEADER.pack(_MAGIC, _VERSION)
        if self._map[: _HEADER.size] != header:
            self._map[:] = bytes(size)
            self._map[: _HEADER.size] = header

    def read(self, step: int) -> Witness | None:
        """The witness of ``step`` of this very run, if the ring still has it whole."""
        of_step, key, *seen, checksum = _RECORD.unpack_from(self._map, self._offset(step))
        if (of_step, key) != (step, self._key) or checksum != reduce(xor, seen, of_step ^ key):
            return None
        order, average, python, numpy, torch = seen
        return order, average, python, numpy, torch

    def write(self, step: int, seen: Witness) -> None:
        key, (order, average, python, numpy, torch) = self._key, seen
        checksum = step ^ key ^ order ^ average ^ python ^ numpy ^ torch
        offset = _HEADER.size + step % self.capacity * _RECORD.size
        _RECORD.pack_into(self._map, offset, step, key, order, average, python, numpy, torch, checksum)

    def forget_after(self, step: int) -> None:
        """Make the records of later steps unreadable, whosever they are."""
        steps = np.frombuffer(self._map, "<u8", offset=_HEADER.size).reshape(self.capacity, -1)[:, 0]
        steps[steps > step] = 0

    def close(self) -> None:
        self._map.release()

    @classmethod
    def _offset(cls, step: int) -> int:
        return _HEADER.size + step % cls.capacity * _RECORD.size


@dataclass
class Replay:
    """The steps trained again since a resume, compared with how they went before the interruption.

    ``difference`` is the first step that went another way, and the witnesses that differ there. ``of_results``: not
    only the streams were compared, but something that was computed with them, and changed as it was.
    """

    after: int
    steps: int = 0
    difference: tuple[int, tuple[str, ...]] | None = None
    of_results: bool = False

    def compare(self, step: int, before: Witness, now: Witness) -> bool:
        """Count the step; whether it is the first that differs."""
        self.steps += 1
        if self.difference is not None or before == now:
            return False
        differing = tuple(name for name, old, new in zip(WITNESSES, before, now, strict=True) if old != new)
        self.difference = (step, differing)
        return True
