"""The journal: a tiny witness of every step, kept so that the steps trained again after a kill can be compared.

One file of fixed size, a ring of records of 64 bytes, written through a shared memory map: no system call per
step, nothing is ever synced, and what was written survives the death of the process (not of the machine). Each
record has a checksum; one that does not fit is as good as absent.
"""

import ctypes
import mmap
import os
import random
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import xxhash
from numpy.random.mtrand import get_bit_generator

from unbroken.loop.randomness import may_hold_a_normal

_MAGIC = b"unbroken-journal"
_HEADER = struct.Struct("<16sI44x")
_STEP = struct.Struct("<Q")
_RECORD = struct.Struct("<QQQQQQQQ")  # step, key of the run, five witnesses, checksum
_VERSION = 2
_MOST_SAMPLED = 8
_MOST_SAMPLED_BYTES = 64 << 10
_MT19937_BYTES = 624 * 4 + 4


class Witness(NamedTuple):
    """64-bit digests of what a step was made of, and what it left behind."""

    order: int  # the indices of all batches of the epoch so far
    average: int  # the bits of what ``average`` was given in this step, and of some weights behind it
    python: int
    numpy: int
    torch: int


def witness(order: int, averaged: bytes) -> Witness:
    """The witness of the step just done, from this process's streams as they are now; some 10 microseconds."""
    return Witness(
        order=order,
        average=xxhash.xxh3_64_intdigest(averaged),
        python=_python_state(),
        numpy=xxhash.xxh3_64_intdigest(_numpy_state()),
        torch=xxhash.xxh3_64_intdigest(torch.default_generator.get_state().numpy().data),
    )


def sample_of(parameters: Mapping[str, torch.Tensor]) -> list[torch.Tensor]:
    """The smallest trained weights of each module, if they lie in the CPU's memory: a step that went another way shows
    in them."""
    smallest: dict[str, torch.Tensor] = {}
    for name, weights in parameters.items():
        if weights.requires_grad and weights.is_cpu and weights.layout == torch.strided and weights.is_contiguous():
            module = name.partition(".")[0]
            if 0 < weights.nbytes <= min(_MOST_SAMPLED_BYTES, smallest.get(module, weights).nbytes):
                smallest[module] = weights
    return list(smallest.values())[:_MOST_SAMPLED]


def bits_of(sample: list[torch.Tensor]) -> bytes:
    """The bytes of the weights of a sample, as they are now."""
    return b"".join(ctypes.string_at(w.data_ptr(), w.nbytes) for w in sample if w.is_cpu and w.is_contiguous())


def _python_state() -> int:
    cached_normal = _python_global.gauss_next
    if _PYTHON_WORDS is None:
        words = struct.pack("<625I", *random.getstate()[1])
    else:
        words = ctypes.string_at(id(_python_global) + _PYTHON_WORDS, _MT19937_BYTES)
    return xxhash.xxh3_64_intdigest(words, seed=0 if cached_normal is None else hash(cached_normal) % 2**64)


def _offset_of_words() -> int | None:
    # As a tuple of Python integers the state costs ten times as much; looked up in the C struct, not assumed.
    generator = random.Random(1)
    memory = ctypes.string_at(id(generator), generator.__sizeof__())
    offset = memory.find(struct.pack("<624I", *generator.getstate()[1][:-1]))
    # The position among the words stands before them.
    return offset - 4 if offset > 4 and memory[offset - 4 : offset] == struct.pack("<I", 624) else None


_PYTHON_WORDS = _offset_of_words()
_python_global: Any = random.seed.__self__  # type: ignore[attr-defined]


def _numpy_state() -> bytes:
    generator = get_bit_generator()
    if isinstance(generator, np.random.MT19937):
        # Its key and position lie in one C struct; reading the state property instead costs 30 microseconds.
        state = ctypes.string_at(generator.ctypes.state_address, _MT19937_BYTES)
    else:
        state = repr(generator.state).encode()
    if may_hold_a_normal():
        whole: Any = np.random.get_state(legacy=False)
        state += struct.pack("<?d", bool(whole["has_gauss"]), whole["gauss"])
    return state


class Journal:
    """The ring file of one folder. ``key`` tells the run, branch and settings apart whose steps may be compared.

    ``capacity`` is how many steps it holds.
    """

    capacity = 16_384

    def __init__(self, path: Path, key: str) -> None:
        self._key = xxhash.xxh3_64_intdigest(key.encode())
        size = _HEADER.size + self.capacity * _RECORD.size
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            if os.fstat(descriptor).st_size != size:
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, bytes(size), 0)  # a hole met in a full disk later would be a SIGBUS
            self._map = mmap.mmap(descriptor, size)
        finally:
            os.close(descriptor)
        header = _HEADER.pack(_MAGIC, _VERSION)
        if self._map[: _HEADER.size] != header:
            self._map[:] = bytes(size)
            self._map[: _HEADER.size] = header

    def read(self, step: int) -> Witness | None:
        """The witness of ``step`` of this very run, if the ring still has it whole."""
        fields = _RECORD.unpack_from(self._map, self._offset(step))
        if fields[:2] != (step, self._key) or fields[7] != _checksum(fields[:7]):
            return None
        return Witness(*fields[2:7])

    def write(self, step: int, seen: Witness) -> None:
        fields = (step, self._key, *seen)
        _RECORD.pack_into(self._map, self._offset(step), *fields, _checksum(fields))

    def forget(self, step: int) -> None:
        """Make the record of ``step`` unreadable, if there is one, whosever it is."""
        offset = self._offset(step)
        if _STEP.unpack_from(self._map, offset) == (step,):
            _STEP.pack_into(self._map, offset, 0)

    def close(self) -> None:
        self._map.close()

    @classmethod
    def _offset(cls, step: int) -> int:
        return _HEADER.size + step % cls.capacity * _RECORD.size


def _checksum(fields: tuple[int, ...]) -> int:
    return xxhash.xxh3_64_intdigest(struct.pack("<7Q", *fields))


@dataclass
class Replay:
    """The steps trained again since a resume, compared with how they went before the interruption.

    ``difference`` is the first step that went another way, and the witnesses that differ there. ``of_results``: not
    only the streams were compared, but something that was computed with them.
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
