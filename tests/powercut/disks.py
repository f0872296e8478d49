"""The disk states that a power cut may leave, by what POSIX and a journalling file system promise.

A file's content is safe when it was synced; until then any part of what was written since may be there. A change of a
folder (a name made, moved, removed) is safe when the folder was synced; until then a file system that journals its
metadata keeps the changes up to some point, and a strict reading of POSIX any subset of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

from tests.powercut.record import Operation

Tree = dict[str, int]  # path -> inode

_ALL_SUBSETS = 7


@dataclass
class _Inode:
    synced: bytes = b""
    written: bytes = b""

    def variants(self) -> list[bytes]:
        """What may be on the disk of it: as synced, torn in the middle, zeros where data should be, as written."""
        if self.synced == self.written:
            return [self.synced]
        half, nothing = self.written[: len(self.written) // 2], bytes(len(self.written))
        torn = half + nothing[len(half) :]
        return list(dict.fromkeys([self.synced, half, nothing, torn, self.written]))


@dataclass
class Disk:
    """A folder as the running process sees it, and what of it is safe. ``said`` is the last step reported saved."""

    names: Tree = field(default_factory=dict)
    safe_names: Tree = field(default_factory=dict)
    folders: set[str] = field(default_factory=lambda: {"."})
    pending: list[Operation] = field(default_factory=list)
    inodes: list[_Inode] = field(default_factory=list)
    said: int = -1

    def apply(self, operation: Operation) -> None:
        kind, path = operation.kind, operation.path
        if kind == "said":
            self.said = int(operation.data.split()[-1])
        elif kind == "create":
            if path not in self.names:
                self.inodes.append(_Inode())
                self.pending.append(replace(operation, offset=len(self.inodes) - 1))
                self.names[path] = len(self.inodes) - 1
        elif kind == "write":
            inode = self._inode(path)
            at = len(inode.written) if operation.offset < 0 else operation.offset
            padded = inode.written.ljust(at, b"\0")
            inode.written = padded[:at] + operation.data + padded[at + len(operation.data) :]
        elif kind == "truncate":
            inode = self._inode(path)
            inode.written = inode.written[: operation.offset].ljust(operation.offset, b"\0")
        elif kind == "sync":
            inode = self._inode(path)
            inode.synced = inode.written
        elif kind == "sync_folder":
            self._sync_folder(path)
        elif kind in ("mkdir", "rmdir"):
            # An empty folder more or less changes no answer: folders are taken to be there.
            self.folders.add(path)
        else:
            self.pending.append(operation)
            _change(self.names, operation, self.names.get(path, -1))

    def _inode(self, path: str) -> _Inode:
        return self.inodes[self.names[path]]

    def _sync_folder(self, folder: str) -> None:
        """Its entries are safe, and so is what led to them: a rename within it or out of it as well."""
        kept = []
        for operation in self.pending:
            if folder in (_parent(operation.path), _parent(operation.target) if operation.target else ""):
                _change(self.safe_names, operation, self._source(operation))
            else:
                kept.append(operation)
        self.pending = kept

    def _source(self, operation: Operation) -> int:
        return operation.offset if operation.kind == "create" else self.safe_names.get(operation.path, -1)

    def after_power_cut(self, *, strict: bool) -> Iterator[dict[str, bytes]]:
        """Every content of the folder that a cut at this moment may leave, by file."""
        for subset in _subsets(self.pending, strict=strict):
            names = dict(self.safe_names)
            for operation in subset:
                source = operation.offset if operation.kind == "create" else names.get(operation.path, -1)
                if operation.kind == "create" or source >= 0:
                    _change(names, operation, source)
            unsure = [path for path, inode in names.items() if len(self.inodes[inode].variants()) > 1]
            base = {path: self.inodes[inode].written for path, inode in names.items()}
            yield base
            for path in unsure:
                for variant in self.inodes[names[path]].variants():
                    yield {**base, path: variant}
            yield {path: self.inodes[inode].synced for path, inode in names.items()}


def _change(names: Tree, operation: Operation, source: int) -> None:
    if operation.kind == "create":
        names[operation.path] = source
    elif operation.kind == "unlink":
        names.pop(operation.path, None)
    elif operation.kind == "link" and source >= 0:
        names[operation.target] = source
    elif operation.kind == "rename" and source >= 0:
        names.pop(operation.path, None)
        if operation.target:
            names[operation.target] = source


def _subsets(pending: Sequence[Operation], *, strict: bool) -> Iterator[Sequence[Operation]]:
    for length in range(len(pending) + 1):
        yield pending[:length]
    if not strict:
        return
    if len(pending) <= _ALL_SUBSETS:
        for length in range(1, len(pending)):
            yield from combinations(pending, length)
    else:
        for left_out in range(len(pending)):
            yield [*pending[:left_out], *pending[left_out + 1 :]]


def _parent(path: str) -> str:
    return path.rsplit("/", 1)[0] if "/" in path else "."
