"""Story: all that is recorded of a run, gathered from its folder and one of its checkpoints; nothing is drawn here."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from unbroken.cli.checkpoints import Entry, archived_runs, look_into
from unbroken.cli.contents import Contents, Replayed, open_contents
from unbroken.cli.nothing import existing_file, nothing_found
from unbroken.errors import CheckpointDamagedError, DiskError, NothingToResumeError, UnbrokenError
from unbroken.store.figures import Figures, read_figures
from unbroken.store.folder import CheckpointFolder
from unbroken.store.record import RunRecord, read_run_record
from unbroken.store.starts import BEGUN, WENT_BACK, Start, Starts

_MOST_OPENED = 20


@dataclass(frozen=True)
class Restart:
    """A start of the run, and what its process has found in training steps again; ``left`` by a later going back."""

    number: int
    start: Start
    proof: Replayed | None = None
    left: bool = False


@dataclass(frozen=True)
class Story:
    """A run as its folder tells it. ``told_by`` is the checkpoint that curves, parameters and proofs are read from.

    ``proofs`` are also those of states that a branch has left behind, as far as they are there still.
    ``record`` and ``figures`` are None where none of this run were kept: by an older version, or beside a lone file.
    """

    folder: CheckpointFolder
    told_by: Contents
    entries: list[Entry]
    archived: list[Entry]
    record: RunRecord | None
    figures: Figures | None
    proofs: list[Replayed]
    passed_over: list[str] = field(default_factory=list)

    @property
    def starts(self) -> Starts | None:
        return self.record.starts if self.record is not None else None

    @property
    def restarts(self) -> list[Restart]:
        """Every start that was kept, the first one too, in order."""
        if self.starts is None:
            return []
        last = self.starts.last
        proofs = {proof.start: proof for proof in self.proofs}
        before = self.starts.count - len(last)
        return [
            Restart(before + at + 1, start, proofs.get(start.generation), _is_left(start, last[at + 1 :]))
            for at, start in enumerate(last)
        ]

    @property
    def earlier_unknown(self) -> bool:
        """Whether there were starts that are not among those kept."""
        starts = self.starts
        return starts is not None and bool(starts.last) and starts.last[0].ended != BEGUN

    @property
    def loose_proofs(self) -> list[Replayed]:
        """Proofs of starts that are not among those kept."""
        known = {restart.start.generation for restart in self.restarts}
        return [proof for proof in self.proofs if proof.start not in known]


def gather(path: Path) -> Story:
    """The story of the run in a folder, or up to one file.

    Raises NothingToResumeError, CheckpointDamagedError if none can be read, UsageError, DiskError.
    """
    if not path.is_dir() and (os.path.lexists(path) or path.suffix == ".pth"):
        return _story(CheckpointFolder(path.parent), open_contents(existing_file(path)), [])
    folder = CheckpointFolder(path)
    entries = look_into(folder)
    if not entries:
        raise nothing_found(folder)
    passed_over: list[str] = []
    for entry in entries:
        try:
            return _story(folder, open_contents(entry.path), passed_over)
        except (CheckpointDamagedError, DiskError, NothingToResumeError) as error:
            first: UnbrokenError = error
            passed_over.append(str(error))
    raise first


def _story(folder: CheckpointFolder, told_by: Contents, passed_over: list[str]) -> Story:
    run = told_by.info.progress.run_id
    record, figures = read_run_record(folder), read_figures(folder)
    archives = [look_into(archive) for archive in archived_runs(folder)]
    newest = [next((entry for entry in entries if entry.run_id == run), None) for entries in archives]
    return Story(
        folder,
        told_by,
        look_into(folder),
        [entry for entries in archives for entry in entries],
        record if record is not None and run is not None and record.run_id == run else None,
        figures if figures is not None and figures.run_id == run else None,
        _proofs(told_by, [entry for entry in newest if entry is not None][-_MOST_OPENED:]),
        passed_over,
    )


def _proofs(told_by: Contents, left_behind: list[Entry]) -> list[Replayed]:
    found = list(told_by.replays)
    if told_by.info.progress.run_id is None:
        return found
    for entry in left_behind:
        try:
            there = open_contents(entry.path).replays
        except (CheckpointDamagedError, DiskError, NothingToResumeError):
            continue
        known = {proof.start for proof in found}
        found += [proof for proof in there if proof.start is not None and proof.start not in known]
    return found


def _is_left(start: Start, later: tuple[Start, ...]) -> bool:
    """Whether a later start went back to before this one."""
    return any(one.ended == WENT_BACK and one.step < start.step for one in later)
