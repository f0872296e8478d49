"""The mount a folder lies on: what kind of file system it is, and what it does when asked, tried out."""

import contextlib
import fcntl
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from unbroken.disk import durable, temporaries

_NETWORK = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs"}
_NETWORK |= {"ceph", "lustre", "gpfs", "beegfs", "glusterfs", "pvfs2"}
_MEMORY = {"tmpfs", "ramfs", "devtmpfs"}


@dataclass(frozen=True)
class Mount:
    """Where a file system is mounted and of what kind it is; ``""`` where the system does not say."""

    point: str
    kind: str

    @property
    def network(self) -> bool:
        """Whether other machines may have it mounted too. FUSE is anything, so it counts."""
        return self.kind in _NETWORK or self.kind.split(".")[0] == "fuse"

    @property
    def memory(self) -> bool:
        """Whether all is gone with the power, synced or not."""
        return self.kind in _MEMORY


@dataclass(frozen=True)
class Promises:
    """What the file system did when it was asked to.

    ``folder_sync``: names can be made durable. ``replaces``: a rename replaces a file. ``links``, ``clones``,
    ``locks``: a second name for a file, a second file that shares its blocks, a record lock.
    """

    folder_sync: bool
    replaces: bool
    links: bool
    clones: bool
    locks: bool


def mount_of(folder: Path) -> Mount:
    """The mount that ``folder`` lies on: of those that hold its real path, the innermost, and of these the last."""
    place = os.path.realpath(folder)
    best = Mount("", "")
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return best
    for line in lines:
        before, _, after = line.partition(" - ")
        point = re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), before.split()[4])
        if os.path.commonpath([place, point]) == point and len(point) >= len(best.point):
            best = Mount(point, after.split()[0])
    return best


def try_out(folder: Path) -> Promises:
    """Try it out with two small temporary files in ``folder``, which are gone afterwards.

    Raises OSError where nothing can be written.
    """
    first, descriptor = temporaries.create(folder / "trial")
    second, other = temporaries.create(folder / "trial")
    link = temporaries.free_name(folder / "trial")
    try:
        os.write(descriptor, b"first")
        os.fsync(descriptor)
        links = _works(lambda: os.link(first, link))
        clones = durable.clone(descriptor, other)
        os.ftruncate(other, 0)
        second.replace(first)
        return Promises(
            folder_sync=durable.sync_names(folder),
            replaces=first.stat().st_size == 0 and not second.exists(),
            links=links,
            clones=clones,
            locks=_works(lambda: fcntl.lockf(other, fcntl.LOCK_EX | fcntl.LOCK_NB)),
        )
    finally:
        for path in (first, second, link):
            with contextlib.suppress(OSError):
                path.unlink()
        temporaries.close(first, descriptor)
        temporaries.close(second, other)


def _works(step: Callable[[], object]) -> bool:
    try:
        step()
    except OSError:
        return False
    return True
