"""Checkpoints as people see them: each file of a folder with its progress and its state, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from unbroken.errors import CheckpointDamagedError, DiskError, GuardError, NothingToResumeError, UnbrokenError
from unbroken.messages import text
from unbroken.store import lineage, torchfile
from unbroken.store import manifest as manifests
from unbroken.store import payload as keys
from unbroken.store.ancestry import newest_first
from unbroken.store.folder import CheckpointFolder
from unbroken.store.manifest import Manifest
from unbroken.store.payload import Progress
from unbroken.store.record import read_run_record


class State(Enum):
    """What is known of a file."""

    GOOD = "good"
    UNVERIFIED = "unverified"
    DAMAGED = "damaged"
    FOREIGN = "foreign"

    @property
    def label(self) -> str:
        return text(_LABELS[self])

    @property
    def style(self) -> str:
        return {"good": "", "unverified": "yellow", "damaged": "bold red", "foreign": "dim"}[self.value]


_LABELS = {
    State.GOOD: "cli_state_good",
    State.UNVERIFIED: "cli_state_unverified",
    State.DAMAGED: "cli_state_damaged",
    State.FOREIGN: "cli_state_foreign",
}


@dataclass(frozen=True)
class Entry:
    """One file. ``manifest`` is what it holds; of a damaged one what its manifest says it held, if there is one."""

    path: Path
    size: int
    state: State
    manifest: Manifest | None
    reason: str = ""
    unread: bool = False
    """Not damaged by what is in it: the disk did not give it."""

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def progress(self) -> Progress | None:
        return self.manifest.progress if self.manifest else None

    @property
    def run_id(self) -> str | None:
        return self.manifest.progress.run_id if self.manifest else None

    def as_json(self) -> dict[str, object]:
        """The entry as every command spells it in JSON."""
        known: dict[str, object] = {}
        if self.manifest is not None:
            info, progress = self.manifest, self.manifest.progress
            known = {
                **{key: getattr(progress, key) for key in ("run_id", "branch", "epoch", "batch", "batches", "step")},
                "saved_on": progress.reason,
                "finished": progress.finished,
                "timestamp": info.timestamp,
                "metrics": info.metrics,
                "best": {"value": info.best_corr, "epoch": info.best_epoch} if info.best_epoch else None,
                "digest": info.digest or None,
            }
        return {
            "file": self.name,
            "path": str(self.path),
            "state": self.state.value,
            "reason": self.reason or None,
            "size": self.size,
            **known,
        }


def glance(folder: CheckpointFolder, path: Path) -> Entry | None:
    """What ``path`` is, without reading its tensors; None if it is gone.

    Good means: as its manifest sealed it, by size and time.
    """
    try:
        info = manifests.describe(folder, path)
    except NothingToResumeError:
        return None
    except (CheckpointDamagedError, DiskError) as error:
        try:
            return _unusable(folder, path, path.stat(follow_symlinks=False).st_size, error)
        except FileNotFoundError:
            return None
    return Entry(path, info.size, State.GOOD if info.digest else State.UNVERIFIED, info)


def examine(folder: CheckpointFolder, path: Path) -> Entry:
    """What ``path`` is, every byte of it read and checked. Raises NothingToResumeError if it is gone."""
    known = manifests.read(folder, path.name)
    try:
        size = path.stat().st_size
    except OSError:  # what is wrong with it is told by reading it
        size = 0
    try:
        torchfile.verify(path, known.digest if known else "")
        payload = torchfile.read_metadata(path)
        keys.check_contract(payload, path)
        info = manifests.of_payload(payload, path)
    except (CheckpointDamagedError, DiskError) as error:
        return _unusable(folder, path, size, error)
    return Entry(path, size, State.GOOD, info)


def look_into(folder: CheckpointFolder) -> list[Entry]:
    """Every checkpoint file of ``folder`` at a glance, newest first."""
    entries = [glance(folder, path) for path in folder.checkpoints()]
    return sort_newest_first(folder, [entry for entry in entries if entry is not None])


def sort_newest_first(folder: CheckpointFolder, entries: Sequence[Entry]) -> list[Entry]:
    """By lineage and progress within each run; the folder's own run first, files that tell nothing last."""
    record = read_run_record(folder)
    current = record.run_id if record else None
    runs: dict[str | None, list[Manifest]] = {}
    for entry in entries:
        if entry.manifest is not None:
            runs.setdefault(entry.run_id, []).append(entry.manifest)
    ordered = sorted(
        runs.values(),
        key=lambda infos: (infos[0].progress.run_id == current, max(info.timestamp for info in infos)),
        reverse=True,
    )
    by_name = {entry.name: entry for entry in entries}
    told = [by_name[info.name] for infos in ordered for info in newest_first(infos)]
    return [*told, *(entry for entry in entries if entry.manifest is None)]


def archived_runs(folder: CheckpointFolder) -> list[CheckpointFolder]:
    """The runs moved aside under ``archive/`` that hold checkpoints, each a checkpoint folder itself."""
    try:
        inner = sorted(path for path in folder.archive.iterdir() if path.is_dir() and not path.is_symlink())
    except OSError:
        return []
    return [run for run in map(CheckpointFolder, inner) if run.checkpoints()]


def epoch_text(progress: Progress) -> str:
    """How many are done; ``-`` in a loop without epochs."""
    return "-" if progress.counts_steps_alone else str(progress.epoch)


def batch_text(progress: Progress) -> str:
    """``412/980``: batches done of the epoch after ``progress.epoch``; ``-`` at its end and without epochs."""
    if not progress.batch or progress.counts_steps_alone:
        return "-"
    return f"{progress.batch}/{'?' if progress.batches is None else progress.batches}"


def best_text(info: Manifest) -> str:
    """``0.734512 (12)``, the value and its epoch; ``-`` before there is a best."""
    return f"{info.best_corr:.6f} ({info.best_epoch})" if info.best_epoch else "-"


def progress_cells(progress: Progress | None) -> list[str]:
    """Epoch, batch and step."""
    if progress is None:
        return ["-", "-", "-"]
    return [epoch_text(progress), batch_text(progress), str(progress.step)]


def _unusable(folder: CheckpointFolder, path: Path, size: int, error: UnbrokenError) -> Entry:
    """A file that is no good checkpoint: a damaged one, or one of another kind that never was a checkpoint."""
    claim = manifests.read(folder, path.name)
    state = State.FOREIGN if _is_foreign(folder, path) else State.DAMAGED
    return Entry(path, size, state, claim, str(error), isinstance(error, DiskError))


def _is_foreign(folder: CheckpointFolder, path: Path) -> bool:
    try:
        return path in lineage.survey(folder).foreign
    except GuardError:  # several runs: which is the folder's is no question here
        return False
