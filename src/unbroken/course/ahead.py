"""Ahead: whether the loop takes batches before it trains on those it has, so that too many count as trained."""

import logging
from collections.abc import Callable, Iterable

from torch.optim import Optimizer

from unbroken import messages
from unbroken.course.passes import OpenPass
from unbroken.keep.cursor import Cursor
from unbroken.state.hooks import after_each_step

_log = logging.getLogger("unbroken")


class TakenAhead:
    """Watches the first epoch of a process, by the steps of each tracked optimizer.

    A loop that is so many batches ahead takes these before the first step, and makes as many steps when no batch is
    left; in all, one for each batch. One that steps late does that too, but has gradients by its first boundary.
    """

    def __init__(self, cursor: Cursor, lead: Callable[[], OpenPass | None]) -> None:
        self._cursor = cursor
        self._lead = lead
        self._watches: list[_Watch] | None = None

    def begin(self, optimizers: Iterable[Optimizer]) -> None:
        """The first batch is about to be fetched; only the first call counts."""
        if self._watches is None:
            self._watches = [_Watch(optimizer, self._cursor, self._lead) for optimizer in optimizers]

    def note_boundary(self) -> None:
        """A batch was left: trained, or laid aside."""
        for watch in self._watches or ():
            watch.note_boundary()

    def end(self) -> None:
        """The epoch is at its end: say it if batches were taken ahead."""
        ahead = max((watch.ahead() for watch in self._watches or ()), default=0)
        self._watches = []
        if ahead:
            _log.warning(messages.text("batches_ahead", count=ahead, epoch=self._cursor.epoch + 1))


class _Watch:
    def __init__(self, optimizer: Optimizer, cursor: Cursor, lead: Callable[[], OpenPass | None]) -> None:
        self._cursor = cursor
        self._lead = lead
        self._optimizer = optimizer
        self._begun_at = cursor.step
        self._late = False
        self._before_first = self._in_all = self._behind_last = 0
        self._hook = after_each_step(optimizer, self._after_step)

    def ahead(self) -> int:
        """How many batches; nothing is watched any more."""
        if self._hook is not None:
            self._hook.remove()
        each = self._in_all == self._cursor.step - self._begun_at and not self._late
        return self._before_first if each and self._before_first == self._behind_last else 0

    def note_boundary(self) -> None:
        if not self._in_all and not self._late:
            self._late = any(p.grad is not None for group in self._optimizer.param_groups for p in group["params"])

    def _after_step(self, optimizer: Optimizer) -> None:
        if not self._in_all:
            self._before_first = self._cursor.step - self._begun_at
        self._in_all += 1
        lead = self._lead()
        self._behind_last += lead is not None and lead.exhausted
