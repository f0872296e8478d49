"""Course: one run from beginning to end, as calls for any kind of loop; does what asking answers, tells who listens.

``begin``, then for each epoch ``open_epoch``, for each batch ``before_batch`` and ``after_batch``, and ``close_epoch``;
``end`` when all is done, ``close`` in any case.
"""

import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from unbroken import messages
from unbroken.course import next_batch
from unbroken.course.agreeing import AgreementOfMany
from unbroken.course.asking import Asking
from unbroken.course.hands import Hands, make_room, register
from unbroken.course.lengths import EpochLengths
from unbroken.course.listening import Listener
from unbroken.course.observer import Observer
from unbroken.course.passes import EpochPasses
from unbroken.course.proof import ReplayProof
from unbroken.course.stopping import LIBRARY, STEP, Stopping
from unbroken.course.triggers import Triggers
from unbroken.disk.space import parse_size
from unbroken.errors import DiskError, UnbrokenError, UsageError
from unbroken.keep.beginning import Beginning, begin_run
from unbroken.keep.cursor import Cursor
from unbroken.keep.keeper import Keeper
from unbroken.keep.occasions import Occasion
from unbroken.keep.origin import Origin
from unbroken.keep.starting import Starting
from unbroken.keep.state import Parts, restore
from unbroken.loop.local_variables import LocalVariables
from unbroken.loop.randomness import capture_streams, restore_streams
from unbroken.loop.ranks import Ranks, ranks_here
from unbroken.loop.trace import Kind, TraceFile, name_of, trace_file
from unbroken.state import schedules
from unbroken.state.drift import Built
from unbroken.state.encoding import decode
from unbroken.store.forecast import Plan
from unbroken.store.payload import Payload
from unbroken.store.runstate import Moment, Reason, RunState

_log = logging.getLogger("unbroken")


class Course:
    """The course of one run in this process. It knows of no loader and no generator."""

    def __init__(
        self,
        parts: Parts,
        triggers: Triggers,
        budget: float | None,
        origin: Origin,
        seed: int,
        built: Built | None = None,
    ) -> None:
        self.parts = parts
        self.cursor = parts.cursor
        self.seed = seed
        self.in_epoch = False
        self.resumed_from: Path | None = None
        self.keeper: Keeper | None = None
        self.run_id: str | None = None
        self.begun_at = 0
        """The step of the state that this course began with, and how many batches of its epoch were done."""
        self.begun_in_batch = 0
        self.hands = Hands()
        self.passes = EpochPasses()
        self.lengths = EpochLengths()
        self.mid_epoch: RunState | None = None
        """The state to go on from, until the batches of the epoch that it is in the midst of begin."""
        self.expected_batch: Mapping[str, int] | None = None
        """What the first batch from here on has to hold."""
        self.order_is_common = True
        """Whether all ranks are given the same global batches, so that their order can be compared."""
        self.generators: Mapping[str, Any] = {}
        """The states of tracked generators before the batch in hand was fetched."""
        self.stopping = Stopping(parts.cursor, self._signalled, self._tell_stopping, starts_over=origin.starts_over)
        self.at_close: Callable[[], None] | None = None
        """Finishes a loop by ``next`` that has taken all its batches."""
        self.asking = Asking(triggers, budget, self.stopping.signals)
        self.listeners: tuple[Listener, ...] = ()
        self.ranks = Ranks()
        self.starting = Starting()
        self._origin = origin
        self._triggers = triggers
        self._budget = budget
        self._built = built
        self._process = os.getpid()
        self._closed = False
        self._under_loop = False
        self._given_up = False
        self._outlook: Callable[[int | None], None] | None = None
        self._ended_with: DiskError | None = None
        self._changed: Sequence[str] = ()
        self._unlike: set[str] = set()
        self._settled = False
        self._level: int | None = None
        self._epoch_start: Mapping[str, Any] = {}
        self._variables = LocalVariables(lambda: parts.tracked.objects.values())

    # -- the whole run ------------------------------------------------------------------------------------------

    def begin(self, planned_epochs: int | None = None) -> Keeper:
        """Find the newest good state and restore it, or save the very first; once. Raises as ``Run.epochs``."""
        if self.keeper is not None:
            return self.keeper
        ranks = self.ranks = self.stopping.ranks = ranks_here()
        if ranks.several:
            self.asking.agreement = AgreementOfMany(ranks)
            if not ranks.is_first:
                self._level = _log.level
                _log.setLevel(logging.ERROR)  # the first speaks for all
        trace = self._open_trace()
        self._make_room()
        beginning = begin_run(
            self._origin,
            self.parts,
            seed=self.seed,
            planned_epochs=planned_epochs,
            starting=self.starting,
            built=self._built,
            ranks=ranks,
        )
        keeper = self.keeper = self.stopping.keeper = beginning.keeper
        self.run_id, self._built = keeper.identity.run_id, beginning.built
        self.begun_at, self.begun_in_batch = self.cursor.step, self.cursor.batch
        self.hands.note()
        register(self)
        self.seed, self.resumed_from = keeper.identity.seed, beginning.resumed_from
        self.asking.stop_reason, self._changed = beginning.stop_requested, beginning.changed
        if not self.parts.tracked.names:
            _log.warning(messages.text("nothing_tracked"))
        if beginning.state is not None:
            self._go_on(keeper, beginning.state)
        space = self._origin.keep_space
        keeping = Plan(self._triggers.every_epochs, self._origin.keep, None if space is None else parse_size(space))
        self._outlook = partial(self._say_outlook, keeping, beginning.planned_before)
        if planned_epochs is not None:
            self.look_ahead(planned_epochs)
        proof = ReplayProof(keeper, self.parts, resumed=beginning.state is not None, changed=beginning.changed)
        self.listeners = (proof,)
        if trace is not None:
            self.asking.every_epoch = True  # an audit kills where there are saves to go on from
            self._observe(trace, beginning)
        return keeper

    def _make_room(self) -> None:
        """Runs of this process that were left release the folder; one over the same objects knows them as built."""
        left = make_room(self.place)
        if self._built is not None or self._origin.starts_over:
            return
        tracked = self.parts.tracked
        for former in left:
            if former._built is not None and former.parts.tracked.holds_the_same(tracked):
                former.parts.settings.begin_again(self.parts.settings)
                former.parts.tracked.begin_again()
                self._built = former._built
                self.parts = replace(
                    self.parts,
                    tracked=former.parts.tracked,
                    gradients=former.parts.gradients,
                    settings=former.parts.settings,
                )
                return

    def again(self) -> "Course":
        """A course over the same objects, which goes on as the next process would: from the newest state."""
        self.give_up()
        self.parts.tracked.begin_again()
        self.parts.settings.begin_again()
        parts, origin = replace(self.parts, cursor=Cursor()), replace(self._origin, goes_on_with=self.run_id)
        return Course(parts, self._triggers, self._budget, origin, self.seed, self._built)

    def _go_on(self, keeper: Keeper, state: RunState) -> None:
        moment = state.moment
        assert moment is not None
        streams = decode(moment.streams)
        self._variables.resumed(moment.variables, in_epoch=moment.in_epoch)
        self.passes = EpochPasses(moment.passes, same_epoch=moment.in_epoch)
        self.lengths = EpochLengths(moment.epoch_before)
        if moment.in_epoch:
            self.mid_epoch = state
            self._epoch_start = streams["epoch_start"]
        else:
            restore_streams(streams["now"])
            if state.source is not None:
                keeper.finish_save(state.source, self._occasions())

    @contextmanager
    def refusals(self) -> Iterator[None]:
        """What is refused in here is raised to the user's code, as it is due where there are several ranks."""
        try:
            yield
        except UnbrokenError as error:
            refused = self.ranks.refused(error)
            if refused is error:
                raise
            raise refused from error

    def enter_loop(self) -> None:
        """A loop over epochs or steps begins: from here to ``leave_loop`` stop signals are heeded."""
        self._under_loop = True
        if not self.stopping.signals.install():
            _log.warning(messages.text("signals_unavailable"))

    def leave_loop(self) -> None:
        self._under_loop = False
        self.stopping.leave_loop()

    def end(self, sentence: str) -> None:
        """All is done; ``sentence`` says so, if the run was not ended on purpose."""
        self.stopping.phase = LIBRARY
        for listener in self.listeners:
            listener.ended()
        self.kept_by.finish()
        reason = self.asking.stop_reason
        if reason is not None:
            sentence = messages.text(
                "ended_on_purpose",
                epoch=self.cursor.epoch,
                step=self.cursor.step,
                reason=reason,
                latest=self.kept_by.latest,
            )
        _log.info(sentence)

    def close(self) -> None:
        """End the run for this process; says so if it was left in the middle of an epoch."""
        if os.getpid() != self._process:
            return  # a forked child that ends: the run is its parent's
        if self.at_close is not None and not self.stopping.stopped and not _is_broken_off():
            self.at_close()
        self._closed = True
        keeper, self.keeper = self.keeper, None
        if keeper is None:
            return
        if self._under_loop:  # its generator is kept alive, by the traceback of an error for example
            self.leave_loop()
        for listener in self.listeners:
            listener.left()
        self.stopping.close()
        keeper.close()
        self._ended_with = keeper.failure
        for listener in self.listeners:
            listener.closed()
        self.listeners = ()
        if self._level is not None:
            _log.setLevel(self._level)
        if self.in_epoch and not self.stopping.stopped and not self._given_up:
            key = self.stopping.with_way_on("left_early", "left_early_resume")
            _log.warning(messages.text(key, epoch=self.cursor.epoch + 1, latest=keeper.latest))

    def give_up(self) -> None:
        """Release the folder for who goes on with the run in this process; a batch in hand will be trained again."""
        self.at_close = None
        self._given_up = True
        self.close()

    @property
    def was_left(self) -> bool:
        """Whether it is left for good in the midst of its loop: by an error or a stop, or nobody iterates any more."""
        if self.run_id is None or os.getpid() != self._process:
            return False
        if self._under_loop:
            return not self.hands.are_there
        return self.in_epoch or self.stopping.stopped

    def save(self) -> None:
        """A save now; in an epoch, and of several ranks, at the next boundary."""
        if self.in_epoch or self.ranks.several:
            self.kept_by  # noqa: B018
            self.asking.save_wanted = True
        else:
            self.kept_by.save(self.snapshot(Reason.ASKED))

    def flush(self) -> None:
        """Until what was handed over is durable. Raises the DiskError of the newest state if it is not."""
        self.kept_by.wait()
        if self.failure is not None:
            raise self.failure

    def left_by(self, error: BaseException) -> None:
        """The user's code has raised ``error``, and the run ends with that."""
        if self.keeper is not None and self.in_epoch and not self.stopping.stopped:
            self.stopping.stopped = True
            key = self.stopping.with_way_on("left_by_error", "left_by_error_resume")
            said = {"error": type(error).__name__, "epoch": self.cursor.epoch + 1}
            _log.error(messages.text(key, **said, latest=self.keeper.latest))

    @property
    def failure(self) -> DiskError | None:
        """Why the newest state is not safe on disk; None if it is."""
        return self._ended_with if self.keeper is None else self.keeper.failure

    @property
    def kept_by(self) -> Keeper:
        """Raises UsageError before the run has begun."""
        if self.keeper is None:
            raise UsageError("batches_outside_epochs")
        return self.keeper

    @property
    def place(self) -> Path:
        """The checkpoint folder."""
        return self._origin.place

    @property
    def under_loop(self) -> bool:
        return self._under_loop

    @property
    def is_closed(self) -> bool:
        return self._closed

    def require_open(self) -> None:
        """Raises UsageError for a run that is closed."""
        if self._closed:
            raise UsageError("run_is_closed")

    def require_between_epochs(self) -> None:
        """Raises UsageError also in an epoch that was left."""
        self.require_open()
        if self.in_epoch:
            raise UsageError("run_was_left", epoch=self.cursor.epoch + 1)

    def plan(self, epochs: int) -> None:
        """So many epochs are to be trained in all."""
        self.kept_by.plan(epochs)
        self.look_ahead(epochs)

    def look_ahead(self, planned_epochs: int | None) -> None:
        """Say, once it is known how long the run is to be, what will not last so long: the disk, or a schedule."""
        outlook, self._outlook = self._outlook, None
        if outlook is not None:
            outlook(planned_epochs)

    def _say_outlook(self, keeping: Plan, planned_before: int | None, planned: int | None) -> None:
        self.kept_by.say_forecast(keeping, planned, resumed=self.resumed_from is not None)
        cursor = self.cursor
        done = cursor.epoch + (cursor.batch / cursor.batches if cursor.batches else 0.0)
        for said in schedules.told(self.parts.tracked, done, planned_before, planned):
            _log.warning(said)

    @property
    def has_more(self) -> bool:
        """Whether there may be another epoch: not where the run is to end, but for one to go on with."""
        # An epoch to go on with may belong to a later loop of the script, with another body.
        return self.asking.stop_reason is None or self.mid_epoch is not None

    # -- one epoch ----------------------------------------------------------------------------------------------

    def open_epoch(self) -> None:
        """An epoch begins; or one is gone on with, from the streams and the generators that it began with."""
        if self.ranks.several and not self._settled:
            self.ranks.together(self.kept_by.arrivals.require_settled)
            self._settled = True
        self._variables.at_epoch()
        # The code before the batches runs again when the epoch is resumed inside, and what it draws must be the same.
        tracked, user_state = self.parts.tracked, self.parts.user_state
        if self.mid_epoch is not None:
            restore_streams(self._epoch_start)
            tracked.restore_generators(self._epoch_start["generators"])
            user_state.restore(self._epoch_start["state"])
            self.parts.locals.restore(self._epoch_start.get("locals", {}))
        else:
            self._epoch_start = {
                **capture_streams(one_device=self.ranks.several),
                "generators": tracked.generators(),
                "state": user_state.copied(),
                **({"locals": self.parts.locals.copied()} if self.parts.locals.names else {}),
            }
        self.in_epoch = True
        self.lengths.open(resumed=self.mid_epoch is not None)

    def take_up(self) -> None:
        """Put back the state inside an epoch, streams included, as it was at the boundary where it was saved."""
        if self.mid_epoch is not None and self.mid_epoch.moment is not None:
            restore(self.parts, self.mid_epoch.training)
            restore_streams(decode(self.mid_epoch.moment.streams["now"]))
            self.expected_batch = self.mid_epoch.moment.next_batch

    def begin_batches(self, length: int | None) -> None:
        """The first batch of the epoch, or the first since it was taken up, is about to be fetched."""
        self.stopping.phase = LIBRARY
        self.stopping.leading = True
        self.parts.locals.epoch_prepared()
        self.parts.tracked.epoch_prepared()
        self.take_up()
        self.mid_epoch = None
        self.cursor.batches = length
        for listener in self.listeners:
            listener.pass_begun()
        self.parts.gradients.note_boundary()

    def check_batch(self, batch: object, order: int) -> None:
        """Compare the first batch since a resume with the one that followed the save."""
        expected, self.expected_batch = self.expected_batch, None
        if expected is not None:
            self.ranks.together(
                lambda: next_batch.compare(expected, batch, order, self.parts, self.kept_by, self._changed)
            )

    def before_batch(self, batch: object, order: int, *, boundary: bool = True) -> None:
        """A batch is about to be handed to the user. At a boundary the state is saved if that is due, or the run stops.

        ``order`` is the digest of the indices up to this batch.
        """
        if self._variables.waiting:
            self._variables.at_batch()
        if boundary and self.stopping.train_on is None:
            self._save_or_stop(batch, order)

    def hand_over(self, loop: int, batch: object) -> None:
        """The batch of the leading loop is now the user's."""
        history = self.parts.history
        if history.given:
            history.take_given()  # what the code between the batches gave is no part of the step
        for listener in self.listeners:
            listener.given(loop, batch)
        self.stopping.phase = STEP

    def _save_or_stop(self, batch: object, order: int) -> None:
        keeper = self.kept_by
        reason = self.asking.asked(keeper, self.cursor.step, self.cursor.order if self.order_is_common else 0)
        if keeper.writer.reports:
            keeper.report()
        if reason in (Reason.SIGNAL, Reason.BUDGET):
            self.stopping.behind = False
            self.stopping.begin(self.snapshot(reason, batch=batch, order=order))
        elif reason is not None:
            self.asking.save_wanted = self.stopping.behind = False
            keeper.save(self.snapshot(reason, batch=batch, order=order))

    def after_batch(self, order: int, seconds: float, *, stepped: bool) -> None:
        """The user's code is done with the batch in hand, in so many seconds.

        Not ``stepped``: its loop was left by a break or an error. It may have been that of the last batch.
        """
        self.stopping.phase = LIBRARY
        self.stopping.step_seconds = seconds
        self.cursor.finish_batch(order)
        self.parts.gradients.note_boundary()
        if stepped:
            for listener in self.listeners:
                listener.stepped()

    def close_epoch(self, *, more: bool, boundary: bool = True) -> None:
        """The epoch is done: its metrics become history. It is saved if that is due, or no save was for a second.

        ``more``: another is to follow. Not at a ``boundary``, in the midst of a group of batches, nothing is saved.
        """
        self.require_open()
        keeper, cursor = self.kept_by, self.cursor
        self.stopping.phase = LIBRARY
        for listener in self.listeners:
            listener.epoch_done()
        self.stopping.after_steps()
        if self.passes.lead is not None:
            self.lengths.close(cursor.epoch + 1, cursor.batch, self.passes.lead.facts.get("length"))
        passes = self.passes.record(cursor.batch, cursor.order)
        self._leave_epoch()
        cursor.finish_epoch()
        if self.ranks.several:
            self._merge(self.ranks.all(self.parts.history.partial()))
        self.parts.history.finish_epoch()
        self._say_if_best_is_missing()
        for listener in self.listeners:
            listener.epoch_recorded()
        if not boundary:
            self.stopping.behind = True
            return
        asked = self.asking.at_epoch_end(keeper, cursor.step)
        last = not more or self.asking.stop_reason is not None
        self._save_epoch(keeper, passes, due=asked.due or asked.stops is not None, last=last)
        if asked.stops is not None:
            self.stopping.begin(None, at_once=last or self.stopping.train_on is not None)

    def _merge(self, of_ranks: Sequence[Mapping[str, Any]]) -> None:
        unlike = [name for name in self.parts.history.merge(of_ranks) if name not in self._unlike]
        if unlike:
            self._unlike.update(unlike)
            _log.warning(messages.text("recorded_unlike", names=", ".join(unlike)))

    def _save_epoch(self, keeper: Keeper, passes: Mapping[str, Any], *, due: bool, last: bool) -> None:
        occasions = self._occasions()
        if last or due or Occasion.EPOCH in occasions:
            keeper.wait()
            keeper.save(self.snapshot(Reason.EPOCH, passes), occasions, last=last)
            self.stopping.behind = False
            return
        self.stopping.behind = True
        if Occasion.BEST in occasions:
            keeper.save_later(self.snapshot(Reason.EPOCH, passes), occasions)

    def end_in_epoch(self) -> None:
        """All steps are done in the midst of an epoch: the state as it is now is the last one."""
        self.stopping.phase = LIBRARY
        if self.stopping.train_on is not None:
            self.stopping.stop_now()
        if self.in_epoch:
            keeper = self.kept_by
            keeper.wait()
            passes = self.passes.record(self.cursor.batch, self.cursor.order)
            keeper.save(self.snapshot(Reason.END, passes), last=True)
            self._leave_epoch()
            self.passes = EpochPasses(passes, same_epoch=True)  # a further loop goes on where this one ended

    def _leave_epoch(self) -> None:
        self.in_epoch = False
        self.stopping.kept = None
        self.stopping.leading = False
        self.mid_epoch = None
        self.passes = EpochPasses()
        self.parts.locals.epoch_left()

    def save_after_error(self) -> None:
        """Loading the next batch has failed: the state is whole, and is saved before the error is told."""
        if self.stopping.signals.received and not self.ranks.several:  # it may be the signal that killed a worker
            self.stop_in_wait()
        if self.ranks.several:
            return  # the others are in their step, and no state is of one moment
        keeper = self.kept_by
        keeper.save(self.snapshot(Reason.LOADER_ERROR))
        keeper.wait()

    def stop_in_wait(self) -> None:
        """Stop while the next batch is awaited; the state is whole."""
        self.stopping.stop_now(None if self.stopping.train_on is not None else self.snapshot(Reason.SIGNAL))

    def snapshot(
        self, reason: Reason, passes: Mapping[str, Any] | None = None, *, batch: object = None, order: int | None = None
    ) -> Payload | None:
        """Of the state as it is; ``batch`` is the one in hand behind it, ``order`` the digest with its indices."""
        moment = Moment(
            reason=reason,
            in_epoch=self.in_epoch,
            streams={
                "now": capture_streams(one_device=self.ranks.several),
                "epoch_start": self._epoch_start if self.in_epoch else None,
            },
            passes=self.passes.record(self.cursor.batch, self.cursor.order) if passes is None else passes,
            stop_requested=self.asking.stop_reason,
            next_batch=None if order is None else next_batch.describe(batch, order),
            epoch_before=self.lengths.before,
            variables=self._variables.fingerprint(),
        )
        return self.kept_by.snapshot(moment, self.generators if order is not None else None)

    def _signalled(self) -> Payload | None:
        return self.snapshot(Reason.SIGNAL)

    def _occasions(self) -> list[Occasion]:
        """What the end of the epoch just done is kept as, beside being the newest state."""
        epoch, occasions = self.cursor.epoch, []
        if self._triggers.names_epoch(epoch):
            occasions.append(Occasion.EPOCH)
        if epoch > 0 and self.parts.history.best.epoch == epoch:
            occasions.append(Occasion.BEST)
        return occasions

    def _say_if_best_is_missing(self) -> None:
        history = self.parts.history
        if self.cursor.epoch == 1 and history.metric is not None and history.metric not in history.columns:
            recorded = ", ".join(history.columns) or "-"
            _log.warning(messages.text("best_not_recorded", metric=history.metric, epoch=1, recorded=recorded))

    # -- who listens --------------------------------------------------------------------------------------------

    def _tell_stopping(self) -> None:
        for listener in self.listeners:
            listener.stopping()

    def _open_trace(self) -> TraceFile | None:
        # Under an audit the run tells what it does, from before it looks into its folder; otherwise nothing is told.
        name = name_of(self._origin.place, self.ranks.rank)
        trace = trace_file(released=lambda: self.stopping.signals.received is not None)
        if trace is not None:
            trace.write(Kind.START, run=name, step=0, epoch=0, batch=0)
        return trace

    def _observe(self, trace: TraceFile, beginning: Beginning) -> None:
        parts, keeper = self.parts, beginning.keeper
        name = name_of(keeper.folder.path, self.ranks.rank)
        observer = Observer(trace, name, parts.tracked, parts.history, parts.user_state, parts.locals, self.cursor)
        self.listeners = (observer, *self.listeners)
        keeper.told = observer.saved
        observer.begun(keeper.folder.path, beginning.resumed_from, self.seed)


def _is_broken_off() -> bool:
    """Whether an error ends the program, or is being handled."""
    return sys.exc_info()[0] is not None or getattr(sys, "last_value", None) is not None
