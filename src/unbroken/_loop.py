"""Loop: the course of a run between its saves. Epochs, passes over loaders, boundaries, signals, the replay proof."""

import logging
import os
import time
from collections.abc import Generator, Iterator, Mapping
from enum import Enum, auto
from pathlib import Path
from typing import Any, NoReturn
from weakref import WeakSet

from unbroken import messages
from unbroken._replay import ReplayProof
from unbroken._resuming import Beginning, Origin, begin_run
from unbroken._saving import Parts, Saver
from unbroken._stopping import LONGEST_STEP, Stopping
from unbroken.disk.space import parse_size
from unbroken.errors import EXIT_STOPPED, DiskError, Stopped, UsageError
from unbroken.loop.batches import Pass
from unbroken.loop.counting import counted_anew
from unbroken.loop.lengths import EpochLengths
from unbroken.loop.loaders import Loaders, ResumableLoader
from unbroken.loop.local_variables import LocalVariables
from unbroken.loop.observed import Observer
from unbroken.loop.passes import EpochPasses, OpenPass
from unbroken.loop.randomness import capture_streams, restore_streams
from unbroken.loop.signals import StopSignals
from unbroken.loop.trace import Kind, TraceFile, name_of, trace_file
from unbroken.loop.triggers import Triggers
from unbroken.state.encoding import decode
from unbroken.store.forecast import Plan
from unbroken.store.payload import OWN

_log = logging.getLogger("unbroken")


class Phase(Enum):
    """Who is at work; decides what a stop signal may do at once."""

    LIBRARY = auto()  # remember it
    STEP = auto()  # the user's code has a batch in hand: remember it
    WAITING = auto()  # a worker is loading and the state is whole: break off the wait
    OUTSIDE = auto()  # the user's code between epochs and batches, or after them: stop now


# Up to Python 3.11 a member is looked up by a function; five times a batch that shows.
LIBRARY, STEP, WAITING, OUTSIDE = Phase


class _WaitBrokenOffError(BaseException):
    """Raised by the signal handler to leave the wait for a worker."""


class Loop:
    """One run from its beginning, at the first epoch or step, to its end."""

    def __init__(
        self,
        parts: Parts,
        triggers: Triggers,
        budget: float | None,
        origin: Origin,
        seed: int,
        loaders: Loaders,
    ) -> None:
        self.phase = OUTSIDE
        self.in_epoch = False
        self.stop_reason: str | None = None
        self.saver: Saver | None = None
        self._ended_with: DiskError | None = None
        self.resumed_from: Path | None = None
        self.seed = seed
        self._stopped = False
        self._closed = False
        self._process = os.getpid()
        self._under_loop = False
        self._unsaid = False
        self._stopping: Stopping | None = None
        self._step_seconds: float | None = None
        self._loaders = loaders
        self._parts = parts
        self._cursor = parts.cursor
        self._triggers = triggers
        self._budget = budget
        self._origin = origin
        self._started = time.monotonic()
        self._signals = StopSignals(self._on_signal)
        self._passes = EpochPasses()
        self._under_way: WeakSet[Pass] = WeakSet()
        self._given_out: WeakSet[Generator[Any, None, None]] = WeakSet()
        self._mid_epoch: Mapping[str, Any] | None = None
        self._kept: dict[str, Any] | None = None
        self._next_batch: Mapping[str, Any] | None = None
        self._generators: Mapping[str, Any] = {}
        self._lengths = EpochLengths()
        self._epoch_start: Mapping[str, Any] = {}
        self._goal: int | None = None
        self._count: int | None = None
        self._proof: ReplayProof | None = None
        self._trace: TraceFile | None = None
        self._observer: Observer | None = None
        self._variables = LocalVariables(lambda: parts.tracked.objects.values())
        self._awaited: Pass  # while the phase is WAITING

    def epochs(self, count: int) -> Iterator[int]:
        """The numbers of the epochs still to be trained."""
        self._require_between_epochs()
        self._count = count
        saver = self._begin(count)
        self._enter_loop()
        try:
            # An epoch to go on with may belong to a later loop of the script, with another body.
            while self._cursor.epoch < count and (self.stop_reason is None or self._mid_epoch is not None):
                self._open_epoch()
                self._enter_user_code()
                yield self._cursor.epoch + 1
                self._close_epoch(saver, more=self._cursor.epoch + 1 < count)
            self._finish(saver, messages.text("ended", epoch=self._cursor.epoch, count=count))
        finally:
            self._leave_loop()

    def steps(self, loader: ResumableLoader, goal: int) -> Iterator[Any]:
        """The batches of pass after pass over ``loader``, each an epoch, until ``goal`` steps are done in all."""
        self._require_between_epochs()
        saver = self._begin(None)
        self._enter_loop()
        try:
            if self._cursor.step >= goal and self._mid_epoch is not None:
                # Killed behind its last save, or started again when all is done: what follows goes on from there.
                self._take_up(saver, self._mid_epoch)
            while self._cursor.step < goal and (self.stop_reason is None or self._mid_epoch is not None):
                before = self._cursor.step
                self._open_epoch()
                self._goal = goal
                yield from self.iterate(loader)
                self.phase = LIBRARY
                if self._cursor.step >= goal:
                    break
                if self._cursor.step == before and self._cursor.batch == 0:
                    raise UsageError("loader_gives_nothing")
                self._close_epoch(saver, more=True)
            if self._stopping is not None:
                self._stop_now(saver)
            if self.in_epoch:
                saver.wait()
                saver.save(self._snapshot("end"), saver.folder.latest, last=True)
                self.in_epoch = False
            self._finish(saver, messages.text("ended_steps", step=self._cursor.step, goal=goal))
        finally:
            self._goal = None
            self._leave_loop()

    def iterate(self, loader: ResumableLoader) -> Iterator[Any]:
        """The batches of one loop over ``loader`` in the epoch in hand."""
        saver = self.require_epoch()
        before, self.phase = self.phase, LIBRARY
        opened, batches = self._open_pass(loader)
        # One of unknown length had given its last batch, and the loop in its place is the one that was begun after it.
        while opened.reopened and loader.length is None and not batches.has_more():
            opened.exhausted = True
            opened, batches = self._open_pass(loader)
        self._under_way.add(batches)
        given_out = self._pass(saver, opened, loader, batches)
        self._given_out.add(given_out)
        if before is OUTSIDE:
            self._enter_user_code()
        self.phase = before
        return given_out

    def _open_pass(self, loader: ResumableLoader) -> tuple[OpenPass, Pass]:
        opened = self._passes.open(loader.facts)
        order = opened.order if opened.given else None
        epoch = self._cursor.epoch + 1
        batches = loader.iterate(epoch=epoch, loop=opened.index, start=opened.given, order=order, ahead=opened.ahead)
        opened.remaining = batches.remaining
        return opened, batches

    def begin_steps(self) -> None:
        """Begin, so that the number of steps still to be done is known."""
        if self._under_loop:
            raise UsageError("steps_inside_epochs")
        self._require_between_epochs()
        self._begin(None)

    @property
    def loading(self) -> int:
        """The version of how positions become batches, which a run keeps to its end."""
        assert self.saver is not None
        version: int = self.saver.facts["loading"]
        return version

    def require_epoch(self) -> Saver:
        """Raises UsageError outside a loop over the epochs."""
        if self.saver is None or not self.in_epoch:
            raise UsageError("batches_outside_epochs")
        return self.saver

    @property
    def failure(self) -> DiskError | None:
        """Why the newest state is not safe on disk; None if it is."""
        return self._ended_with if self.saver is None else self.saver.failure

    def left_by(self, error: BaseException) -> None:
        """The user's code has raised ``error``, and the run ends with that."""
        if self.saver is not None and self.in_epoch and not self._stopped:
            self._stopped = True
            latest = self.saver.latest
            name = type(error).__name__
            how = self._with_way_on("left_by_error")
            _log.error(messages.text(how, error=name, epoch=self._cursor.epoch + 1, latest=latest))

    def close(self) -> None:
        """End the run for this process; says so if it was left in the middle of an epoch."""
        if os.getpid() != self._process:
            return  # a forked child that ends: the run is its parent's
        self._closed = True
        saver, self.saver = self.saver, None
        if saver is None:
            return
        if self._under_loop:  # its generator is kept alive, by the traceback of an error for example
            self._leave_loop()
        proof, self._proof = self._proof, None
        if proof is not None:
            proof.report()
        if self._unsaid or (self._stopping is not None and not self._stopped):
            self._stopped = True
            self._say_stopped(saver)
        saver.close()
        self._ended_with = saver.failure
        if proof is not None:
            proof.close()
        if self.in_epoch and not self._stopped:
            latest = saver.latest
            how = self._with_way_on("left_early")
            _log.warning(messages.text(how, epoch=self._cursor.epoch + 1, latest=latest))

    def _require_open(self) -> None:
        if self._closed:
            raise UsageError("run_is_closed")

    def _require_between_epochs(self) -> None:
        self._require_open()
        if self.in_epoch:
            raise UsageError("run_was_left", epoch=self._cursor.epoch + 1)

    def _begin(self, planned_epochs: int | None) -> Saver:
        if self.saver is not None:
            return self.saver
        self._open_trace()
        beginning = begin_run(self._origin, self._parts, seed=self.seed, planned_epochs=planned_epochs)
        self.seed = beginning.seed
        self.saver = beginning.saver
        if not self._parts.tracked.names:
            _log.warning(messages.text("nothing_tracked"))
        self.resumed_from = beginning.resumed_from
        self.stop_reason = beginning.stop_requested
        self.saver.variables = self._variables
        if beginning.payload is not None:
            own = beginning.payload[OWN]
            streams = decode(own["streams"])
            self._variables.resumed(own.get("variables", {}), in_epoch=own["in_epoch"])
            self._passes = EpochPasses(own["passes"], same_epoch=own["in_epoch"])
            self._lengths = EpochLengths(own.get("epoch_before"))
            if own["in_epoch"]:
                self._mid_epoch = beginning.payload
                self._epoch_start = streams["epoch_start"]
            else:
                restore_streams(streams["now"])
                self._finish_save(self.saver, beginning.payload)
        space = self._origin.keep_space
        keeping = Plan(self._triggers.every_epochs, self._origin.keep, None if space is None else parse_size(space))
        self.saver.say_forecast(keeping, planned_epochs)
        resumed_from = beginning.payload and beginning.payload[OWN]
        self._proof = ReplayProof(beginning.saver, self._parts, resumed_from, beginning.changed)
        if self._trace is not None:
            self._observe(self._trace, beginning)
        return self.saver

    def _open_epoch(self) -> None:
        self._variables.at_epoch()
        # The code before the batches runs again when the epoch is resumed inside, and what it draws must be the same.
        tracked, user_state = self._parts.tracked, self._parts.user_state
        if self._mid_epoch is not None:
            restore_streams(self._epoch_start)
            tracked.restore_generators(self._epoch_start["generators"])
            user_state.restore(self._epoch_start["state"])
        else:
            self._epoch_start = {
                **capture_streams(),
                "generators": tracked.generators(),
                "state": user_state.copied(),
            }
        self.in_epoch = True
        self._lengths.open(resumed=self._mid_epoch is not None)

    def _close_epoch(self, saver: Saver, *, more: bool) -> None:
        self._require_open()
        # An iterator kept by the user has a batch in hand that is done, and must not go on in the next epoch.
        for given_out in list(self._given_out):
            given_out.close()
        self.phase = LIBRARY
        if self._proof is not None:
            self._proof.epoch_done()
        if self._stopping is not None and self._stopping.has_trained(self._cursor.step):
            self._stop_now(saver)
        if self._passes.lead is not None:
            self._lengths.close(self._cursor.epoch + 1, self._cursor.batch, self._passes.lead.facts.get("length"))
        self.in_epoch = False
        self._kept = None
        self._mid_epoch = None
        passes, self._passes = self._passes.record(self._cursor.batch, self._cursor.order), EpochPasses()
        self._cursor.finish_epoch()
        self._parts.history.finish_epoch()
        self._say_if_best_is_missing()
        if self._observer is not None:
            self._observer.epoch_recorded()
        saver.wait()
        last = self._cursor.epoch == self._count or self.stop_reason is not None
        saver.save(self._snapshot("epoch", passes), saver.folder.latest, *self._further_names(saver), last=last)
        if self._signals.received or self._budget_is_spent():
            if not more or self.stop_reason is not None or self._steps_are_long:
                self._stop_now(saver)
            self._train_on(saver, None)

    def _say_if_best_is_missing(self) -> None:
        history = self._parts.history
        if self._cursor.epoch == 1 and history.metric is not None and history.metric not in history.columns:
            recorded = ", ".join(history.columns) or "-"
            _log.warning(messages.text("best_not_recorded", metric=history.metric, epoch=1, recorded=recorded))

    def _further_names(self, saver: Saver) -> list[Path]:
        """The names that the end of the epoch just done is kept under, beside latest."""
        epoch, names = self._cursor.epoch, []
        if self._triggers.names_epoch(epoch):
            names.append(saver.folder.epoch(epoch))
        if epoch > 0 and self._parts.history.best.epoch == epoch:
            names.append(saver.folder.best)
        return names

    def _finish_save(self, saver: Saver, payload: dict[str, Any]) -> None:
        """The end of an epoch whose save was cut off behind its first name gets its further names now."""
        if payload[OWN]["reason"] != "epoch" or not saver.continues(payload):
            return
        missing = [path for path in self._further_names(saver) if not saver.holds(path, payload)]
        if missing:
            saver.save(payload, saver.folder.latest, *missing)
            saver.wait()

    def _pass(
        self, saver: Saver, opened: OpenPass, loader: ResumableLoader, batches: Pass
    ) -> Generator[Any, None, None]:
        if self._passes.lead is None:
            self._lead(saver, opened, loader)
        try:
            if self._passes.lead is opened:
                yield from self._leading_pass(saver, loader, batches)
                return
            for batch in batches:
                if opened.given == 0:
                    self._loaders.say_promise(loader)
                opened.given += 1
                opened.order = batches.order
                if self._observer is not None:
                    self._observer.given(opened.index, batch)
                if self._proof is not None:
                    self._proof.given(batch)
                yield batch
        finally:
            opened.exhausted = True  # also one left by a break: nobody goes on with it

    def _lead(self, saver: Saver, opened: OpenPass, loader: ResumableLoader) -> None:
        self.phase = LIBRARY
        self._passes.take_lead(opened)
        if self._mid_epoch is not None:
            payload, self._mid_epoch = self._mid_epoch, None
            self._take_up(saver, payload)
            self._next_batch = payload[OWN].get("next_batch")
        self._cursor.batches = loader.length
        if self._proof is not None:
            self._proof.begin_pass()
        self._parts.gradients.note_boundary()

    def _take_up(self, saver: Saver, payload: Mapping[str, Any]) -> None:
        """The state inside an epoch, streams included, as it was at the boundary where it was saved."""
        saver.restore(payload)
        restore_streams(decode(payload[OWN]["streams"]["now"]))

    def _leading_pass(self, saver: Saver, loader: ResumableLoader, batches: Pass) -> Iterator[Any]:
        self._cursor.order = batches.order
        most: int | None = None
        # A dataset that is loaded from in this process may draw from a generator that is tracked.
        draws = loader.workers == 0 and self._parts.tracked.has_generators
        first = True
        # No call that can be spared in here: beside workers each runs from cold caches, and takes microseconds.
        while self._goal is None or self._cursor.step < self._goal:
            if self._closed:
                raise UsageError("run_is_closed")
            self.phase = LIBRARY
            began = time.monotonic()
            if self._stopping is not None and self._stopping.is_over(self._cursor.step, self._step_seconds or 0.0):
                self._stop_now(saver)
            if most is not None and self._cursor.batch >= most:
                said = {"epoch": self._cursor.epoch + 1, "batches": most, "length": loader.length}
                _log.warning(messages.text("epoch_ends_as_before", **said))
                break
            if draws:
                self._generators = self._parts.tracked.generators()
            try:
                batch = self._fetch(saver, loader, batches)
            except StopIteration:
                break
            if first:
                first = False
                self._loaders.say_promise(loader)
                expected, self._next_batch = self._next_batch, None
                if expected is not None and self._proof is not None:
                    self._proof.compare_next(expected, batch, batches.order)
                most = self._end_of_counting(resumed_after=self._cursor.batch)
            if self._goal is None and self._cursor.batch + 1 == loader.length and self._stopping is None:
                # For a stop after the batches. Not the state after the last one: a resume from there would give
                # the loop no batch at all, and code behind a loop reads the variables that its body sets.
                self._kept = self._snapshot("signal", batch=batch, order=batches.order)
            self._at_boundary(saver, batches, batch)
            if self._observer is not None and self._passes.lead is not None:
                self._observer.given(self._passes.lead.index, batch)
            if self._parts.history.given:
                self._parts.history.take_given()  # what the code between the batches gave is no part of the step
            if self._proof is not None:
                self._proof.given(batch)
            self.phase = STEP
            step_done = False
            try:
                yield batch
                step_done = True
            finally:
                # Also when the loop is left by a break: the batch was in hand, and the epoch is at its end.
                self.phase = LIBRARY
                self._step_seconds = time.monotonic() - began
                self._cursor.finish_batch(batches.order)
                self._parts.gradients.note_boundary()
                if step_done:
                    if self._proof is not None:
                        self._proof.step_done()
                    if self._observer is not None:
                        self._observer.trained()
        if self._stopping is not None and self._stopping.has_trained(self._cursor.step):
            self._stop_now(saver)
        self._enter_user_code()

    def _end_of_counting(self, *, resumed_after: int) -> int | None:
        """The number of batches at which a loop that counts anew, in an epoch resumed inside, would have ended it."""
        if resumed_after == 0:
            return None
        done = resumed_after if self._goal is None else self._cursor.step
        kind = counted_anew(done)
        most = self._lengths.most(resumed_after, kind)
        if kind is not None and most is None:
            said = {"kind": kind, "epoch": self._cursor.epoch + 1, "done": done}
            _log.warning(messages.text("counted_anew", **said))
        return most

    def _fetch(self, saver: Saver, loader: ResumableLoader, batches: Pass) -> Any:
        """The next batch; while it is loaded the state is whole, so a failure here still saves it."""
        # Where there may be none the end of the pass is awaited, also with a signal: see ``_leading_pass``.
        one_more = loader.length is not None and self._cursor.batch < loader.length
        try:
            if one_more and loader.workers:
                self._awaited = batches
                self.phase = WAITING
                if self._signals.received and self._stopping is None:
                    self._on_signal()
                if self._stopping is not None and self._stopping.expired:
                    raise _WaitBrokenOffError
            try:
                return next(batches)
            finally:
                self.phase = LIBRARY
        except StopIteration:
            raise
        except _WaitBrokenOffError:
            self._stop_now(saver, self._snapshot("signal") if self._stopping is None else None)
        except Exception:
            if self._signals.received:  # it may be the signal that killed a worker
                self._stop_now(saver, self._snapshot("signal") if self._stopping is None else None)
            saver.save(self._snapshot("loader_error"), saver.folder.latest)
            saver.wait()
            raise

    def _at_boundary(self, saver: Saver, batches: Pass, batch: Any) -> None:
        if self._variables.waiting:
            self._variables.at_batch()
        if self._stopping is not None:
            return
        cause = "signal" if self._signals.received else None
        if cause is None and self._budget is not None and self._budget_is_spent():
            cause = "budget"
        if cause is not None:
            state = self._snapshot(cause, batch=batch, order=batches.order)
            if self._steps_are_long:
                self._stop_now(saver, state)
            self._train_on(saver, state)
            return
        if saver.writer.reports:
            saver.report()
        reason = self._triggers.due(self._cursor.step - saver.saved_step, time.monotonic() - saver.saved_at)
        if reason is not None and not saver.writer.busy:
            saver.save(self._snapshot(reason, batch=batch, order=batches.order), saver.folder.latest)

    def _snapshot(
        self, reason: str, passes: Mapping[str, Any] | None = None, *, batch: object = None, order: int | None = None
    ) -> dict[str, Any] | None:
        """Of the state as it is; ``batch`` is the one in hand behind it, ``order`` the digest with its indices."""
        assert self.saver is not None
        next_batch = None if order is None or self._proof is None else self._proof.next_batch(batch, order)
        return self.saver.snapshot(
            reason,
            streams={"now": capture_streams(), "epoch_start": self._epoch_start if self.in_epoch else None},
            in_epoch=self.in_epoch,
            passes=self._passes.record(self._cursor.batch, self._cursor.order) if passes is None else passes,
            stop_requested=self.stop_reason,
            generators=self._generators if order is not None else {},
            further={"next_batch": next_batch, "epoch_before": self._lengths.before},
        )

    def _enter_loop(self) -> None:
        self._under_loop = True
        if not self._signals.install():
            _log.warning(messages.text("signals_unavailable"))

    def _leave_loop(self) -> None:
        self._under_loop = False
        if self._stopping is not None:
            self._stopping.end()  # its signal would meet no handler
        self._signals.remove()
        self.phase = OUTSIDE

    def _enter_user_code(self) -> None:
        self.phase = OUTSIDE
        if self._stopping is not None and self._stopping.expired and self.saver is not None:
            self._stop_at_once(self.saver)
        if self._signals.received and self._stopping is None:
            self._on_signal()

    def _on_signal(self) -> None:
        saver = self.saver
        if saver is None or self.phase is LIBRARY:
            return
        if self._stopping is not None:
            self._stop_at_once(saver)
        elif self.phase is WAITING:
            if self._awaited.is_drawing:
                return  # the wait is over: a boundary comes next
            self.phase = LIBRARY
            if not self._awaited.leaves_streams or self._steps_are_long:
                raise _WaitBrokenOffError
            self._train_on(saver, self._snapshot("signal"))
            self.phase = WAITING
        # Before its batches an epoch starts from the state saved last; after them, from the copy kept then.
        # A loop left by a break has no such copy: its end of epoch is near, and saves.
        elif self.phase is OUTSIDE and self._passes.lead is None:
            if self._steps_are_long:
                self._stop_at_once(saver)
            self._train_on(saver, None)
        elif self.phase is OUTSIDE and self._kept is not None:
            self._stop_at_once(saver, self._kept)

    @property
    def _steps_are_long(self) -> bool:
        """Too long to train one while a stop's state is being written."""
        return (self._step_seconds or 0.0) > LONGEST_STEP

    def _stop_at_once(self, saver: Saver, state: dict[str, Any] | None = None) -> NoReturn:
        """In the midst of the user's code, or of a wait: on a signal, or at the end of the time to train on."""
        if self.phase is WAITING:
            self.phase = LIBRARY
            raise _WaitBrokenOffError
        # The code interrupted here may hold a lock that logging needs: a progress bar's, a stream's. So nothing
        # is said before its locks are released, which the exception does; ``close`` says it.
        self.phase = LIBRARY
        self._save_last(saver, state)
        self._unsaid = True
        raise Stopped(_exit_code(saver))

    def _stop_now(self, saver: Saver, state: dict[str, Any] | None = None) -> NoReturn:
        """Save ``state``, if there is one that is not saved yet, say so, and stop."""
        self.phase = LIBRARY
        self._save_last(saver, state)
        self._say_stopped(saver)
        raise Stopped(_exit_code(saver))

    def _train_on(self, saver: Saver, state: dict[str, Any] | None) -> None:
        """As ``_stop_now``, after some more steps, trained while the state is being written; without a word."""
        if state is not None:
            saver.save(state, saver.folder.latest)
        self._stopping = Stopping(self._cursor.step, saver.writer, knock=self._signals.reaching)
        self._signals.state_is_kept = True
        if self._proof is not None:
            self._proof.stopping = True

    def _save_last(self, saver: Saver, state: dict[str, Any] | None) -> None:
        if self._stopping is not None:
            self._stopping.end()
        if state is not None:
            saver.save(state, saver.folder.latest)
        saver.settle()
        for batches in self._under_way:
            batches.end_workers()
        self._stopped = True

    def _say_stopped(self, saver: Saver) -> None:
        saver.wait()
        cause = "budget" if self._signals.received is None else self._signals.received.name
        if saver.failure is not None:
            _log.error(messages.text("stopped_unsaved", cause=cause, error=saver.failure))
            return
        _log.info(messages.text(self._with_way_on("stopped_saved"), cause=cause, latest=saver.latest))

    def _with_way_on(self, sentence: str) -> str:
        """The key of ``sentence`` as it is for a command that would start over, or for one that goes on."""
        return f"{sentence}_resume" if self._origin.starts_over else sentence

    def _budget_is_spent(self) -> bool:
        return self._budget is not None and time.monotonic() - self._started >= self._budget

    def _finish(self, saver: Saver, ended: str) -> None:
        self.phase = LIBRARY
        if self._proof is not None:
            self._proof.report()
        if self._observer is not None:
            self._observer.ended()
        saver.finish()
        if self.stop_reason is not None:
            ended = messages.text("ended_on_purpose", epoch=self._cursor.epoch, reason=self.stop_reason)
        _log.info(ended)

    def _open_trace(self) -> None:
        # Under an audit the run tells what it does, from before it looks into its folder; otherwise nothing is told.
        name = name_of(self._origin.place)
        self._trace = trace_file(released=lambda: self._signals.received is not None)
        if self._trace is not None:
            self._trace.write(Kind.START, run=name, step=0, epoch=0, batch=0)

    def _observe(self, file: TraceFile, beginning: Beginning) -> None:
        parts, saver = self._parts, beginning.saver
        name = name_of(saver.folder.path)
        observer = Observer(file, name, parts.tracked, parts.history, parts.user_state, self._cursor)
        self._observer = saver.observer = observer
        observer.begun(saver.folder.path, beginning.resumed_from, beginning.seed)


def _exit_code(saver: Saver) -> int:
    return EXIT_STOPPED if saver.failure is None else DiskError.exit_code
