"""Torch files: written plainly, and read as if a stranger had sent them.

A file is opened once, without following links out of its folder; its container, its pickle and its checksums
are checked on that open file. Plain tensors are then used where they lie; whatever else torch.save knows is read by
torch, from the same open file. Importing this module does not import torch.
"""

import errno
import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from unbroken.disk.digest import stream_digest
from unbroken.errors import (
    CheckpointDamagedError,
    DiskError,
    NothingToResumeError,
    ResourcesError,
    UsageError,
    is_refusal,
    reason_of,
)
from unbroken.store import pickles
from unbroken.store.container import ALIGNMENT, Member, check_sums, read_members
from unbroken.store.mapped import Mapped
from unbroken.store.packing import MOST_PER_MEMBER, Container
from unbroken.store.pickling import pickled
from unbroken.store.stubs import TensorStub as TensorStub
from unbroken.store.stubs import View, stub
from unbroken.store.tensors import PassingDigests, storage_bytes
from unbroken.store.trees import Refused

OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
OPEN_FLAGS |= getattr(os, "O_BINARY", 0)
_WIDEST = 16  # bytes of the widest element
_MEMBERS = 8  # beside the storages, and the records at the end


class LaidOut:
    """A payload ready to be written: checked, pickled, its file's size known. Nobody may change the payload any more.

    Whatever is written, ``read`` opens again. Raises UnsavableStateError, with the path of the value.
    """

    def __init__(self, payload: dict[str, Any]) -> None:
        self._pickled = pickled(payload)

    @property
    def size(self) -> int:
        """Bytes that the file will take; a few hundred per tensor more, never less."""
        storages = sum(-(-storage.nbytes() // ALIGNMENT) * ALIGNMENT for storage in self._pickled.storages)
        return storages + len(self._pickled.pickle) + MOST_PER_MEMBER * (len(self._pickled.storages) + _MEMBERS)

    def write(self, file: BinaryIO) -> dict[str, str]:
        """Write it as ``torch.save`` does; the digest of every tensor by its path. Sequential writes only."""
        digests = PassingDigests(self._pickled.tensors)
        container = Container(file)
        container.add("data.pkl", self._pickled.pickle)
        container.add(".format_version", b"1")
        container.add(".storage_alignment", str(ALIGNMENT).encode())
        container.add("byteorder", sys.byteorder.encode())
        for number, storage in enumerate(self._pickled.storages):
            content = storage_bytes(storage)
            if isinstance(content, bytes):
                digests.whole(number, content)
                container.add(f"data/{number}", content)
            else:
                container.add(f"data/{number}", content, digests.watchers(number))
        container.close()
        return digests.finished()


def write(payload: dict[str, Any], file: BinaryIO) -> dict[str, str]:
    """Write ``payload`` as ``torch.save`` does, and return the digest of every tensor by its path.

    Raises UnsavableStateError before anything is written.
    """
    return LaidOut(payload).write(file)


def verify(path: Path, digest: str = "") -> None:
    """Raise CheckpointDamagedError, saying what is wrong, unless ``path`` is a whole and harmless torch file.

    Where the file's ``digest`` is known and right, it stands in for the (slower) checksums of the members; a
    wrong one proves nothing against a file whose own checksums hold. A missing file is a NothingToResumeError.
    """
    with opened(path) as (file, size):
        members = read_members(file, size, path)
        _content(file, members, path)
        _check_bytes(file, members, path, digest)


def read(path: Path, digest: str = "", *, mapped: bool = True) -> dict[str, Any]:
    """The payload of the checkpoint ``path``, on the CPU, after everything ``verify`` checks.

    With ``mapped``, where the system can, the tensors lie in a private map of the file: they take memory once they are
    written to, and hold as long as nobody shortens the file in place (checkpoints are replaced, which does them no
    harm). Raises CheckpointDamagedError or NothingToResumeError; nothing in the file is ever executed.
    """
    with opened(path) as (file, size):
        members = read_members(file, size, path)
        tensors = Mapped(file, members) if mapped else None
        found = _content(file, members, path, stub if tensors is None else tensors.make)
        # By reads, not in the map: where the disk has lost something, a read is an error and a map a crash.
        _check_bytes(file, members, path, digest)
        if tensors is None or found.unusual or not _is_as_here(file, members):
            return _as_payload(_loaded(file, path, mapped), path)
        return _as_payload(found.value, path)


def _is_as_here(file: BinaryIO, members: Mapping[str, Member]) -> bool:
    """Whether the bytes can be used where they lie: this machine's order, whole elements at whole addresses."""
    order = members.get("byteorder")
    aligned = all(member.offset % _WIDEST == 0 for name, member in members.items() if name.startswith("data/"))
    return aligned and order is not None and order.read(file) == sys.byteorder.encode()


def _loaded(file: BinaryIO, path: Path, mapped: bool) -> object:
    """What torch makes of the open file, which has been checked."""
    import torch

    file.seek(0)
    try:
        with torch.sparse.check_sparse_tensor_invariants(True):  # type: ignore[no-untyped-call]
            same_file = f"/proc/self/fd/{file.fileno()}"  # not its name: that may by now be another file's
            if mapped and sys.platform == "linux" and os.path.exists(same_file):  # noqa: PTH110
                return torch.load(same_file, map_location="cpu", weights_only=True, mmap=True)
            return torch.load(file, map_location="cpu", weights_only=True, mmap=False)
    except Exception as error:
        if is_refusal(error):
            raise
        raise CheckpointDamagedError("store_torch_refused", path=path, reason=reason_of(error)) from error


def read_metadata(path: Path) -> dict[str, Any]:
    """The payload of ``path`` with a TensorStub for every tensor: no torch, and no tensor's bytes are read.

    The container and the pickle are checked as in ``verify``, the tensors' checksums are not.
    """
    with opened(path) as (file, size):
        members = read_members(file, size, path)
        return _as_payload(_content(file, members, path).value, path)


@contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """The regular file ``path``, open for reading, and its size; never a device, a pipe, or a way out of the folder."""
    try:
        descriptor = os.open(inside(path), OPEN_FLAGS)
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            raise CheckpointDamagedError("store_link_nowhere", path=path, target=path.readlink()) from None
        raise nothing_there(path) from None
    except OSError as error:
        if is_refusal(error):
            raise _refused(path, error) from error
        if error.errno in (errno.ENXIO, errno.ELOOP):  # a socket, or a link that leads nowhere
            raise CheckpointDamagedError("store_not_regular", path=path) from error
        raise DiskError("store_unreadable", path=path, reason=error.strerror) from error
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode) and not path.is_symlink():
            raise UsageError("store_is_folder", path=path)
        if not stat.S_ISREG(status.st_mode):
            raise CheckpointDamagedError("store_not_regular", path=path)
    except BaseException:
        os.close(descriptor)
        raise
    with os.fdopen(descriptor, "rb") as file:
        try:
            yield file, status.st_size
        except (MemoryError, RuntimeError) as error:
            if is_refusal(error):
                raise _refused(path, error) from error
            raise
        except OSError as error:
            if is_refusal(error):
                raise _refused(path, error) from error
            # EIO: the disk has lost some of it
            raise CheckpointDamagedError("store_read_error", path=path, reason=error.strerror) from error


def _refused(path: Path, error: BaseException) -> ResourcesError:
    return ResourcesError("store_refused", path=path, reason=reason_of(error))


def inside(path: Path) -> Path:
    """What to open for ``path``: itself, or what it links to if that lies in the same folder.

    Raises CheckpointDamagedError for a link that leads out of its folder, whether or not there is anything.
    """
    if not path.is_symlink():
        return path
    folder = Path(os.path.realpath(path.parent))
    target = Path(os.path.realpath(path))
    if not target.is_relative_to(folder):
        key = "store_link_outside" if target.exists() else "store_link_nowhere"
        raise CheckpointDamagedError(key, path=path, target=target)
    return target


def nothing_there(path: Path) -> NothingToResumeError:
    """The error for a checkpoint that is not there: what was looked for, where, and what is there instead."""
    path = path.absolute()
    folder = path.parent
    try:
        found = sorted(entry.name for entry in folder.iterdir() if entry.suffix == ".pth")
    except OSError:
        return NothingToResumeError("store_no_folder", path=path, folder=folder)
    if not found:
        return NothingToResumeError("store_no_checkpoints", path=path, folder=folder)
    names = ", ".join(found[:8]) + (", …" if len(found) > 8 else "")
    return NothingToResumeError("store_no_file", path=path, folder=folder, found=names)


def _content(
    file: BinaryIO, members: Mapping[str, Member], path: Path, make: Callable[[View], Any] = stub
) -> pickles.Read:
    """The pickle's content, tensors as ``make`` makes them, its own checksum checked first."""
    check_sums(file, [members["data.pkl"]], path)
    sizes = {name.removeprefix("data/"): one.size for name, one in members.items() if name.startswith("data/")}
    try:
        return pickles.read(members["data.pkl"].read(file), sizes, make)
    except Refused as refusal:
        raise CheckpointDamagedError(refusal.key, path=path, detail=refusal.detail) from refusal


def _check_bytes(file: BinaryIO, members: Mapping[str, Member], path: Path, digest: str) -> None:
    file.seek(0)
    if not (digest and stream_digest(file) == digest):
        check_sums(file, members.values(), path)


def _as_payload(value: object, path: Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise CheckpointDamagedError("store_not_a_dict", path=path, kind=type(value).__name__)
    return value
