"""Opens: which files the processes of a script have opened for reading, as far as that can be seen from outside.

Two ways, each by public means, and each blind somewhere: an audit hook in every Python process (not where Python is
told to ignore its environment, and not for files that a library opens by itself), and the time of last access (not on
a mount that keeps none).
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_HOOK = Path(__file__).with_name("hook")
_TARGET = "UNBROKEN_AUDIT_OPENS"
_LONG_AGO = 10**18  # 2001: older than the file, so that a read renews it under relatime, too


@dataclass(frozen=True)
class Opened:
    """``inside``: what was opened for reading, relative to the folder. ``outside``: what was looked for elsewhere.

    ``seen``: whether the processes could be watched at all.
    """

    inside: frozenset[str] = frozenset()
    outside: tuple[str, ...] = ()
    seen: bool = False


def environment(before: Mapping[str, str], target: Path) -> dict[str, str]:
    """What to start a process with, so that it and its children report into the file ``target``."""
    paths = [str(_HOOK), *filter(None, [before.get("PYTHONPATH")])]
    return {**before, "PYTHONPATH": os.pathsep.join(paths), _TARGET: str(target)}


def reported(target: Path) -> Opened:
    """What was written into ``target``."""
    try:
        records = target.read_bytes().split(b"\0")
    except FileNotFoundError:
        return Opened()
    texts = [os.fsdecode(record) for record in records]
    return Opened(
        frozenset(text[1:] for text in texts if text[:1] == "="),
        tuple(dict.fromkeys(text[1:] for text in texts if text[:1] == "!")),
        seen="+" in texts,
    )


@dataclass
class Accesses:
    """Watches some files of ``root`` for a read, by their time of last access. It is set back first."""

    root: Path
    read: set[str] = field(default_factory=set)
    _unread: dict[str, int] = field(default_factory=dict)

    def begin(self, paths: Iterable[str]) -> None:
        for path in paths:
            whole = self.root / path
            try:
                about = whole.stat()
                os.utime(whole, ns=(_LONG_AGO, about.st_mtime_ns))
            except OSError:
                continue  # gone, or not ours to touch: the other way may see it
            self._unread[path] = about.st_ino

    def look(self) -> None:
        """Note which of them have been read; of one that is replaced nothing more is known."""
        for path, inode in list(self._unread.items()):
            try:
                about = (self.root / path).stat()
            except OSError:
                continue
            if about.st_ino != inode:
                del self._unread[path]
            elif about.st_atime_ns != _LONG_AGO:
                self.read.add(path)
                del self._unread[path]


def accesses_are_kept(folder: Path) -> bool:
    """Whether the file system of ``folder`` notes when a file is read."""
    probe = folder / "probe"
    probe.write_bytes(b"x")
    watched = Accesses(folder)
    watched.begin(["probe"])
    probe.read_bytes()
    watched.look()
    probe.unlink()
    return bool(watched.read)
