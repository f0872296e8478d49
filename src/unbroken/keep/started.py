"""Started: what the run record says of the start at hand, from where it began and what has changed; and writes it."""

import shlex
import socket
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from unbroken import contract
from unbroken.errors import DiskError, ResourcesError, is_refusal, reason_of
from unbroken.loop import journal
from unbroken.state import guards
from unbroken.state.settings import Setting
from unbroken.store import payload as keys
from unbroken.store import starts
from unbroken.store.folder import CheckpointFolder
from unbroken.store.forecast import Plan
from unbroken.store.lineage import ResumePoint
from unbroken.store.record import RunRecord, read_run_record, write_run_record
from unbroken.store.runstate import Identity, RunState, Surroundings
from unbroken.store.starts import Change, Start, Starts
from unbroken.version import __version__


def fresh(keeping: Plan | None, generation: int, processes: int) -> Start:
    """The start of a new run."""
    nowhere = {"branch": 0, "epoch": 0, "batch": 0, "batches": None, "step": 0}
    return _start(keeping, generation, processes, nowhere, ended=starts.BEGUN)


def going_on(
    keeping: Plan | None,
    generation: int,
    processes: int,
    folder: CheckpointFolder,
    point: ResumePoint,
    state: RunState,
    *,
    saved_by: int,
    branches_off: bool,
    changes: list[Change],
) -> Start:
    """The start of a process that goes on from ``point``, which ``saved_by`` so many processes have saved."""
    progress, identity = point.manifest.progress, state.identity
    reached = None
    if identity is not None and not branches_off:
        key = journal.key_of(identity.run_id, identity.branch, identity.seed, saved_by)
        reached = journal.reached(folder.journal, key)
    where = {name: getattr(progress, name) for name in ("branch", "epoch", "batch", "batches", "step")}
    return _start(
        keeping,
        generation,
        processes,
        where,
        ended=starts.WENT_BACK if branches_off else _ended(point),
        file=point.path.name,
        saved=point.payload[keys.TIMESTAMP],
        reached=reached,
        changes=starts.bounded(changes),
    )


def begin_record(folder: CheckpointFolder, identity: Identity, config: Mapping[str, Any], start: Start) -> None:
    """Have a run record for a run or branch that begins here, with the starts of the same run before it.

    Raises DiskError.
    """
    former = read_run_record(folder)
    same_run = former is not None and former.run_id == identity.run_id
    earlier = (former.starts if former is not None and same_run else None) or Starts.none()
    now, command = datetime.now().strftime(contract.TIMESTAMP_FORMAT), shlex.join(sys.argv)
    begun = (identity.run_id, identity.branch, now, command, config, start.generation)
    write_run_record(folder, RunRecord(*begun, earlier.with_another(start)))


def take_over_record(folder: CheckpointFolder, start: Start) -> None:
    """Have the run record that is there say that this process goes on with the run.

    Raises DiskError; ResourcesError where there is no memory for it.
    """
    record = read_run_record(folder)
    if record is None:
        return
    starts = (record.starts or Starts.none()).with_another(start)
    try:
        write_run_record(folder, replace(record, generation=start.generation, starts=starts))
    except DiskError as error:
        if error.__cause__ is None or not is_refusal(error.__cause__):
            raise
        raise ResourcesError("state_no_room", reason=reason_of(error.__cause__)) from error


def what_has_changed(then: Surroundings | None, now: Surroundings, settings: list[Setting], data: bool) -> list[Change]:
    """What explains other results first: data, parameters, settings, then versions and hardware that are in use."""
    if then is None:
        return []
    changes = starts.changes_of("data", [("", "", "")]) if data else []
    config = guards.differences(then.config, now.config)
    around = guards.differences(then.environment, now.environment)
    loud = guards.that_matter(around)
    changes += starts.changes_of("config", map(_sides, config))
    changes += starts.changes_of("setting", ((one.name, one.then, one.now) for one in settings))
    ordered = [*loud, *(one for one in around if one not in loud)]
    return changes + starts.changes_of("environment", map(_sides, ordered))


def _sides(change: guards.Change) -> tuple[str, object, object]:
    """What is not there on one of the sides is empty."""
    old, new = ("" if value is guards.ABSENT else value for value in (change.old, change.new))
    return change.key, old, new


def _ended(point: ResumePoint) -> str:
    """By the state gone on from: it is the last of its process only if that was stopped, or had done all."""
    own, progress = keys.own_of(point.payload), point.manifest.progress
    if progress.reason in starts.STOPPED:
        return progress.reason
    planned = own.get("planned_epochs")
    done = planned is not None and progress.epoch >= planned and not progress.batch
    return starts.COMPLETE if done or progress.finished is not None else starts.BROKEN_OFF


def _start(
    keeping: Plan | None, generation: int, processes: int, where: dict[str, int | None], **more: object
) -> Start:
    told = {"file": "", "saved": "", "reached": None, **more}
    return Start(
        generation=generation,
        at=datetime.now().strftime(contract.TIMESTAMP_FORMAT),
        host=socket.gethostname(),
        version=__version__,
        processes=processes,
        keeping=keeping,
        **where,  # type: ignore[arg-type]
        **told,  # type: ignore[arg-type]
    )
