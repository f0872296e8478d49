"""The Mersenne Twisters of Python, NumPy and torch, read and (the first two) written where they lie.

Their own functions make a tuple of 625 Python integers, a dict or a tensor of a state; that costs more than all the
rest of what is done per batch. Where a state lies in a generator's C struct is looked up when this module is imported,
not assumed, and tried; where that finds nothing, their own functions are used.
"""

import ctypes
import math
import random
import struct
from functools import lru_cache
from typing import Any

import numpy as np
import torch
import xxhash

# Public in NumPy's documentation, but not re-exported in the type stubs of its package.
from numpy.random.mtrand import get_bit_generator

_WORDS = 624
_INT = ctypes.sizeof(ctypes.c_int)

PythonState = tuple[Any, float | None]

_digest = xxhash.xxh3_64_intdigest


def _view(address: int, words: int = _WORDS + 1) -> memoryview:
    """Unsigned 32-bit integers, writable."""
    return memoryview((ctypes.c_uint32 * words).from_address(address)).cast("B").cast("I")


def _witnessed(address: int) -> memoryview:
    """The position and three of the words: those of two states that a program comes to differ all over, or in it."""
    return _view(address, 4).cast("B").cast("Q")


def _offset_of_words() -> int | None:
    """Where a ``random.Random`` has the position among its words, and behind it the words."""
    generator, other = random.Random(1), random.Random(2)
    memory = ctypes.string_at(id(generator), generator.__sizeof__())
    offset = memory.find(struct.pack("<624I", *generator.getstate()[1][:-1])) - _INT
    if offset <= 0 or memory[offset : offset + _INT] != struct.pack("<I", _WORDS):
        return None
    _view(id(other) + offset)[:] = _view(id(generator) + offset)
    return offset if other.getstate() == generator.getstate() else None


_PYTHON_WORDS = _offset_of_words()
_python_global: Any = getattr(random.seed, "__self__", None)
_python_words = (
    _view(id(_python_global) + _PYTHON_WORDS)
    if _PYTHON_WORDS is not None and isinstance(_python_global, random.Random)
    else None
)
_python_head = (
    None if _PYTHON_WORDS is None or _python_words is None else _witnessed(id(_python_global) + _PYTHON_WORDS)
)


def python_state() -> PythonState:
    """The state of Python's global generator, for ``set_python_state``."""
    if _python_words is None:
        return random.getstate(), None
    return _python_words.tobytes(), _python_global.gauss_next


def set_python_state(state: PythonState) -> None:
    words, cached_normal = state
    if _python_words is None:
        random.setstate(words)
    else:
        _python_words.cast("B")[:] = words
        _python_global.gauss_next = cached_normal


class StreamsWitness:
    """Tells two states of the global generators apart, by 64 bits each."""

    def __init__(self) -> None:
        self._numpy: object = None
        self._numpy_tail: memoryview | None = None

    def take(self) -> tuple[int, int, int]:
        """Of Python's, NumPy's and torch's for the CPU, the second normal deviates that are in hand included.

        No call that can be spared: behind the fetching of a batch each runs from cold caches.
        """
        numpy = get_bit_generator()
        if numpy is not self._numpy:
            self._numpy = numpy
            # Words and position lie in one C struct, whose address NumPy tells.
            address = numpy.ctypes.state_address if isinstance(numpy, np.random.MT19937) else None
            self._numpy_tail = None if address is None else _witnessed(address + (_WORDS - 3) * _INT)
        python, numpys, torchs = _python_head, self._numpy_tail, _torch_head
        return (
            _python_digest() if python is None or _python_global.gauss_next is not None else python[0] ^ python[1],
            _numpy_digest() if numpys is None or _holds_a_normal[0] else numpys[0] ^ numpys[1],
            _torch_digest() if torchs is None or _torch_holds_a_normal[0] else torchs[0] ^ torchs[1],
        )


def _python_digest() -> int:
    _, words, cached_normal = random.getstate()
    return _digest(struct.pack("<625Id", *words, math.nan if cached_normal is None else cached_normal))


def _numpy_digest() -> int:
    state = np.random.get_state(legacy=False)
    if state["bit_generator"] != "MT19937":
        return _digest(repr(state).encode())
    words, position = state["state"]["key"], state["state"]["pos"]
    return _digest(struct.pack("<624II?d", *words.tolist(), position, bool(state["has_gauss"]), state["gauss"]))


def _torch_digest() -> int:
    return _digest(torch.default_generator.get_state().numpy().tobytes())


@lru_cache(maxsize=8)
def _numpy_words(generator: np.random.MT19937) -> memoryview:
    # Words and position lie in one C struct, whose address NumPy tells.
    return _view(generator.ctypes.state_address)


def _offset_of_torchs_words() -> int | None:
    """Where a ``torch.Generator`` has the position among its words, and behind it the words."""
    generator = torch.Generator()
    generator.manual_seed(1)
    words = np.frombuffer(generator.get_state().numpy().tobytes(), "<u8", _WORDS, offset=24).astype("<u4").tobytes()
    address = getattr(generator, "_cdata", 0)
    # No more than the words and what must lie before them is looked at: the object ends soon behind.
    memory = ctypes.string_at(address, len(words) + 100) if address else b""
    offset = memory.find(words) - _INT
    if offset <= 0:
        return None
    position = ctypes.c_uint32.from_address(address + offset)
    seen = [position.value]
    for _ in range(2):
        torch.rand(16, generator=generator)
        seen.append(position.value)
    return offset if seen == [0, 16, 32] else None


_TORCH_WORDS = _offset_of_torchs_words()


def _offset_of_torchs_flag() -> int | None:
    """Where a ``torch.Generator`` has, behind the second normal deviate in hand, whether there is one."""
    generator: Any = torch.Generator()
    generator.manual_seed(1)
    if _TORCH_WORDS is None:
        return None
    behind_words = _TORCH_WORDS + (_WORDS + 1) * _INT
    torch.randn(1, generator=generator, dtype=torch.float64)
    with_one = ctypes.string_at(generator._cdata + behind_words, 32)
    deviate = torch.randn(1, generator=generator, dtype=torch.float64).numpy().tobytes()
    without = ctypes.string_at(generator._cdata + behind_words, 32)
    offset = with_one.find(deviate) + len(deviate)
    found = deviate in with_one[:-1] and (with_one[offset], without[offset]) == (1, 0)
    return behind_words + offset if found else None


_TORCH_FLAG = _offset_of_torchs_flag()
_torch_global: Any = torch.default_generator
_torch_head = None if _TORCH_WORDS is None or _TORCH_FLAG is None else _witnessed(_torch_global._cdata + _TORCH_WORDS)
_torch_holds_a_normal: "memoryview | list[int]" = (
    [1]
    if _TORCH_FLAG is None
    else memoryview((ctypes.c_char * 1).from_address(_torch_global._cdata + _TORCH_FLAG)).cast("B")
)


def seed_numpy(key: bytes) -> None:
    """As ``numpy.random.seed`` with the 32-bit words of ``key``, but quicker; its generator must be one of MT19937."""
    number = int.from_bytes(key, "little")
    # Python knows no leading zeros in a key.
    if _scratch_words is None or may_hold_a_normal() or number >> (8 * len(key) - 32) == 0:
        np.random.seed(np.frombuffer(key, dtype="<u4"))
        return
    _scratch.seed(number)
    words = _numpy_words(get_bit_generator())
    words[:_WORDS] = _scratch_words[1:]
    words[_WORDS] = _scratch_words[0]


# Both seed by the same algorithm (init_by_array of Matsumoto and Nishimura); tried, like all here.
_scratch = random.Random()
_scratch_words = None if _PYTHON_WORDS is None else _view(id(_scratch) + _PYTHON_WORDS)


def _seeds_alike() -> bool:
    if _scratch_words is None:
        return False
    key = np.array([1, 2, 3, 2**32 - 1], dtype="<u4")
    generator = np.random.MT19937()
    generator._legacy_seeding(key)
    _scratch.seed(int.from_bytes(key.tobytes(), "little"))
    words = _numpy_words(generator)
    return words[:_WORDS] == _scratch_words[1:] and words[_WORDS] == _scratch_words[0]


if not _seeds_alike():
    _scratch_words = None


def _offset_of_cached_normal() -> int | None:
    # The flag can be asked for only together with the whole state. In the generator's C struct it stands before the
    # deviate itself.
    with_one, without = np.random.RandomState(1), np.random.RandomState(1)
    with_one.standard_normal()
    deviate: Any = with_one.get_state(legacy=False)
    memory = ctypes.string_at(id(with_one), with_one.__sizeof__())
    offset = memory.find(struct.pack("d", deviate["gauss"])) - struct.calcsize("d")
    flags = [ctypes.c_int.from_address(id(one) + offset).value for one in (with_one, without)] if offset > 0 else []
    return offset if flags == [1, 0] else None


_CACHED_NORMAL = _offset_of_cached_normal()
_numpy_global: Any = getattr(np.random.standard_normal, "__self__", None)
_holds_a_normal: "memoryview | list[int]" = (
    [1] if _CACHED_NORMAL is None or _numpy_global is None else _view(id(_numpy_global) + _CACHED_NORMAL, 1)
)


def may_hold_a_normal() -> bool:
    """Whether NumPy's global generator has a second normal deviate in hand; True also where that can't be told."""
    return bool(_holds_a_normal[0])
