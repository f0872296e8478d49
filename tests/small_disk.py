"""A disk that is small or read-only: a tmpfs of its own, mounted for as long as a test needs it."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import needs


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """Make ``folder`` a file system of its own, with mount options such as ``size=1m`` or ``ro``."""
    needs.require("mounts")
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        # Lazily: a test that failed may still hold a file of it open.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
