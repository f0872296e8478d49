"""Saver: from the live objects of a run to a payload, and through the writer to the folder."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from unbroken import __version__, messages
from unbroken._status import end_with
from unbroken.disk.lock import FolderLock
from unbroken.disk.space import free_bytes, human
from unbroken.errors import (
    CheckpointDamagedError,
    DiskError,
    NothingToResumeError,
    ResourcesError,
    UnsavableStateError,
    is_refusal,
    reason_of,
)
from unbroken.loop.cursor import Cursor
from unbroken.loop.local_variables import LocalVariables
from unbroken.loop.observed import Observer
from unbroken.state.drift import Built, differences
from unbroken.state.encoding import decode
from unbroken.state.gradients import Gradients
from unbroken.state.history import History
from unbroken.state.settings import Settings
from unbroken.state.snapshot import copy_to_host
from unbroken.state.tracked import Tracked
from unbroken.state.user import UserState
from unbroken.store import forecast
from unbroken.store import manifest as manifests
from unbroken.store import payload as keys
from unbroken.store.folder import CheckpointFolder
from unbroken.store.retention import Policy
from unbroken.store.writer import SaveJob, Writer

_log = logging.getLogger("unbroken")


@dataclass(frozen=True)
class Parts:
    """The live objects whose state makes up a checkpoint."""

    tracked: Tracked
    history: History
    user_state: UserState
    gradients: Gradients
    cursor: Cursor
    settings: Settings


class Saver:
    """Copies a run's state at one moment and has it written; ``facts`` are what stays the same all run long."""

    def __init__(
        self,
        folder: CheckpointFolder,
        lock: FolderLock,
        parts: Parts,
        *,
        facts: Mapping[str, Any],
        policy: Policy | None,
        protected: frozenset[str],
        built: Built,
    ) -> None:
        self.folder = folder
        self.saved_step = parts.cursor.step
        self.saved_at = time.monotonic()
        self._lock = lock
        self.writer = Writer(folder)
        self._policy = policy
        self._protected = protected
        self._not_copied: DiskError | None = None
        self._unsafe_end = False
        self._built: Built | None = built
        self._parts = parts
        self.facts = dict(facts)
        self.observer: Observer | None = None
        self.variables: LocalVariables | None = None

    @property
    def latest(self) -> Path:
        """The name of the newest state, for messages."""
        return self.folder.shown(self.folder.latest)

    @property
    def failure(self) -> DiskError | None:
        """Why the newest state is not safe on disk; None if it is."""
        return self._not_copied or self.writer.failure

    def snapshot(
        self,
        reason: str,
        *,
        streams: Mapping[str, Any],
        in_epoch: bool,
        passes: Mapping[str, Any],
        stop_requested: str | None,
        generators: Mapping[str, Any] | None = None,
        further: Mapping[str, Any] | None = None,
    ) -> dict[str, Any] | None:
        """A whole copy of the state at this moment, in host memory, independent of the live objects.

        ``generators`` are states of tracked ones that count instead of those they are in now: loading the next batch
        may have drawn from them. None, and an error in the log, where it can't be copied: training goes on, and the
        next save tries again.
        """
        parts = self._parts
        parts.tracked.look_for_sleepers(parts.cursor.step)
        try:
            states = parts.tracked.state()
        except UnsavableStateError as error:
            self._say_not_copied(error)
            return None
        own: dict[str, Any] = {
            **self.facts,
            **(further or {}),
            "library_version": __version__,
            "reason": reason,
            "batch": parts.cursor.batch,
            "batches": parts.cursor.batches,
            "step": parts.cursor.step,
            "order": parts.cursor.order,
            "in_epoch": in_epoch,
            "passes": dict(passes),
            "finished": None if in_epoch else stop_requested,
            "stop_requested": stop_requested,
            "tracked": list(parts.tracked.names),
            "metrics": list(parts.history.columns),
            "best": {"metric": parts.history.metric, "mode": parts.history.mode},
            "partial": parts.history.partial(),
            "state": parts.user_state.values_to_save(),
            "streams": dict(streams),
            "grads": parts.gradients.capture(),
            "extras": parts.tracked.extras(),
            "attributes": parts.tracked.attributes(),
            "variables": {} if self.variables is None else self.variables.fingerprint(),
            "optimizer_parameters": parts.tracked.optimizer_parameters(),
        }
        self._say_drift(states, own["extras"]["late_groups"])
        payload = keys.build(
            epoch=parts.cursor.epoch,
            states={**states, **(generators or {})},
            histories={metric: list(values) for metric, values in parts.history.columns.items()},
            best_corr=parts.history.best.value,
            best_epoch=parts.history.best.epoch,
            timestamp=datetime.now().strftime("%Y-%m-%d %H:%M:%S"),
            own=own,
        )
        self._not_copied = None
        try:
            copied: dict[str, Any] = copy_to_host(payload)
        except (UnsavableStateError, MemoryError, OSError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and not is_refusal(error):
                raise
            self._say_not_copied(error)
            return None
        return copied

    def _say_not_copied(self, error: Exception) -> None:
        self._not_copied = DiskError("state_not_copied", reason=str(error) or type(error).__name__)
        _log.error(messages.text("save_failed", names=self.folder.latest.name, error=self._not_copied))

    def _say_drift(self, states: Mapping[str, Any], late_groups: Mapping[str, int]) -> None:
        """Once, at the first save that a restart could not take."""
        if self._built is None:
            return
        if found := differences(self._built, self._parts.tracked, states, late_groups):
            self._built = None
            _log.warning(messages.text("drift", differences="; ".join(found)))

    def save(self, payload: dict[str, Any] | None, *names: Path, last: bool = False) -> None:
        """Hand a snapshot to the writer, under these names; waits while an earlier save is being written.

        The ``last`` of the run is kept until it is safe.

        None, a snapshot that failed, counts as a save: so that it is not tried again at every batch.
        """
        self.saved_step = self._parts.cursor.step if payload is None else payload[keys.OWN]["step"]
        self.saved_at = time.monotonic()
        if payload is not None:
            self._lock.renew()
            self.writer.submit(SaveJob(payload, names, self._policy, self._protected, last))
            if self.observer is not None:
                self.observer.saving(self.saved_step, payload[keys.OWN]["reason"])

    def continues(self, payload: Mapping[str, Any]) -> bool:
        """Whether ``payload`` is of the branch that is being saved, not of one it has left."""
        own = payload[keys.OWN]
        return all(own[name] == self.facts[name] for name in ("run_id", "branch"))

    def holds(self, path: Path, payload: Mapping[str, Any]) -> bool:
        """Whether the file ``path`` has the state of ``payload``."""
        try:
            there = manifests.describe(self.folder, path).progress
        except (CheckpointDamagedError, DiskError, NothingToResumeError):
            return False
        here = keys.progress_of(payload)
        return (there.run_id, there.order) == (here.run_id, here.order)

    def restore(self, payload: Mapping[str, Any]) -> None:
        """Put the state of a checkpoint back into the live objects, all but the random streams.

        Raises:
            ArchitectureChangedError: an object can't take the state saved for it.
            ResourcesError: there is too little memory for it.
        """
        restore_parts(self._parts, payload)

    def say_forecast(self, plan: forecast.Plan, planned: int | None) -> None:
        """One line: what a checkpoint takes, what is free, and when that will be used up."""
        names = [self.folder.latest, self.folder.previous]
        names += [self.folder.best] if self._parts.history.metric is not None else []
        there = [path.stat().st_size for path in names if path.is_file()]
        size = max([self._parts.tracked.expected_bytes(), *there])
        try:
            free = free_bytes(self.folder.path)
        except DiskError:
            return  # it is only a forecast
        epoch = self._parts.cursor.epoch
        full = forecast.full_after(plan, size=size, free=free, epoch=epoch, missing=len(names) - len(there))
        said = {"size": human(size), "free": human(free), "folder": self.folder.shown(self.folder.path)}
        if full is None:
            _log.info(messages.text("forecast_enough", **said))
        elif planned is not None and full > planned:
            _log.info(messages.text("forecast_later", **said, epoch=full, planned=planned))
        else:
            _log.warning(messages.text("forecast_full", **said, epoch=full, planned=planned or "?"))

    def settle(self) -> None:
        """Until all that was handed over is on disk, or has failed; without a word."""
        self.writer.wait()

    def wait(self) -> None:
        """As ``settle``; then says how it went."""
        self.settle()
        self.report()

    def begin(self) -> None:
        """As ``wait``; raises the error if the first state is not safe on disk: nothing has been trained by then."""
        self.wait()
        if self.failure is not None:
            raise self.failure

    def finish(self) -> None:
        """As ``wait``; if the last state is not safe on disk, says so, and goes on trying while the script goes on."""
        self.wait()
        if self.failure is not None:
            self._unsafe_end = True
            _log.error(messages.text("last_state_unsafe", latest=self.latest, error=self.failure))
            self.writer.insist()

    def close(self) -> None:
        """Finish writing and give the folder free; of a last state that is not safe now the exit status will tell."""
        self.writer.close()
        self.report()
        self._lock.release()
        if self._unsafe_end and self.failure is not None:
            _log.error(messages.text("ended_unsafe", error=self.failure))
            end_with()
        elif self._unsafe_end:
            _log.warning(messages.text("safe_after_all", latest=self.latest))
        self._unsafe_end = False

    def report(self) -> None:
        """Tell the log how the saves finished since the last call went."""
        for report in self.writer.take_reports():
            names, missing = (", ".join(path.name for path in paths) for paths in (report.names, report.missing))
            if report.made_again:
                _log.warning(messages.text("folder_made_again", folder=self.folder.shown(self.folder.path)))
            if report.error is not None:
                key = "save_failed" if not report.safe else "copy_failed" if missing else "save_incomplete"
                said = {"missing": missing, "names": names} if report.safe else {"names": missing}
                _log.error(messages.text(key, **said, error=report.error))
            for path in report.archived:
                _log.info(messages.text("retired", path=self.folder.shown(path)))
            for name in report.deleted:
                _log.info(messages.text("deleted_by_policy", name=name))
            if report.safe:
                seconds = f"{report.seconds:.2f}"
                _log.debug(messages.text("saved", names=names, size=human(report.size), seconds=seconds))


def restore_parts(parts: Parts, payload: Mapping[str, Any], *, prologue_follows: bool = False) -> None:
    """As ``Saver.restore``; for a plain file without our own key, only what its ten keys hold.

    ``prologue_follows``: the code at an epoch's start runs next, and then the state is restored once more.
    """
    try:
        _restore(parts, payload, prologue_follows=prologue_follows)
        parts.settings.apply()
    except (MemoryError, OSError, RuntimeError) as error:
        if not is_refusal(error):
            raise
        raise ResourcesError("state_no_room", reason=reason_of(error)) from error


def _restore(parts: Parts, payload: Mapping[str, Any], *, prologue_follows: bool) -> None:
    own = keys.own_of(payload)
    histories = keys.histories_of(payload)
    best = own.get("best")
    parts.tracked.restore(
        keys.states_of(payload),
        own.get("optimizer_parameters"),
        own.get("extras"),
        attributes=own.get("attributes"),
        prologue_follows=prologue_follows,
    )
    parts.history.restore(
        {metric: histories[metric] for metric in own.get("metrics", histories)},
        payload[keys.BEST_CORR],
        payload[keys.BEST_EPOCH],
        partial=decode(own.get("partial")),
        epoch=payload[keys.EPOCH],
        judged_by=None if best is None else (best["metric"], best["mode"]),
    )
    parts.user_state.restore(own.get("state", {}))
    parts.gradients.restore(own.get("grads"))
    cursor = parts.cursor
    cursor.epoch = payload[keys.EPOCH]
    cursor.batch = own.get("batch", 0)
    cursor.batches = own.get("batches")
    cursor.step = own.get("step", 0)
    cursor.order = own.get("order", 0)
