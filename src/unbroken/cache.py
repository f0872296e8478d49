"""The cache of preprocessed data: an ``.npz`` that knows what it was made from, memory-mapped in place.

Plain ``np.load`` opens it. Its members are STORED and 64-byte aligned, so the arrays are used where they lie
in the file. The last member, the seal, is JSON text: the key, where each array is, and a digest of every byte
before it.
"""

import contextlib
import json
import logging
import mmap
import os
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, Literal, cast

import numpy as np
import numpy.typing as npt

from unbroken import messages
from unbroken.disk import durable
from unbroken.disk.digest import bytes_digest, stream_digest
from unbroken.disk.space import human, require_space
from unbroken.disk.staged import StagedFile
from unbroken.errors import DiskError, UsageError

Arrays = Mapping[str, npt.NDArray[Any]]

_SEAL = "__unbroken__"
_FORMAT = 1
_ALIGNMENT = 64  # numpy aligns the data to as much within a member
_PADDING = 0xD935  # the extra field that Android's zipalign pads with
_KINDS = "biufcmMSU"  # numbers, dates and text: no pickle, and one short string says what they are

_log = logging.getLogger("unbroken")


@dataclass(frozen=True)
class Cached:
    """Read-only arrays, mapped from the cache; whether nothing had to be built; what was logged about it."""

    arrays: Arrays
    reused: bool
    note: str


@dataclass(frozen=True)
class _StoredArray:
    offset: int
    dtype: str
    shape: tuple[int, ...]
    fortran: bool


@dataclass(frozen=True)
class _Seal:
    key: dict[str, object]
    places: dict[str, _StoredArray]
    digest: str
    size: int  # of the part of the file that the digest is of


class _UnusableError(Exception):
    """A file that cannot be used: the key of the sentence that says why, its values, and what to keep it as."""

    def __init__(self, key: str, label: str, **values: Any) -> None:
        super().__init__(values.get("reason", key))
        self.key = key
        self.label = label
        self.values = values


def cached(path: str | Path, build: Callable[[], Arrays], *, key: Mapping[str, object]) -> Cached:
    """The arrays of ``build()``: from the cache ``path`` if it was made from the same ``key``, else built anew.

    ``key`` says all that the arrays depend on (digest of the data, parameters, version of the code), in the
    types of JSON. A cache of another key, a damaged one, or a file that is not ours, is kept under another name
    beside it; when its key comes back, so does the cache. All of it is logged.

    The arrays are mapped from the file in the first run too, so that first and resumed runs read the same
    memory. They are read-only: do not write in place to a torch tensor that shares one. If the cache cannot be
    written, that is logged and the arrays stay in memory.

    Raises UsageError if ``path``, ``key`` or what ``build`` returned is unusable.

    Examples:
        >>> import numpy, unbroken
        >>> def build():
        ...     return {"features": numpy.arange(6.0).reshape(2, 3)}
        >>> first = unbroken.cached("processed_data.npz", build, key={"version": 1})
        >>> again = unbroken.cached("processed_data.npz", build, key={"version": 1})
        >>> first.reused, again.reused, again.arrays["features"].shape
        (False, True, (2, 3))
    """
    path = Path(os.path.realpath(path))  # a link to a larger disk stays a link
    if os.path.lexists(path) and not path.is_file():
        raise UsageError("cache_not_a_file", path=path)
    wanted = _canonical(key, path)
    with contextlib.suppress(DiskError):  # said later, when there is something to write
        durable.make_folder(path.parent)
    unusable = None
    if path.exists():
        try:
            return _told("cache_reused", path, _open(path, wanted))
        except _UnusableError as error:
            unusable = error
    kept = path.with_name(f"{path.name}.{_label(wanted)}")
    if kept.is_file():
        with contextlib.suppress(_UnusableError, DiskError):
            arrays = _open(kept, wanted)
            if unusable is not None:
                aside = _aside(path, unusable)
                durable.remove_durably(aside)  # a cache of the same key, if there is one
                durable.move_durably(path, aside)
            durable.move_durably(kept, path)
            return _told("cache_returned", path, arrays, aside=kept)
    return _build(path, build, wanted, unusable)


def _build(
    path: Path, build: Callable[[], Arrays], wanted: dict[str, object], unusable: _UnusableError | None
) -> Cached:
    aside = None if unusable is None else _aside(path, unusable)
    arrays = _checked(build(), path)
    try:
        durable.remove_temporaries(path.parent, path.name)
        require_space(path.parent, sum(array.nbytes for array in arrays.values()))
        durable.write_durably(path, lambda file: _write(file, arrays, wanted), keep_previous_as=aside)
        return _told("cache_built", path, _open(path, wanted), reused=False)
    except (DiskError, _UnusableError) as error:
        note = messages.text("cache_not_written", path=path, reason=error)
        _log.warning(note)
    for array in arrays.values():
        array.flags.writeable = False
    return Cached(MappingProxyType(arrays), reused=False, note=note)


def _told(key: str, path: Path, arrays: Arrays, *, reused: bool = True, aside: Path | None = None) -> Cached:
    size = human(sum(array.nbytes for array in arrays.values()))
    note = messages.text(key, path=path, count=len(arrays), size=size, aside=aside)
    _log.info(note)
    return Cached(arrays, reused, note)


def _aside(path: Path, unusable: _UnusableError) -> Path:
    """The name the file at ``path`` will be kept under, having said why it is not used.

    A cache of another key has one name, so however often keys change, one of each is kept.
    """
    aside = path.with_name(f"{path.name}.{unusable.label}")
    if unusable.key != "cache_outdated":
        names = (path.with_name(f"{path.name}.{unusable.label}-{number}") for number in count(1))
        aside = next(name for name in names if not os.path.lexists(name))
    _log.warning(messages.text(unusable.key, path=path, aside=aside, **unusable.values))
    return aside


def _open(path: Path, wanted: dict[str, object]) -> Arrays:
    """The arrays of a cache made from the key ``wanted``, verified; raises _UnusableError."""
    try:
        with path.open("rb") as file:
            seal = _read_seal(file)
            if _text(seal.key) != _text(wanted):
                changes = _changes(seal.key, wanted)
                raise _UnusableError("cache_outdated", _label(seal.key), changes=changes)
            # Read, not mapped: a bad sector is then an error to handle and not a SIGBUS.
            file.seek(0)
            if stream_digest(file, seal.size) != seal.digest:
                raise _damaged(messages.text("cache_reason_content"))
            return _map(file, seal)
    except OSError as error:
        raise _damaged(error.strerror or str(error)) from error


def _read_seal(file: BinaryIO) -> _Seal:
    try:
        with zipfile.ZipFile(file) as archive:
            if f"{_SEAL}.npy" not in archive.namelist():
                raise _UnusableError("cache_foreign", "foreign")
            info = archive.getinfo(f"{_SEAL}.npy")
            _refuse_what_is_larger_than_its_file(info, os.fstat(file.fileno()).st_size)
            member = archive.read(info)
        (header_size,) = struct.unpack_from("<H", member, 8)
        said = json.loads(member[10 + header_size :])
        if said["format"] != _FORMAT:
            raise _UnusableError("cache_foreign", "foreign")
        places = {
            name: _StoredArray(place["offset"], place["dtype"], tuple(place["shape"]), place["fortran"])
            for name, place in said["arrays"].items()
        }
        return _Seal(dict(said["key"]), places, said["digest"], info.header_offset)
    except (OSError, _UnusableError):
        raise
    except Exception as error:  # whatever the parsers make of a damaged file
        raise _damaged(messages.text("cache_reason_structure", detail=error)) from error


def _refuse_what_is_larger_than_its_file(info: zipfile.ZipInfo, size: int) -> None:
    """Raise _UnusableError for a member that would take more memory than it has bytes: ours are never compressed."""
    stored = info.compress_type == zipfile.ZIP_STORED and info.file_size == info.compress_size
    if not stored or info.header_offset + info.compress_size > size:
        raise _damaged(messages.text("cache_reason_expands", claimed=human(info.file_size), size=human(size)))


def _map(file: BinaryIO, seal: _Seal) -> Arrays:
    try:
        # The mapping lives as long as an array refers to it.
        mapped = mmap.mmap(file.fileno(), seal.size, access=mmap.ACCESS_READ) if seal.size else b""
        arrays: dict[str, npt.NDArray[Any]] = {}
        for name, place in seal.places.items():
            dtype = np.dtype(place.dtype)
            # numpy itself accepts a negative offset, and reads what lies before the mapping.
            if min(place.offset, *place.shape, 0) < 0 or dtype.kind not in _KINDS:
                raise ValueError(name)
            order: Literal["F", "C"] = "F" if place.fortran else "C"
            arrays[name] = np.ndarray(place.shape, dtype, mapped, place.offset, order=order)
    except (ValueError, TypeError, OverflowError) as error:
        raise _damaged(messages.text("cache_reason_structure", detail=error)) from error
    return MappingProxyType(arrays)


def _write(file: BinaryIO, arrays: Arrays, key: dict[str, object]) -> None:
    places = {}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            places[name] = {
                "offset": _add(archive, file, name, array),
                "dtype": array.dtype.str,
                "shape": array.shape,
                "fortran": array.flags.fnc,
            }
        seal = {"format": _FORMAT, "key": key, "arrays": places, "digest": cast(StagedFile, file).digest}
        _add(archive, file, _SEAL, np.array(json.dumps(seal).encode("ascii")))


def _add(archive: zipfile.ZipFile, file: BinaryIO, name: str, array: npt.NDArray[Any]) -> int:
    """Append one member whose data are aligned; returns where in the file the array's first byte is."""
    info = zipfile.ZipInfo(f"{name}.npy")  # of no date: the same arrays make the same file
    info.CRC = 0  # only so that the header's length can be asked for
    large = array.nbytes > zipfile.ZIP64_LIMIT // 2
    start = file.tell() + len(info.FileHeader(zip64=large)) + 4
    info.extra = struct.pack("<HH", _PADDING, -start % _ALIGNMENT) + bytes(-start % _ALIGNMENT)
    with archive.open(info, "w", force_zip64=large) as member:
        np.lib.format.write_array(member, array, allow_pickle=False)
        return file.tell() - array.nbytes


def _checked(built: object, path: Path) -> dict[str, npt.NDArray[Any]]:
    if not isinstance(built, Mapping):
        raise UsageError("cache_array_unusable", path=path, name="build()", detail=type(built).__name__)
    arrays = {}
    for name, value in built.items():
        usable = isinstance(name, str) and name.isprintable() and not set(name) & set("/\\")
        if not usable or not 0 < len(name) < 200 or name == _SEAL:
            raise UsageError("cache_array_unusable", path=path, name=repr(name), detail="name")
        if not isinstance(value, np.ndarray | np.generic) or isinstance(value, np.ma.MaskedArray):
            raise UsageError("cache_array_unusable", path=path, name=name, detail=type(value).__name__)
        array = np.asarray(value).view()
        if array.dtype.kind not in _KINDS or array.dtype.itemsize == 0:
            raise UsageError("cache_array_unusable", path=path, name=name, detail=array.dtype)
        arrays[name] = array
    return arrays


def _canonical(key: Mapping[str, object], path: Path) -> dict[str, object]:
    """The key as it comes back from JSON: tuples are lists, so that what is stored can equal what is asked for."""
    try:
        canonical: dict[str, object] = json.loads(json.dumps(dict(key), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError("cache_key_unusable", path=path, detail=error) from error
    return canonical


def _text(key: object) -> str:
    return json.dumps(key, sort_keys=True, ensure_ascii=False)  # unlike ==, tells 1 from 1.0 and from true


def _label(key: dict[str, object]) -> str:
    return f"old-{bytes_digest(_text(key).encode('utf-8', 'surrogatepass'))[-8:]}"


def _changes(old: dict[str, object], new: dict[str, object]) -> str:
    """The entries that differ, old → new, for one line of a log."""
    changes = []
    for name in sorted(old.keys() | new.keys()):
        before, after = (_text(key[name]) if name in key else "—" for key in (old, new))
        if before != after:
            changes.append(f"{name}: {before:.60} → {after:.60}")
    return "; ".join(changes)


def _damaged(reason: str) -> _UnusableError:
    return _UnusableError("cache_damaged", "damaged", reason=reason)
