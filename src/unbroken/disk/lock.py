"""The lock that lets one trainer at a time write to a checkpoint folder."""

import contextlib
import errno
import fcntl
import json
import logging
import os
import shlex
import socket
import struct
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from unbroken import messages
from unbroken.disk.durable import make_folder
from unbroken.errors import DiskError, FolderLockedError, UsageError

_GLANCES = 20
_UNSUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
_NO_SUCH_KIND = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}
_TAKEN = {errno.EACCES, errno.EAGAIN}
# struct flock: the whole file, for writing; the kernel insists on a pid of 0.
_WHOLE_FILE = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)

_log = logging.getLogger("unbroken")


@dataclass
class _Held:
    """A lock file that this process has open, and which file that is; a descriptor of -1 once it is released."""

    descriptor: int
    identity: tuple[int, int]


# A lock of one kind never conflicts within its own process, so that question is answered here.
_held: dict[str, _Held] = {}
_guard = threading.RLock()


def _forget_in_child() -> None:
    global _guard
    _guard = threading.RLock()
    # What a child has open holds the lock as long as it lives, and it may outlive this process.
    for held in _held.values():
        os.close(held.descriptor)
        held.descriptor = -1
    _held.clear()


# Not in the middle of taking a lock: the child would have a file open that is written down nowhere.
os.register_at_fork(
    before=lambda: _guard.acquire() and None,
    after_in_parent=lambda: _guard.release(),
    after_in_child=_forget_in_child,
)


class FolderLock:
    """Held from ``acquire`` to ``release`` or the end of the process, however it ends; never judged by a pid.

    The lock belongs to the open file (an *open file description lock*): reading or copying the lock file in this
    process, as a backup of the folder does, does not end it. A forked child would hold it as well, and workers
    outlive a killed trainer, so they close the file at once; programs that are started close it by themselves. (A
    library that forks in C and starts no program keeps the folder locked as long as its child lives.) Where the system
    knows only POSIX locks (``fcntl.lockf``), it is one of these; the two exclude each other. What the file says (pid,
    host, start, command) is for people only, and means nothing while nobody holds the lock.
    """

    def __init__(self, path: Path, folder: Path, held: _Held, held_as: str) -> None:
        self.path = path
        self._folder = folder
        self._held = held
        self._held_as = held_as

    @classmethod
    def acquire(cls, path: Path, folder: Path | None = None) -> "FolderLock":
        """Take the lock whose file is ``path`` (made if missing, in an existing folder), without waiting.

        ``folder`` is the one that is locked, as the user knows it: that of the file unless told otherwise.
        Raises FolderLockedError naming the holder, and DiskError if the file cannot be opened. Where the file
        system knows no locks, says so in the log and goes on.
        """
        folder = folder or path.absolute().parent
        with _guard:
            held_as = os.path.realpath(path)
            if held_as in _held or _identity(path) in [held.identity for held in _held.values()]:
                raise FolderLockedError("folder_locked_here", path=folder)
            try:
                held = _open_and_lock(path, folder)
            except OSError as error:
                raise DiskError("disk_lock_failed", path=path, reason=error.strerror) from error
            _held[held_as] = held
        lock = cls(path, folder, held, held_as)
        lock._say_who()
        return lock

    def renew(self) -> None:
        """Make sure the lock is still held; cheap enough for every save.

        Who deleted the file while it was held has released the lock to other trainers, so it is made again; and a
        POSIX lock has ended with the first descriptor of its file that was closed in this process. Raises
        FolderLockedError if another trainer has taken it since, or if this is a forked child of the one that holds it.
        """
        if self._held.descriptor < 0 or _identity(self.path) != self._held.identity:
            self._make_again()
        if self._held.descriptor < 0:
            return
        try:
            _lock(self._held.descriptor)
        except OSError as error:
            if error.errno in _TAKEN:
                raise _locked(self._folder, self._held.descriptor) from error
            if error.errno not in _UNSUPPORTED:
                raise DiskError("disk_lock_failed", path=self.path, reason=error.strerror) from error

    def _make_again(self) -> None:
        with _guard:
            try:
                make_folder(self.path.parent)
                held = _open_and_lock(self.path, self._folder)
            except (OSError, DiskError, UsageError):
                return  # what keeps the file from being made will fail the save, which says so
            if self._held.descriptor >= 0:
                os.close(self._held.descriptor)
            self._held = _held[self._held_as] = held
        self._say_who()

    def release(self) -> None:
        """Release the lock. Idempotent; in a forked child it does nothing to anybody."""
        with _guard:
            if self._held.descriptor < 0:
                return
            os.close(self._held.descriptor)
            self._held.descriptor = -1
            _held.pop(self._held_as, None)

    def _say_who(self) -> None:
        who = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "started": time.strftime("%Y-%m-%d %H:%M:%S"),
            "command": shlex.join([Path(sys.executable or "python").name, *sys.argv]),
        }
        text = (json.dumps(who, ensure_ascii=False) + "\n").encode("utf-8", "replace")
        with contextlib.suppress(OSError):  # a full disk must not keep the lock from being held
            os.ftruncate(self._held.descriptor, 0)
            os.pwrite(self._held.descriptor, text, 0)


def _open_and_lock(path: Path, folder: Path) -> _Held:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            try:
                _lock(descriptor)
            except OSError as error:
                if error.errno in _TAKEN:
                    raise _locked(folder, descriptor) from error
                if error.errno not in _UNSUPPORTED:
                    raise
                _log.warning(messages.text("disk_lock_unsupported", path=folder))
            status = os.fstat(descriptor)
            if _identity(path) == (status.st_dev, status.st_ino):
                return _Held(descriptor, (status.st_dev, status.st_ino))
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # the file was replaced between open and lock: what is locked has no name any more


def _lock(descriptor: int) -> None:
    """Lock the open file, or make sure that it is locked. Raises OSError."""
    if sys.platform == "linux":
        try:
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _WHOLE_FILE)
            return
        except OSError as error:
            if error.errno not in _NO_SUCH_KIND:
                raise
    fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _locked(folder: Path, descriptor: int) -> FolderLockedError:
    said: object = {}
    for _ in range(_GLANCES):
        try:
            said = json.loads(os.pread(descriptor, 1 << 16, 0))
            break
        except OSError:
            break
        except ValueError:
            time.sleep(0.05)  # who has just taken the lock is about to say so
    who = {name: said.get(name, "?") if isinstance(said, dict) else "?" for name in ("pid", "host", "started")}
    return FolderLockedError("folder_locked", path=folder, **who)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
