"""Copies of many tensors at once, as quickly as the memory takes them."""

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
    pieces: deque[Piece | None] = deque()
    for target, source in pairs:
        if source.nbytes >= _LARGE and _same_bytes(target, source):
            pieces.extend(_pieces(target, source))
        else:
            target.copy_(source)
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


def _share(pieces: "deque[Piece | None]", owners: object) -> None:
    """Copy all pieces, or raise what kept one from being copied."""
    helpers: list[threading.Thread] = []
    failures: list[BaseException] = []

    def work() -> None:
        _ = owners  # whatever becomes of the caller, they live as long as this runs
        while (piece := pieces.popleft()) is not None:  # each thread finds a None of its own
            ctypes.memmove(*piece)

    def help_out() -> None:
        try:
            work()
        except BaseException as error:  # its piece is lost
            failures.append(error)

    wanted = min(_THREADS, _cores(), len(pieces))
    pieces.extend([None] * wanted)
    try:
        for _ in range(wanted - 1):
            helpers.append(threading.Thread(target=help_out, name="unbroken-copy", daemon=True))
            try:
                helpers[-1].start()
            except RuntimeError:  # the interpreter is ending and starts no threads any more, or the system has none
                break
        if wanted:
            work()
    finally:  # also where a signal's handler has raised something: in the start of a helper, too, which finds a None
        pieces.extendleft([None] * len(helpers))
        for helper in helpers:
            if helper.is_alive():
                helper.join()
    if failures:
        raise failures[0]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
