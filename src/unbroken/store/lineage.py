"""Lineage: which states belong to the run in a folder, and which of them to resume from.

Everything is decided by what the files say of themselves (run id, branch, progress), never by their names or
times, so that a move that was cut short changes nothing; and nothing is loaded that was not verified.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unbroken.errors import (
    CheckpointDamagedError,
    DiskError,
    GuardError,
    NothingToResumeError,
    UnbrokenError,
    UsageError,
)
from unbroken.store import index, torchfile
from unbroken.store import manifest as manifests
from unbroken.store import payload as keys
from unbroken.store.ancestry import newest_first
from unbroken.store.aside import archive_run as archive_run
from unbroken.store.aside import clean as clean
from unbroken.store.aside import retire_branch as retire_branch
from unbroken.store.folder import CheckpointFolder, is_own_name
from unbroken.store.manifest import Described, Manifest
from unbroken.store.payload import Progress
from unbroken.store.record import RunRecord as RunRecord
from unbroken.store.record import read_run_record as read_run_record
from unbroken.store.record import write_run_record as write_run_record

Check = Callable[[Mapping[str, Any], Path], None]
"""Raises CheckpointDamagedError for a payload that is well written, and is no state that could be put back."""


@dataclass(frozen=True)
class Rejected:
    """A checkpoint that could not be used, why, and how far it claims (or is known) to have been."""

    path: Path
    reason: str
    progress: Progress | None


@dataclass(frozen=True)
class Survey:
    """A folder's checkpoints, looked at but not verified.

    ``candidates`` are those of the folder's run, newest first. ``damaged`` cannot even be described.
    ``others`` are sound checkpoints of other runs (and plain ones beside a run's); ``foreign`` are torch files
    that are no checkpoints at all. ``outside`` are links to checkpoints that lie elsewhere: never loaded.
    """

    run_id: str | None
    candidates: list[Described]
    damaged: list[Rejected]
    others: list[Described]
    foreign: list[Path]
    outside: list[Rejected]


@dataclass(frozen=True)
class ResumePoint:
    """A verified state, the newer ones that had to be passed over, and what else lies in the folder."""

    path: Path
    manifest: Manifest
    payload: dict[str, Any] = field(repr=False)
    rejected: list[Rejected] = field(default_factory=list)
    others: list[Described] = field(default_factory=list)


@dataclass(frozen=True)
class Explanation:
    """What ``find_resume_point`` would do, found without torch: ``chosen`` is None if nothing can be resumed."""

    chosen: Manifest | None
    rejected: list[Rejected]
    survey: Survey


def candidates(folder: CheckpointFolder) -> list[Described]:
    """The checkpoints of the folder's run, newest first; not verified. Raises GuardError if the run is unclear."""
    return survey(folder).candidates


def survey(folder: CheckpointFolder) -> Survey:
    """Look at every checkpoint in ``folder``; reads the index, manifests where that is silent, metadata where they are.

    The run is the one of ``run.json``; without it, or if it has no files here, the only one there is. Raises
    GuardError if there are several to choose from.
    """
    found = index.look(folder)
    described: list[Described] = [*found.known]
    damaged: list[Rejected] = []
    foreign: list[Path] = []
    outside: list[Rejected] = []
    for path in found.unknown:
        try:
            described.append(manifests.describe(folder, path))
        except NothingToResumeError:
            continue  # replaced or moved since the folder was read
        except (CheckpointDamagedError, DiskError) as error:
            folder.retold(error)
            if error.key == "store_link_outside" and (link := _led_to(path, error)) is not None:
                outside.append(link)
                continue
            claim = manifests.read(folder, path.name)
            if claim is None and not is_own_name(path.name) and error.key in _NOT_OURS:
                foreign.append(path)
            else:
                damaged.append(Rejected(path, str(error), claim.progress if claim else None))
    run_id = _run_of(folder, described)
    own = [info for info in described if info.progress.run_id == run_id]
    others = sorted((info for info in described if info.progress.run_id != run_id), key=lambda info: info.name)
    return Survey(run_id, newest_first(own), damaged, others, foreign, outside)


def _led_to(path: Path, refusal: UnbrokenError) -> Rejected | None:
    """The checkpoint that the link ``path`` leads to, out of its folder; None if that is no checkpoint."""
    target = Path(os.path.realpath(path))
    try:
        payload = torchfile.read_metadata(target)
        keys.check_contract(payload, target)
    except (CheckpointDamagedError, DiskError, NothingToResumeError, UsageError):
        return None
    return Rejected(path, str(refusal), keys.progress_of(payload))


_NOT_OURS = {
    "store_legacy",
    "store_not_torch",
    "store_not_a_dict",
    "store_keys_missing",
    "store_numpy",
    "store_unsupported",
    "store_global",
    "store_opcode",
    "store_pickle",
    "store_link_outside",
}
"""What is wrong with torch files that never were checkpoints, such as downloaded weights kept in the folder."""


def _run_of(folder: CheckpointFolder, infos: Sequence[Described]) -> str | None:
    record = read_run_record(folder)
    runs = {info.progress.run_id for info in infos if info.progress.run_id is not None}
    if record and record.run_id in runs:
        return record.run_id
    if len(runs) > 1:
        newest = {info.progress.run_id: info for info in reversed(newest_first(infos))}
        said = ", ".join(f"{run} ({newest[run].name})" for run in sorted(runs))
        raise GuardError("store_several_runs", folder=folder.path, runs=said)
    if runs:
        return runs.pop()
    return None


def find_resume_point(folder: CheckpointFolder, check: Check = lambda payload, path: None) -> ResumePoint | None:
    """The newest good state of the folder's run, loaded; None only if there is no checkpoint at all.

    Verifies from the newest on; a damaged one, or one that ``check`` raises CheckpointDamagedError of, is passed over
    for the next, and named in ``rejected``. Raises CheckpointDamagedError if all are damaged (never a fresh start
    instead), GuardError if the run is unclear.
    """
    found = survey(folder)
    rejected: list[Rejected] = []
    waiting = found.candidates
    while waiting:
        claim, *waiting = waiting
        path = folder.path / claim.name
        try:
            info = _described(folder, claim)
            payload = torchfile.read(path, info.digest)
            keys.check_contract(payload, path)
            check(payload, path)
        except (CheckpointDamagedError, DiskError) as error:
            rejected.append(Rejected(path, str(error), claim.progress))
            continue
        true = _as_loaded(info, payload, path)
        if true.progress.order < claim.progress.order:
            waiting = newest_first([true, *waiting])  # its manifest promised more than the file holds
            if waiting[0] is not true:
                continue
            waiting = waiting[1:]
        _refuse_undecided(found, true.progress)
        return ResumePoint(path, true, payload, _relevant(found, rejected, true), found.others)
    _refuse_undecided(found, None)
    if damaged := [*rejected, *found.damaged]:
        raise all_damaged(folder, damaged)
    return None


def explain(folder: CheckpointFolder) -> Explanation:
    """What a resume would choose and why, verifying as it would, without torch and without loading."""
    found = survey(folder)
    rejected: list[Rejected] = []
    for claim in found.candidates:
        path = folder.path / claim.name
        try:
            info = _described(folder, claim)
            torchfile.verify(path, info.digest)
            keys.check_contract(torchfile.read_metadata(path), path)
        except (CheckpointDamagedError, DiskError) as error:
            rejected.append(Rejected(path, str(error), claim.progress))
            continue
        _refuse_undecided(found, info.progress)
        return Explanation(info, _relevant(found, rejected, info), found)
    _refuse_undecided(found, None)
    return Explanation(None, [*rejected, *found.damaged], found)


def open_checkpoint(path: Path, check: Check = lambda payload, path: None) -> ResumePoint:
    """The state of exactly this file, verified, loaded and passed by ``check``; never another one's.

    Raises NothingToResumeError, UsageError (a folder), CheckpointDamagedError.
    """
    folder = CheckpointFolder(path.parent)
    known = manifests.read(folder, path.name)
    payload = torchfile.read(path, known.digest if known else "")
    keys.check_contract(payload, path)
    check(payload, path)
    if known and manifests.is_current(known, path):
        return ResumePoint(path, _as_loaded(known, payload, path), payload)
    return ResumePoint(path, manifests.of_payload(payload, path), payload)


def _described(folder: CheckpointFolder, claim: Described) -> Manifest:
    return claim if isinstance(claim, Manifest) else manifests.describe(folder, folder.path / claim.name)


def _as_loaded(info: Manifest, payload: dict[str, Any], path: Path) -> Manifest:
    """``info``, or, if the file itself says otherwise, what the file says."""
    if keys.progress_of(payload) == info.progress:
        return info
    return manifests.of_payload(payload, path)


def _relevant(found: Survey, rejected: list[Rejected], chosen: Manifest) -> list[Rejected]:
    """Those passed over, and damaged files unless they are known to be older or of another run; the latest always."""
    may_be_newer = [
        damaged
        for damaged in found.damaged
        if damaged.progress is None
        or (
            damaged.progress.run_id == found.run_id
            and (damaged.progress.order > chosen.progress.order or _is_latest(damaged.path))
        )
    ]
    return [*rejected, *may_be_newer]


def _is_latest(path: Path) -> bool:
    return path == CheckpointFolder(path.parent).latest


def _refuse_undecided(found: Survey, chosen: Progress | None) -> None:
    """Raise GuardError if a link out of the folder leads to what may be newer than what is ``chosen`` inside it.

    It is not followed: a folder that somebody sent must not reach other files. But whoever moved a large file to
    another disk and put a link in its place means it.
    """
    for link in found.outside:
        there = link.progress
        assert there is not None
        if chosen is None or there.run_id != chosen.run_id:
            undecided = chosen is None or _is_latest(link.path)
        else:
            undecided = there.order > chosen.order
        if undecided:
            raise GuardError("store_link_undecided", path=link.path, target=os.path.realpath(link.path))


def all_damaged(folder: CheckpointFolder, damaged: Sequence[Rejected]) -> CheckpointDamagedError:
    """The error for a folder in which every checkpoint is ``damaged``."""
    said = {"count": len(damaged), "first": damaged[0].reason}
    return CheckpointDamagedError("store_all_damaged", folder=folder.path, **said)
