"""Copies of many tensors at once, as quickly as the memory takes them."""

import contextlib
import ctypes
import os
import sys
import threading
from collections import deque
from collections.abc import Sequence

import torch

_PIECE = 4 << 20
_LARGE = 256 << 10  # below it, a piece takes less time than two threads need to agree on it
_THREADS = 4  # more than these rarely find memory that is quick enough

Piece = tuple[int, int, int]


def copy_all(pairs: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> None:
    """Copy into each first tensor the second, of the same shape and dtype; the first ones do not overlap.

    Threads take large ones piece by piece, as they come: one whose core is wanted by others just takes fewer.
    torch gives each of its threads an equal part instead, and on a busy machine the last to be done makes the copy
    several times as long as one thread alone would.
    """
    pieces: deque[Piece] = deque()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for target, source in pairs:
            if source.nbytes >= _LARGE and _same_bytes(target, source):
                pieces.extend(_pieces(target, source))
            else:
                target.copy_(source)
    finally:
        torch.set_num_threads(threads)
    _share(pieces, pairs)


def _same_bytes(target: torch.Tensor, source: torch.Tensor) -> bool:
    """Whether the copy of a tensor is that of the row of bytes from its first element on. Targets have no gaps."""
    return (
        source.device.type == "cpu"
        and ((source.is_contiguous() and target.is_contiguous()) or source.stride() == target.stride())
        and not (source.is_conj() or source.is_neg())
    )


def _pieces(target: torch.Tensor, source: torch.Tensor) -> list[Piece]:
    to, origin, size = target.data_ptr(), source.data_ptr(), source.nbytes
    return [(to + at, origin + at, min(_PIECE, size - at)) for at in range(0, size, _PIECE)]


def _share(pieces: "deque[Piece]", owners: object) -> None:
    def work() -> None:
        _ = owners  # whatever becomes of the caller, they live as long as this runs
        with contextlib.suppress(IndexError):  # none is left
            while True:
                ctypes.memmove(*pieces.popleft())

    helpers = []
    for _ in range(min(_THREADS, _cores(), len(pieces)) - 1):
        helper = threading.Thread(target=work, name="unbroken-copy", daemon=True)
        try:
            helper.start()
        except RuntimeError:  # the interpreter is ending and starts no threads any more, or the system has none
            break
        helpers.append(helper)
    try:
        work()
    finally:
        pieces.clear()
        for helper in helpers:
            helper.join()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
