"""Stopping: what a stop signal or a spent budget does, wherever the program is, until the process ends with 75."""

import logging
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import Enum, auto
from typing import NoReturn
from weakref import WeakSet

from unbroken import messages
from unbroken.course.knock import Knock
from unbroken.course.signals import StopSignals
from unbroken.course.train_on import LONGEST, LONGEST_STEP, TrainOn
from unbroken.errors import EXIT_STOPPED, DiskError, Stopped
from unbroken.keep.cursor import Cursor
from unbroken.keep.keeper import Keeper
from unbroken.keep.occasions import Occasion
from unbroken.loop.batches import Pass
from unbroken.loop.ranks import At, Ranks
from unbroken.store.payload import Payload

_log = logging.getLogger("unbroken")

_SILENT = 1.0  # seconds


class Phase(Enum):
    """Who is at work; decides what a stop signal may do at once."""

    LIBRARY = auto()  # remember it
    STEP = auto()  # the user's code has a batch in hand: remember it
    WAITING = auto()  # a worker is loading and the state is whole: break off the wait
    OUTSIDE = auto()  # the user's code between epochs and batches, or after them: stop now


# Up to Python 3.11 a member is looked up by a function; five times a batch that shows.
LIBRARY, STEP, WAITING, OUTSIDE = Phase


class WaitBrokenOffError(BaseException):
    """Raised by the signal handler to leave the wait for a worker."""


class Stopping:
    """Ends the process of a run before its time, its state saved and, where steps are short, some more of them trained.

    ``phase`` is kept up to date by who drives the loop, and so are ``leading`` (a loop over a loader has given batches
    of the epoch in hand), ``kept`` (the state for a stop behind the last batch), ``awaited`` (while the phase is
    WAITING), ``group`` (how many batches make up a step of the optimizer), ``behind`` (the
    end of the last epoch was not saved) and ``step_seconds``. ``snapshot`` copies
    the state as it is; ``tell`` is called when training goes on.
    """

    def __init__(
        self,
        cursor: Cursor,
        snapshot: Callable[[], Payload | None],
        tell: Callable[[], None],
        *,
        starts_over: bool,
    ) -> None:
        self.signals = StopSignals(self._on_signal)
        self.keeper: Keeper | None = None
        self.ranks = Ranks()
        self.phase = OUTSIDE
        self.leading = False
        self.kept: Payload | None = None
        self.awaited: Pass
        self.step_seconds = 0.0
        self.group = 1
        self.behind = False
        self.under_way: WeakSet[Pass] = WeakSet()
        self.train_on: TrainOn | None = None
        self.stopped = False
        self._unsaid = False
        self._cause = ""
        self._knock: Knock | None = None
        self._heard: threading.Timer | None = None
        self._cursor = cursor
        self._snapshot = snapshot
        self._tell = tell
        self._starts_over = starts_over

    @property
    def steps_are_long(self) -> bool:
        """Too long to train one while a stop's state is being written."""
        return self.step_seconds > LONGEST_STEP

    def enter_user_code(self) -> None:
        """From here on the user's code is at work, without a batch; acts on a signal that came before."""
        self.phase = OUTSIDE
        if self.ranks.several:
            return  # none of them stops alone
        if self.train_on is not None and self.train_on.expired:
            self.stop_at_once()
        if self.signals.received and self.train_on is None:
            self._on_signal()

    def enter_waiting(self, awaited: Pass) -> None:
        """A worker loads the next batch of ``awaited``."""
        self.awaited = awaited
        if self.ranks.several:
            return
        self.phase = WAITING
        if self.signals.received and self.train_on is None:
            self._on_signal()
        if self.train_on is not None and self.train_on.expired:
            raise WaitBrokenOffError

    def at_boundary(self) -> None:
        """Ends the process here if it trained on for long enough."""
        train_on, step = self.train_on, self._cursor.step
        if train_on is not None and self.ranks.by_first(At.STOP, lambda: train_on.is_over(step, self.step_seconds)):
            self.stop_now()

    def after_steps(self) -> None:
        """As ``at_boundary``, where no further batch comes soon."""
        if self.train_on is not None and self.train_on.has_trained(self._cursor.step):
            self.stop_now()

    def begin(self, state: Payload | None, also: Sequence[Occasion] = (), *, at_once: bool = False) -> None:
        """Save ``state``, if there is one not saved yet; then stop, after some more steps where they are short.

        ``also``: what it is kept as, beside being the newest.
        """
        keeper = self._kept_by()
        self._note_cause()
        if at_once or self.ranks.by_first(At.STOP, lambda: self.steps_are_long):
            self.stop_now(state, also)
        if self._knock is not None:
            self._knock.cancel()
        self._heard_no_more()
        if state is not None:
            keeper.save(state, also)
        knock = None if self.ranks.several else self.signals.reaching
        self.train_on = TrainOn(self._cursor.step, keeper.writer, group=self.group, knock=knock)
        self.signals.state_is_kept = True
        self._tell()

    def stop_now(self, state: Payload | None = None, also: Sequence[Occasion] = ()) -> NoReturn:
        """Save ``state``, if there is one that is not saved yet, say so, and stop."""
        self.phase = LIBRARY
        self._save_last(state, also)
        if self._is_interrupted:
            raise self._interrupted()
        self._say_stopped()
        raise Stopped(self._exit_code())

    def stop_at_once(self, state: Payload | None = None) -> NoReturn:
        """In the midst of the user's code, or of a wait: on a signal, or at the end of the time to train on."""
        if self.phase is WAITING:
            self.phase = LIBRARY
            raise WaitBrokenOffError
        # The code interrupted here may hold a lock that logging needs: a progress bar's, a stream's. So nothing
        # is said before its locks are released, which the exception does; ``close`` says it.
        self.phase = LIBRARY
        self._save_last(state)
        if self._is_interrupted:
            raise self._interrupted()
        self._unsaid = True
        raise Stopped(self._exit_code())

    def leave_loop(self) -> None:
        """The loop is left, and its handlers go."""
        self._end_knocks()  # their signal would meet no handler
        # A launcher ends the others as soon as one has ended; they are ending, and their own code is to have its say.
        signalled = self.stopped and self._cause != "budget"
        self.signals.remove(deaf=self.ranks.several and signalled)
        self.phase = OUTSIDE

    def close(self) -> None:
        """Say what could not be said when the process was stopped, before the keeper is closed."""
        if self._unsaid or (self.train_on is not None and not self.stopped):
            self.stopped = True
            self._say_stopped()

    def with_way_on(self, sentence: str, otherwise: str) -> str:
        """``sentence`` for a command that goes on when it is run again, ``otherwise`` for one that would start over."""
        return otherwise if self._starts_over else sentence

    def _on_signal(self) -> None:
        if self.keeper is None or self.phase is LIBRARY or self.ranks.several:
            return
        if self.train_on is not None:
            self.stop_at_once()
        elif self.phase is WAITING:
            if self.awaited.is_drawing:
                return  # the wait is over: a boundary comes next
            if not self.awaited.leaves_streams and self._boundary_may_come():
                return  # no state can be copied here; behind the batch it can
            self.phase = LIBRARY
            if not self.awaited.leaves_streams or self.steps_are_long:
                raise WaitBrokenOffError
            self.begin(self._snapshot())
            self.phase = WAITING
        # Before its batches an epoch starts from the state saved last; after them, from the copy kept then.
        # A loop left by a break has no such copy: its end of epoch is near, and saves.
        elif self.phase is OUTSIDE and not self.leading:
            if self.behind and self._boundary_may_come():
                return  # the epoch before was short, and is not saved yet
            if self.steps_are_long:
                self.stop_at_once()
            self.begin(None)
        elif self.phase is OUTSIDE and self.kept is not None:
            self.stop_at_once(self.kept)
        elif self.phase is STEP and self._heard is None:
            self._heard = threading.Timer(_SILENT, self._say_heard)
            self._heard.daemon = True
            with suppress(RuntimeError):  # no thread to be had: it is only a courtesy
                self._heard.start()

    def _say_heard(self) -> None:
        """In a long step: somebody may think that the signal was lost, and send the second one, which saves nothing.

        In a thread: the code that the signal came upon may hold a lock that logging needs.
        """
        received, signals = self.signals.received, self.signals
        if received is not None and self.phase is STEP and signals.reaching is not None and not signals.given_up:
            key = "stop_heard_interrupt" if received is signal.SIGINT else "stop_heard"
            _log.warning(messages.text(key, signal=received.name))

    def _boundary_may_come(self) -> bool:
        """Whether the next boundary is awaited, which saves the state; not for longer than training on may take."""
        if self.steps_are_long:
            return False
        self._knock = self._knock or Knock(self.signals.reaching, LONGEST)
        return not self._knock.is_over

    def _kept_by(self) -> Keeper:
        assert self.keeper is not None
        return self.keeper

    def _note_cause(self) -> None:
        """What a knock sends later is not the cause; the signal may have come to another rank."""
        if not self._cause:
            received = self.signals.received
            told = self.ranks.all(At.STOP, None if received is None else received.name)
            self._cause = next((name for name in told if name is not None), "budget")

    def _save_last(self, state: Payload | None, also: Sequence[Occasion] = ()) -> None:
        self._note_cause()
        self._end_knocks()
        if state is not None:
            self._kept_by().save(state, also)
        if self.ranks.several:
            self._kept_by().conclude()
        self._kept_by().settle()
        for batches in self.under_way:
            batches.end_workers()
        self.stopped = True

    def _end_knocks(self) -> None:
        self._heard_no_more()
        if self._knock is not None:
            self._knock.cancel()
        if self.train_on is not None:
            self.train_on.end()

    def _heard_no_more(self) -> None:
        if self._heard is not None:
            self._heard.cancel()

    def _say_stopped(self) -> None:
        keeper = self._kept_by()
        keeper.wait()
        cause = self._cause
        if keeper.failure is not None:
            if self.ranks.is_first:
                _log.error(messages.text("stopped_unsaved", cause=cause, error=keeper.failure))
            return
        key = self.with_way_on("stopped_saved", "stopped_saved_resume")
        _log.info(messages.text(key, cause=cause, latest=keeper.latest))

    @property
    def _is_interrupted(self) -> bool:
        """By Ctrl-C where the session goes on after it: at a prompt, or in a notebook."""
        return self.signals.received is signal.SIGINT and hasattr(sys, "ps1")

    def _interrupted(self) -> KeyboardInterrupt:
        keeper = self._kept_by()
        if keeper.failure is not None:
            return KeyboardInterrupt(messages.text("stopped_unsaved", cause="SIGINT", error=keeper.failure))
        return KeyboardInterrupt(messages.text("interrupted_saved", latest=keeper.latest))

    def _exit_code(self) -> int:
        return EXIT_STOPPED if self._kept_by().failure is None else DiskError.exit_code
