"""Bulk: many tensors copied or compared at once, bit for bit, the large ones by several threads, piece by piece."""

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from unbroken.disk.digest import bytes_digest
from unbroken.store.tensors import SMALL, raw_bytes

_LARGE = 256 << 10  # below it, a piece takes less time than two threads need to agree on it
_PIECE = 4 << 20
_THREADS = 4  # more than these rarely find memory that is quick enough

Pairs = Sequence[tuple[torch.Tensor, torch.Tensor]]
Bytes = np.ndarray[Any, np.dtype[np.uint8]]


def copy_all(pairs: Pairs) -> None:
    """Copy into each first tensor the second, of the same shape and dtype; the first ones do not overlap.

    Several threads share the large ones, piece by piece. torch gives each of its own an equal part instead, and on a
    busy machine the last to be done makes the copy several times as long as one thread alone would.
    """
    shared: list[tuple[Bytes, Bytes]] = []
    for target, source in pairs:
        if source.nbytes >= _LARGE and _same_bytes(target, source):
            shared.extend(zip(_pieces(target), _pieces(source), strict=True))
        else:
            target.copy_(source)
    _share(shared, np.copyto)


def first_difference(pairs: Pairs) -> int | None:
    """The index of the first pair of dense tensors, equal in shape and dtype, of which a bit differs."""
    differing: list[int] = []
    shared: list[tuple[int, Bytes, Bytes]] = []

    def compare(index: int, one: Bytes, other: Bytes) -> None:
        if bytes_digest(one.data) != bytes_digest(other.data):
            differing.append(index)

    for index, (one, other) in enumerate(pairs):
        if one.nbytes >= _LARGE and one.is_contiguous() and other.is_contiguous() and _same_bytes(one, other):
            shared.extend((index, *both) for both in zip(_pieces(one), _pieces(other), strict=True))
        elif one.nbytes <= SMALL and _lie_alike(one, other):
            if not torch.equal(_row(one), _row(other)):
                differing.append(index)
                break
        # By a digest of bytes: NaNs are equal to themselves, 0.0 is not -0.0; several times as fast as torch.equal.
        elif bytes_digest(raw_bytes(one)) != bytes_digest(raw_bytes(other)):
            differing.append(index)
            break  # what comes behind it need not be looked at
    _share(shared, compare)
    return min(differing, default=None)


def _row(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().as_strided((tensor.numel(),), (1,)).view(torch.uint8)


def _lie_alike(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether both are a row of bytes in the memory of this machine."""
    return (
        one.is_cpu
        and other.is_cpu
        and one.is_contiguous()
        and other.is_contiguous()
        and not (one.is_neg() or other.is_neg() or one.is_conj() or other.is_conj())
    )


def _same_bytes(target: torch.Tensor, source: torch.Tensor) -> bool:
    """Whether one is the other if the rows of bytes from their first elements on are. Targets have no gaps."""
    return (
        target.device.type == source.device.type == "cpu"
        and ((source.is_contiguous() and target.is_contiguous()) or source.stride() == target.stride())
        and not any(tensor.is_conj() or tensor.is_neg() for tensor in (source, target))
    )


class _Memory:
    """A tensor's memory as NumPy asks for it (its array interface): an array on it keeps the tensor.

    Not ``Tensor.numpy``, behind which a storage can't be resized any more; nor DLPack, which NumPy only reads.
    """

    def __init__(self, tensor: torch.Tensor) -> None:
        self._tensor = tensor
        place = {"data": (tensor.data_ptr(), False), "shape": (tensor.nbytes,)}
        self.__array_interface__ = {**place, "typestr": "|u1", "version": 3}


def _pieces(tensor: torch.Tensor) -> list[Bytes]:
    row: Bytes = np.asarray(_Memory(tensor))
    return [row[at : at + _PIECE] for at in range(0, row.size, _PIECE)]


def _share(work: Sequence[tuple[Any, ...]], act: Callable[..., object]) -> None:
    """Call ``act`` with each item of ``work``, or raise what a call raised.

    Threads take them as they come: one whose core is wanted by others just takes fewer. ``act`` must release the GIL.
    """
    items: deque[tuple[Any, ...] | None] = deque(work)
    helpers: list[threading.Thread] = []
    failures: list[BaseException] = []

    def take() -> None:
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
