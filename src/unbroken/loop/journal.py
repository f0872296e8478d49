"""The journal: a tiny witness of every step, kept so that the steps trained again after a kill can be compared.

One file of fixed size, a ring of records of 64 bytes, written through a shared memory map: no system call per
step, nothing is ever synced, and what was written survives the death of the process (not of the machine). Each
record has a checksum; one that does not fit is as good as absent.
"""

import ctypes
import errno
import mmap
import os
import struct
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import xxhash

from unbroken.loop.mersenne import numpy_witness, python_witness, torch_witness

_MAGIC = b"unbroken-journal"
_HEADER = struct.Struct("<16sI44x")
_FIELDS = struct.Struct("<QQQQQQQ")  # step, key of the run, five witnesses
_CHECKSUM = struct.Struct("<Q")
_RECORD = struct.Struct(f"<{_FIELDS.size}sQ")
_VERSION = 4
_MOST_SAMPLED = 8
_PIECE = 512  # bytes

Place = Callable[[], torch.Tensor | None]

_digest = xxhash.xxh3_64_intdigest


class Witness(NamedTuple):
    """64-bit digests of what a step was made of, and what it left behind."""

    order: int  # the indices of all batches of the epoch so far
    average: int  # the bits of what ``average`` was given in this step, and of some weights behind it
    python: int
    numpy: int
    torch: int


def witness(order: int, averaged: bytes) -> Witness:
    """The witness of the step just done, from this process's streams as they are now; a few microseconds."""
    words, cached_normal = python_witness()
    key, position = numpy_witness()
    engine, drawn = torch_witness()
    return Witness(
        order,
        _digest(averaged),
        _digest(words, 0 if cached_normal is None else hash(cached_normal) % 2**64),
        _digest(key, position),
        _digest(engine, drawn),
    )


class Weights:
    """A piece of one parameter, looked at in every step: through one view, as long as it lies where it lay.

    ``place`` finds it: another one may have come there.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._parameter: torch.Tensor | None = None
        self._address = 0
        self._view: memoryview | bytes = b""

    def bits(self) -> memoryview | bytes:
        now = self._place()
        if now is None:
            return b""
        if now is not self._parameter or now.data_ptr() != self._address:
            self._look_at(now)
        return self._view

    def _look_at(self, parameter: torch.Tensor) -> None:
        self._parameter, self._address = parameter, parameter.data_ptr()
        self._view = b""
        if _can_be_looked_at(parameter):
            size = min(parameter.nbytes, _PIECE)
            start = (parameter.nbytes - size) // 2
            self._view = memoryview((ctypes.c_char * size).from_address(self._address + start))


def chosen(parameters: Mapping[str, torch.Tensor]) -> list[str]:
    """The names of some trained weights that lie in the CPU's memory, spread from the first to the last: a step that
    went another way shows in them, and one of them that is never used hides nothing."""
    names = [name for name, weights in parameters.items() if weights.requires_grad and _can_be_looked_at(weights)]
    most = min(_MOST_SAMPLED, len(names))
    return [names[number * (len(names) - 1) // max(1, most - 1)] for number in range(most)]


def sample_of(places: Mapping[str, Place], names: Collection[str]) -> list[Weights]:
    """A piece of each of the parameters of these names."""
    return [Weights(places[name]) for name in names if name in places]


def _can_be_looked_at(weights: torch.Tensor) -> bool:
    return weights.is_cpu and weights.layout == torch.strided and weights.is_contiguous() and weights.nbytes > 0


def _fill(descriptor: int, size: int) -> None:
    """Zeros, none of them a hole: one met in a full disk later would be a SIGBUS. Where they do not fit, nothing."""
    os.ftruncate(descriptor, 0)
    try:
        if os.pwrite(descriptor, bytes(size), 0) < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        os.ftruncate(descriptor, 0)  # what little room there is is for the state
        raise


def bits_of(sample: list[Weights]) -> bytes:
    """The bytes of the weights of a sample, as they are now."""
    return b"".join([weights.bits() for weights in sample])


class Journal:
    """The ring file of one folder. ``key`` tells the run, branch and settings apart whose steps may be compared.

    ``capacity`` is how many steps it holds.
    """

    capacity = 16_384

    def __init__(self, path: Path, key: str) -> None:
        self._key = _digest(key.encode())
        size = _HEADER.size + self.capacity * _RECORD.size
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            if os.fstat(descriptor).st_size != size:
                _fill(descriptor, size)
            self._map = mmap.mmap(descriptor, size)
        finally:
            os.close(descriptor)
        header = _HEADER.pack(_MAGIC, _VERSION)
        if self._map[: _HEADER.size] != header:
            self._map[:] = bytes(size)
            self._map[: _HEADER.size] = header

    def read(self, step: int) -> Witness | None:
        """The witness of ``step`` of this very run, if the ring still has it whole."""
        offset = self._offset(step)
        fields, checksum = _RECORD.unpack_from(self._map, offset)
        of_step, key, *seen = _FIELDS.unpack(fields)
        if (of_step, key) != (step, self._key) or checksum != _digest(fields):
            return None
        return Witness(*seen)

    def write(self, step: int, seen: Witness) -> None:
        fields = _FIELDS.pack(step, self._key, *seen)
        offset = self._offset(step)
        self._map[offset : offset + _RECORD.size] = fields + _CHECKSUM.pack(_digest(fields))

    def forget_after(self, step: int) -> None:
        """Make the records of later steps unreadable, whosever they are."""
        steps = np.frombuffer(self._map, "<u8", offset=_HEADER.size).reshape(self.capacity, -1)[:, 0]
        steps[steps > step] = 0

    def close(self) -> None:
        self._map.close()

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
        differing = tuple(name for name in Witness._fields if getattr(before, name) != getattr(now, name))
        self.difference = (step, differing)
        return True
