"""Agreeing: brings all ranks to do at one step what ``asking`` wishes, whatever the reason; how often they ask.

Asking at every boundary would cost each some 300 microseconds. So there is a stride, of about 50 milliseconds of steps:
the slowest decides how many these are.
"""

import time
from dataclasses import dataclass

from unbroken.errors import GuardError, RanksError
from unbroken.loop.ranks import At, Ranks
from unbroken.store.runstate import Reason

_STRIDE = 0.05  # seconds
_ENDS_EVERY = 64  # steps: a count that all ranks know, so that a run ends at the same step however fast it is
_ORDER_BITS = 2**62 - 1

_WISHES: tuple[Reason | None, ...] = (None, Reason.TIME, Reason.STEPS, Reason.ASKED, Reason.BUDGET, Reason.SIGNAL)
"""A stop counts more than a save."""


@dataclass(frozen=True)
class Wish:
    """What one rank would do at a boundary, and what the others have to know.

    ``order`` is the digest of the indices up to there. ``due``: a save falls due by a count of steps, which all ranks
    know of. ``busy``: none can be made now. ``ends``: the steps are to end here; None where only epochs can end.
    """

    reason: Reason | None
    step: int
    order: int
    due: bool = False
    busy: bool = False
    ends: bool | None = None


class Agreement:
    """Of one process with itself; of several, see ``AgreementOfMany``."""

    def at_boundary(self, wish: Wish) -> Reason | None:
        """What is to be done there by all."""
        return wish.reason

    def ends(self, *, wanted: bool) -> bool:
        """Whether steps without epochs are to end here, if this process wants that."""
        return wanted


class AgreementOfMany(Agreement):
    """Of several ranks; each call is made by all of them, behind the same steps."""

    def __init__(self, ranks: Ranks, *, ended: bool) -> None:
        """``ended``: the state that the run goes on from is one that was ended on purpose."""
        self._ranks = ranks
        self._next = self._last = 0
        self._at = time.monotonic()
        self._stride = 0
        self._ends = ended

    def ends(self, *, wanted: bool) -> bool:
        return self._ends

    def at_boundary(self, wish: Wish) -> Reason | None:
        ending = wish.ends is not None and wish.step % _ENDS_EVERY == 0
        if wish.step < self._next and not wish.due and not ending:
            return None
        order = wish.order & _ORDER_BITS
        # Over all since the last time: also what came between the steps.
        now, steps = time.monotonic(), max(wish.step - self._last, 1)
        microseconds = int((now - self._at) / steps * 1e6)
        told = [
            _WISHES.index(wish.reason),
            microseconds,
            wish.busy,
            ending and bool(wish.ends),
            order,
            -order,
            wish.step,
            -wish.step,
        ]
        wished, slowest, busy, ends, highest, lowest, farthest, nearest = self._ranks.most(At.BOUNDARY, told)
        if farthest != -nearest:
            raise RanksError("ranks_steps", least=-nearest, most=farthest)
        if highest != -lowest:
            self._tell_apart(order, wish.step)
        # Twice as long as the last one at most: a few quick steps tell little of the next ones.
        self._stride = max(1, min(int(_STRIDE * 1e6) // max(slowest, 1), 2 * self._stride))
        self._next, self._last, self._at = wish.step + self._stride, wish.step, time.monotonic()
        if wish.ends is not None:  # asked once, not twice, where they are asked about the end anyway
            ending_in = _ENDS_EVERY - wish.step % _ENDS_EVERY
            if self._stride / 2 <= ending_in <= 2 * self._stride:
                self._next = wish.step + ending_in
        self._ends = self._ends or bool(ends)
        reason = _WISHES[wished]
        return None if busy and reason not in (Reason.BUDGET, Reason.SIGNAL) else reason

    def _tell_apart(self, order: int, step: int) -> None:
        for rank, theirs in enumerate(orders := self._ranks.all(At.BOUNDARY, order)):
            if theirs != orders[0]:
                raise GuardError("ranks_other_samples", rank=rank, step=step)
