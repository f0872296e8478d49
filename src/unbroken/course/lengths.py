"""How many batches an epoch takes, held against the epochs before it.

A loop that counts for itself (``islice``, ``enumerate``, ``zip`` with a plain loader) begins again at a resume, and
nobody but the epochs before it knows where it ends.
"""

import logging
from collections.abc import Mapping
from typing import Any

from unbroken import messages

_log = logging.getLogger("unbroken")


class EpochLengths:
    """``before`` is what is known of the epochs done, for a checkpoint; None before there is one.

    ``batches`` of the last of them; whether it was ``cut`` off before the end of its loader; whether all were that long
    (``steady``), how many in a row (``alike``), and whether it was the first, ``resumed`` inside.
    """

    def __init__(self, before: Mapping[str, Any] | None = None) -> None:
        self.before = before
        self._resumed = False

    def open(self, *, resumed: bool) -> None:
        """An epoch begins, or is gone on with."""
        self._resumed = resumed

    def most(self, batch: int, counted_by: str | None) -> int | None:
        """Where an epoch that was resumed inside, after ``batch`` batches, ends: where all before it were cut off.

        Only where it is ``counted_by`` something that knows of none before: ``islice``, or ``enumerate`` if two epochs
        at least ended there. A loop that counts by the run ends where it means to.
        """
        before = self.before
        if counted_by is None or not self._resumed or before is None or not before["cut"]:
            return None
        if not before["steady"] or before["alike"] < (1 if counted_by == "islice" else 2):
            return None
        batches: int = before["batches"]
        return batches if batches > batch else None

    def close(self, epoch: int, batches: int, length: int | None) -> None:
        """The epoch has taken so many batches of a loader of ``length``; says so if a resume may have changed that."""
        before, cut = self.before, length is not None and batches < length
        steady = before is None or (before["steady"] and before["batches"] == batches)
        if before is not None and batches != before["batches"] and (cut or before["cut"]):
            this, other = (epoch, batches), (epoch - 1, before["batches"])
            if self._resumed:
                _say_other_length(this, other)
            elif before["resumed"]:
                _say_other_length(other, this)
        # One that could be held against those before it need not be held against the next.
        resumed = self._resumed and before is None
        alike = before["alike"] + 1 if before is not None and before["batches"] == batches else 1
        self.before = {"batches": batches, "cut": cut, "steady": steady, "alike": alike, "resumed": resumed}


def _say_other_length(resumed: tuple[int, int], other: tuple[int, int]) -> None:
    said = {"resumed": resumed[0], "batches": resumed[1], "other": other[0], "others": other[1]}
    _log.warning(messages.text("epoch_of_other_length", **said))
