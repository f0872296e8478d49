"""What a restart finds: the state to go on from, and whether that is what was asked for or what came of asking before.

A command with ``resume=PATH`` is often started again as it is: by a scheduler, by a loop around it, by hand. What it
asked for has happened then, so it goes on with what came of it. Every state saved since says so: its ``request`` is
that path and the digest of the file it was.
"""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unbroken import messages
from unbroken.disk.digest import file_digest
from unbroken.errors import CheckpointDamagedError, DiskError, GuardError, NothingToResumeError
from unbroken.keep import restorable
from unbroken.keep.origin import Origin, requeue_counter
from unbroken.store import lineage, torchfile
from unbroken.store import payload as keys
from unbroken.store.folder import CheckpointFolder
from unbroken.store.lineage import ResumePoint

_log = logging.getLogger("unbroken")


@dataclass(frozen=True)
class Found:
    """The state to go on from; None for a fresh start. ``asked_for``: it is the very file that was named.

    ``request`` stays with every state that comes of it: ``path``, ``digest`` and ``step``, or None.
    """

    point: ResumePoint | None
    asked_for: bool = False
    request: Mapping[str, Any] | None = None


def find(origin: Origin, folder: CheckpointFolder) -> Found:
    """What this start goes on from. Damaged files that are passed over are set aside, and named in the log.

    Raises CheckpointDamagedError, NothingToResumeError, GuardError: never another file than the one named, unless
    that was gone back to before.
    """
    if origin.goes_on_with is not None:
        found = _newest(folder)
        # Anything else would start, or end up, with the half-trained objects in memory.
        if found.point is None or found.point.manifest.progress.run_id != origin.goes_on_with:
            raise NothingToResumeError("left_run_gone", folder=folder.shown(folder.path))
        return found
    if origin.path is not None:
        return _named(origin, origin.path, folder)
    counter = requeue_counter()
    if origin.starts_over and counter is None:
        return Found(None)
    if origin.starts_over and folder.checkpoints():
        _log.info(messages.text("requeue_resumes", counter=counter))
    return _newest(folder)


def is_newest(folder: CheckpointFolder, point: ResumePoint) -> bool:
    """Whether nothing in the folder is ahead of this state of the same run."""
    here = lineage.candidates(folder)
    mine = point.manifest.progress
    return bool(here) and (here[0].progress.run_id, here[0].progress.order) == (mine.run_id, mine.order)


def _newest(folder: CheckpointFolder) -> Found:
    point = lineage.find_resume_point(folder, restorable.check)
    if point is None:
        return Found(None)
    for rejected in point.rejected:
        said = {"path": folder.shown(rejected.path), "reason": rejected.reason}
        if rejected.path.is_symlink():
            _log.warning(messages.text("link_passed_over", **said))
            continue
        aside = folder.set_aside(rejected.path, "damaged")
        _log.warning(messages.text("fell_back", **said, aside=folder.shown(aside)))
    return Found(point, request=keys.own_of(point.payload).get("request"))


def _named(origin: Origin, written: str, folder: CheckpointFolder) -> Found:
    path = origin.working_folder / written
    shown = CheckpointFolder(path.parent, Path(written).parent).shown(path)
    before = _went_back_before(folder, path)
    try:
        point = lineage.open_checkpoint(path, restorable.check)
    except NothingToResumeError:
        if before is None:
            raise
        _log.warning(messages.text("request_gone", path=shown))
        return _newest(folder)
    digest = point.manifest.digest or file_digest(path)
    request = {"path": _spelled(folder, path), "digest": digest, "step": point.manifest.progress.step}
    if before is None or is_newest(folder, point) or not _is_the_same(before, request, point):
        return Found(point, asked_for=True, request=request)
    if _has_ended(before) and requeue_counter() is None:
        return Found(point, asked_for=True, request=request)
    found = _newest(folder)
    if found.point is None or found.request != keys.own_of(before).get("request"):
        return Found(point, asked_for=True, request=request)  # what came of it cannot be read any more
    copy = shown.with_name(f"{shown.stem}_again{shown.suffix}")
    _log.warning(messages.text("request_goes_on", path=shown, newest=folder.shown(found.point.path), copy=copy))
    return found


def _went_back_before(folder: CheckpointFolder, path: Path) -> Mapping[str, Any] | None:
    """The newest state of the folder, without its tensors, if it came of a resume from ``path``."""
    try:
        infos = lineage.candidates(folder)
    except GuardError:
        return None
    for info in infos:
        try:
            payload = torchfile.read_metadata(folder.path / info.name)
        except (CheckpointDamagedError, DiskError, NothingToResumeError):
            continue
        request = keys.own_of(payload).get("request")
        return payload if isinstance(request, dict) and request.get("path") == _spelled(folder, path) else None
    return None


def _is_the_same(before: Mapping[str, Any], request: Mapping[str, Any], point: ResumePoint) -> bool:
    """Whether the file asked for is still the one of then, or a state that came of it, as ``best`` may be."""
    now, came, then = point.manifest.progress, keys.progress_of(before), keys.own_of(before)["request"]
    same_branch = (now.run_id, now.branch) == (came.run_id, came.branch)
    return bool(then.get("digest") == request["digest"] or (same_branch and now.step > then.get("step", 0)))


def _has_ended(payload: Mapping[str, Any]) -> bool:
    """Whether this state was the last that its command was to make: asked once more, it goes back once more."""
    own, epoch = keys.own_of(payload), payload[keys.EPOCH]
    planned = own.get("planned_epochs")
    done = type(planned) is int and epoch >= planned and not own.get("in_epoch")
    return done or own.get("finished") is not None or own.get("reason") == "end"


def _spelled(folder: CheckpointFolder, path: Path) -> str:
    """``path`` in one spelling; within the checkpoint folder as seen from there, so that it can move as a whole."""
    place = Path(os.path.realpath(path.parent)) / path.name
    inside = Path(os.path.realpath(folder.path))
    return str(place.relative_to(inside) if place.is_relative_to(inside) else place)
