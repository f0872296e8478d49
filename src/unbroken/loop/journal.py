"""The journal: a tiny witness of every step (order, batch, streams, averages, state), kept to be compared after a kill.

One file of fixed size, a ring of records of 96 bytes, written through a shared memory map: no system call per
step, nothing is ever synced, and what was written survives the death of the process (not of the machine). Each
record has a checksum; one that does not fit is as good as absent.
"""

import errno
import json
import mmap
import os
import stat
import struct
from dataclasses import dataclass
from enum import Enum
from functools import reduce
from operator import xor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xxhash

_MAGIC = b"unbroken-journal"
_HEADER = struct.Struct("<16sI76x")
_RECORD = struct.Struct("<QQQQQQQQQQQQ")  # step, key of the run, nine of the witness, all of these xored
_VERSION = 6

digest = xxhash.xxh3_64_intdigest


class Witness(NamedTuple):
    """64 bits each of what a step was made of and came to; ``looked`` has a bit for each of them that was looked at.

    ``order``: the indices of all batches of the epoch so far. ``batch``: what the step's batches held. ``average``:
    what ``run.average`` was given in the step. ``python``, ``numpy``, ``torch``: the streams behind it. ``state``: what
    is tracked, behind it; ``names``: a digest of which tensors that is.
    """

    looked: int
    order: int
    batch: int
    average: int
    python: int
    numpy: int
    torch: int
    names: int
    state: int


# Those that are compared, in the order in which one may be the cause of the next; each has the bit of its place.
COMPARED = ("order", "batch", "python", "numpy", "torch", "average", "state")
BITS = {name: 1 << place for place, name in enumerate(COMPARED)}
THOROUGH = 1 << len(COMPARED)
"""In ``looked``: every small tensor was looked at, and pieces of most large ones."""


class Past(Enum):
    """What was in a journal's place when it was opened."""

    NOTHING = "nothing"
    OLDER = "older"  # a journal of another version, which can't be compared with
    KEPT = "kept"


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
    """The ring file of one folder. ``key`` tells the run and branch apart whose steps may be compared.

    ``capacity`` is how many steps it holds; ``past`` what was there before.
    """

    capacity = 16_384

    def __init__(self, path: Path, key: str) -> None:
        self._key = digest(key.encode())
        size = _HEADER.size + self.capacity * _RECORD.size
        header = _HEADER.pack(_MAGIC, _VERSION)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            found = os.pread(descriptor, _HEADER.size, 0)
            ours = found[: len(_MAGIC)] == _MAGIC
            self.past = Past.KEPT if found == header else Past.OLDER if ours else Past.NOTHING
            if os.fstat(descriptor).st_size != size:
                _fill(descriptor, size)
            self._map = memoryview(mmap.mmap(descriptor, size))
        finally:
            os.close(descriptor)
        if self._map[: _HEADER.size] != header:
            self._map[:] = bytes(size)
            self._map[: _HEADER.size] = header

    def read(self, step: int) -> Witness | None:
        """The witness of ``step`` of this very run, if the ring still has it whole."""
        of_step, key, *seen, checksum = _RECORD.unpack_from(self._map, self._offset(step))
        if (of_step, key) != (step, self._key) or checksum != reduce(xor, seen, of_step ^ key):
            return None
        return Witness(*seen)

    def write(self, step: int, seen: Witness) -> None:
        checksum = reduce(xor, seen, step ^ self._key)
        _RECORD.pack_into(self._map, self._offset(step), step, self._key, *seen, checksum)

    def forget_after(self, step: int) -> None:
        """Make the records of later steps unreadable, whosever they are."""
        steps = np.frombuffer(self._map, "<u8", offset=_HEADER.size).reshape(self.capacity, -1)[:, 0]
        steps[steps > step] = 0

    def close(self) -> None:
        self._map.release()

    @classmethod
    def _offset(cls, step: int) -> int:
        return _HEADER.size + step % cls.capacity * _RECORD.size


def key_of(run_id: str, branch: int, seed: int, size: int = 1) -> str:
    """The key of the steps of one branch of a run, trained by so many processes."""
    return json.dumps([run_id, branch, seed, *([size] if size > 1 else [])])


def reached(path: Path, key: str) -> int | None:
    """The last step of ``key`` that the journal at ``path`` has; None where there is none. Nothing is changed.

    Of short steps every sixteenth bears witness, and far behind a save none does: at least so far the run has been.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode) or file.read(_HEADER.size) != _HEADER.pack(
                _MAGIC, _VERSION
            ):
                return None
            ring = file.read(Journal.capacity * _RECORD.size)
    except OSError:
        return None
    records = np.frombuffer(ring[: len(ring) // _RECORD.size * _RECORD.size], "<u8").reshape(-1, _RECORD.size // 8)
    whole = np.bitwise_xor.reduce(records, axis=1) == 0
    steps = records[whole & (records[:, 1] == digest(key.encode())) & (records[:, 0] < 2**63), 0]
    return int(steps.max()) if len(steps) else None


@dataclass
class Replay:
    """The steps trained again since a resume, compared with how they went before the interruption.

    ``difference`` is the first step that went another way, and the witnesses that differ there. ``compared`` has, by
    name, in how many steps each was looked at both times.
    """

    after: int
    steps: int = 0
    difference: tuple[int, tuple[str, ...]] | None = None
    unlike: bool = False
    """Whether there were other tensors than then in some step, so that what they held was not compared."""

    def __post_init__(self) -> None:
        self.compared = dict.fromkeys(COMPARED, 0)

    def compare(self, step: int, before: Witness, now: Witness) -> bool:
        """Count the step; whether it is the first that differs."""
        self.steps += 1
        both = before.looked & now.looked
        if before.names != now.names or (before.looked ^ now.looked) & THOROUGH:
            self.unlike |= bool(both & BITS["state"]) and before.names != now.names
            both &= ~BITS["state"]
        looked = [name for name, bit in BITS.items() if both & bit]
        for name in looked:
            self.compared[name] += 1
        differing = tuple(name for name in looked if getattr(before, name) != getattr(now, name))
        if self.difference is not None or not differing:
            return False
        self.difference = (step, differing)
        return True
