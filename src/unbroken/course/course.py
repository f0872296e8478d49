"""Course: one run from beginning to end, as calls for any kind of loop; what each epoch needs is in ``epoch``.

``begin``, then epoch after epoch; ``end`` when all is done, ``close`` in any case.
"""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from unbroken import messages
from unbroken.course import leaving
from unbroken.course.agreeing import AgreementOfMany
from unbroken.course.epoch import EpochCourse
from unbroken.course.hands import Hands, make_room, register
from unbroken.course.lengths import EpochLengths
from unbroken.course.observer import Observer
from unbroken.course.outlook import Outlook, plan_of
from unbroken.course.passes import EpochPasses
from unbroken.course.proof import ReplayProof
from unbroken.course.stopping import LIBRARY, STEP
from unbroken.course.triggers import Triggers
from unbroken.errors import DiskError, UnbrokenError, UsageError
from unbroken.keep.beginning import Beginning, begin_run
from unbroken.keep.cursor import Cursor
from unbroken.keep.keeper import Keeper
from unbroken.keep.occasions import Occasion
from unbroken.keep.origin import Origin
from unbroken.keep.starting import Starting
from unbroken.keep.state import Parts
from unbroken.loop.randomness import restore_streams
from unbroken.loop.ranks import At, ranks_here
from unbroken.loop.trace import Kind, TraceFile, name_of, trace_file
from unbroken.state.drift import Built
from unbroken.state.encoding import decode
from unbroken.store.runstate import Reason, RunState

_log = logging.getLogger("unbroken")
_own_log = logging.getLogger("unbroken.rank")


class Course(EpochCourse):
    """The course of one run in this process."""

    def __init__(
        self,
        parts: Parts,
        triggers: Triggers,
        budget: float | None,
        origin: Origin,
        seed: int,
        built: Built | None = None,
    ) -> None:
        super().__init__(parts, triggers, budget, starts_over=origin.starts_over, keep_best=origin.keep_best)
        self.seed = seed
        self.resumed_from: Path | None = None
        self.run_id: str | None = None
        self.begun_at = 0
        """The step of the state that this course began with, and how many batches of its epoch were done."""
        self.begun_in_batch = 0
        self.hands = Hands()
        self.at_close: Callable[[], None] | None = None
        """Finishes a loop by ``next`` that has taken all its batches."""
        self.starting = Starting()
        self._origin = origin
        self._budget = budget
        self._built = built
        self._process = os.getpid()
        self._under_loop = False
        self._given_up = False
        self._outlook: Outlook | None = None
        self._ended_with: DiskError | None = None
        self._level: int | None = None

    def begin(self, planned_epochs: int | None = None) -> Keeper:
        """Find the newest good state and restore it, or save the very first; once. Raises as ``Run.epochs``."""
        if self.keeper is not None:
            return self.keeper
        ranks = self.ranks = self.stopping.ranks = ranks_here()
        if ranks.several:
            self.parts.history.part = 1 / ranks.size
            if not ranks.is_first:
                self._level = _log.level
                _log.setLevel(logging.ERROR)  # the first speaks for all, but for what is of this rank alone
                _own_log.setLevel(logging.WARNING)
        trace = self._open_trace()
        self._make_room()
        keeping = plan_of(self._origin.policy, self._triggers)
        beginning = begin_run(
            self._origin,
            self.parts,
            seed=self.seed,
            planned_epochs=planned_epochs,
            keeping=keeping,
            starting=self.starting,
            built=self._built,
            ranks=ranks,
            alike=self._triggers.counts,
        )
        keeper = self.keeper = self.stopping.keeper = beginning.keeper
        self.run_id, self._built = keeper.identity.run_id, beginning.built
        self.begun_at, self.begun_in_batch = self.cursor.step, self.cursor.batch
        self._looked_at = self.cursor.step
        self.hands.note()
        register(self)
        self.seed, self.resumed_from = keeper.identity.seed, beginning.resumed_from
        self._changed = beginning.changed
        self.asking.stop_reason = ranks.by_first(At.BEGIN, lambda: beginning.stop_requested)
        if ranks.several:
            self.asking.agreement = AgreementOfMany(ranks, ended=self.asking.stop_reason is not None)
        if not self.parts.tracked.names:
            _log.warning(messages.text("nothing_tracked"))
        if beginning.state is not None:
            self._go_on(keeper, beginning.state)
        goes_on = self.resumed_from is not None
        self._outlook = Outlook(keeper, self.parts, keeping, beginning.planned_before, resumed=goes_on)
        if planned_epochs is not None:
            self.look_ahead(planned_epochs)
        resumed = beginning.state is not None
        proof = ReplayProof(
            keeper, self.parts, resumed=resumed, changed=beginning.changed, anew=resumed and beginning.resized
        )
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
            occasions = [] if moment.in_epoch else self._occasions()
            # Where the boundaries before it were isn't known; at a multiple itself there was none between.
            if self._triggers.names_step(self.cursor.step, self.cursor.step - 1):
                occasions.append(Occasion.STEP)
            keeper.finish_save(state.source, occasions)

    @contextmanager
    def refusals(self) -> Iterator[None]:
        """What is refused in here is raised to the user's code, as it is due where there are several ranks."""
        try:
            yield
        except UnbrokenError as error:
            self.tell_lost_variables()
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
            key = "ended_steps_on_purpose" if self.asking.among_steps else "ended_on_purpose"
            said = {"epoch": self.cursor.epoch, "step": self.cursor.step, "reason": reason}
            sentence = messages.text(key, **said, latest=self.kept_by.newest(self.resumed_from))
        _log.info(sentence)

    def close(self) -> None:
        """End the run for this process; says so if it was left in the middle of an epoch."""
        if os.getpid() != self._process:
            return  # a forked child that ends: the run is its parent's
        if self.at_close is not None and not self.stopping.stopped and not _is_broken_off():
            leaving.finish(self, self.at_close)
        self._closed = True
        keeper, self.keeper = self.keeper, None
        if keeper is None:
            return
        place = self._place
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
        if self.in_epoch and not self.stopping.stopped and not self._given_up:
            key = self.stopping.with_way_on("left_early", "left_early_resume")
            _log.warning(messages.text(key, place=place, latest=keeper.latest))
        if self._level is not None:
            _log.setLevel(self._level)
            _own_log.setLevel(logging.NOTSET)

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
        """A save now, of all ranks; in an epoch at the next boundary."""
        if self.in_epoch:
            self.kept_by  # noqa: B018
            self.asking.save_wanted = True
        else:
            with self.refusals():
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
            if isinstance(error, UnbrokenError) and not self.ranks.is_first:
                return  # all have it, and what there is to go on from is said once
            key = self.stopping.with_way_on("left_by_error", "left_by_error_resume")
            said = {"error": type(error).__name__, "place": self._place}
            sentence = messages.text(key, **said, latest=self.keeper.latest)
            if self.ranks.several:
                sentence = messages.text("on_rank", rank=self.ranks.rank, error=sentence)
            _log.error(sentence)

    @property
    def _place(self) -> str:
        if self.asking.among_steps:
            return messages.text("place_step", step=self.cursor.step + (self.stopping.phase is STEP))
        return messages.text("place_epoch", epoch=self.cursor.epoch + 1)

    @property
    def failure(self) -> DiskError | None:
        """Why the newest state is not safe on disk; None if it is."""
        return self._ended_with if self.keeper is None else self.keeper.failure

    @property
    def place(self) -> Path:
        """The checkpoint folder."""
        return self._origin.place

    @property
    def under_loop(self) -> bool:
        return self._under_loop

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
            outlook.say(planned_epochs)

    @property
    def has_more(self) -> bool:
        """Whether there may be another epoch: not where the run is to end, but for one to go on with."""
        # An epoch to go on with may belong to a later loop of the script, with another body.
        return self.asking.stop_reason is None or self.mid_epoch is not None

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
