"""Copies: the working folder once per run, so that nothing a run does reaches the user's own files.

- What is small is copied for every run. Files above 16 MiB are copied once, made read-only, and every run has a link
  to that one copy: a script that writes into such a file in place fails here, and has touched nothing of the user's.
- Left out: checkpoint folders (those the user names, and any that this library wrote), the files named as results,
  ``.git`` and compiled Python. Every run must start from the beginning.
- A virtual environment, and what a symbolic link in the folder leads to elsewhere, is not copied but linked to: it is
  read, and it could be written, where it is. So could any absolute path outside the folder that a script spells out.
"""

import os
import shutil
import stat
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from unbroken.disk.space import human, require_space
from unbroken.errors import DiskError, UsageError

_LARGE = 16 << 20
_MOST_FILES = 20_000
_MOST_BYTES = 2 << 30  # of what every run gets a copy of
_LEFT_OUT = frozenset({".git", "__pycache__"})
_OWN = ".unbroken"  # a folder that holds one is a checkpoint folder
_ENVIRONMENT = "pyvenv.cfg"


@dataclass
class _Contents:
    """What is to be copied, by path relative to the folder."""

    folders: list[Path] = field(default_factory=list)
    small: list[Path] = field(default_factory=list)
    large: list[Path] = field(default_factory=list)
    links: dict[Path, str] = field(default_factory=dict)
    small_bytes: int = 0


class Copies:
    """Copies of ``source`` under ``scratch``, without the paths in ``left_out`` (relative to it).

    Raises:
        UsageError: there is so much in the folder that it can't be meant.
        DiskError: a file can't be read, or there is no space for the copies.
    """

    def __init__(self, source: Path, scratch: Path, left_out: AbstractSet[Path]) -> None:
        self._source = source
        self._scratch = scratch
        self._left_out = left_out
        self._contents = _Contents()
        self._survey(Path())
        self._shared: dict[Path, os.stat_result] = {}
        self._share_large_files()

    def make(self, folder: Path) -> None:
        """A copy as ``folder``, which must not exist. Raises UsageError if a run has changed a file of all runs."""
        self._check_shared()
        with _saying(folder):
            folder.mkdir(parents=True)
            for path in self._contents.folders:
                (folder / path).mkdir()
            for path in self._contents.small:
                shutil.copy2(self._source / path, folder / path)
            for path in self._contents.large:
                (folder / path).symlink_to(self._common(path))
            for path, target in self._contents.links.items():
                (folder / path).symlink_to(target)

    def _survey(self, folder: Path) -> None:
        found = self._contents
        with _saying(self._source / folder), os.scandir(self._source / folder) as entries:
            children = sorted(entries, key=lambda entry: entry.name)
        for entry in children:
            path = folder / entry.name
            if entry.name in _LEFT_OUT or path in self._left_out:
                continue
            if entry.is_symlink():
                self._add_link(path)
            elif entry.is_dir():
                self._add_folder(path)
            elif entry.is_file():
                size = entry.stat().st_size
                (found.large if size > _LARGE else found.small).append(path)
                found.small_bytes += 0 if size > _LARGE else size
            self._refuse_too_much()

    def _add_folder(self, path: Path) -> None:
        here = self._source / path
        if (here / _OWN).is_dir():
            return
        if (here / _ENVIRONMENT).is_file():
            self._contents.links[path] = str(here)
            return
        self._contents.folders.append(path)
        self._survey(path)

    def _add_link(self, path: Path) -> None:
        here = self._source / path
        if (here / _OWN).is_dir():
            return
        target = os.path.realpath(here)
        inside = Path(target).is_relative_to(os.path.realpath(self._source))
        self._contents.links[path] = os.path.relpath(target, os.path.realpath(here.parent)) if inside else target

    def _refuse_too_much(self) -> None:
        found = self._contents
        count = len(found.small) + len(found.folders)
        if count > _MOST_FILES or found.small_bytes > _MOST_BYTES:
            raise UsageError("audit_folder_large", path=self._source, count=count, size=human(found.small_bytes))

    def _share_large_files(self) -> None:
        large = self._contents.large
        with _saying(self._source):
            sizes = sum((self._source / path).stat().st_size for path in large)
        require_space(self._scratch, sizes + 2 * self._contents.small_bytes)
        for path in large:
            common = self._common(path)
            with _saying(self._source / path):
                common.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(self._source / path, common)
                common.chmod(stat.S_IRUSR | stat.S_IRGRP)
            self._shared[path] = common.stat()

    def _common(self, path: Path) -> Path:
        return self._scratch / "common" / path

    def _check_shared(self) -> None:
        for path, before in self._shared.items():
            now = self._common(path).stat()
            if (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
                raise UsageError("audit_shared_changed", path=path)


@contextmanager
def _saying(path: Path) -> Iterator[None]:
    """Turn an OSError into a DiskError that names the path."""
    try:
        yield
    except OSError as error:
        raise DiskError("audit_copy_failed", path=error.filename or path, reason=error.strerror or error) from error
