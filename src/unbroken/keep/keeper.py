"""Keeper: the one object of a run that writes to its folder: snapshots, figures of saves, writer, lock; is it safe?"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from unbroken import contract, messages
from unbroken.disk.lock import FolderLock
from unbroken.disk.space import free_bytes, human
from unbroken.errors import (
    CheckpointDamagedError,
    DiskError,
    NothingToResumeError,
    UnsavableStateError,
    is_refusal,
)
from unbroken.keep.following import NoLock, NoWriter
from unbroken.keep.occasions import Occasion
from unbroken.keep.origin import Origin
from unbroken.keep.sharing import shared
from unbroken.keep.state import Parts, capture
from unbroken.keep.status import end_with
from unbroken.loop.ranks import At, Ranks
from unbroken.state.drift import Built, differences
from unbroken.state.encoding import encode
from unbroken.state.rehearsal import Arrivals
from unbroken.state.snapshot import copy_to_host, encoded_to_host
from unbroken.store import forecast
from unbroken.store import manifest as manifests
from unbroken.store import payload as keys
from unbroken.store.folder import CheckpointFolder
from unbroken.store.payload import Payload
from unbroken.store.runstate import Identity, Moment, Reason, RunState, Surroundings, Training, to_payload
from unbroken.store.writer import SaveJob, Writer
from unbroken.version import __version__

_log = logging.getLogger("unbroken")

_REPLAYS_KEPT = 20
_ANSWER = 5.0  # seconds after which the other ranks hear of a write that still goes on
_FAR = 10_000  # epochs: a forecast beyond them says nothing


class Keeper:
    """Copies a run's state at one moment and has it written, from its beginning in this process to its end."""

    def __init__(
        self,
        folder: CheckpointFolder,
        lock: FolderLock | NoLock,
        parts: Parts,
        identity: Identity,
        surroundings: Surroundings,
        ranks: Ranks,
        arrivals: Arrivals,
        *,
        replays: list[dict[str, Any]],
        origin: Origin,
        protected: str,
        generation: int | None,
        built: Built,
    ) -> None:
        self.identity = identity
        self.saved_step = parts.cursor.step
        self.saved_at = time.monotonic()
        self.told: Callable[[int, Reason], None] = lambda step, reason: None  # of each snapshot handed to the writer
        self.folder = folder
        self.ranks = ranks
        self.arrivals = arrivals
        self.writer = Writer(folder) if ranks.is_first else NoWriter()
        self._surroundings = surroundings
        self._replays = replays
        self._lock = lock
        self._parts = parts
        self._origin = origin
        self._protected = frozenset({protected})
        self._generation = generation
        self._built: Built | None = built
        self._not_copied: DiskError | None = None
        self._unsafe_end = False
        self._waiting: tuple[Payload, frozenset[Occasion]] | None = None
        self._proof: dict[str, Any] | None = None
        self._proofs: list[dict[str, Any]] = []
        self._stood = 0.0  # seconds for which training has waited, for the next save
        self._known_readable = False

    @property
    def latest(self) -> Path:
        """The name of the newest state, for messages."""
        return self.folder.shown(self.folder.latest)

    def newest(self, gone_on_from: Path | None) -> Path:
        """The same, or, where there is no such file, as it was damaged and nothing was saved since: another name."""
        if gone_on_from is None or self.folder.latest.exists():
            return self.latest
        return self.folder.shown(gone_on_from)

    @property
    def failure(self) -> DiskError | None:
        """Why the newest state is not safe on disk; None if it is."""
        return self._not_copied or self.writer.failure

    def plan(self, epochs: int) -> None:
        """The run is to have so many epochs."""
        self._surroundings = replace(self._surroundings, planned_epochs=epochs)

    def keep_proof(self, record: dict[str, Any], instead_of: dict[str, Any] | None = None) -> None:
        """Have ``record``, of steps trained again, in every checkpoint from now on."""
        if self._generation is not None:
            record["start"] = self._generation
        self._proof = record
        others = [one for one in self._replays if one is not instead_of]
        self._replays = [*others, record][-_REPLAYS_KEPT:]

    def snapshot(self, moment: Moment, generators: Mapping[str, Any] | None = None) -> Payload | None:
        """A whole copy of the state at this moment, in host memory, independent of the live objects.

        ``generators`` are states of tracked ones that count instead of those they are in now: loading the next batch
        may have drawn from them. None, and an error in the log, where it can't be copied: training goes on, and the
        next save tries again. Of several ranks all call it, and only the first's is whole.

        Raises GuardError on all of them where their weights have gone apart, and UsageError at the first save for a
        state that no reader would take.
        """
        parts = self._parts
        parts.tracked.look_for_sleepers(parts.cursor.step)
        try:
            with self._standing():
                copied = self._copied(lambda: self._live(moment, generators))
        except (UnsavableStateError, MemoryError, OSError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and not is_refusal(error):
                raise
            self._not_copied = DiskError("state_not_copied", reason=str(error) or type(error).__name__)
            if self.ranks.is_first:  # it names the rank
                _log.error(messages.text("save_failed", names=self.folder.latest.name, error=self._not_copied))
            return None
        self._not_copied = None
        return copied

    def _say_proofs(self, told: list[dict[str, Any] | None]) -> None:
        """Once all ranks have trained their steps again: that they went as before. A difference is said at once."""
        proofs = [proof for proof in told if proof is not None]
        exact = [one for one in proofs if not one["difference"] and "state" in one.get("compared", ())]
        if proofs != self._proofs and len(exact) == self.ranks.size:
            steps = min(one["steps"] for one in exact)
            _log.info(messages.text("replayed_by_all", size=self.ranks.size, steps=steps))
        self._proofs = proofs

    def _live(self, moment: Moment, generators: Mapping[str, Any] | None) -> Payload:
        """The state as it is, sharing memory with it."""
        training = capture(self._parts, generators or {})
        self._say_drift(training)
        timestamp = datetime.now().strftime(contract.TIMESTAMP_FORMAT)
        state = RunState(training, timestamp, self.identity, self._surroundings, moment, self._replays)
        payload = to_payload(state, __version__)
        return encode(payload, "") if self.ranks.several else payload  # type: ignore[return-value]

    def _copied(self, make: Callable[[], Payload]) -> Payload:
        ranks = self.ranks
        if not ranks.several:
            return self._readable(copy_to_host(make()))
        of_all = shared(
            ranks, lambda: self._readable(make()), self._parts.tracked, self.arrivals.records(), self._proof
        )
        self._say_proofs(of_all.proofs)
        return encoded_to_host(of_all.payload) if ranks.is_first else of_all.payload

    def _readable(self, payload: Payload) -> Payload:
        """Looked at once: what a process saves has the same form from its first save on."""
        if not self._known_readable:
            keys.require_readable(payload)
            self._known_readable = True
        return payload

    def _say_drift(self, training: Training) -> None:
        """Once, at the first save that a restart could not take."""
        if self._built is None:
            return
        if found := differences(self._built, self._parts.tracked, training):
            self._built = None
            _log.warning(messages.text("drift", differences=messages.clauses(found)))

    def save(self, payload: Payload | None, also: Iterable[Occasion] = (), *, last: bool = False) -> None:
        """Hand a snapshot to the writer, as the newest and for these occasions; waits while an earlier one is written.

        The ``last`` of the run is kept until it is safe.

        None, a snapshot that failed, counts as a save: so that it is not tried again at every batch.
        """
        also, waiting = frozenset(also), self._waiting
        self._waiting = None
        if waiting is not None and not waiting[1] <= also:
            self._submit(*waiting, last=False)
        self.saved_step = self._parts.cursor.step if payload is None else keys.progress_of(payload).step
        self.saved_at = time.monotonic()
        if payload is not None:
            self._lock.renew()
            self._submit(payload, also, last=last)
            self.told(self.saved_step, Reason(keys.progress_of(payload).reason))

    def _submit(self, payload: Payload, also: Iterable[Occasion], *, last: bool) -> None:
        names = (self.folder.latest, *sorted(occasion.path(self.folder, payload) for occasion in also))
        with self._standing():
            self.writer.wait()
        job = SaveJob(payload, names, self._origin.policy, self._protected, last, self._generation, self._stood)
        self._stood = 0.0
        self.writer.submit(job)

    @contextmanager
    def _standing(self) -> Iterator[None]:
        """Training waits in here, for a save."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self._stood += time.monotonic() - begun

    def save_later(self, payload: Payload | None, occasions: Iterable[Occasion]) -> None:
        """Keep a snapshot for these occasions until the next save; one that is for them as well takes its place."""
        if payload is not None:
            self._waiting = (payload, frozenset(occasions))

    def finish_save(self, payload: Payload, also: Iterable[Occasion]) -> None:
        """A state whose save was cut off behind its first name gets its further names now."""
        if not self.ranks.is_first:
            return
        progress = keys.progress_of(payload)
        ours = (progress.run_id, progress.branch) == (self.identity.run_id, self.identity.branch)
        if ours:
            wanted = [one for one in also if one is Occasion.STEP or progress.reason == Reason.EPOCH]
            missing = [occasion for occasion in wanted if not self._holds(occasion.path(self.folder, payload), payload)]
            if missing:
                self.save(payload, missing)
                self.wait()

    def _holds(self, path: Path, payload: Payload) -> bool:
        """Whether the file ``path`` has the state of ``payload``."""
        try:
            there = manifests.describe(self.folder, path).progress
        except (CheckpointDamagedError, DiskError, NothingToResumeError):
            return False
        here = keys.progress_of(payload)
        return (there.run_id, there.order) == (here.run_id, here.order)

    def say_forecast(self, plan: forecast.Plan, planned: int | None, *, resumed: bool) -> None:
        """One line: what a checkpoint takes, what is free, and when that will be used up; of a resume bad news only."""
        level = logging.DEBUG if resumed else logging.INFO
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
            _log.log(level, messages.text("forecast_enough", **said))
        elif planned is not None and full > planned:
            _log.log(level, messages.text("forecast_later", **said, planned=planned))
        elif planned is None and full > _FAR:
            _log.log(level, messages.text("forecast_far", **said, epochs=_FAR))
        else:
            _log.warning(messages.text("forecast_full", **said, epoch=full, planned=planned or "?"))

    def settle(self) -> None:
        """Until all that was handed over is on disk, or has failed; without a word."""
        with self._standing():
            self.writer.wait()

    def wait(self) -> None:
        """As ``settle``; then says how it went."""
        self.settle()
        self.report()

    def begin(self, payload: Payload | None) -> None:
        """Save the first state; raises the error if it is not safe then: nothing has been trained yet."""
        self.save(payload)
        self.conclude()
        if self.failure is not None:
            raise self.failure

    def conclude(self) -> None:
        """As ``wait``, for all ranks: the others have the first one's failure."""
        # A disk may take longer than the others would wait for an answer.
        while not self.ranks.by_first(At.END, lambda: self.writer.wait(_ANSWER)):
            pass
        self.report()
        if self.ranks.several:
            failed = self.ranks.by_first(At.END, lambda: None if self.failure is None else str(self.failure))
            if failed is not None and not self.ranks.is_first:
                self.writer.failure = DiskError("on_rank", rank=0, error=failed)

    def finish(self) -> None:
        """As ``wait``; if the last state is not safe, says so, and goes on trying while the script goes on."""
        self.conclude()
        if self.failure is not None:
            self._unsafe_end = True
            if self.ranks.is_first:
                _log.error(messages.text("last_state_unsafe", latest=self.latest, error=self.failure))
            self.writer.insist()

    def close(self) -> None:
        """Finish writing and release the lock; of a last state that is not safe now the exit status will tell."""
        self.writer.close()
        self.report()
        self._lock.release()
        if self._unsafe_end and self.failure is not None:
            if self.ranks.is_first:
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
