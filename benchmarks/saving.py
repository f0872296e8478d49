"""One save: until the optimizer may step, until it is durable, bytes on disk."""

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.ours import Ours
from benchmarks.peers import built, sync_all
from benchmarks.state import training
from benchmarks.table import Table
from unbroken.state.memory import SnapshotMemory, place, room_for

BLOCKED, DURABLE = "until the optimizer may step, ms", "durable, ms"
LIMIT = "limit: one memcpy into touched pages; one new file written past the page cache"
REPLACING = "limit: both, and freeing a file of that size"


def table(megabytes: float, rounds: int, folder: Path) -> Table:
    state = training(megabytes)
    size = state.bytes
    shown = Table(
        f"One save of {size / 1e6:.0f} MB (model + AdamW)",
        [BLOCKED, DURABLE, "MB on disk"],
        note="Durable: whole, and fsynced, by us where the peer does not. Median (min..max). Ours frees the file that "
        "falls out of the names, and writes its manifests, behind that.",
        digits=1 if megabytes < 500 else 0,
        ratio_to=("unbroken", DURABLE),
    )
    savers, shown.missing = built(state, folder)
    _copied(state.payload())
    for _ in range(rounds):
        _limits(shown, state.payload(), folder)
        for saver in savers:
            start = time.perf_counter()
            saver.save()
            blocked = time.perf_counter()
            saver.finish()
            if saver.name not in ("unbroken", "torch.save + fsync + rename"):
                sync_all(saver.target)  # type: ignore[attr-defined]
            ended = time.perf_counter()
            if isinstance(saver, Ours):  # the next one is not disturbed by what it does behind that
                ended = blocked + saver.durable_after
            shown.add(saver.name, **{BLOCKED: (blocked - start) * 1e3, DURABLE: (ended - start) * 1e3})
    for saver in savers:
        files = _on_disk(saver, folder)
        shown.add(saver.name, **{"MB on disk": files / 1e6})
        saver.close()
    return shown


def _on_disk(saver: object, folder: Path) -> int:
    """The size of what one save writes (of ours the newest, without the one kept before it)."""
    target = getattr(saver, "target", None)
    if target is None:
        target = saver.folder.latest  # type: ignore[attr-defined]
    if target.is_dir():
        newest = max((p for p in target.iterdir()), key=lambda path: path.stat().st_mtime, default=target)
        target = newest if newest.is_dir() else target
    paths = target.rglob("*") if target.is_dir() else [target]
    return sum(path.stat().st_size for path in paths if path.is_file())


_memory = SnapshotMemory()


def _copied(payload: dict[str, object]) -> tuple[float, Any]:
    tensors = [value for state in payload.values() for value in _tensors(state)]
    lease = _memory.lease(sum(map(room_for, tensors)))
    start, offset = time.perf_counter(), 0
    for tensor in tensors:
        np.copyto(place(tensor, lease, offset).numpy(), tensor.numpy())
        offset += room_for(tensor)
    return time.perf_counter() - start, lease


def _limits(shown: Table, payload: dict[str, object], folder: Path) -> None:
    copied, lease = _copied(payload)
    path = folder / "limit"
    view = memoryview(lease).cast("B")
    whole = len(view) // 4096 * 4096
    start = time.perf_counter()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_DIRECT", 0))
    for at in range(0, whole, 4 << 20):
        os.write(descriptor, view[at : min(at + (4 << 20), whole)])
    os.fsync(descriptor)
    os.close(descriptor)
    written = time.perf_counter() - start
    path.unlink()
    replaced = copied + time.perf_counter() - start
    shown.add(LIMIT, **{BLOCKED: copied * 1e3, DURABLE: written * 1e3})
    shown.add(REPLACING, **{DURABLE: replaced * 1e3})


def _tensors(value: object) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value] if value.numel() else []
    if isinstance(value, dict):
        return [tensor for child in value.values() for tensor in _tensors(child)]
    return [tensor for child in value for tensor in _tensors(child)] if isinstance(value, list) else []
