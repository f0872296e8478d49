"""Guards: whether data and surroundings are those the run was trained with, and what differs."""

import enum
import importlib.metadata
import os
import platform
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from unbroken import messages
from unbroken.disk.digest import file_digest
from unbroken.errors import DataChangedError, UsageError
from unbroken.state.snapshot import equal_bits

_DATA_CHANGE = {"state_data_changed": "state_data_other", "state_data_count": "state_data_other_count"}

_END_OF_HEADERS = "\n\n"
_HEADERS = [re.compile(rf"\n{name}:([^\n]+)\n", re.IGNORECASE) for name in ("Name", "Version")]

PathLike = str | os.PathLike[str]


def fingerprint_data(data: PathLike | Sequence[PathLike]) -> dict[str, Any]:
    """The content of a file, of several in their order, or of everything below a folder, by digest.

    ``{"files": [{"name", "size", "digest"}, …]}``. Raises ``UsageError`` for what cannot be read.
    """
    paths = [data] if isinstance(data, (str, os.PathLike)) else list(data)
    files = [entry for path in paths for entry in _described(Path(path))]
    return {"files": files}


def compare_data(saved: Mapping[str, Any] | None, current: Mapping[str, Any] | None) -> None:
    """Raise ``DataChangedError`` naming both files and digests unless the contents are the same, in the same order.

    Names do not count. Where either is not known there is nothing to compare.
    """
    if not saved or not current:
        return
    old, new = saved["files"], current["files"]
    if [(f["size"], f["digest"]) for f in old] == [(f["size"], f["digest"]) for f in new]:
        return
    pairs = [(a, b) for a, b in zip(old, new, strict=False) if (a["size"], a["digest"]) != (b["size"], b["digest"])]
    if pairs:
        raise DataChangedError("state_data_changed", old=_data(pairs[0][0]), new=_data(pairs[0][1]), count=len(pairs))
    extra = (old if len(old) > len(new) else new)[min(len(old), len(new))]
    raise DataChangedError("state_data_count", old=len(old), new=len(new), extra=_data(extra))


def data_change(found: DataChangedError) -> str:
    """What ``compare_data`` has found, without what to do about it."""
    return messages.text(_DATA_CHANGE[found.key], **found.values)


def environment() -> dict[str, str]:
    """All that can change a result without a change of the program: versions, hardware, threads and switches."""
    found = {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpu": _cpu_model(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": str(torch.get_num_threads()),
        "interop_threads": str(torch.get_num_interop_threads()),
        "default_dtype": str(torch.get_default_dtype()),
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "deterministic_algorithms": _deterministic(),
        "mkldnn": str(torch.backends.mkldnn.enabled),
        "cudnn_deterministic": str(torch.backends.cudnn.deterministic),
        "cudnn_benchmark": str(torch.backends.cudnn.benchmark),
        "cuda": str(torch.version.cuda),
        "cudnn": str(torch.backends.cudnn.version()),  # type: ignore[no-untyped-call]
        "gpus": ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())) or "None",
    }
    for variable in ("PYTHONHASHSEED", "CUBLAS_WORKSPACE_CONFIG"):
        found[variable] = os.environ.get(variable, "")
    for distribution in importlib.metadata.distributions():
        name, version = _named(distribution)
        if name and name.lower() not in ("torch", "numpy"):
            # Of two copies on the path the first is the one imported.
            found.setdefault(f"package {name.lower()}", version)
    return found


def _named(distribution: importlib.metadata.Distribution) -> tuple[str, str]:
    """Name and version; the rest of the metadata, a whole read-me in most, takes ten times as long to parse.

    Either is empty where it is not there, as in what an uninstallation has left behind.
    """
    try:
        text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    except UnicodeDecodeError:
        return "", ""
    head = f"\n{text.partition(_END_OF_HEADERS)[0]}\n"
    found = [match[1].lstrip(" \t") for header in _HEADERS if (match := header.search(head))]
    if len(found) == len(_HEADERS):
        return found[0], found[1]
    return distribution.metadata["Name"] or "", distribution.metadata["Version"] or ""


class Absent(enum.Enum):
    """Stands for a value that is not there."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT


@dataclass(frozen=True)
class Change:
    """One setting that differs; either side may be ``ABSENT``. ``str()`` is ``lr: 0.1 → 0.01``."""

    key: str
    old: object
    new: object

    def __str__(self) -> str:
        return messages.text("state_change", setting=self.key, old=_shown(self.old), new=_shown(self.new))


def plain_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """A program's settings as JSON-like data for the checkpoint and the log; what is not becomes text."""
    return {str(key): _plain(value) for key, value in config.items()}


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """What differs between two mappings, those inside them compared key by key (``optimizer.lr``)."""
    changes: list[Change] = []
    for key in [*old, *(k for k in new if k not in old)]:
        a, b = old.get(key, ABSENT), new.get(key, ABSENT)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            changes += [Change(f"{key}.{c.key}", c.old, c.new) for c in differences(a, b)]
        elif equal_bits(_listed(a), _listed(b)) is not None:
            changes.append(Change(str(key), a, b))
    return changes


def that_matter(changes: Sequence[Change]) -> list[Change]:
    """Those that can change what is computed: all but packages that this program has not imported."""
    packages = {change.key.removeprefix("package ") for change in changes if change.key.startswith("package ")}
    if not packages:
        return list(changes)
    imported = {name.partition(".")[0] for name in sys.modules}
    used = {
        distribution.lower()
        for module, distributions in importlib.metadata.packages_distributions().items()
        if module in imported
        for distribution in distributions
    }
    return [one for one in changes if not one.key.startswith("package ") or one.key.removeprefix("package ") in used]


def _described(path: Path) -> Iterable[dict[str, Any]]:
    try:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.is_file())
            return [_entry(p, f"{path.name}/{p.relative_to(path).as_posix()}") for p in inside]
        return [_entry(path, path.name)]
    except OSError as error:
        raise UsageError("state_data_unreadable", path=path, detail=error.strerror or str(error)) from error


def _entry(path: Path, name: str) -> dict[str, Any]:
    return {"name": name, "size": path.stat().st_size, "digest": file_digest(path)}


def _data(entry: Mapping[str, Any]) -> str:
    return f"{entry['name']} ({entry['size']} B, {entry['digest']})"


def _deterministic() -> str:
    if not torch.are_deterministic_algorithms_enabled():
        return "False"
    return "warn" if torch.is_deterministic_algorithms_warn_only_enabled() else "True"


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _plain(value: object) -> object:
    if type(value) in (str, int, float, bool, type(None)):
        return value
    if isinstance(value, np.generic):
        return _plain(value.item()) if isinstance(value, (np.number, np.bool_, np.str_)) else str(value)
    if isinstance(value, Mapping):
        return plain_config(value)
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, (set, frozenset)):
        return sorted((_plain(v) for v in value), key=repr)
    if isinstance(value, enum.Enum):
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    # An address would be another in every process.
    return re.sub(r" at 0x[0-9A-Fa-f]+", "", str(value))


def _listed(value: object) -> object:
    return [_listed(v) for v in value] if isinstance(value, (list, tuple)) else value


def _shown(value: object) -> str:
    return messages.text("state_absent") if value is ABSENT else str(value)
