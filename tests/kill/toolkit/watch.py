"""Tells of every file that appears, is renamed into place or disappears under a folder, as it happens (inotify)."""

import ctypes
import os
import struct
from pathlib import Path
from typing import Self

_CREATED, _DELETED, _MOVED_TO = 0x100, 0x200, 0x80
_IS_FOLDER = 0x40000000
_VERBS = {_CREATED: "create", _MOVED_TO: "rename", _DELETED: "delete"}
_HEADER = struct.Struct("iIII")


class FolderWatch:
    """``take`` gives lines like ``create checkpoints/.checkpoint_latest.pth.17-00c0ffee.tmp``, without waiting."""

    def __init__(self, root: Path) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor: int = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.descriptor < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self._root = root
        self._folders: dict[int, Path] = {}
        self._watch(root)

    def take(self) -> list[str]:
        try:
            raw = os.read(self.descriptor, 1 << 16)
        except BlockingIOError:
            return []
        lines = []
        while raw:
            watched, mask, _, length = _HEADER.unpack_from(raw)
            name = raw[_HEADER.size : _HEADER.size + length].rstrip(b"\0").decode()
            raw = raw[_HEADER.size + length :]
            verb = next((text for bit, text in _VERBS.items() if mask & bit), None)
            if verb is None:
                continue
            path = self._folders[watched] / name
            lines.append(f"{verb} {path.relative_to(self._root)}")
            if mask & _IS_FOLDER and mask & (_CREATED | _MOVED_TO):
                lines.extend(self._watch(path))
        return lines

    def close(self) -> None:
        os.close(self.descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _watch(self, folder: Path) -> list[str]:
        """Watch ``folder`` and all below it; what was made there before the watch stood counts as made now."""
        watched = self._libc.inotify_add_watch(self.descriptor, os.fsencode(folder), _CREATED | _DELETED | _MOVED_TO)
        if watched < 0:
            return []  # gone again already
        self._folders[watched] = folder
        lines = []
        for path in sorted(folder.iterdir()):
            lines.append(f"create {path.relative_to(self._root)}")
            if path.is_dir():
                lines.extend(self._watch(path))
        return lines
