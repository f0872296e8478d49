"""The order of samples as a function of (seed, epoch): the user's own sampler, drawn under streams of its own."""

import copy
from collections import deque
from collections.abc import Iterable, Iterator
from enum import Enum
from itertools import islice
from operator import length_hint
from typing import Any

import xxhash
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, SequentialSampler

from unbroken.errors import LoaderRefusedError
from unbroken.loop.generators import OwnGenerators, find_generators
from unbroken.loop.randomness import SAMPLER_BATCH, Aside, Position, seed_streams

# Drawn ahead at a time, so that putting the training streams aside costs next to nothing per batch.
_DRAWN_AHEAD = 64
_TRIED_BATCHES = 4_096

_LISTS = type(iter([0]))  # of iterators over lists
_FIXED = (SequentialSampler, RandomSampler, BatchSampler, range)

Tag = tuple[tuple[int, int, int, int], Any]  # the fields of a position, and indices: plain, for each goes to a worker


class Order(Enum):
    """What a sampler's order is a function of."""

    KNOWN = "known"  # of the streams it draws from, and of nothing that a user could change
    POSITIONAL = "positional"  # of the streams, as long as its weights, indices or epoch stay what they are
    COUNTING = "counting"  # also of how often it was iterated before


def digest_of(indices: object, before: int = 0) -> int:
    """64 bits over a batch's indices, chained to those of the batches before it."""
    return xxhash.xxh3_64_intdigest(repr(indices).encode(), seed=before)


class PositionedSampler:
    """Yields each batch's position and indices from the batch set by ``seek`` on; its draws touch no training stream.

    ``digests`` has one entry per batch yielded and not yet taken from it: the order, for those who compare it.
    """

    def __init__(self, source: Iterable[Any], order: Order = Order.KNOWN) -> None:
        self._source = source
        self._order = order
        self._aside = Aside()
        self._position = Position(0, 0, 0, 0)
        self._expected: int | None = None
        self._passes = 0
        self.digests: deque[int] = deque()

    def seek(self, position: Position, expected: int | None = None) -> "PositionedSampler":
        """The next iteration is the pass of this position and starts at its batch.

        ``expected`` is the digest of the batches before it, as they were given out in their time.
        """
        self._position = position
        self._expected = expected
        self.digests = deque()
        return self

    def __len__(self) -> int:
        return len(self._source)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Tag]:
        return self._tags(self._position, self._expected, self.digests)

    def _tags(self, position: Position, expected: int | None, digests: deque[int]) -> Iterator[Tag]:
        seed, epoch, loop, batch, _ = position
        digest = 0 if expected is None else expected
        for drawn in self._drawn(position, expected):
            ready = []
            for indices in drawn:
                digest = digest_of(indices, digest)
                ready.append((digest, ((seed, epoch, loop, batch), indices)))
                batch += 1
            for digest, tag in ready:
                digests.append(digest)
                yield tag

    def _drawn(self, position: Position, expected: int | None) -> Iterator[list[Any]]:
        own = OwnGenerators(find_generators(self._source))
        held = own.states()
        with self._aside.running():
            if self._order is Order.COUNTING:
                self._catch_up(position, own)
            self._seed_pass(position, own)
            batches = map(_as_drawn, self._from(position, expected))
            ahead = list(islice(batches, _DRAWN_AHEAD))
            streams, own_states = self._aside.capture(), own.states()
            own.set_states(held)
        while ahead:
            yield ahead
            held = own.states()
            with self._aside.running(resume_from=streams):
                own.set_states(own_states)
                ahead = list(islice(batches, _DRAWN_AHEAD))
                streams, own_states = self._aside.capture(), own.states()
                own.set_states(held)

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
            _skip(samples, position.batch * size)
            return iter(BatchSampler(samples, size, self._source.drop_last))
        batches = iter(self._source)
        skipped = islice(batches, position.batch)
        if self._order is Order.KNOWN or expected is None:
            deque(skipped, maxlen=0)
            return batches
        digest = 0
        for indices in skipped:
            digest = digest_of(indices, digest)
        if digest != expected:
            inner = getattr(self._source, "sampler", self._source)
            name = type(inner if _is_torchs(self._source) else self._source).__qualname__
            raise LoaderRefusedError("order_changed", sampler=name, epoch=position.epoch, batch=position.batch)
        return batches


def _skip(samples: Iterator[Any], count: int) -> None:
    """Advance ``samples``; a generator in the midst of yielding from a list is spared handing over each item."""
    while count > 0 and next(samples, samples) is not samples:
        source, more = samples, count - 1
        inner: Any = getattr(samples, "gi_yieldfrom", None)
        if type(inner) is _LISTS:
            source, more = inner, min(more, length_hint(inner))
        next(islice(source, more, more), None)
        count -= 1 + more


def order_of(loader: DataLoader[Any]) -> Order:
    """What the order of this loader's sampler depends on.

    Samplers of torch itself are known; any other is copied and tried from the same streams: two passes, twice.

    Raises:
        LoaderRefusedError: it can't be copied, or its order depends on something that can't be repeated.
    """
    source = loader.batch_sampler if loader.batch_sampler is not None else loader.sampler
    inner = getattr(source, "sampler", source)
    if type(source) in _FIXED and type(inner) in _FIXED:
        return Order.KNOWN
    if _is_torchs(source) and _is_torchs(inner):
        return Order.POSITIONAL
    name = type(inner if _is_torchs(source) else source).__qualname__
    try:
        one, other = (copy.deepcopy(source, {id(loader.dataset): loader.dataset}) for _ in range(2))
    except Exception as error:
        raise LoaderRefusedError("sampler_uncheckable", sampler=name, error=error) from error
    first, second = _tried(one), _tried(one)
    if (_tried(other), _tried(other)) != (first, second):
        raise LoaderRefusedError("sampler_not_repeatable", sampler=name)
    return Order.POSITIONAL if first == second else Order.COUNTING


def _as_drawn(indices: Any) -> Any:
    """``indices`` as they are now: a sampler may fill one and the same list for every batch."""
    if type(indices) is list and (not indices or isinstance(indices[0], int)):
        return indices[:]
    return indices if isinstance(indices, int | str) else copy.deepcopy(indices)


def _is_torchs(sampler: object) -> bool:
    return isinstance(sampler, range | list | tuple) or type(sampler).__module__.startswith("torch.utils.data")


def _tried(sampler: Iterable[Any]) -> list[str]:
    positioned = PositionedSampler(sampler).seek(Position(0, 1, 0, 0))
    return [repr(indices) for _, indices in islice(positioned, _TRIED_BATCHES)]
