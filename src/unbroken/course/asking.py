"""Asking: the one place that answers "stop? save?" at a boundary: there several processes would have to agree."""

import time

from unbroken.course.signals import StopSignals
from unbroken.course.triggers import Triggers
from unbroken.keep.keeper import Keeper
from unbroken.store.runstate import Reason

_EPOCHS_APART = 1.0  # seconds: a save takes some milliseconds, and so may an epoch


class Asking:
    """Signals, the time budget, and what is due. ``stop_reason`` is the user's, for the end of the epoch in hand."""

    def __init__(self, triggers: Triggers, budget: float | None, signals: StopSignals) -> None:
        self.triggers = triggers
        self.stop_reason: str | None = None
        self.save_wanted = False
        self.every_epoch = False
        """Whether each epoch's end is saved, however short the epochs are."""
        self._budget = budget
        self._signals = signals
        self._started = time.monotonic()

    def asked(self, keeper: Keeper, step: int) -> Reason | None:
        """What is to be done at the boundary after ``step`` steps: a stop, a save, or nothing."""
        cause = self.stop_cause()
        if cause is not None:
            return cause
        due: Reason | None = Reason.ASKED
        if not self.save_wanted:
            due = self.triggers.due(step - keeper.saved_step, time.monotonic() - keeper.saved_at)
        return None if due is None or keeper.writer.busy else due

    def epoch_is_due(self, keeper: Keeper, step: int) -> bool:
        """Whether the end of an epoch is to be saved, that nobody has asked for: at most once a second."""
        since = time.monotonic() - keeper.saved_at
        due = (
            self.save_wanted or since >= _EPOCHS_APART or self.triggers.due(step - keeper.saved_step, since) is not None
        )
        self.save_wanted = False
        return due

    def stop_cause(self) -> Reason | None:
        """Why the process is to end with its state saved, if it is."""
        if self._signals.received is not None:
            return Reason.SIGNAL
        if self._budget is not None and time.monotonic() - self._started >= self._budget:
            return Reason.BUDGET
        return None
