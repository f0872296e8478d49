"""Free space: how much there is, how to say it, and the question to ask before a large write."""

import shutil
from pathlib import Path

from unbroken.errors import DiskError


def free_bytes(folder: Path) -> int:
    """Bytes an ordinary user may still write in ``folder``; if it does not exist yet, where it would be
    made."""
    folder = folder.absolute()
    while True:
        try:
            return shutil.disk_usage(folder).free
        except (FileNotFoundError, NotADirectoryError) as error:
            if folder == folder.parent:
                raise DiskError("disk_space_unknown", path=folder, reason=error.strerror) from error
            folder = folder.parent
        except OSError as error:
            raise DiskError("disk_space_unknown", path=folder, reason=error.strerror) from error


def human(count: int) -> str:
    """A number of bytes as people read it, in powers of 1000: ``999 B``, ``1.2 GB``."""
    if count < 1000:
        return f"{count} B"
    size = float(count)
    for unit in ("kB", "MB", "GB", "TB"):
        size /= 1000
        if size < 999.95:  # what would be rounded to 1000.0 belongs to the next unit
            return f"{size:.1f} {unit}"
    return f"{size / 1000:.1f} PB"


def require_space(folder: Path, needed: int) -> None:
    """Raise DiskError, saying what is needed, what is free and where, unless ``needed`` bytes fit in
    ``folder``."""
    free = free_bytes(folder)
    if free < needed:
        raise DiskError("disk_space_short", path=folder, needed=human(needed), free=human(free))
