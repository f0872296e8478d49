"""States to save, small and all alike, told apart by where training stood."""

import math
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from unbroken.disk.durable import write_durably
from unbroken.store import manifest as manifests
from unbroken.store import payload as keys
from unbroken.store import torchfile
from unbroken.store.folder import CheckpointFolder
from unbroken.store.payload import ForkPoint, Payload
from unbroken.store.tensors import tensor_digests


def state(
    epoch: int = 0,
    batch: int = 0,
    *,
    run: str = "run-a",
    branch: int = 0,
    parent: ForkPoint | None = None,
    aucs: Iterable[float] | None = None,
    finished: str | None = None,
    size: int = 8,
) -> Payload:
    """What a run would save after ``epoch`` epochs and ``batch`` batches of 10 each."""
    curve = [0.1 * n for n in range(1, epoch + 1)] if aucs is None else list(aucs)
    best = max((value for value in curve if value == value), default=-math.inf)
    return keys.build(
        epoch=epoch,
        states={
            "model": {"weight": torch.full((size,), float(branch * 1000 + epoch * 10 + batch)), "bias": torch.ones(2)},
            "optimizer": {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 0.1, "params": [0]}]},
        },
        histories={"train_losses": [1.0] * epoch, "val_losses": [1.0] * epoch, "aucs": curve},
        best_corr=best,
        best_epoch=curve.index(best) + 1 if best > -math.inf else 0,
        timestamp="2026-01-02 03:04:05",
        own={
            "run_id": run,
            "branch": branch,
            "parent": vars(parent) if parent else None,
            "reason": "epoch",
            "batch": batch,
            "batches": 10,
            "step": epoch * 10 + batch,
            "finished": finished,
            "library_version": "0.1.0",
        },
    )


def plain_state(epoch: int) -> dict[str, Any]:
    """What a script that never heard of this library saves: the ten contract keys."""
    payload = state(epoch)
    del payload[keys.OWN]
    return payload


def put(path: Path, payload: Payload) -> Path:
    """Write a checkpoint and nothing else."""
    write_durably(path, lambda file: torchfile.write(payload, file))
    return path


def put_with_manifest(folder: CheckpointFolder, path: Path, payload: Payload) -> Path:
    """Write a checkpoint and its manifest, as a save does."""
    written = write_durably(path, lambda file: torchfile.write(payload, file))
    digests = tensor_digests(payload)
    manifests.write(folder, manifests.of_payload(payload, path, path.stat(), digest=written.digest, tensors=digests))
    return path


@contextmanager
def folder_in_memory() -> Iterator[CheckpointFolder]:
    """A prepared folder in memory where possible: quick, and a killed process loses nothing there either."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as place:
        folder = CheckpointFolder(Path(place) / "checkpoints")
        folder.prepare()
        yield folder


def same(one: object, other: object) -> bool:
    """Whether two payloads are equal bit for bit."""
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return (
            one.dtype == other.dtype
            and one.shape == other.shape
            and tensor_digests({"": one}) == tensor_digests({"": other})
        )
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and repr(one) == repr(other)
