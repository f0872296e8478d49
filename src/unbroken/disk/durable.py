"""The only code that writes files that matter: a name holds a whole, durable file, or what it held before.

The order is always: write a temporary file in the same folder → fsync it → rename it over the name → fsync
the folder. The fine print of POSIX this rests on:

- ``rename`` replaces a name in one step: whoever opens it gets the old file or the new one, never part of
  one. After a power cut that holds only if the data were durable first, hence fsync before rename, and only
  for names whose folder was fsynced after it.
- ``fsync`` reports a failed write once. The kernel may then drop the pages and let the next fsync succeed, so
  a file whose fsync failed is thrown away and written again from the start; fsync is never just retried.
- ``close`` may report nothing; a full disk or quota may show only at fsync. Only fsync counts.
- ``rename`` between two names of one file does nothing and says it worked, leaving both.
"""

import contextlib
import errno
import fcntl
import os
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from unbroken.disk import space, temporaries
from unbroken.disk.digest import stream_digest
from unbroken.disk.staged import StagedFile
from unbroken.disk.temporaries import remove_temporaries as remove_temporaries
from unbroken.errors import DiskError, UsageError

_BUFFER = 1 << 20
_FICLONE = 0x40049409  # linux/fs.h
_NO_LINKS = {errno.EPERM, errno.EMLINK, errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}
_MAY_PASS = {errno.EIO, errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.ESTALE, errno.ETIMEDOUT, errno.ENOLCK}
_MAY_PASS |= {errno.ECONNRESET, errno.ECONNABORTED, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETUNREACH}
_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}


@dataclass(frozen=True)
class Written:
    """What a durable write left under its name."""

    size: int
    digest: str


def write_durably(
    path: Path,
    write: Callable[[BinaryIO], None],
    *,
    keep_previous_as: Path | None = None,
    replaced: contextlib.ExitStack | None = None,
) -> Written:
    """Put what ``write`` writes under ``path``: whole and durable, or not at all.

    With ``keep_previous_as`` the file that was under ``path`` moves to that name, replacing what was there;
    ``path`` names a whole file at every moment in between, and at no moment do the two names share an inode.
    (Where the file system has no hard links, ``path`` is briefly absent while the other name already holds
    its file.) The file given to ``write`` takes sequential writes only. The file's mode follows the umask.

    A system takes its time to free a large file: the one that falls out of the names is kept open in ``replaced``, if
    that is given, and freed when it is closed.

    Raises DiskError. If writing failed, nothing under either name has changed and our temporary file is gone.
    If what comes after the rename fails (the folder's fsync, or the second name), the message says so:
    ``path`` then holds the new, whole file.
    """
    with _new_file(path, keep_previous_as, replaced) as descriptor:
        return _write_to(descriptor, write)


def copy_durably(source: Path, path: Path) -> Written:
    """Put a copy of ``source`` under ``path``, a file of its own, read back from the disk to verify it.

    Cloned where the file system can (both then share blocks, never an inode), streamed otherwise. Raises
    DiskError; ``path`` then still holds what it held, as for ``write_durably``.
    """
    with _reading(source) as original, _new_file(path) as descriptor:
        if clone(original, descriptor):
            with _saying("disk_read_failed", source), open(original, "rb", 0, closefd=False) as file:
                written = Written(os.fstat(original).st_size, stream_digest(file))
        else:
            written = _write_to(descriptor, lambda file: _stream(original, source, file))
        _sync(descriptor)
        _forget_cached(descriptor)
        os.lseek(descriptor, 0, os.SEEK_SET)
        with open(descriptor, "rb", 0, closefd=False) as file:
            copied = stream_digest(file)
        if copied != written.digest:
            raise DiskError("disk_copy_differs", path=path, source=source)
    return written


def append(path: Path, content: bytes) -> None:
    """Append ``content`` to the file ``path``, made if missing: all of it or nothing. With the system, not yet on disk.

    Raises DiskError.
    """
    with _saying("disk_write_failed", path):
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            size = os.fstat(descriptor).st_size
            try:
                if os.write(descriptor, content) != len(content):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                os.ftruncate(descriptor, size)
                raise
        finally:
            os.close(descriptor)


def move_durably(source: Path, destination: Path) -> None:
    """Rename ``source`` (a file or a folder) to ``destination``, making its folder; never overwrites.

    Raises DiskError if ``destination`` exists or the file system refuses.
    """
    make_folder(destination.parent)
    with _saying("disk_move_failed", source):
        if os.path.lexists(destination):
            raise DiskError("disk_exists", path=source, destination=destination)
        source.rename(destination)
    _sync_folder(destination.parent, destination)
    _sync_folder(source.parent, destination)


def remove_durably(path: Path) -> None:
    """Remove the file ``path``, for good; one that is already gone is fine. Raises DiskError."""
    with _saying("disk_remove_failed", path):
        try:
            path.unlink()
        except FileNotFoundError:
            return
        _sync_folder(path.parent, path)


def make_folder(path: Path) -> None:
    """Make the folder ``path`` and those above it, durably; one that exists is fine.

    Raises UsageError if a file is in the way, DiskError if the file system refuses.
    """
    with _saying("disk_folder_failed", path):
        if path.is_dir():
            return
        if os.path.lexists(path) and not path.is_dir():  # asked again: another process may just have made it
            raise UsageError("disk_not_a_folder", path=path)
        make_folder(path.parent)
        with contextlib.suppress(FileExistsError):  # another process was quicker
            path.mkdir()
        if not path.is_dir():
            raise UsageError("disk_not_a_folder", path=path)
        _sync_folder(path.parent, path)


def may_pass(error: DiskError) -> bool:
    """Whether to do the same again at once makes sense: not for a full disk, nor for a missing permission."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in _MAY_PASS


@contextlib.contextmanager
def _new_file(
    path: Path, keep_previous_as: Path | None = None, replaced: contextlib.ExitStack | None = None
) -> Iterator[int]:
    """A new file to write to; leaving the body gives it its name, an exception in the body removes it."""
    not_kept: OSError | None = None
    with _saying("disk_write_failed", path):
        temporary, descriptor = temporaries.create(path)
        previous = None
        try:
            yield descriptor
            _sync(descriptor)
            if replaced is not None:
                _keep_open(keep_previous_as or path, replaced)
            if keep_previous_as is not None:
                previous = _second_name(path, keep_previous_as)
            temporary.replace(path)
        except BaseException:
            _discard(temporary)
            if previous is not None:
                _discard(previous)
            raise
        finally:
            temporaries.close(temporary, descriptor)
    if keep_previous_as is not None and previous is not None:
        try:  # only now: before path had its new file, this name would have shared an inode with it
            previous.replace(keep_previous_as)
        except OSError as error:
            not_kept = error
        _discard(previous)  # it is still there if both were names of one file
    _sync_folder(path.parent, path)
    if keep_previous_as is not None:
        if keep_previous_as.parent != path.parent:
            _sync_folder(keep_previous_as.parent, keep_previous_as)
        if not_kept is not None:
            kept = {"previous": keep_previous_as, "reason": not_kept.strerror}
            raise DiskError("disk_keep_failed", path=path, **kept) from not_kept


def _keep_open(path: Path, stack: contextlib.ExitStack) -> None:
    """Where that is not allowed, the file is freed at once."""
    with contextlib.suppress(OSError):
        stack.callback(os.close, os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))


def _second_name(path: Path, keep_as: Path) -> Path | None:
    """A temporary second name, in the folder of ``keep_as``, for the file ``path``; None if there is none."""
    if path.is_symlink() or not path.is_file():
        return None
    second = temporaries.free_name(keep_as)
    try:
        os.link(path, second)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        path.replace(keep_as)
        return None
    return second


def _write_to(descriptor: int, write: Callable[[BinaryIO], None]) -> Written:
    file = StagedFile(descriptor)
    try:
        write(cast(BinaryIO, file))
        digest = file.finish()
    except BaseException as error:
        file.abandon()
        if isinstance(error, Exception) and file.error is not None and file.error is not error:
            raise file.error from error
        raise
    return Written(file.size, digest)


@contextlib.contextmanager
def _reading(source: Path) -> Iterator[int]:
    with _saying("disk_read_failed", source):
        descriptor = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise DiskError("disk_not_a_file", path=source)
        yield descriptor
    finally:
        os.close(descriptor)


def clone(original: int, descriptor: int) -> bool:
    """Make the open file ``descriptor`` share the blocks of ``original``; False where that cannot be."""
    try:
        fcntl.ioctl(descriptor, _FICLONE, original)
    except OSError:  # another file system, or one that cannot; a full disk shows again when streaming
        return False
    return True


def _stream(original: int, source: Path, file: BinaryIO) -> None:
    while True:
        with _saying("disk_read_failed", source):
            chunk = os.read(original, _BUFFER)
        if not chunk:
            return
        file.write(chunk)


def _sync(descriptor: int) -> None:
    if sys.platform == "darwin":
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)  # fsync there stops at the drive's own cache
    else:
        os.fsync(descriptor)


def _sync_folder(folder: Path, path: Path) -> None:
    """Make what happened to names in ``folder`` durable; ``path`` is the one the user knows."""
    with _saying("disk_sync_failed", path):
        sync_names(folder)


def sync_names(folder: Path) -> bool:
    """Have the names in ``folder`` synced; False where the file system will not be asked. Raises OSError.

    Some network and FUSE file systems sync names by themselves, and refuse.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
        return False
    finally:
        os.close(descriptor)
    return True


def _forget_cached(descriptor: int) -> None:
    """Have the next read come from the disk, where the system lets us ask."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def _discard(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


@contextlib.contextmanager
def _saying(key: str, path: Path) -> Iterator[None]:
    """Turn an OSError into the DiskError ``key`` about ``path``; a full disk has a sentence of its own."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            free = space.human(space.free_bytes(path.parent))
            raise DiskError("disk_full", path=path, free=free) from error
        raise DiskError(key, path=path, reason=error.strerror or str(error)) from error
