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
    (``steady``), and whether it was ``resumed`` inside.
    """

    def __init__(self, before: Mapping[str, Any] | None = None) -> None:
        self.before = before
        self._resumed = False

    def open(self, *, resumed: bool) -> None:
        """An epoch begins, or is gone on with."""
        self._resumed = resumed

    def most(self, batch: int) -> int | None:
        """Where an epoch that was resumed inside, after ``batch`` batches, ends: where all before it were cut off."""
        before = self.before
        if not self._resumed or before is None or not before["cut"] or not before["steady"]:
            return None
        batches: int = before["batches"]
        return batches if batches > batch else None

    def close(self, epoch: int, batches: int, length: int | None) -> None:
        """The epoch has taken so many batches of a loader of ``length``; says so if a resume may have changed that."""
        before, cut = self.before, length is not None and batches < length
        steady = before is None or (before["steady"] and before["batches"] == batches)
        resumed = self._resumed or (before is not None and before["resumed"])
        if before is not None and resumed and batches != before["batches"] and (cut or before["cut"]):
            said = {"epoch": epoch, "batches": batches, "others": before["batches"]}
            _log.warning(messages.text("epoch_of_other_length", **said))
        self.before = {"batches": batches, "cut": cut, "steady": steady, "resumed": self._resumed}
