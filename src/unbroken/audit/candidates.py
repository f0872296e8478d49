"""Candidates: which of the files that a script leaves can be checkpoints, by what is in them."""

import json
import os
import re
import stat
import zipfile
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unbroken.errors import UnbrokenError
from unbroken.store import torchfile
from unbroken.store.torchfile import TensorStub

# Nobody keeps a training state in these.
_NEVER = re.compile(
    r"(^|.*[./])events\.out\.tfevents\..*|.*\.(log|out|err|txt|md|rst|html?|csv|tsv|jsonl|ya?ml|toml|ini|cfg|pyc?|lock"
    r"|png|jpe?g|gif|svg|pdf|bmp|webp|mp4|wav|tb|wandb)$",
    re.IGNORECASE,
)
_UNFINISHED = re.compile(r"^[.~].*|^tmp.*|.*[.~](tmp|temp|part|partial|incomplete|swp|bak)$|.*~$", re.IGNORECASE)
_LEGACY_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_HDF5 = b"\x89HDF\r\n\x1a\n"
_LARGEST_HEADER = 64 << 20
_DEEPEST = 6
_LEAST_OF_STREAM = 16

PARTS = ("optimizer", "streams", "count")
"""What a training goes on from beside its weights."""


@dataclass(frozen=True)
class Left:
    """The files in a folder, by their paths relative to the root; ``others`` can't be checkpoints by their names.

    ``lacking`` has, for those whose contents could be looked into, the ``PARTS`` that are not there.
    """

    offered: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()
    lacking: Mapping[str, frozenset[str]] = field(default_factory=dict)


def can_be(name: str) -> bool:
    """Whether a file of this name may be a checkpoint, or on the way to one."""
    return not _NEVER.match(name)


def files_in(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Every regular file below ``folder``, which need not be there, relative to it."""
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in ("__pycache__", ".git")]
        for name in names:
            path = os.path.join(place, name)  # noqa: PTH118 - looked at hundreds of times a second
            try:
                about = os.lstat(path)
            except FileNotFoundError:
                continue  # replaced since the folder was read
            if stat.S_ISREG(about.st_mode):
                yield os.path.relpath(path, folder), about


def survey(root: Path, folder: Path, given: AbstractSet[str]) -> Left:
    """What lies in ``folder``, below ``root``, but for what was ``given`` to the script."""
    offered, unknown, others = set(), set(), set()
    lacking: dict[str, frozenset[str]] = {}
    for path, _ in files_in(folder):
        name = os.path.relpath(folder / path, root)
        if name in given:
            continue
        if not can_be(name):
            others.add(name)
        elif not _UNFINISHED.match(os.path.basename(name)) and _is_whole(folder / path):  # noqa: PTH119
            offered.add(name)
            found = _holdings(folder / path)
            if found is not None:
                lacking[name] = frozenset(PARTS) - found
        else:
            unknown.add(name)
    return Left(frozenset(offered), frozenset(unknown), frozenset(others), lacking)


def _is_whole(path: Path) -> bool:
    """Whether it is a file of torch, pickle, safetensors, NumPy (npz) or HDF5, written to its end."""
    try:
        with path.open("rb") as file:
            head = file.read(16)
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 1))
            last = file.read(1)
        if head.startswith(b"PK\x03\x04"):
            with zipfile.ZipFile(path) as archive:
                return any(name.endswith((".pkl", ".npy")) for name in archive.namelist())
    except (OSError, zipfile.BadZipFile, ValueError):
        return False
    if head.startswith((_LEGACY_TORCH, _HDF5)):
        return True
    if head[:1] == b"\x80" and head[1:2] in (b"\2", b"\3", b"\4", b"\5"):
        return last == b"."
    return _safetensors_header(path, head, size) is not None


def _safetensors_header(path: Path, head: bytes, size: int) -> dict[str, Any] | None:
    length = int.from_bytes(head[:8], "little")
    if len(head) < 9 or head[8:9] != b"{" or not 2 <= length <= min(size - 8, _LARGEST_HEADER):
        return None
    try:
        with path.open("rb") as file:
            file.seek(8)
            header = json.loads(file.read(length))
        ends = [one["data_offsets"][1] for name, one in header.items() if name != "__metadata__"]
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return header if max(ends, default=0) == size - 8 - length else None


def _holdings(path: Path) -> frozenset[str] | None:
    """Which of the ``PARTS`` a file of torch holds; None for one that can't be looked into safely."""
    try:
        payload = torchfile.read_metadata(path)
    except (UnbrokenError, OSError):
        with path.open("rb") as file:
            return frozenset() if _safetensors_header(path, file.read(16), path.stat().st_size) else None
    return frozenset(_parts_in(payload, 0))


def _parts_in(value: Any, depth: int) -> Iterator[str]:
    if depth > _DEEPEST or not isinstance(value, dict | list | tuple):
        return
    if not isinstance(value, dict):
        for child in value:
            yield from _parts_in(child, depth + 1)
        return
    if "param_groups" in value:
        yield "optimizer"
        return
    for key, child in value.items():
        name = str(key).lower()
        if "rng" in name or "random" in name or "generator" in name or _is_stream(child):
            yield "streams"
        if type(child) is int and any(word in name for word in ("step", "epoch", "iter", "batch")):
            yield "count"
        yield from _parts_in(child, depth + 1)


def _is_stream(value: object) -> bool:
    return (
        isinstance(value, TensorStub)
        and value.dtype == "uint8"
        and len(value.shape) == 1
        and value.shape[0] >= _LEAST_OF_STREAM
    )
