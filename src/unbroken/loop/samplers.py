"""The order of samples as a function of (seed, epoch): the user's own sampler, drawn under streams of its own."""

import copy
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sized
from dataclasses import replace
from enum import Enum
from itertools import islice
from typing import Any

import torch
import xxhash
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler, Sampler, SequentialSampler

from unbroken.errors import LoaderRefusedError
from unbroken.loop.content import WHOLE, content_digest
from unbroken.loop.generators import OwnGenerators, find_generators
from unbroken.loop.randomness import SAMPLER_BATCH, Aside, Position, seed_streams
from unbroken.loop.shares import Share, is_distributed
from unbroken.state.encoding import decode

# Drawn ahead at a time, so that putting the training streams aside costs next to nothing per batch.
_DRAWN_AHEAD = 64
_TRIED_BATCHES = 4_096

_NEVER = -1  # the digest of nothing: indices that came from a checkpoint are kept in the next one, too

_FIXED = (SequentialSampler, RandomSampler, BatchSampler, range)

# The fields of a position, indices, and where in the global batch the first of them is and how many are wanted from
# which on; plain, for each goes to a worker.
Tag = tuple[tuple[int, int, int, int], Any, tuple[int, int, int]]


class Order(Enum):
    """What a sampler's order is a function of."""

    KNOWN = "known"  # of the streams it draws from, and of nothing that a user could change
    POSITIONAL = "positional"  # of the streams, as long as its weights, indices or epoch stay what they are
    COUNTING = "counting"  # also of how often it was iterated before


def digest_of(indices: object, before: int = 0, *, bytes_of_tensors: bool = True) -> int:
    """64 bits over a batch's indices, chained to those of the batches before it.

    Without ``bytes_of_tensors`` as the first version did: by a text that abbreviates long tensors and arrays.
    """
    digest = xxhash.xxh3_64_intdigest(repr(indices).encode(), seed=before)
    first = indices[0] if type(indices) is list and indices else indices
    return (
        digest if isinstance(first, int | str) or not bytes_of_tensors else content_digest(indices, WHOLE, seed=digest)
    )


class PositionedSampler:
    """Yields each batch's position and indices from the batch set by ``seek`` on; its draws touch no training stream.

    ``digests`` has one entry per batch yielded and not yet taken from it: the order, for those who compare it. Where
    ``seek`` was told to ``check``, the first ``checked`` batches are followed by some of them once more: those at
    ``repeated``, without a digest; and of a global batch that is divided by the first rank's part, for all ranks.
    """

    def __init__(
        self,
        source: Iterable[Any],
        order: Order = Order.KNOWN,
        dataset: object = None,
        *,
        bytes_of_tensors: bool = True,
        share: Share | None = None,
        keyed: bool = False,
    ) -> None:
        self._share = share
        self._keyed = keyed
        self._source = source
        self._order = order
        self._dataset = dataset
        self._bytes_of_tensors = bytes_of_tensors
        self._aside = Aside()
        self._position = Position(0, 0, 0, 0)
        self._expected: int | None = None
        self._ahead: list[Any] | None = None
        self._check: int | None = None
        self._passes = 0
        self._drawn_batches: list[Any] = []
        self._drawn_from = 0
        self._held: int | None = None
        self.digests: deque[int] = deque()
        self._common: Tag | None = None
        self.checked = 0
        self.repeated: list[int] = []
        self.is_drawing = False

    def seek(
        self,
        position: Position,
        expected: int | None = None,
        *,
        ahead: Mapping[str, Any] | None = None,
        check: int | None = None,
    ) -> "PositionedSampler":
        """The next iteration is the pass of this position and starts at its batch.

        ``expected`` is the digest of the batches before it, as they were given out in their time; ``ahead`` has the
        indices of those from there on, drawn then. ``check`` is how many workers take the batches in turn.
        """
        self._position = position
        self._expected = expected
        self._ahead = None if ahead is None else _unpacked(ahead, self._dataset)
        self._check = check
        self.digests = deque()
        return self

    @property
    def source(self) -> Iterable[Any]:
        """The user's own."""
        return self._source

    def __len__(self) -> int:
        return len(self._source)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Tag]:
        tags = self._tags(self._position, self._expected, self._ahead, self.digests)
        return tags if self._check is None else self._with_repeats(tags, self._check)

    def remaining(self, given: int) -> dict[str, Any] | None:
        """The indices of this pass from batch ``given`` on, where what the sampler holds is not what it was when they
        were drawn (weights that follow the losses), so that they could not be drawn again; else None."""
        if self._held is None or (self._held != _NEVER and self._held == self._held_now()):
            return None
        return _packed(self._drawn_batches[given - self._drawn_from :])

    def _with_repeats(self, tags: Iterator[Tag], workers: int) -> Iterator[Tag]:
        """Two batches come a second time, each to another worker, which has loaded another one before; with a single
        worker, or none, the first comes twice."""
        head = list(islice(tags, workers))
        repeats = [1, 0] if len(head) == workers > 1 else [0][: len(head)]
        self.checked, self.repeated = len(head), repeats
        yield from head
        for index in repeats:
            yield head[index]
        if self._common is not None:
            yield self._common
        yield from tags

    def _tags(
        self, position: Position, expected: int | None, ahead: list[Any] | None, digests: deque[int]
    ) -> Iterator[Tag]:
        seed, epoch, loop, batch, _ = position
        digest = 0 if expected is None else expected
        self._drawn_batches, self._drawn_from, self._held, self._common = [], batch, None, None
        for drawn in self._drawn(position, expected) if ahead is None else self._as_kept(ahead):
            ready = []
            for indices in drawn:
                digest = digest_of(indices, digest, bytes_of_tensors=self._bytes_of_tensors)
                place = (seed, epoch, loop, batch)
                ready.append((digest, (place, *self._part(indices, position, batch, self._share))))
                if self._share is not None and self._common is None:
                    self._common = (place, *self._part(indices, position, batch, replace(self._share, rank=0)))
                batch += 1
            for digest, tag in ready:
                digests.append(digest)
                yield tag

    @property
    def is_divided(self) -> bool:
        """Whether this process has a part of each batch."""
        return self._share is not None

    def _part(
        self, indices: Any, position: Position, batch: int, share: Share | None
    ) -> tuple[Any, tuple[int, int, int]]:
        """What of a global batch is needed, the place of its first sample, and from which to which to keep."""
        if share is None:
            return indices, (0, 0, -1)
        start, stop = share.bounds(len(indices), position._replace(batch=batch))
        if self._keyed:
            return indices[start:stop], (start, 0, stop - start)
        return indices, (0, start, stop)  # the streams go through the whole batch

    def _as_kept(self, ahead: list[Any]) -> Iterator[list[Any]]:
        self._passes += 1
        self._drawn_batches, self._held = ahead, _NEVER
        yield ahead

    def _drawn(self, position: Position, expected: int | None) -> Iterator[list[Any]]:
        own = OwnGenerators(find_generators(self._source))
        # All at once where what is drawn depends on more than the streams, and there is an end: what it depends on
        # may change from batch to batch, and a resume has only what it is by then.
        whole = self._order is Order.POSITIONAL and length_of(self._source) is not None and self._bytes_of_tensors
        at_once = None if whole else _DRAWN_AHEAD
        batches: Iterator[Any] | None = None
        streams, own_states = None, own.states()
        while True:
            held = own.states()
            self.is_drawing = True
            with self._aside.running(resume_from=streams):
                own.set_states(own_states)
                if batches is None:
                    if self._order is Order.COUNTING:
                        self._catch_up(position, own)
                    self._held = self._held_now() if whole else None
                    self._seed_pass(position, own)
                    batches = map(_as_drawn, self._from(position, expected))
                ahead = list(islice(batches, at_once))
                streams, own_states = self._aside.capture(), own.states()
                own.set_states(held)
            self.is_drawing = False
            if whole:
                self._drawn_batches = ahead
            if ahead:
                yield ahead
            if whole or not ahead:
                return

    def _held_now(self) -> int:
        """A digest of what the sampler holds besides the dataset: weights, indices, an epoch."""
        held: dict[str, Any] = {}
        for number, one in enumerate((self._source, inner_of(self._source))):
            for name, value in getattr(one, "__dict__", {}).items():
                if value is not self._dataset and not isinstance(value, Dataset | Sampler):
                    held[f"{number} {name}"] = value
        return content_digest(held, WHOLE)

    def _seed_pass(self, position: Position, own: OwnGenerators) -> None:
        start = position._replace(batch=SAMPLER_BATCH)
        seed_streams(start)
        own.seed(start)
        self._passes += 1

    def _catch_up(self, position: Position, own: OwnGenerators) -> None:
        """Run through the passes of earlier epochs that this process has not seen: their indices only."""
        while self._passes < position.epoch - 1:
            earlier = position._replace(epoch=self._passes + 1)
            self._seed_pass(earlier, own)
            deque(self._source, maxlen=0)

    def _from(self, position: Position, expected: int | None) -> Iterator[Any]:
        """The batches of a pass just seeded, without those before the position."""
        if self._order is Order.KNOWN and type(self._source) is BatchSampler:
            # Samples are skipped in half the time that it takes to make batches of them first.
            size, samples = self._source.batch_size, iter(self._source.sampler)
            deque(islice(samples, position.batch * size), maxlen=0)
            return iter(BatchSampler(samples, size, self._source.drop_last))
        batches = iter(self._source)
        skipped = islice(batches, position.batch)
        if self._order is Order.KNOWN or expected is None:
            deque(skipped, maxlen=0)
            return batches
        digest = 0
        for indices in skipped:
            digest = digest_of(indices, digest, bytes_of_tensors=self._bytes_of_tensors)
        if digest != expected:
            inner = inner_of(self._source)
            name = type(inner if _is_torchs(self._source) else self._source).__qualname__
            raise LoaderRefusedError("order_changed", sampler=name, epoch=position.epoch, batch=position.batch)
        return batches


def length_of(sized: Any) -> int | None:
    """None for what has no length."""
    try:
        return len(sized)
    except (TypeError, NotImplementedError):
        return None


def _packed(batches: list[Any]) -> dict[str, Any]:
    """The indices of batches, for a checkpoint: as one tensor where they are lists of integers."""
    if all(type(batch) is list and all(type(index) is int for index in batch) for batch in batches):
        flat = torch.tensor([index for batch in batches for index in batch], dtype=torch.int64)
        return {"indices": flat, "sizes": torch.tensor([len(batch) for batch in batches], dtype=torch.int64)}
    return {"batches": batches}


def _unpacked(kept: Mapping[str, Any], dataset: object) -> list[Any]:
    if "batches" in kept:
        return list(decode(kept["batches"]))
    indices, sizes = kept["indices"], kept["sizes"].tolist()
    sized = dataset if isinstance(dataset, Sized) else ()
    if indices.ndim != 1 or min(sizes, default=0) < 0 or sum(sizes) != len(indices) or not _within(indices, sized):
        raise LoaderRefusedError("ahead_does_not_fit", kept=len(indices), samples=len(sized))
    flat = iter(indices.tolist())
    return [list(islice(flat, size)) for size in sizes]


def _within(indices: torch.Tensor, dataset: Sized) -> bool:
    return len(indices) == 0 or (int(indices.min()) >= 0 and int(indices.max()) < len(dataset))


def inner_of(source: Any) -> Any:
    """The sampler of samples inside a sampler of batches; itself where there is none."""
    return getattr(source, "sampler", source)


def order_of(loader: DataLoader[Any], *, among_ranks: bool = False) -> tuple[Order, int]:
    """What the order of this loader's sampler depends on; and a digest of what a trial of it gave, 0 if there was none.

    ``among_ranks``: it may deal to one of several processes.

    Samplers of torch itself are known; any other is copied and tried from the same streams: two passes, twice.

    Raises:
        LoaderRefusedError: it can't be copied, or its order depends on something that can't be repeated.
    """
    source = loader.batch_sampler if loader.batch_sampler is not None else loader.sampler
    inner = inner_of(source)
    if type(source) in _FIXED and type(inner) in _FIXED:
        return Order.KNOWN, 0
    if _is_torchs(source) and _is_torchs(inner):
        own = among_ranks and not is_distributed(loader)  # of that it is known how it deals
        return Order.POSITIONAL, digest_of(_tried(source)) if own else 0
    name = type(inner if _is_torchs(source) else source).__qualname__
    try:
        one, other = (copy.deepcopy(source, {id(loader.dataset): loader.dataset}) for _ in range(2))
    except Exception as error:
        raise LoaderRefusedError("sampler_uncheckable", sampler=name, error=error) from error
    first, second = _tried(one), _tried(one)
    if (_tried(other), _tried(other)) != (first, second):
        raise LoaderRefusedError("sampler_not_repeatable", sampler=name)
    return Order.POSITIONAL if first == second else Order.COUNTING, digest_of(first)


def _as_drawn(indices: Any) -> Any:
    """``indices`` as they are now: a sampler may fill one and the same list for every batch."""
    if type(indices) is list and (not indices or isinstance(indices[0], int)):
        return indices[:]
    return indices if isinstance(indices, int | str) else copy.deepcopy(indices)


def _is_torchs(sampler: object) -> bool:
    return isinstance(sampler, range | list | tuple) or type(sampler).__module__.startswith("torch.utils.data")


def _tried(sampler: Iterable[Any]) -> list[str]:
    positioned = PositionedSampler(sampler).seek(Position(0, 1, 0, 0))
    return [repr(indices) for _, indices, _ in islice(positioned, _TRIED_BATCHES)]
