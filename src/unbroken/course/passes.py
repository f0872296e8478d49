"""The loops over loaders within one epoch: which of them leads, and how far the others have got beside it.

The first loop that asks for a batch leads: its boundaries are where the state can be saved. Others may run beside
it, as in ``zip(run.batches(a), run.batches(b))`` or with ``next`` on an iterator of their own; at a boundary of the
leading one each has given a number of batches, and starts from there on a resume.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from unbroken import messages
from unbroken.errors import LoaderRefusedError
from unbroken.loop.numbers import PROMISE as STEPS

_log = logging.getLogger("unbroken")


@dataclass
class OpenPass:
    """One loop: its number among those of the epoch, what its position depends on, and what it has given.

    ``order``: the digest of the indices of all that it has given, where that is known.

    ``reopened``: on a resume, asked for where before the interruption it was in hand already. ``ahead``: the indices
    from there on, where they could not be drawn again; ``remaining`` gives those from a batch on, for a save.
    """

    index: int
    facts: Mapping[str, Any]
    given: int
    order: int | None = None
    exhausted: bool = False
    reopened: bool = False
    ahead: Mapping[str, Any] | None = None
    remaining: Callable[[int], dict[str, Any] | None] | None = None


class EpochPasses:
    """The loops of one epoch; with ``saved``, an epoch that goes on from where these records were made.

    With ``same_epoch`` False they are those of the epoch before: only the leading loader is compared with its own.
    """

    def __init__(self, saved: Mapping[str, Any] | None = None, *, same_epoch: bool = False) -> None:
        self.lead: OpenPass | None = None
        self._opened: list[OpenPass] = []
        self._saved: list[Mapping[str, Any]] = list(saved["opened"]) if saved else []
        self._saved_lead: int | None = saved["lead"] if saved else None
        self._same_epoch = same_epoch
        self._waiting: list[int] = []
        self._next_index = 0

    @property
    def before(self) -> Mapping[str, Any]:
        """The facts of the loader that was in the place of the next one to be opened, where one was saved."""
        index = self._waiting[0] if self._waiting else self._next_index
        there = index < len(self._saved) and (self._same_epoch or index == self._saved_lead)
        return self._saved[index]["facts"] if there else {}

    def open(self, facts: Mapping[str, Any]) -> OpenPass:
        """A further loop. On a resume it is the saved one that was opened at this place, and starts where that was.

        Raises:
            LoaderRefusedError: its loader differs from that one's in what a position depends on.
        """
        reopened = bool(self._waiting)
        if reopened:
            index = self._waiting.pop(0)
        else:
            index = self._next_index
            self._next_index += 1
        given, order, exhausted, ahead = 0, None, False, None
        if index < len(self._saved):
            before = self._saved[index]
            if self._same_epoch or index == self._saved_lead:
                _compare(before["facts"], facts, same_epoch=self._same_epoch)
                _say_changes(before["facts"], facts)
            if self._same_epoch:
                given, order, exhausted = before["given"], before.get("order"), before["exhausted"]
                ahead = before.get("ahead")
        opened = OpenPass(index, facts, given, order, exhausted, reopened, ahead)
        self._opened.append(opened)
        return opened

    def take_lead(self, opened: OpenPass) -> None:
        """The first batch of the epoch is asked of ``opened``.

        Raises:
            LoaderRefusedError: on a resume, it was another loop that led.
        """
        self.lead = opened
        if self._saved_lead is None or not self._same_epoch:
            return
        if opened.index != self._saved_lead:
            raise LoaderRefusedError("other_loop_leads", old=self._saved_lead + 1, new=opened.index + 1)
        self._waiting = [
            index for index, before in enumerate(self._saved) if index >= self._next_index and not _at_its_end(before)
        ]
        self._next_index = max(self._next_index, len(self._saved))

    def record(self, batch: int, order: int) -> dict[str, Any]:
        """What a checkpoint must know of the loops; the leading one has given ``batch`` batches that are done."""
        by_index = {opened.index: opened for opened in self._opened}
        opened = []
        for index in range(max(self._next_index, len(self._saved) if self._same_epoch else 0)):
            one = by_index.get(index)
            if one is None:
                record = dict(self._saved[index])
            else:
                given, digest = (batch, order) if one is self.lead else (one.given, one.order)
                record = {"facts": dict(one.facts), "given": given, "order": digest, "exhausted": one.exhausted}
                ahead = None if one.remaining is None or one.exhausted else one.remaining(given)
                if ahead is not None:
                    record["ahead"] = ahead
            # One that has given all is left when its iterator is thrown away, or, resumed, is not opened at all.
            opened.append({**record, "exhausted": _at_its_end(record)})
        return {"lead": None if self.lead is None else self.lead.index, "opened": opened}


def _say_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """What a resume goes on with, and what is nevertheless not the loader of before."""
    for fact in ("length", "samples", "sampler"):
        if fact in before and before[fact] != now.get(fact):
            _log.warning(messages.text("loader_changed", fact=fact, old=before[fact], new=now.get(fact)))


def _at_its_end(before: Mapping[str, Any]) -> bool:
    """Nobody goes on with it: it was left, or has no more batch to give, whether or not it was asked for one."""
    length = before["facts"].get("length")
    return before["exhausted"] or (length is not None and before["given"] >= length)


def _compare(before: Mapping[str, Any], now: Mapping[str, Any], *, same_epoch: bool) -> None:
    if (before["promise"] == STEPS) != (now["promise"] == STEPS):
        raise LoaderRefusedError("other_kind_of_loop")
    if before.get("workers") != now.get("workers"):
        raise LoaderRefusedError("workers_changed", old=before.get("workers"), new=now.get("workers"))
    if before.get("processes") != now.get("processes"):
        raise LoaderRefusedError("processes_changed", old=before.get("processes"), new=now.get("processes"))
    if same_epoch and before.get("length") != now.get("length"):
        raise LoaderRefusedError("epoch_length_changed", old=before.get("length"), new=now.get("length"))
    if same_epoch and "samples" in before and before["samples"] != now.get("samples"):
        raise LoaderRefusedError("samples_changed", old=before["samples"], new=now.get("samples"))
