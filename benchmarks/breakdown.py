"""``python -m benchmarks --breakdown``: the stages of one save and one resume beside the machine's limits."""

import gc
import mmap
import os
import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.ours import Ours, resume
from benchmarks.stages import Spent, Stages
from benchmarks.state import Training, training
from benchmarks.table import Table
from unbroken.disk.digest import Digest, crc32
from unbroken.state.snapshot import copy_to_host
from unbroken.store.save import SaveJob, save

TIME, PROCESSOR, LIMIT, CALLS = "ms", "processor, ms", "limit, ms", "calls"
PIECE = 1 << 20

SAVE = {
    "copy_to_host": "copy the state",
    "LaidOut.__init__": "walk, check, pickle",
    "isal.isal_zlib.crc32": "checksums",
    "isal_zlib.crc32": "checksums",
    "zlib.crc32": "checksums",
    "xxh3_128.update": "digests of tensors and file",
    "_Buffer.put": "gather for the disk",
    "SimpleQueue.get": "wait for each other",
    "posix.write": "write (a thread of its own)",
    "posix.fsync": "fsync, of file, manifests and folders",
    "posix.replace": "rename; the state that falls out of the names is freed",
}
RESUME = {
    "survey": "find",
    "read_members": "read headers",
    "_content": "read the pickle, place the tensors",
    "BufferedReader.readinto": "read",
    "xxh3_128.update": "digest",
    "own_copy": "allocate and copy (optimizer)",
    "Module.load_state_dict": "copy (model)",
    "first_difference": "compare",
}


def tables(megabytes: float, folder: Path) -> list[Table]:
    """Of one state: its save, its resume."""
    place = folder / f"breakdown-{megabytes:g}"
    place.mkdir()
    state = training(megabytes)
    ours = Ours(state, place)
    for _ in range(3):  # so that a state falls out of the names, as with every save but the first two
        ours.save()
        ours.finish()
    limits = _limits(state, place)
    gc.collect()
    os.sync()
    size = state.bytes
    title = f"One save of {size / 1e6:.0f} MB, stage by stage"
    saving = _table(title, SAVE, lambda: _save(ours), limits, _SAVE_LIMITS)
    del state
    fresh = training(megabytes, stepped=False)
    gc.collect()
    title = f"One resume of {size / 1e6:.0f} MB, stage by stage"
    resuming = _table(title, RESUME, lambda: resume(fresh, ours.folder), limits, _RESUME_LIMITS)
    ours.close()
    return [saving, resuming]


def _save(ours: Ours) -> None:
    """By this thread: the writer's began before anybody looked."""
    report = save(ours.folder, SaveJob(copy_to_host(ours.payload()), (ours.folder.latest,)), set())
    assert report.error is None, report.error


_SAVE_LIMITS = {
    "copy the state": "memcpy",
    "checksums": "crc32",
    "digests of tensors and file": "xxh3 twice",
    "gather for the disk": "memcpy",
    "write (a thread of its own)": "a new file past the page cache",
    "rename; the state that falls out of the names is freed": "freeing a file",
    "in all": "memcpy, a new file past the page cache, freeing a file",
}
_RESUME_LIMITS = {
    "read": "reading",
    "digest": "xxh3",
    "allocate and copy (optimizer)": "copying two thirds into new memory",
    "copy (model)": "memcpy of a third",
    "compare": "xxh3 twice",
    "in all": "reading, copying two thirds into new memory, memcpy of a third",
}


def _table(
    title: str, named: dict[str, str], work: Callable[[], object], limits: dict[str, float], of: dict[str, str]
) -> Table:
    stages = Stages(named)
    whole = stages.measure(work)
    note = "Threads work side by side: stages add up to more than the whole. " + "; ".join(
        f"{name}: {1e3 * seconds:.0f} ms" for name, seconds in limits.items()
    )
    shown = Table(title, [TIME, PROCESSOR, LIMIT, CALLS], note=note + ".", digits=1)
    for stage in [*dict.fromkeys(named.values()), "in all"]:
        spent = whole if stage == "in all" else stages.spent.get(stage, Spent())
        cells = {TIME: 1e3 * spent.seconds, PROCESSOR: 1e3 * spent.processor, CALLS: spent.calls}
        if stage in of:
            cells[LIMIT] = 1e3 * sum(limits[name] for name in of[stage].split(", "))
        shown.add(stage, **cells)
    return shown


def _limits(state: Training, folder: Path) -> dict[str, float]:
    """Seconds that the machine takes for the like of each stage, measured alone."""
    size = state.bytes // 4096 * 4096
    source, target = torch.ones(size, dtype=torch.uint8), torch.ones(size, dtype=torch.uint8)
    view = memoryview(source.numpy())
    found = {"memcpy": _timed(lambda: target.copy_(source))}
    third = size // 3
    found["memcpy of a third"] = _timed(lambda: target[:third].copy_(source[:third]))
    new = "copying two thirds into new memory"
    found[new] = _timed(lambda: torch.empty(2 * third, dtype=torch.uint8).copy_(source[: 2 * third]))
    pieces = [view[at : at + PIECE] for at in range(0, size, PIECE)]
    found["crc32"] = _timed(lambda: [crc32(piece) for piece in pieces])
    digest = Digest()
    found["xxh3"] = _timed(lambda: [digest.update(piece) for piece in pieces])
    found["xxh3 twice"] = 2 * found["xxh3"]
    path = folder / "limit"
    piece = memoryview(mmap.mmap(-1, 2 << 20))

    def write() -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        file = os.open(path, flags | getattr(os, "O_DIRECT", 0))
        for _ in range(0, size, len(piece)):
            os.write(file, piece)
        os.fsync(file)
        os.close(file)

    found["a new file past the page cache"] = _timed(write)
    with path.open("rb", buffering=0) as file:
        window = memoryview(bytearray(PIECE))
        file.readinto(window)
        found["reading"] = _timed(lambda: [file.readinto(window) for _ in range(0, size, PIECE)])
    found["freeing a file"] = _timed(path.unlink)
    return found


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
