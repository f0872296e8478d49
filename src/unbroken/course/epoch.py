"""One epoch of a run, as calls for any kind of loop: does what asking answers, under which names; tells who listens.

``open_epoch``, for each batch ``before_batch``, ``hand_over`` and ``after_batch``, then ``close_epoch``.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from unbroken import messages
from unbroken.course import next_batch
from unbroken.course.ahead import TakenAhead
from unbroken.course.asking import Asking
from unbroken.course.lengths import EpochLengths
from unbroken.course.listening import Listener
from unbroken.course.passes import EpochPasses
from unbroken.course.stopping import LIBRARY, STEP, Stopping
from unbroken.course.triggers import Triggers
from unbroken.errors import UsageError
from unbroken.keep.keeper import Keeper
from unbroken.keep.occasions import Occasion
from unbroken.keep.state import Parts, restore
from unbroken.loop.local_variables import LocalVariables
from unbroken.loop.randomness import capture_streams, restore_streams
from unbroken.loop.ranks import At, Ranks
from unbroken.state.encoding import decode
from unbroken.store.payload import Payload
from unbroken.store.runstate import Moment, Reason, RunState

_log = logging.getLogger("unbroken")


class EpochCourse:
    """The course of the epoch in hand. It knows of no loader and no generator; ``Course`` is that of the whole run."""

    def __init__(
        self,
        parts: Parts,
        triggers: Triggers,
        budget: float | None,
        *,
        starts_over: bool,
        keep_best: int | None = None,
    ) -> None:
        self.parts = parts
        self.cursor = parts.cursor
        self.in_epoch = False
        self.keeper: Keeper | None = None
        self.ranks = Ranks()
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
        self.stopping = Stopping(parts.cursor, self._signalled, self._tell_stopping, starts_over=starts_over)
        self.asking = Asking(triggers, budget, self.stopping.signals)
        self.listeners: tuple[Listener, ...] = ()
        self._triggers = triggers
        self._keep_best = keep_best
        self._looked_at = 0
        """The step up to which it is settled which states are numbered."""
        self._closed = False
        self._changed: Sequence[str] = ()
        self._unlike: set[str] = set()
        self._epoch_start: Mapping[str, Any] = {}
        self.taken_ahead = TakenAhead(parts.cursor, lambda: self.passes.lead)
        self._variables = LocalVariables(lambda: parts.tracked.objects, self._tell_lost)
        self._refusing = False

    @property
    def kept_by(self) -> Keeper:
        """Raises UsageError before the run has begun."""
        if self.keeper is None:
            raise UsageError("batches_outside_epochs")
        return self.keeper

    @property
    def is_closed(self) -> bool:
        return self._closed

    def require_open(self) -> None:
        """Raises UsageError for a run that is closed."""
        if self._closed:
            raise UsageError("run_is_closed")

    def open_epoch(self) -> None:
        """An epoch begins; or one is gone on with, from the streams and the generators that it began with."""
        self._require_settled()
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

    def _require_settled(self) -> None:
        if self.ranks.several:
            self.ranks.together(At.EPOCH, self.kept_by.arrivals.require_settled)

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
        self._require_settled()  # the code before the batches may have wrapped a model anew
        self.parts.locals.epoch_prepared()
        self.parts.tracked.epoch_prepared()
        self.take_up()
        self.mid_epoch = None
        self.taken_ahead.begin(self.parts.tracked.optimizers.values())
        self.cursor.batches = length
        for listener in self.listeners:
            listener.pass_begun()
        self.parts.gradients.note_boundary()

    def check_batch(self, batch: object, order: int) -> None:
        """Compare the first batch since a resume with the one that followed the save."""
        expected, self.expected_batch = self.expected_batch, None
        if expected is not None:
            self.ranks.together(
                At.LOADER, lambda: next_batch.compare(expected, batch, order, self.parts, self.kept_by, self._changed)
            )

    def tell_lost_variables(self) -> None:
        """A resume is about to be refused: what training had set in the program may be why."""
        self._refusing = True
        try:
            if self._variables.waiting:
                self._variables.at_batch()
        finally:
            self._refusing = False

    def _tell_lost(self, sentences: list[str]) -> None:
        """What was lost on all ranks alike is said once; where a refusal is under way, the first speaks of its own."""
        of_all = [sentences] if self._refusing else self.ranks.all(At.BOUNDARY, sentences)
        for rank, theirs in enumerate(of_all):
            for sentence in theirs:
                if rank == 0 or sentence not in of_all[0]:
                    said = messages.text("on_rank", rank=rank, error=sentence) if rank else sentence
                    _log.warning(said)

    def say_what_code_behind_misses(self) -> None:
        """Nothing is left to train: what the loop's body and former processes set is not as it was behind the loop."""
        self._variables.nothing_left()

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
        also = self._step_occasions()
        common = self.cursor.order if self.order_is_common else 0
        reason = self.asking.asked(keeper, self.cursor.step, common, named=bool(also))
        if keeper.writer.reports:
            keeper.report()
        if reason in (Reason.SIGNAL, Reason.BUDGET):
            self.stopping.behind = False
            self.stopping.begin(self.snapshot(reason, batch=batch, order=order), also)
        elif reason is not None:
            self.asking.save_wanted = self.stopping.behind = False
            keeper.save(self.snapshot(reason, batch=batch, order=order), also)

    def after_batch(self, order: int, seconds: float, *, stepped: bool) -> None:
        """The user's code is done with the batch in hand, in so many seconds.

        Not ``stepped``: its loop was left by a break or an error. It may have been that of the last batch.
        """
        self.stopping.phase = LIBRARY
        self.stopping.step_seconds = seconds
        self.cursor.finish_batch(order)
        self.parts.gradients.note_boundary()
        self.taken_ahead.note_boundary()
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
        self.taken_ahead.end()
        for listener in self.listeners:
            listener.epoch_done()
        self.stopping.after_steps()
        if self.passes.lead is not None:
            self.lengths.close(cursor.epoch + 1, cursor.batch, self.passes.lead.facts.get("length"))
        passes = self.passes.record(cursor.batch, cursor.order)
        self._leave_epoch()
        cursor.finish_epoch()
        if self.ranks.several:
            self._merge(self.ranks.all(At.EPOCH, self.parts.history.partial()))
        self.parts.history.finish_epoch()
        self._say_if_best_is_missing()
        for listener in self.listeners:
            listener.epoch_recorded()
        if not boundary:
            self.asking.agree_on_reason(self.ranks)
            self.stopping.behind = True
            return
        asked = self.asking.at_epoch_end(keeper, cursor.step)
        last = not more or self.asking.stop_reason is not None
        self._save_epoch(keeper, passes, due=asked.due or asked.stops, last=last)
        if asked.stops or self.asking.stops_behind_save(self.ranks):
            self.stopping.begin(None, at_once=last or self.stopping.train_on is not None)

    def _merge(self, of_ranks: Sequence[Mapping[str, Any]]) -> None:
        unlike = [name for name in self.parts.history.merge(of_ranks) if name not in self._unlike]
        if unlike:
            self._unlike.update(unlike)
            _log.warning(messages.text("recorded_unlike", names=", ".join(unlike)))

    def _save_epoch(self, keeper: Keeper, passes: Mapping[str, Any], *, due: bool, last: bool) -> None:
        occasions = [*self._occasions(), *self._step_occasions()]
        if last or due or not {Occasion.EPOCH, Occasion.STEP}.isdisjoint(occasions):
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
            variables=self._variables.fingerprint(in_pass=order is not None),
        )
        return self.kept_by.snapshot(moment, self.generators if order is not None else None)

    def _signalled(self) -> Payload | None:
        return self.snapshot(Reason.SIGNAL)

    def _occasions(self) -> list[Occasion]:
        """What the end of the epoch just done is kept as, beside being the newest state."""
        epoch, history, occasions = self.cursor.epoch, self.parts.history, []
        among_best = self._keep_best is not None and epoch > 0 and history.is_among_best(self._keep_best)
        if self._triggers.names_epoch(epoch) or among_best:
            occasions.append(Occasion.EPOCH)
        if epoch > 0 and history.best.epoch == epoch:
            occasions.append(Occasion.BEST)
        return occasions

    def _step_occasions(self) -> list[Occasion]:
        """What the state at this boundary is kept as, by the count of its steps; asked once at each."""
        step, before = self.cursor.step, self._looked_at
        self._looked_at = step
        return [Occasion.STEP] if self._triggers.names_step(step, before) else []

    def _say_if_best_is_missing(self) -> None:
        history = self.parts.history
        if self.cursor.epoch == 1 and history.metric is not None and history.metric not in history.columns:
            recorded = ", ".join(history.columns) or "-"
            _log.warning(messages.text("best_not_recorded", metric=history.metric, epoch=1, recorded=recorded))

    def _tell_stopping(self) -> None:
        for listener in self.listeners:
            listener.stopping()
