"""The lock that lets one trainer at a time write to a checkpoint folder."""

import contextlib
import errno
import fcntl
import json
import logging
import os
import shlex
import socket
import sys
import threading
import time
from pathlib import Path

from unbroken import messages
from unbroken.disk.durable import make_folder
from unbroken.errors import DiskError, FolderLockedError, UsageError

_GLANCES = 20
_UNSUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}

_log = logging.getLogger("unbroken")

# A POSIX lock never conflicts within its own process, so that question is answered here.
_held: dict[str, tuple[int, int]] = {}
_guard = threading.Lock()


def _forget_in_child() -> None:
    global _guard
    _guard = threading.Lock()  # another thread of the parent may have held it at the fork
    _held.clear()  # a child inherits no POSIX lock


os.register_at_fork(after_in_child=_forget_in_child)


class FolderLock:
    """Held from ``acquire`` to ``release`` or the end of the process, however it ends; never judged by a pid.

    The lock is POSIX (``fcntl.lockf``): a forked child does not hold it, so workers that outlive a killed
    trainer do not keep its folder closed, as they would with ``flock``. Its fine print: it goes when *any*
    descriptor of the file is closed by the process. So the file is opened once, here, and nobody else may
    open it. What the file says (pid, host, start, command) is for people only, and means nothing while nobody
    holds the lock.
    """

    def __init__(self, path: Path, folder: Path, descriptor: int, held_as: str) -> None:
        self.path = path
        self._folder = folder
        self._descriptor = descriptor
        self._held_as = held_as
        self._owner = os.getpid()

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
            if held_as in _held or _identity(path) in _held.values():
                raise FolderLockedError("folder_locked_here", path=folder)
            try:
                descriptor = _open_and_lock(path, folder)
            except OSError as error:
                raise DiskError("disk_lock_failed", path=path, reason=error.strerror) from error
            status = os.fstat(descriptor)
            _held[held_as] = (status.st_dev, status.st_ino)
        lock = cls(path, folder, descriptor, held_as)
        lock._say_who()
        return lock

    def renew(self) -> None:
        """Make sure the lock is still held; cheap enough for every save.

        Code in this process that merely opened and closed the lock file, as a backup of the folder does,
        has ended it; and who deleted the file while it was held has left the folder open to other trainers, so
        it is made again. Raises FolderLockedError if another trainer has taken it since.
        """
        if _identity(self.path) != _held.get(self._held_as):
            self._make_again()
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                raise _locked(self._folder, self._descriptor) from error
            if error.errno not in _UNSUPPORTED:
                raise DiskError("disk_lock_failed", path=self.path, reason=error.strerror) from error

    def _make_again(self) -> None:
        with _guard:
            try:
                make_folder(self.path.parent)
                descriptor = _open_and_lock(self.path, self._folder)
            except (OSError, DiskError, UsageError):
                return  # what keeps the file from being made will fail the save, which says so
            os.close(self._descriptor)
            self._descriptor = descriptor
            status = os.fstat(descriptor)
            _held[self._held_as] = (status.st_dev, status.st_ino)
        self._say_who()

    def release(self) -> None:
        """Give the lock back; again, or in a forked child, it does nothing to anybody."""
        with _guard:
            if self._descriptor < 0:
                return
            os.close(self._descriptor)
            self._descriptor = -1
            if self._owner == os.getpid():
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
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, text, 0)


def _open_and_lock(path: Path, folder: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno in (errno.EACCES, errno.EAGAIN):
                    raise _locked(folder, descriptor) from error
                if error.errno not in _UNSUPPORTED:
                    raise
                _log.warning(messages.text("disk_lock_unsupported", path=folder))
            status = os.fstat(descriptor)
            if _identity(path) == (status.st_dev, status.st_ino):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # the file was replaced between open and lock: what is locked has no name any more


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
