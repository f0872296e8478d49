"""The order of samples as a function of (seed, epoch): the user's own sampler, drawn under streams of its own."""

import copy
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from torch.utils.data import DataLoader

from unbroken.errors import LoaderRefusedError
from unbroken.loop.generators import OwnGenerators, find_generators
from unbroken.loop.randomness import SAMPLER_BATCH, Aside, Position, seed_streams

# Drawn ahead at a time, so that putting the training streams aside costs next to nothing per batch.
_DRAWN_AHEAD = 64
_CHECKED_BATCHES = 4_096

Tag = tuple[Position, Any]


class PositionedSampler:
    """Yields ``(position, indices)`` from the batch set by ``seek`` on; its draws touch no training stream."""

    def __init__(self, source: Iterable[Any]) -> None:
        self._source = source
        self._aside = Aside()
        self._position = Position(0, 0, 0, 0)

    def seek(self, position: Position) -> None:
        """The next iteration is the pass of this position and starts at its batch."""
        self._position = position

    def __len__(self) -> int:
        return len(self._source)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Tag]:
        return self._tags(self._position)

    def _tags(self, position: Position) -> Iterator[Tag]:
        for batch, indices in enumerate(self._index_batches(position), position.batch):
            yield position._replace(batch=batch), indices

    def _index_batches(self, position: Position) -> Iterator[Any]:
        own = OwnGenerators(find_generators(self._source))
        held = own.states()
        with self._aside.running():
            own_start = position._replace(batch=SAMPLER_BATCH)
            seed_streams(own_start)
            own.seed(own_start)
            batches = islice(iter(self._source), position.batch, None)
            ahead = list(islice(batches, _DRAWN_AHEAD))
            streams, own_states = self._aside.capture(), own.states()
            own.set_states(held)
        while ahead:
            yield from ahead
            held = own.states()
            with self._aside.running(resume_from=streams):
                own.set_states(own_states)
                ahead = list(islice(batches, _DRAWN_AHEAD))
                streams, own_states = self._aside.capture(), own.states()
                own.set_states(held)


def check_order(loader: DataLoader[Any]) -> None:
    """Refuse a sampler whose order is not a function of the streams it draws from.

    Samplers of torch itself are known; any other is copied and run twice from the same streams. One that counts
    its passes for itself, or draws from elsewhere, gives two orders.

    Raises:
        LoaderRefusedError: the orders differ, or the sampler can't be copied to be tried.
    """
    source = loader.batch_sampler if loader.batch_sampler is not None else loader.sampler
    inner = getattr(source, "sampler", source)
    if _is_known(source) and _is_known(inner):
        return
    name = type(inner if _is_known(source) else source).__qualname__
    try:
        trial = copy.deepcopy(source, {id(loader.dataset): loader.dataset})
    except Exception as error:
        raise LoaderRefusedError("sampler_uncheckable", sampler=name, error=error) from error
    if _trial_order(trial) != _trial_order(trial):
        raise LoaderRefusedError("sampler_not_positional", sampler=name)


def _is_known(sampler: object) -> bool:
    return isinstance(sampler, range | list | tuple) or type(sampler).__module__.startswith("torch.utils.data")


def _trial_order(sampler: Iterable[Any]) -> list[str]:
    positioned = PositionedSampler(sampler)
    return [repr(indices) for _, indices in islice(positioned, _CHECKED_BATCHES)]
