"""Asking: answers "stop? save?" at a boundary, and where ranks agree on that; the first rank's clock counts."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from unbroken.course.agreeing import Agreement, Wish
from unbroken.course.signals import StopSignals
from unbroken.course.triggers import Triggers
from unbroken.keep.keeper import Keeper
from unbroken.loop.ranks import At, Ranks
from unbroken.store.runstate import Reason

_EPOCHS_APART = 1.0  # seconds: a save takes some milliseconds, and so may an epoch


@dataclass(frozen=True)
class AtEpochEnd:
    """What is to be done behind an epoch: whether the process ``stops``, whether a save is ``due``."""

    stops: bool
    due: bool


class Asking:
    """Signals, the time budget, and what is due. ``stop_reason`` is the user's, for the end of the epoch in hand."""

    def __init__(self, triggers: Triggers, budget: float | None, signals: StopSignals) -> None:
        self.triggers = triggers
        self.agreement = Agreement()
        self.stop_reason: str | None = None
        self.save_wanted = False
        self.among_steps = False
        """Whether there is no epoch whose end a ``stop_reason`` waits for."""
        self.every_epoch = False
        """Whether each epoch's end is saved, however short the epochs are."""
        self._budget = budget
        self._signals = signals
        self._started = time.monotonic()

    def asked(self, keeper: Keeper, step: int, order: int, *, named: bool) -> Reason | None:
        """What is to be done at the boundary after ``step`` steps: a stop, a save, or nothing.

        ``order``: the digest of the indices up to there. ``named``: this state is to be saved whatever else, as it
        has a name of its own.
        """
        reason, steps = self._stop_cause(), step - keeper.saved_step
        if reason is None and self.save_wanted:
            reason = Reason.ASKED
        elif reason is None:
            reason = Reason.STEPS if named else self.triggers.due(steps, self._seconds_since_save(keeper))
        # Whatever this process wishes: all ranks have to know where the others ask.
        due = keeper.ranks.several and (named or self.triggers.due(steps, 0.0) is Reason.STEPS)
        # A save under way is waited for where the next state may not be passed over.
        busy = keeper.writer.busy and not named
        ends = self.stop_reason is not None if self.among_steps else None
        ended = self.ends
        agreed = self.agreement.at_boundary(Wish(reason, step, order, due, busy, ends))
        if self.ends and not ended and keeper.ranks.several:
            self._take_reason(keeper.ranks.all(At.BOUNDARY, self.stop_reason))
        return None if busy and agreed not in (Reason.SIGNAL, Reason.BUDGET) else agreed

    @property
    def ends(self) -> bool:
        """Whether steps without epochs are to end here."""
        return self.agreement.ends(wanted=self.stop_reason is not None)

    def at_epoch_end(self, keeper: Keeper, step: int) -> AtEpochEnd:
        """What is to be done behind an epoch; it is due where somebody has asked for it, else once a second."""
        since = self._seconds_since_save(keeper)
        due = self.save_wanted or self.every_epoch or since >= _EPOCHS_APART
        due = due or self.triggers.due(step - keeper.saved_step, since) is not None
        self.save_wanted = False
        of_all = keeper.ranks.all(At.EPOCH, (self._stop_cause() is not None, due, self.stop_reason))
        self._take_reason([reason for _, _, reason in of_all])
        return AtEpochEnd(any(stops for stops, _, _ in of_all), any(due for _, due, _ in of_all))

    def stops_behind_save(self, ranks: Ranks) -> bool:
        """Whether the process is to end, by what came while an epoch's end was saved."""
        return any(ranks.all(At.EPOCH, self._stop_cause() is not None))

    def agree_on_reason(self, ranks: Ranks) -> None:
        """Have the ``stop_reason`` of whichever rank has one."""
        self._take_reason(ranks.all(At.EPOCH, self.stop_reason))

    def _take_reason(self, of_ranks: Sequence[str | None]) -> None:
        self.stop_reason = next((reason for reason in of_ranks if reason is not None), None)

    @staticmethod
    def _seconds_since_save(keeper: Keeper) -> float:
        """By the clock of the first rank."""
        return time.monotonic() - keeper.saved_at if keeper.ranks.is_first else 0.0

    def _stop_cause(self) -> Reason | None:
        """Why the process is to end with its state saved, if it is."""
        if self._signals.received is not None:
            return Reason.SIGNAL
        if self._budget is not None and time.monotonic() - self._started >= self._budget:
            return Reason.BUDGET
        return None
