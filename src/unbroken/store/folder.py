"""The checkpoint folder: the one owner of the name of every file in it, and of moving things aside without a loss."""

import operator
import os
import re
from collections.abc import Sequence
from pathlib import Path

from unbroken.disk import durable
from unbroken.errors import DiskError, UnbrokenError, UsageError

_LATEST, _PREVIOUS, _BEST = (f"checkpoint_{which}.pth" for which in ("latest", "previous", "best"))
_NUMBERED = re.compile(r"checkpoint_(epoch|step)_(0|[1-9][0-9]*)\.pth")
_SET_ASIDE_NAME = re.compile(r"checkpoint_(latest|previous|best|(epoch|step)_[0-9]+)\.pth\..+")


class CheckpointFolder:
    """Names in one checkpoint folder. Only ``prepare`` and the moving methods touch the disk.

    ``written``: the path as the user wrote it, if ``path`` is another spelling of it; for messages.
    """

    def __init__(self, path: str | os.PathLike[str], written: str | os.PathLike[str] | None = None) -> None:
        self.path = Path(path)
        self._written = self.path if written is None else Path(written)
        self.latest = self.path / _LATEST
        self.previous = self.path / _PREVIOUS
        self.best = self.path / _BEST
        self.archive = self.path / "archive"
        self.internal = self.path / ".unbroken"
        self.manifests = self.internal / "manifests"
        self.marks = self.internal / "kept"
        self.lock_path = self.internal / "lock"
        self.journal = self.internal / "journal"
        self.run_json = self.internal / "run.json"
        self.index = self.internal / "index"
        self.verified = self.internal / "verified"
        self.saves = self.internal / "saves"

    def __repr__(self) -> str:
        return f"CheckpointFolder({str(self.path)!r})"

    def shown(self, path: Path) -> Path:
        """``path``, in this folder, as the user would write it; only as long as that still leads there."""
        try:
            if Path.cwd() / self._written != self.path:
                return path
            return self._written / path.relative_to(self.path)
        except (ValueError, FileNotFoundError):  # of another folder; or the working folder is gone
            return path

    def retold(self, error: UnbrokenError) -> None:
        """Have ``error`` name the paths in this folder as the user would write them."""
        error.values.update({k: self.shown(value) for k, value in error.values.items() if isinstance(value, Path)})

    def epoch(self, number: int) -> Path:
        """The file of the state after ``number`` completed epochs."""
        return self.path / f"checkpoint_epoch_{number}.pth"

    def step(self, number: int) -> Path:
        """The file of the state after ``number`` steps."""
        return self.path / f"checkpoint_step_{number}.pth"

    def manifest(self, name: str) -> Path:
        """The manifest of the checkpoint file called ``name``."""
        return self.manifests / f"{name}.json"

    def kept(self) -> set[str]:
        """Names of the checkpoints marked to be kept for ever: no retention policy deletes these."""
        return {path.name for path in _regular_files(self.marks) if not path.name.startswith(".")}

    def mark(self, name: str) -> None:
        """Mark the checkpoint ``name`` to be kept for ever. Each mark is a file of its own, so nobody's is lost."""
        durable.make_folder(self.marks)
        if name not in self.kept():
            durable.write_durably(self.marks / name, lambda file: None)

    def unmark(self, name: str) -> None:
        """Take the mark away; without one it does nothing."""
        durable.remove_durably(self.marks / name)

    def checkpoints(self) -> list[Path]:
        """Every ``.pth`` directly inside that is a regular file or a link, by name. None if there is no folder.

        A link is listed wherever it leads: who opens it follows it within the folder, or refuses it by name.
        Raises UsageError if the path is not a folder, DiskError if it cannot be read.
        """
        self._require_place()
        return [self.path / entry.name for entry in _scan(self.path) if _is_checkpoint(entry)]

    def statuses(self) -> list[tuple[str, os.stat_result]]:
        """The name of each of ``checkpoints``, by name, and the status of the file or link itself."""
        self._require_place()
        found = []
        for entry in _scan(self.path):
            if _is_checkpoint(entry):
                try:
                    found.append((entry.name, entry.stat(follow_symlinks=False)))
                except FileNotFoundError:  # removed since the folder was read
                    continue
        return found

    def linked_to(self) -> set[str]:
        """Names of the files that links in this folder lead to: each is a checkpoint under the link's name, too."""
        links = [Path(entry.path) for entry in _scan(self.path) if entry.is_symlink() and _is_checkpoint(entry)]
        return {path.resolve().name for path in links if path.exists()}

    def prepare(self) -> bool:
        """Make the folder and what belongs in it, and make sure that it can be written to; whether it was missing.

        Raises UsageError if a file is in the way, DiskError if the file system refuses.
        """
        self._require_place()
        missing = not self.manifests.is_dir()
        durable.make_folder(self.manifests)
        for folder in (self.path, self.internal, self.manifests):
            if not os.access(folder, os.W_OK | os.X_OK):
                raise DiskError("store_folder_unwritable", path=folder, reason="permission denied")
        return missing

    def interrupted(self) -> list[Path]:
        """Old newest states that a save was killed over while it gave them the name ``previous``."""
        pattern = f".{self.previous.name}."
        return [path for path in _regular_files(self.path, pattern) if path.name.endswith(".tmp")]

    def remove_litter(self) -> None:
        """Remove what dead writers left behind, and manifests and marks without a file. Only under the lock."""
        for folder in (self.path, self.internal, self.manifests, self.marks):
            if folder.is_dir():
                durable.remove_temporaries(folder)
        manifests = {entry.name for entry in _scan(self.manifests) if entry.is_file(follow_symlinks=False)}
        for name in sorted(manifests - {f"{entry.name}.json" for entry in _scan(self.path)}):
            if name.endswith(".json"):
                durable.remove_durably(self.manifests / name)
        for name in self.kept():
            if not os.path.lexists(self.path / name):
                self.unmark(name)

    def spare(self, path: Path) -> Path:
        """``path``, or a name like it that nothing has. Only under the lock."""
        return _free(path)

    def set_aside(self, path: Path, label: str) -> Path:
        """Rename ``path``, beside itself, to a name that is no checkpoint's; returns the new path. Never overwrites."""
        target = _free(path.with_name(f"{path.name}.{_clean(label)}"))
        durable.move_durably(path, target)
        return target

    def new_archive(self, label: str) -> "CheckpointFolder":
        """A free folder under ``archive/``, itself a checkpoint folder: it can be listed and resumed from."""
        durable.make_folder(self.archive)
        inner = CheckpointFolder(_free(self.archive / _clean(label)))
        durable.make_folder(inner.manifests)
        return inner

    def move_into(self, destination: "CheckpointFolder", path: Path) -> Path:
        """Move a checkpoint and its manifest into another checkpoint folder; returns the new path.

        The file goes first. Killed in between, the manifest left behind describes nothing and is ignored, and
        the one missing is rebuilt from the file.
        """
        target = _free(destination.path / path.name)
        _move(path, target)
        manifest = self.manifest(path.name)
        if os.path.lexists(manifest) and not os.path.lexists(destination.manifest(target.name)):
            durable.move_durably(manifest, destination.manifest(target.name))
        if path.name in self.kept():
            destination.mark(target.name)
            self.unmark(path.name)
        return target

    def move_run(self, label: str, oldest_first: Sequence[Path]) -> Path:
        """Move the run in this folder to a free folder under ``archive/``, by renaming; returns that folder.

        ``oldest_first`` are its checkpoints; the newest goes last, so that wherever this is cut short, either
        the newest state is still here or every state is in the archive. ``run.json`` is copied first and
        removed last: at every moment both folders know which run they hold.
        """
        inner = self.new_archive(label)
        if self.run_json.is_file():
            durable.copy_durably(self.run_json, inner.run_json)
        for path in self.set_aside_files():
            durable.move_durably(path, _free(inner.path / path.name))
        for path in oldest_first:
            self.move_into(inner, path)
        for path in self._internal_files():
            durable.move_durably(path, _free(inner.internal / path.relative_to(self.internal)))
        durable.remove_durably(self.run_json)
        return inner.path

    def set_aside_files(self) -> list[Path]:
        """Files that ``set_aside`` renamed."""
        return [path for path in _regular_files(self.path) if _SET_ASIDE_NAME.fullmatch(path.name)]

    def _internal_files(self) -> list[Path]:
        """What else belongs to the run: journals and manifests, but neither the lock nor the run's record."""
        kept = {self.lock_path, self.run_json}
        return [
            path
            for folder in (self.manifests, self.marks, self.internal)
            for path in _regular_files(folder)
            if path not in kept and not path.name.endswith(".tmp")
        ]

    def _require_place(self) -> None:
        """A folder on a disk that is not mounted is no new folder: it may hold the run."""
        if self.path.is_symlink() and not self.path.exists():
            raise UsageError("store_folder_link", path=self.path, target=self.path.readlink())


def is_own_name(name: str) -> bool:
    """Whether ``name`` is one this library gives to checkpoints."""
    return name in _RANK or is_numbered(name)


def is_numbered(name: str) -> bool:
    """Whether ``name`` is that of the state after some epoch or step, which no later save replaces."""
    return _NUMBERED.fullmatch(name) is not None


def number_of(name: str) -> tuple[str, int] | None:
    """Of a numbered checkpoint what is counted, ``"epoch"`` or ``"step"``, and the number in its name."""
    found = _NUMBERED.fullmatch(name)
    return None if found is None else (found[1], int(found[2]))


def name_rank(name: str) -> int:
    """Which of several names of equal states is named first: latest, previous, numbered, best, others."""
    return 2 if is_numbered(name) else _RANK.get(name, 4)


_RANK = {_LATEST: 0, _PREVIOUS: 1, _BEST: 3}


def _free(path: Path) -> Path:
    """``path``, or the first of ``path-2``, ``path-3``, … that nothing has. Safe under the folder's lock."""
    if not os.path.lexists(path):
        return path
    number = 2
    while True:
        ending = path.suffix if path.suffix == ".pth" else ""
        candidate = path.with_name(f"{path.name.removesuffix(ending)}-{number}{ending}")
        if not os.path.lexists(candidate):
            return candidate
        number += 1


def _clean(label: str) -> str:
    """``label`` as part of a file name."""
    return re.sub(r"[^\w.+-]+", "-", label).strip("-.") or "run"


def _move(path: Path, target: Path) -> None:
    """Rename ``path``; a link is made anew where it would lead elsewhere from its new place."""
    if path.is_symlink() and (leads_to := path.readlink()).parent != Path():
        target.symlink_to(Path(os.path.realpath(path.parent)) / leads_to)
        durable.remove_durably(path)
    else:
        durable.move_durably(path, target)


def _is_checkpoint(entry: os.DirEntry[str]) -> bool:
    name = entry.name
    if not name.endswith(".pth") or name == ".pth":
        return False
    return entry.is_file(follow_symlinks=False) or entry.is_symlink()


def _regular_files(folder: Path, start: str = "") -> list[Path]:
    """Those whose names begin with ``start``, by name."""
    entries = _scan(folder)
    return [Path(e.path) for e in entries if e.name.startswith(start) and e.is_file(follow_symlinks=False)]


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    """What is in ``folder``, by name; nothing if there is none."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=operator.attrgetter("name"))
    except FileNotFoundError:
        return []
    except NotADirectoryError as error:
        raise UsageError("store_not_a_folder", path=folder) from error
    except OSError as error:
        raise DiskError("store_folder_unreadable", path=folder, reason=error.strerror) from error
