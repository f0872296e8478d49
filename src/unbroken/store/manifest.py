"""Manifests: a small JSON beside every checkpoint that says what is in it; ``Described``: the part that decides.

So listing opens no checkpoint.

A manifest is a cache and a seal. It is written after the file it describes is durable; it counts only while the
file has the size and time it names; a lost one is rebuilt from its file, and one that contradicts its file loses.
"""

import json
import math
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from unbroken.disk import durable
from unbroken.errors import CheckpointDamagedError, DiskError, NothingToResumeError
from unbroken.store import payload as keys
from unbroken.store import torchfile
from unbroken.store.folder import CheckpointFolder
from unbroken.store.payload import Progress

_TENSORS = ',\n"tensors": '
_LARGEST = 64 << 20
_UNSAID = Path()
_PROGRESS = ("run_id", "branch", "epoch", "batch", "batches", "step", "reason", "finished")


class TensorDigests(Mapping[str, str]):
    """Digest of every tensor by its path (``model_state_dict.fc.weight``), parsed at first use."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._parsed: dict[str, str] | None = None

    def _digests(self) -> dict[str, str]:
        if self._parsed is None:
            try:
                found = json.loads(self._text)
            except (ValueError, RecursionError):
                found = None
            items = found.items() if isinstance(found, dict) else ()
            self._parsed = {key: value for key, value in items if isinstance(value, str)}
        return self._parsed

    def __getitem__(self, path: str) -> str:
        return self._digests()[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._digests())

    def __len__(self) -> int:
        return len(self._digests())


class Described(Protocol):
    """What decides which checkpoint is resumed from, and which may be deleted."""

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int: ...

    @property
    def mtime_ns(self) -> int: ...

    @property
    def best_epoch(self) -> int: ...

    @property
    def progress(self) -> Progress: ...


@dataclass(frozen=True)
class Manifest:
    """What is known about one checkpoint file without opening it.

    ``metrics`` has the last value of each history. ``digest`` is "" and ``tensors`` is empty where the manifest
    was rebuilt from the file's metadata.
    """

    name: str
    size: int
    mtime_ns: int
    digest: str
    progress: Progress
    metrics: Mapping[str, float]
    best_corr: float
    best_epoch: int
    timestamp: str
    tensors: Mapping[str, str] = field(compare=False)
    library_version: str


def describe(folder: CheckpointFolder, path: Path) -> Manifest:
    """The manifest of the checkpoint ``path``: as written, or rebuilt from the file if that is not up to date.

    Needs no torch. Raises CheckpointDamagedError for a file that is no checkpoint, NothingToResumeError for
    none at all.
    """
    status = _status(path)
    manifest = read(folder, path.name)
    if manifest and fits(manifest, status):
        return manifest
    payload = torchfile.read_metadata(path)
    keys.check_contract(payload, path)
    return of_payload(payload, path, status)


def known(folder: CheckpointFolder, path: Path) -> Manifest | None:
    """As ``describe``; None for what is no readable checkpoint."""
    try:
        return describe(folder, path)
    except (CheckpointDamagedError, DiskError, NothingToResumeError):
        return None


def describe_all(folder: CheckpointFolder) -> list[Manifest]:
    """The manifests of every file in the folder that is a readable checkpoint; the others are left out."""
    return [info for path in folder.checkpoints() if (info := known(folder, path)) is not None]


def of_payload(
    payload: Mapping[str, Any],
    path: Path,
    status: os.stat_result | None = None,
    *,
    digest: str = "",
    tensors: Mapping[str, str] | None = None,
) -> Manifest:
    """The manifest of a payload that stands in the file ``path``. Raises NothingToResumeError if that is gone."""
    status = status or _status(path)
    return _manifest(
        payload,
        name=path.name,
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        digest=digest,
        metrics={name: float(values[-1]) for name, values in keys.histories_of(payload).items() if values},
        tensors=tensors or {},
        library_version=str(keys.own_of(payload).get("library_version", "")),
    )


def _manifest(payload: Mapping[str, Any], **others: Any) -> Manifest:
    return Manifest(
        progress=keys.progress_of(payload),
        best_corr=float(payload[keys.BEST_CORR]),
        best_epoch=payload[keys.BEST_EPOCH],
        timestamp=payload[keys.TIMESTAMP],
        **others,
    )


def is_current(manifest: Described, path: Path) -> bool:
    """Whether ``path``, whatever its name, is the very file that ``manifest`` was written for."""
    try:
        return fits(manifest, _status(path))
    except NothingToResumeError:
        return False


def is_same(one: Described, other: Described) -> bool:
    """Whether both say the same of the same file."""
    mine, theirs = ((info.name, info.size, info.mtime_ns, info.best_epoch, info.progress) for info in (one, other))
    return mine == theirs


def fits(manifest: Described, status: os.stat_result) -> bool:
    """Whether a file of this ``status`` is the very one that ``manifest`` was written for."""
    return (manifest.size, manifest.mtime_ns) == (status.st_size, status.st_mtime_ns)


def renamed(manifest: Manifest, path: Path) -> Manifest:
    """The manifest for ``path``, which now holds, or holds a copy of, the file described by ``manifest``."""
    status = _status(path)
    return replace(manifest, name=path.name, size=status.st_size, mtime_ns=status.st_mtime_ns)


def write(folder: CheckpointFolder, manifest: Manifest) -> None:
    """Write the manifest; only once the file it describes is durable."""
    write_text(folder.manifest(manifest.name), _to_json(manifest))


def read(folder: CheckpointFolder, name: str) -> Manifest | None:
    """The manifest as written, whether or not the file is still the same; None if there is none that makes sense."""
    try:
        text = read_bytes(f"{folder.manifests}/{name}.json").decode()  # no Path: a list reads thousands
        head, separator, tensors = text.partition(_TENSORS)
        fields = json.loads(head + "\n}" if separator else head)
        return _from_json(fields, name, TensorDigests(tensors.rstrip().removesuffix("}")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def _to_json(manifest: Manifest) -> str:
    progress = manifest.progress
    fields = {
        "format": keys.FORMAT_VERSION,
        **{name: getattr(manifest, name) for name in ("name", "size", "mtime_ns", "digest")},
        **{name: getattr(progress, name) for name in _PROGRESS},
        "parent": vars(progress.parent) if progress.parent else None,
        "metrics": {name: _number_out(value) for name, value in manifest.metrics.items()},
        keys.BEST_CORR: _number_out(manifest.best_corr),
        **{name: getattr(manifest, name) for name in ("best_epoch", "timestamp", "library_version")},
    }
    head = json.dumps(fields, ensure_ascii=False, indent=1, allow_nan=False).removesuffix("\n}")
    tensors = json.dumps(dict(manifest.tensors), ensure_ascii=False, indent=1)
    return f"{head}{_TENSORS}{tensors}}}\n"


def _from_json(fields: dict[str, Any], name: str, tensors: Mapping[str, str]) -> Manifest | None:
    payload = keys.build(
        epoch=fields[keys.EPOCH],
        states={},
        histories={},
        best_corr=_number_in(fields[keys.BEST_CORR]),
        best_epoch=fields[keys.BEST_EPOCH],
        timestamp=fields[keys.TIMESTAMP],
        own={key: fields[key] for key in ("format", *_PROGRESS, "parent") if key != "epoch"},
    )
    if fields["run_id"] is None:
        del payload[keys.OWN]
    try:
        keys.check_contract(payload, _UNSAID)
    except CheckpointDamagedError:
        return None
    seal = {key: fields[key] for key in ("size", "mtime_ns", "digest", "library_version")}
    if fields["name"] != name or [type(value) for value in seal.values()] != [int, int, str, str]:
        return None
    metrics = {metric: _number_in(value) for metric, value in fields["metrics"].items()}
    return _manifest(payload, name=name, metrics=metrics, tensors=tensors, **seal)


def _number_out(value: float) -> float | str:
    """JSON has no infinities and no NaN: they are spelled as text."""
    return value if math.isfinite(value) else repr(value)


def _number_in(value: object) -> float:
    if type(value) is str and value not in ("inf", "-inf", "nan"):
        raise ValueError(value)
    if not isinstance(value, str | int | float):
        raise TypeError(value)
    return float(value)


def write_text(path: Path, text: str) -> None:
    """Write JSON text durably; lone surrogates, which have no UTF-8, become JSON's own escapes."""

    def write(file: BinaryIO) -> None:
        file.write(text.encode("utf-8", "backslashreplace"))

    durable.write_durably(path, write)


def read_text(path: Path) -> str:
    return read_bytes(path).decode()


def read_bytes(path: Path | str) -> bytes:
    """Of a small regular file that a stranger may have put there. Raises OSError, ValueError."""
    descriptor = os.open(path, torchfile.OPEN_FLAGS)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError(path)
        return file.read(min(status.st_size, _LARGEST))  # memory is taken for as much as is asked for


def _status(path: Path) -> os.stat_result:
    """Of the file itself, also under the name of a link to it; of what a link may not lead to the reading tells."""
    try:
        status = path.stat(follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            with torchfile.opened(path) as (file, _):
                return os.fstat(file.fileno())
        return status
    except (FileNotFoundError, NotADirectoryError):
        raise torchfile.nothing_there(path) from None
