"""Host memory for snapshots: paid for once, used again when a snapshot is gone, invisible to forked workers."""

import contextlib
import ctypes
import mmap
import os
import threading
import weakref
from collections import deque
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    Lease = ctypes.Array[ctypes.c_char]

_ALIGNMENT = 64
_TOUCHED_AT_ONCE = 16 << 20
_MOST_FREE = 2  # as many snapshots as a run has alive at one time


class SnapshotMemory:
    """Blocks of memory that come back by themselves when the last tensor on them is gone.

    Copying into fresh pages is several times slower than into touched ones, and after a fork every page written to is
    copied once more. So blocks are kept, and are left out of forks: a forked child has nothing at their
    addresses. Nothing but snapshots may lie here.
    """

    def __init__(self) -> None:
        self._free: deque[mmap.mmap] = deque(maxlen=_MOST_FREE)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        for block in self._free:
            _never_unmap(block)
        self._free = deque(maxlen=_MOST_FREE)

    def _take_back(self, block: mmap.mmap, owner: int) -> None:
        if os.getpid() == owner:
            self._free.append(block)
        else:
            _never_unmap(block)

    def reserve(self, size: int) -> threading.Thread:
        """Have ``size`` bytes ready for a lease to come, touched; the thread returned does it, beside training."""
        thread = threading.Thread(target=self._prepare, args=(size,), name="unbroken-memory", daemon=True)
        with contextlib.suppress(RuntimeError):  # a system that has no thread to give: the first snapshot takes longer
            thread.start()
        return thread

    def _prepare(self, size: int) -> None:
        try:
            block = _new_block(size)
        except (OSError, MemoryError):  # the first snapshot will say so, if there is no room for it by then
            return
        for start in range(0, size, _TOUCHED_AT_ONCE):
            piece = ctypes.c_char.from_buffer(block, start)
            ctypes.memset(ctypes.addressof(piece), 0, min(_TOUCHED_AT_ONCE, size - start))
            del piece
        self._free.append(block)

    def lease(self, size: int) -> "Lease":
        """``size`` bytes, the caller's as long as they, or a tensor on them, are referred to."""
        free = [self._free.popleft() for _ in range(len(self._free))]
        fitting = [block for block in free if size <= len(block) <= 2 * size]
        # What does not fit the state any more will not fit the next one either: it goes back to the system.
        block = fitting.pop() if fitting else _new_block(size)
        self._free.extend(fitting)
        lease = (ctypes.c_char * size).from_buffer(block)
        weakref.finalize(lease, self._take_back, block, os.getpid()).atexit = False
        return lease


def room_for(tensor: torch.Tensor) -> int:
    """The bytes that a ``place`` for ``tensor`` takes."""
    return -(-tensor.nbytes // _ALIGNMENT) * _ALIGNMENT


def place(tensor: torch.Tensor, lease: "Lease", offset: int) -> torch.Tensor:
    """Where a copy of ``tensor`` goes, at ``offset`` of a lease, which lives as long; strides as ``clone`` has them."""
    flat = torch.frombuffer(lease, dtype=tensor.dtype, count=tensor.numel(), offset=offset)
    if tensor.is_contiguous():
        return flat.view(tensor.shape)
    return flat.as_strided(tensor.shape, torch.empty_like(tensor, device="meta").stride())


def _never_unmap(block: mmap.mmap) -> None:
    # In a forked child nothing lies at its addresses, or by now something else of the child's.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(block))


def _new_block(size: int) -> mmap.mmap:
    if not hasattr(mmap, "MAP_PRIVATE"):
        return mmap.mmap(-1, size)
    block = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for advice in ("MADV_DONTFORK", "MADV_HUGEPAGE"):
        if hasattr(mmap, advice):
            with contextlib.suppress(OSError):  # advice: a kernel may not know it
                block.madvise(getattr(mmap, advice))
    return block
