"""Host memory for snapshots: paid for once, used again when a snapshot is gone, empty in forked workers."""

import contextlib
import mmap
import sys
import threading
import weakref
from collections import deque
from typing import Any

import numpy as np
import torch

Lease = np.ndarray[Any, np.dtype[np.uint8]]

_ALIGNMENT = 64
_TOUCHED_AT_ONCE = 16 << 20
# MADV_WIPEONFORK (Linux 4.14), a number that Python has no name for yet, and MADV_HUGEPAGE. Not MADV_DONTFORK: a child
# would unmap what it has not, or by then something else of its own at that place.
_ADVICE = (18, 14)
_MOST_FREE = 2  # as many snapshots as a run has alive at one time


class SnapshotMemory:
    """Blocks of memory that come back by themselves when the last tensor on them is gone.

    Copying into fresh pages is several times slower than into touched ones, and after a fork every page written to is
    copied once more. So blocks are kept, and a forked child gets them empty. Nothing but snapshots may lie here.
    """

    def __init__(self) -> None:
        self._free: deque[mmap.mmap] = deque(maxlen=_MOST_FREE)

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
        row = np.frombuffer(block, np.uint8)
        for start in range(0, size, _TOUCHED_AT_ONCE):
            row[start : start + _TOUCHED_AT_ONCE] = 0  # with the GIL released
        self._free.append(block)

    def lease(self, size: int) -> Lease:
        """``size`` bytes, the caller's as long as they, or a tensor on them, are referred to."""
        free = [self._free.popleft() for _ in range(len(self._free))]
        fitting = [block for block in free if size <= len(block) <= 2 * size]
        # What does not fit the state any more will not fit the next one either: it goes back to the system.
        block = fitting.pop() if fitting else _new_block(size)
        self._free.extend(fitting)
        lease: Lease = np.frombuffer(block, np.uint8, size)
        weakref.finalize(lease, self._free.append, block).atexit = False
        return lease


def room_for(tensor: torch.Tensor) -> int:
    """The bytes that a ``place`` for ``tensor`` takes."""
    return -(-tensor.nbytes // _ALIGNMENT) * _ALIGNMENT


def place(tensor: torch.Tensor, lease: Lease, offset: int) -> torch.Tensor:
    """Where a copy of ``tensor`` goes, at ``offset`` of a lease, which lives as long; strides as ``clone`` has them."""
    flat = torch.frombuffer(lease, dtype=tensor.dtype, count=tensor.numel(), offset=offset)
    if tensor.is_contiguous():
        return flat.view(tensor.shape)
    return flat.as_strided(tensor.shape, torch.empty_like(tensor, device="meta").stride())


def _new_block(size: int) -> mmap.mmap:
    if not hasattr(mmap, "MAP_PRIVATE"):
        return mmap.mmap(-1, size)
    block = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for advice in _ADVICE if sys.platform == "linux" else ():
        with contextlib.suppress(OSError):  # a kernel may not know it
            block.madvise(advice)
    return block
