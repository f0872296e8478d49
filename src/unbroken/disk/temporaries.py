"""Temporary files: files that are being written and have no name of their own yet.

Each is locked (POSIX) by its writer, and a lock goes with its process. So whether a writer still lives is
never guessed from a pid, which containers repeat and hosts on a shared disk do not share.
"""

import contextlib
import errno
import fcntl
import os
import re
import secrets
import stat
from pathlib import Path

from unbroken.errors import DiskError

_PATTERN = re.compile(r"\.(.+)\.\d+-[0-9a-f]{8}\.tmp", re.DOTALL)

# A POSIX lock never conflicts within its own process, and closing any descriptor of the file there ends it.
_being_written: set[Path] = set()


def create(path: Path) -> tuple[Path, int]:
    """A new file beside ``path``, locked, so that a cleaner in another process can tell it is in use."""
    while True:
        temporary = free_name(path)
        _being_written.add(temporary)
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(temporary, flags, 0o666)
        except BaseException:
            _being_written.discard(temporary)
            raise
        if _lock(descriptor) is not False and temporary.exists():
            return temporary, descriptor
        os.close(descriptor)  # a cleaner came between open and lock; it removes the file, we make another
        _being_written.discard(temporary)


def free_name(path: Path) -> Path:
    """A name beside ``path`` that nobody uses: hidden, and never mistaken for a checkpoint."""
    return path.absolute().with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")


def close(temporary: Path, descriptor: int) -> None:
    """Give the file up, once it has been renamed or removed."""
    _being_written.discard(temporary)
    os.close(descriptor)


def remove_temporaries(folder: Path, name: str | None = None) -> list[Path]:
    """Remove what dead writers left in ``folder``, of the file ``name`` or of any; returns what was removed.

    Only regular files with our pattern of a name, and only if nobody is writing them. In a checkpoint folder
    call it under the folder's lock: the second name that ``keep_previous_as`` makes in passing is not
    guarded. Never raises for a file that cannot be removed: it is in nobody's way.
    """
    removed = []
    try:
        # Names, not paths: of thousands of files few are looked at.
        names = sorted(name for name in os.listdir(folder) if name.startswith("."))  # noqa: PTH208
    except OSError as error:
        raise DiskError("disk_read_failed", path=folder, reason=error.strerror) from error
    for found in names:
        match = _PATTERN.fullmatch(found)
        if match is None or (name is not None and match[1] != name):
            continue
        path = folder / found
        if path.absolute() not in _being_written and _is_abandoned(path):
            with contextlib.suppress(OSError):
                path.unlink()
                removed.append(path)
    return removed


def _is_abandoned(path: Path) -> bool:
    """Whether ``path`` is a regular file that no living process writes; False where that cannot be known."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return stat.S_ISREG(os.fstat(descriptor).st_mode) and _lock(descriptor) is True
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool | None:
    """True: locked; False: another process has it; None: this file system knows no locks."""
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return False if error.errno in (errno.EACCES, errno.EAGAIN) else None
    return True
