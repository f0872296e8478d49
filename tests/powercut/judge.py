"""Puts a disk state on a disk, restarts from it, and says what came of it."""

import hashlib
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import torch

from tests.powercut.disks import Disk
from tests.powercut.record import Operation
from unbroken.errors import UnbrokenError
from unbroken.store.folder import CheckpointFolder
from unbroken.store.lineage import clean, find_resume_point


class Verdict(Enum):
    """What a restart did; ``RIGHT`` is a state that had been reported as saved when the power went, or a newer one."""

    RIGHT = "right"
    OLDER = "older than what was reported as saved"
    WRONG = "weights that no saved state had"
    FRESH = "started over without a word"
    REFUSED = "found nothing it could load"


@dataclass(frozen=True)
class Cut:
    """One distinct state of the disk; ``said`` is the last step reported as saved before the power went."""

    after: int
    said: int
    files: dict[str, bytes]


def cuts(operations: Iterable[Operation], *, strict: bool) -> Iterator[Cut]:
    """Every distinct state that a power cut after any operation may leave."""
    disk, seen = Disk(), set()
    for number, operation in enumerate(operations):
        disk.apply(operation)
        for files in disk.after_power_cut(strict=strict):
            cut = Cut(number, disk.said, files)
            identity = _identity(cut)
            if identity not in seen:
                seen.add(identity)
                yield cut


def put(cut: Cut, folder: Path) -> None:
    folder.mkdir(parents=True)
    for path, content in cut.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


def known_states(operations: Iterable[Operation]) -> dict[str, int]:
    """The step of every whole state that was ever written, by its digest."""
    disk, known = Disk(), {}
    for operation in operations:
        disk.apply(operation)
        if operation.kind == "sync" and operation.path.endswith(".tmp") and "checkpoint" in operation.path:
            content = disk.inodes[disk.names[operation.path]].synced
            if content.startswith(b"PK"):
                payload = _load(content)
                known[_digest(payload)] = payload["unbroken"]["step"]
    return known


def judge(cut: Cut, folder: Path, known: dict[str, int]) -> Verdict:
    """Restart from ``cut``, laid out at ``folder``, as a run does: temporaries away, then the newest good state."""
    put(cut, folder)
    try:
        clean(CheckpointFolder(folder))
        point = find_resume_point(CheckpointFolder(folder))
    except UnbrokenError:
        return Verdict.REFUSED if cut.said >= 0 else Verdict.RIGHT
    if point is None:
        return Verdict.FRESH if cut.said >= 0 else Verdict.RIGHT
    step = known.get(_digest(point.payload))
    if step is None or step != point.payload["unbroken"]["step"]:
        return Verdict.WRONG
    return Verdict.RIGHT if step >= cut.said else Verdict.OLDER


def judge_plain(cut: Cut, folder: Path) -> Verdict:
    """What a script that loads its one file with ``torch.load`` meets."""
    put(cut, folder)
    latest = folder / "checkpoint_latest.pth"
    if not latest.exists():
        return Verdict.FRESH if cut.said >= 0 else Verdict.RIGHT
    try:
        payload = torch.load(latest, weights_only=True)
    except Exception:
        return Verdict.REFUSED if cut.said >= 0 else Verdict.RIGHT
    if not torch.equal(payload["weights"], torch.full((64,), float(payload["step"]))):
        return Verdict.WRONG
    return Verdict.RIGHT if payload["step"] >= cut.said else Verdict.OLDER


def _load(content: bytes) -> dict[str, Any]:
    payload: dict[str, Any] = torch.load(io.BytesIO(content), weights_only=True)
    return payload


def _digest(payload: dict[str, Any]) -> str:
    digest = hashlib.blake2b()
    digest.update(repr((payload["epoch"], payload["unbroken"]["batch"], payload["aucs"])).encode())
    for key in ("model_state_dict", "optimizer_state_dict"):
        digest.update(repr(_bits(payload[key])).encode())
    return digest.hexdigest()


def _bits(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.numpy().tobytes()
    if isinstance(value, dict):
        return {key: _bits(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_bits(child) for child in value]
    return value


def _identity(cut: Cut) -> bytes:
    digest = hashlib.blake2b(str(cut.said).encode())
    for path in sorted(cut.files):
        if not path.endswith(("/journal", "/lock")):
            digest.update(path.encode() + b"\0" + hashlib.blake2b(cut.files[path]).digest())
    return digest.digest()
