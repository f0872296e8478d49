"""Free space: how much there is, how to say it, and the question to ask before a large write."""

import re
import shutil
from pathlib import Path

from unbroken.errors import DiskError, UsageError

_MOST_BYTES = 2**63


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


def parse_size(text: str | int) -> int:
    """Bytes from a number of them or from text such as ``20GB``, ``1.5 TB``, ``512MiB``. Raises UsageError."""
    if isinstance(text, int) and not isinstance(text, bool) and text > 0:
        return text
    match = (
        re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgtp]?)(i?)b?\s*", text, re.IGNORECASE)
        if isinstance(text, str)
        else None
    )
    size = 0.0
    if match:
        size = float(match[1]) * (1024 if match[3] else 1000) ** " kmgtp".index(match[2].lower() or " ")
    if not 1 <= size < _MOST_BYTES:
        raise UsageError("bad_size", value=text)
    return int(size)


def require_space(folder: Path, needed: int) -> None:
    """Raise DiskError, saying what is needed, what is free and where, unless ``needed`` bytes fit in
    ``folder``."""
    free = free_bytes(folder)
    if free < needed:
        raise DiskError("disk_space_short", path=folder, needed=human(needed), free=human(free))
