"""Ranks: the processes that train one model together, and how they agree; one process is the plain case of it.

The only module that calls collectives, and only from the training thread: a process that has died leaves the others
with the error of the group's time-out, never with a save of its own.
"""

import logging
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from enum import StrEnum
from typing import Any, NoReturn, TypeVar

import torch
import torch.distributed as dist

from unbroken import messages
from unbroken.errors import GuardError, RanksError, UnbrokenError
from unbroken.loop.packing import Head, Packed, framed, unframed

_log = logging.getLogger("unbroken")
_own_log = logging.getLogger("unbroken.rank")  # of each rank its own

T = TypeVar("T")
N = TypeVar("N")

_AT_ONCE = 1 << 14  # bytes of a value that all hear of at once
_LONGEST = 200  # characters of what torch says
_SILENT = timedelta(minutes=1)  # a third of the time-out where that is less


class At(StrEnum):
    """Where in a run the ranks meet; all have to be at the same."""

    BEGIN = "begin"
    LOADER = "loader"
    BOUNDARY = "boundary"
    EPOCH = "epoch"
    SAVE = "save"
    STOP = "stop"
    END = "end"


_WHERE = {
    At.BEGIN: "ranks_at_begin",
    At.LOADER: "ranks_at_loader",
    At.BOUNDARY: "ranks_at_boundary",
    At.EPOCH: "ranks_at_epoch",
    At.SAVE: "ranks_at_save",
    At.STOP: "ranks_at_stop",
    At.END: "ranks_at_end",
}


_ALONE = frozenset({"rank_lost", "rank_lost_again", "rank_late", "group_destroyed"})  # errors that not all ranks have


class Ranks:
    """One process: agrees with itself at no cost. ``ManyRanks`` has the same calls."""

    rank = 0
    size = 1

    def __init__(self, *, grouped: bool = False) -> None:
        self.grouped = grouped
        """Whether there is a process group, of one process too: others may go on with the run."""

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes and speaks."""
        return self.rank == 0

    @property
    def several(self) -> bool:
        return self.size > 1

    def together(self, at: At, do: Callable[[], T]) -> T:
        """Each does it for itself; where it fails for one, it fails for all, and the error says where."""
        return do()

    def together_with(self, at: At, do: Callable[[], T], note: N) -> list[tuple[T, N]]:
        """The same, with what each comes to and what each notes beside it, by rank: small things."""
        return [(do(), note)]

    def by_first(self, at: At, do: Callable[[], T]) -> T:
        """Only the first does it; what it comes to, and an error too, is everybody's."""
        return do()

    def all(self, at: At, value: T) -> list[T]:
        """The values of all, by rank."""
        return [value]

    def at_first(self, at: At, value: T, note: N) -> tuple[list[T], list[N]]:
        """The values of all for the first alone, the others get only their own; and what all note of theirs."""
        return [value], [note]

    def most(self, at: At, numbers: Sequence[int]) -> list[int]:
        """The greatest of each number among all."""
        return list(numbers)

    def says(self, error: UnbrokenError) -> bool:
        """Whether it is this process that tells of ``error``."""
        return True

    def refused(self, error: UnbrokenError) -> UnbrokenError:
        """The error to raise to the user's code for ``error``."""
        rank, size = launched()  # also before they have met, and where they have no group
        return error if size == 1 else _ending(error, told=rank == 0 or error.key in _ALONE)


class ManyRanks(Ranks):
    """Several processes of one ``torch.distributed`` group.

    Raises RanksError, from any call, where another one has died or has not come within the time-out of the group.
    """

    def __init__(self) -> None:
        super().__init__(grouped=True)
        self.rank = dist.get_rank()
        self.size = dist.get_world_size()
        self._patience = _patience()
        self._silent = _SILENT if self._patience is None else min(_SILENT, self._patience / 3)
        self._waited: set[At] = set()
        # Of our own: a collective that the user's code calls on one rank alone must never be taken for one of these.
        with self._lost_told(At.BEGIN):
            self._group = dist.new_group(backend="gloo", timeout=self._patience)

    def together(self, at: At, do: Callable[[], T]) -> T:
        done: list[T] = []
        self.together_with(at, lambda: done.append(do()), None)
        return done[0]

    def together_with(self, at: At, do: Callable[[], T], note: N) -> list[tuple[T, N]]:
        result: T | None = None
        failed: Exception | None = None
        try:
            result = do()
        except Exception as error:  # told to the others before it goes its way
            failed = error
        told = self.all(at, (None if failed is None else _told(failed), result, note))
        if failed is not None:
            raise failed
        for rank, (one, _, _) in enumerate(told):
            if one is not None:
                _raise(one, rank)
        return [(theirs, noted) for _, theirs, noted in told]  # type: ignore[misc]

    def by_first(self, at: At, do: Callable[[], T]) -> T:
        if self.is_first:
            try:
                packed = Packed.of(made := do())
            except Exception as error:
                self.all(at, (_told(error), None))
                raise
            self.all(at, (None, packed.head))
            self._broadcast(at, packed)
            return made
        told, head = self.all(at, (None, None))[0]
        if told is not None:
            _raise(told, 0)
        packed = Packed.expected(head)  # type: ignore[arg-type]
        self._broadcast(at, packed)
        return packed.value()  # type: ignore[no-any-return]

    def all(self, at: At, value: T) -> list[T]:
        written = pickle.dumps((at.value, value))
        with self._lost_told(at):
            texts = self._exchanged(at, written, _AT_ONCE)
        told = [pickle.loads(text) for text in texts]  # of processes of this very run, as trusted as their gradients
        for rank, (where, _) in enumerate(told):
            if where != told[0][0]:
                here, first = (messages.text(_WHERE[At(one)]) for one in (where, told[0][0]))
                raise RanksError("ranks_apart", rank=rank, here=here, first=first)
        return [one for _, one in told]

    def _exchanged(self, at: At, written: bytes, room: int) -> list[bytes]:
        """What each has written, by rank: ``room`` bytes of each to the first, and from there as many to all.

        Four processes on two cores take 0.7 ms for that. gloo's ``all_gather``, in which each waits three times for its
        neighbour, takes them 3.6.
        """
        mine = framed(written[:room], room, len(written))
        found = [torch.empty_like(mine) for _ in range(self.size)] if self.is_first else None
        self._await(at, dist.gather(mine, found, 0, group=self._group, async_op=True))
        parts = [unframed(one) for one in found or ()]
        longest = max((length for length, _ in parts), default=0)
        # Too long for the room, that is known to the first alone: it answers with how much is needed, below zero.
        answer = pickle.dumps([text for _, text in parts]) if longest <= room else b""
        length, text = self._spread(at, answer[:_AT_ONCE], _AT_ONCE, len(answer) or -longest)
        if length < 0:
            return self._exchanged(at, written, -length)
        if length > _AT_ONCE:
            _, text = self._spread(at, answer, length, length)
        return pickle.loads(text)  # type: ignore[no-any-return]

    def _spread(self, at: At, text: bytes, room: int, length: int) -> tuple[int, bytes]:
        """What the first gives, at all."""
        frame = framed(text, room, length)
        self._await(at, dist.broadcast(frame, 0, group=self._group, async_op=True))
        return unframed(frame)

    def _await(self, at: At, work: Any) -> None:
        """Until all have come; each says once for each place that it waits, so that who is missing is seen."""
        try:
            work.wait(self._silent)
            return
        except RuntimeError:  # its own time-out, which ends nothing, or what the work has failed with
            if not work.is_completed() and at not in self._waited:
                self._waited.add(at)
                here, seconds = messages.text(_WHERE[at]), f"{self._silent.total_seconds():g}"
                said = messages.text("rank_waits", rank=self.rank, here=here, seconds=seconds, patience=self._seconds)
                _own_log.warning(said)
        work.wait()

    def at_first(self, at: At, value: T, note: N) -> tuple[list[T], list[N]]:
        packed = Packed.of(value)
        told = self.all(at, (packed.head, note))
        notes = [one for _, one in told]
        with self._lost_told(at):
            if not self.is_first:
                for part in packed.parts():
                    dist.send(part, 0, group=self._group)
                return [value], notes
            others = [self._received(head, rank) for rank, (head, _) in enumerate(told) if rank > 0]
            return [value, *others], notes

    def most(self, at: At, numbers: Sequence[int]) -> list[int]:
        return [max(of_all) for of_all in zip(*self.all(at, list(numbers)), strict=True)]

    def says(self, error: UnbrokenError) -> bool:
        return self.is_first or error.key in _ALONE  # where the first may be lost somebody has to

    def refused(self, error: UnbrokenError) -> UnbrokenError:
        return _ending(error, told=self.says(error))

    def _received(self, head: Head, rank: int) -> Any:
        packed = Packed.expected(head)
        for part in packed.parts():
            dist.recv(part, rank, group=self._group)
        return packed.value()

    def _broadcast(self, at: At, packed: Packed) -> None:
        """From the first to all."""
        with self._lost_told(at):
            for part in packed.parts():
                dist.broadcast(part, 0, group=self._group)

    @contextmanager
    def _lost_told(self, at: At) -> Iterator[None]:
        """A peer that is gone, or that did not come in time, is one line."""
        try:
            yield
        except (RuntimeError, ValueError) as error:
            if not dist.is_initialized():
                raise RanksError("group_destroyed") from error
            said = {"rank": self.rank, "reason": _short(str(error).partition("\n")[0])}
            if not is_late(error):
                stale = at is At.BEGIN and _meets_the_store_of_the_dead()
                raise RanksError("rank_lost_again" if stale else "rank_lost", **said) from error
            here = messages.text(_WHERE[at])
            raise RanksError("rank_late", **said, here=here, patience=self._seconds) from error

    @property
    def _seconds(self) -> str:
        return "?" if self._patience is None else f"{self._patience.total_seconds():g}"


def ranks_here() -> Ranks:
    """The ranks that this process is one of.

    Raises GuardError where a launcher has started several, and they have no process group. Not asked is how many tasks
    a scheduler was told of (SLURM_NTASKS): these may be runs that have nothing to do with each other.
    """
    if dist.is_available() and dist.is_initialized():
        return ManyRanks() if dist.get_world_size() > 1 else Ranks(grouped=True)
    if (count := launched()[1]) > 1:
        raise GuardError("no_process_group", count=count)
    return Ranks()


def launched() -> tuple[int, int]:
    """Which of how many processes this is, by its process group, or else by what a launcher has told it."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    told = (os.environ.get(name, "").strip() for name in ("RANK", "WORLD_SIZE"))
    rank, size = (int(one) if one.isdecimal() else 0 for one in told)
    return rank, max(size, 1)


def _ending(error: UnbrokenError, *, told: bool) -> UnbrokenError:
    """The same error, that ends the process where nobody catches it: a traceback of each would bury the one line.

    ``told``: by this process.
    """
    if isinstance(error, SystemExit):
        return error
    if told:
        _log.error("%s", error)
    kind = type(error)
    ending = type(kind.__name__, (kind, SystemExit), {"__module__": kind.__module__, "__doc__": kind.__doc__})
    refused: UnbrokenError = ending(error.key, **error.values)
    refused.code = error.exit_code  # type: ignore[attr-defined]
    return refused


def _short(said: str) -> str:
    return said if len(said) <= _LONGEST else f"{said[:_LONGEST]} …"


def is_late(error: Exception) -> bool:
    """Whether it says no more than that the time was over; torch has no class of errors for that alone."""
    said = str(error).lower()
    # "timed out connecting: Connection refused" is what gloo says of an address at which nobody is any more.
    late = ("timed out", "timeout", "failed to pass monitoredbarrier")
    return "refused" not in said and any(words in said for words in late)


def _meets_the_store_of_the_dead() -> bool:
    """Whether torchrun has started this process again, and with the store in which the attempt before met."""
    again = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0"
    return again and os.environ.get("TORCH_DISABLE_SHARE_RDZV_TCP_STORE") != "1"


def _patience() -> timedelta | None:
    """The time-out of the group of all, which no public call tells; None, torch's default, where it is not found."""
    with suppress(Exception):
        device = torch.device(torch.accelerator.current_accelerator() or "cpu")
        options: Any = dist.group.WORLD._get_backend(device).options  # type: ignore[union-attr]
        return timedelta(seconds=options._timeout.total_seconds())
    return None


_Told = tuple[type[UnbrokenError], str]


def _told(error: Exception) -> _Told:
    kind = type(error) if isinstance(error, UnbrokenError) else RanksError
    return kind, str(error) if kind is not RanksError else f"{type(error).__name__}: {error}"


def _raise(told: _Told, rank: int) -> NoReturn:
    kind, sentence = told
    raise kind("on_rank", rank=rank, error=sentence)
