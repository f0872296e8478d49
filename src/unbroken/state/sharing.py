"""Work on large tensors shared by several threads, piece by piece."""

import ctypes
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import torch

LARGE = 256 << 10  # below it, a piece takes less time than two threads need to agree on it
_PIECE = 4 << 20
_THREADS = 4  # more than these rarely find memory that is quick enough

Piece = ctypes.Array[ctypes.c_char]


def is_large(tensor: torch.Tensor) -> bool:
    """Whether its values are one row of bytes in the CPU's memory that is worth to be shared."""
    return (
        tensor.layout == torch.strided
        and tensor.nbytes >= LARGE
        and tensor.device.type == "cpu"
        and tensor.is_contiguous()
        and not (tensor.is_conj() or tensor.is_neg())
    )


def pieces(one: torch.Tensor, other: torch.Tensor) -> list[tuple[Piece, Piece]]:
    """The memory of two tensors of one size, each a row of bytes from its first element on, in equal parts."""
    first, second, size = one.data_ptr(), other.data_ptr(), one.nbytes
    parts = []
    for at in range(0, size, _PIECE):
        kind = ctypes.c_char * min(_PIECE, size - at)
        parts.append((kind.from_address(first + at), kind.from_address(second + at)))
    return parts


def share(work: Sequence[tuple[Any, ...]], act: Callable[..., object], owners: object) -> None:
    """Call ``act`` with each item of ``work``, or raise what a call raised.

    Threads take them as they come: one whose core is wanted by others just takes fewer. ``act`` must give the
    interpreter free. ``owners`` live as long as a thread is at work, whatever becomes of the caller.
    """
    items: deque[tuple[Any, ...] | None] = deque(work)
    helpers: list[threading.Thread] = []
    failures: list[BaseException] = []

    def take() -> None:
        _ = owners
        while (item := items.popleft()) is not None:  # each thread finds a None of its own
            act(*item)

    def help_out() -> None:
        try:
            take()
        except BaseException as error:  # its item is lost
            failures.append(error)

    wanted = min(_THREADS, _cores(), len(items))
    items.extend([None] * wanted)
    try:
        for _ in range(wanted - 1):
            helpers.append(threading.Thread(target=help_out, name="unbroken-share", daemon=True))
            try:
                helpers[-1].start()
            except RuntimeError:  # the interpreter is ending and starts no threads any more, or the system has none
                break
        if wanted:
            take()
    finally:  # also where a signal's handler has raised something: in the start of a helper, too, which finds a None
        items.extendleft([None] * len(helpers))
        for helper in helpers:
            if helper.is_alive():
                helper.join()
    if failures:
        raise failures[0]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
