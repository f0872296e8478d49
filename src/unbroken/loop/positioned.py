"""A map-style DataLoader rebuilt so that a batch is a function of (seed, epoch, batch) and any batch can be next."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

from unbroken import messages
from unbroken.errors import LoaderRefusedError
from unbroken.loop.batches import FIRST_VERSION, KEYED, VERSION, LoadedHere, Pass, Rebuilt, settings_of, tell_epoch
from unbroken.loop.content import SAMPLED, WHOLE, content_digest
from unbroken.loop.drawing import collates_as_torch, draws_nothing
from unbroken.loop.generators import OwnGenerators, find_generators
from unbroken.loop.randomness import Position, seed_streams, states_of_streams
from unbroken.loop.samplers import Order, PositionedSampler, Tag, inner_of, length_of, order_of
from unbroken.loop.shares import (
    DistributedOrder,
    Share,
    distribution_of,
    is_distributed,
    require_divisible,
    require_parts,
    rest_of,
)

_log = logging.getLogger("unbroken.rank")  # of each rank its own


class PositionedLoader:
    """One user's DataLoader, made able to start at any batch of any epoch without loading what came before.

    The training process's own streams are the same after a batch as before it, whether it was loaded here or in
    a worker, and so is the batch. The loader is read anew at each pass: a collate function or a sampler replaced
    between two epochs is the one that is used.

    Raises:
        LoaderRefusedError: its sampler's order can't be repeated.
    """

    promise = "loader_exact"

    def __init__(self, loader: DataLoader[Any], seed: int, version: int = VERSION, share: Share | None = None) -> None:
        self._seed = seed
        self._share = share or Share()
        self._rescaled = False
        self.divided = True
        """Whether the loader gives global batches, of which each process loads its share; else each has its own."""
        self._loader = loader
        self._version = version
        self._built: tuple[object, ...] = ()
        self.repeatable: bool | None = None
        self._refresh()

    @property
    def length(self) -> int | None:
        """How many batches a pass has, as the loader is now."""
        return length_of(self._sampler)

    @property
    def workers(self) -> int:
        return self._loader.num_workers

    @property
    def facts(self) -> dict[str, Any]:
        """What must be the same for a saved position to mean the same; the number of workers need not."""
        source = self._sampler.source
        kinds = [type(source).__qualname__, type(inner_of(source)).__qualname__]
        return {
            **{"promise": self.promise, "length": self.length},
            **{"samples": length_of(self._dataset), "sampler": "/".join(dict.fromkeys(kinds))},
            **({} if self.divided else {"processes": self._share.size}),
            **({"batch": source.batch_size} if isinstance(source, DistributedOrder) else {}),
        }

    @property
    def distribution(self) -> dict[str, Any]:
        """What must be the same on all ranks besides."""
        return distribution_of(self._loader)

    @property
    def _of_several(self) -> bool:
        return isinstance(self._sampler.source, DistributedOrder)

    def fits_rescaled(self, batch: object) -> bool:
        """Whether its ``batch_size`` is a share of the global batch that was made of so many from each process."""
        own = getattr(self._loader.batch_sampler, "batch_size", None)
        return self._of_several and own != batch and own * self._share.size == batch * self._share.processes  # type: ignore[operator]

    def rescale(self) -> None:
        """Its ``batch_size`` is such a share."""
        if self._of_several and not self._rescaled:
            self._rescaled, self._built = True, ()
            self._refresh()

    @property
    def sizes(self) -> tuple[int, int] | None:
        """How many samples a step has in all, and this process of them; None where that is not known, or the same."""
        size = getattr(self._sampler.source, "batch_size", None)
        if self._share.size == 1 or not self.divided or not isinstance(size, int):
            return None
        whole = size * (self._share.processes if self._of_several else 1)
        return whole, whole // self._share.size

    @property
    def uneven_rest(self) -> int:
        """How many samples the last batch of a pass has, where they can't be divided evenly; else 0."""
        several = self._share.size > 1 and self.divided and not self._of_several
        rest = rest_of(self._loader, 1) if several else 0
        return rest if rest % self._share.size else 0

    def divide(self, *, alike: bool) -> None:
        """Told before its first pass whether its sampler gives the same on all ranks."""
        if self.divided != alike:
            self.divided, self._built = alike, ()
            self._refresh()
        if self.divided:
            require_divisible(self._loader, self._share)
        if self._of_several and self.sizes is not None:
            require_parts(self.sizes[0], self._share)

    def iterate(
        self, *, epoch: int, loop: int, start: int, order: int | None = None, ahead: Mapping[str, Any] | None = None
    ) -> Pass:
        """As a ``ResumableLoader`` does.

        Raises:
            LoaderRefusedError: the sampler now gives another order, or can't be iterated a second time per epoch.
        """
        self._refresh()
        if loop > 0 and self._order is Order.COUNTING:
            raise LoaderRefusedError("counting_sampler_twice", epoch=epoch)
        check = None if self.repeatable is not None else max(self.workers, 1)
        self._sampler.seek(Position(self._seed, epoch, loop, start), order, ahead=ahead, check=check)
        if self.workers:
            batches = iter(self._rebuilt)
        else:
            own = self._dataset.own_generators()
            batches = LoadedHere(self._rebuilt, own, draws=self._dataset.draws)
        return Pass(batches, order or 0, self._sampler, self._note_repeatable if check else None)

    def _note_repeatable(self, same: bool) -> None:
        self.repeatable = same

    def _refresh(self) -> None:
        loader = self._loader
        source: Any = loader.batch_sampler if loader.batch_sampler is not None else loader.sampler
        held = (*settings_of(loader), id(source), id(inner_of(source)))
        if loader.persistent_workers and self._version > FIRST_VERSION:
            # Its workers have copies of the dataset, which would never see what is changed in it between two epochs.
            held = (*held, content_digest(_plain_attributes(loader.dataset), SAMPLED))
        if held == self._built:
            return
        self._built = held
        self._keep_alive = (
            loader.collate_fn,
            loader.worker_init_fn,
            source,
            inner_of(source),
        )  # an id is of the living
        share = self._share
        self._order, self.trial = order_of(loader, among_ranks=share.size > 1)
        if self.divided and not self.trial:  # else it may deal for itself: ``divide`` is told
            require_divisible(loader, share)
        if is_distributed(loader) and max(share.size, share.processes) > 1:
            source = DistributedOrder(source, share, rescaled=self._rescaled)
        first, keyed = self._version == FIRST_VERSION, self._version >= KEYED
        self._sampler = PositionedSampler(
            source,
            self._order,
            loader.dataset,
            bytes_of_tensors=not first,
            share=share if self.divided and share.size > 1 else None,
            keyed=keyed,
        )
        batched = loader.batch_sampler is not None
        self._dataset = _KeyedDataset(
            loader.dataset,
            loader.collate_fn,
            batched=batched,
            tells_epoch=first,
            keyed=keyed and batched,
            outlives_epochs=loader.persistent_workers,
        )
        batching = {"batch_size": None, "sampler": self._sampler, "collate_fn": _as_loaded}
        self._rebuilt = Rebuilt(loader, self._dataset, self._seed, **batching)
        self.repeatable = None


class _KeyedDataset(Dataset[Any]):
    """Loads and collates one whole batch with every random stream set by the batch's position."""

    def __init__(
        self,
        dataset: Dataset[Any],
        collate: Callable[[Any], Any],
        *,
        batched: bool,
        tells_epoch: bool = False,
        keyed: bool = False,
        outlives_epochs: bool = False,
    ) -> None:
        self._outlives_epochs = outlives_epochs
        known = draws_nothing(dataset)
        self._keyed = keyed and not known
        self.dataset = dataset
        self._collate = collate
        self._batched = batched
        self._tells_epoch = tells_epoch
        self._own: OwnGenerators | None = None
        self._epoch: int | None = None
        self._first: tuple[Position, bool] | None = None
        self._tried = self._keyed or known

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]

    def __getitem__(self, tag: Tag) -> Any:
        fields, indices, (first, start, stop) = tag
        position = Position(*fields)
        if self._tells_epoch and position.epoch != self._epoch:
            self._epoch = position.epoch
            tell_epoch(self.dataset, position.epoch)
        if not self.draws():
            return self._collated(self._fetch(indices), start, stop)
        own = self.own_generators()
        if self._keyed:
            samples = [self._one(index, position._replace(slot=first + i), own) for i, index in enumerate(indices)]
        seed_streams(position)
        own.seed(position)
        if self._tried:
            return self._collated(samples if self._keyed else self._fetch(indices), start, stop)
        samples, drew = self._fetch_watched(indices, own)
        batch = self._collated(samples, start, stop)
        self._try(position, drew, indices, own)
        return batch

    def draws(self) -> bool:
        """Whether a batch may depend on where the random streams stand; asked anew, as a dataset may be changed."""
        return not (draws_nothing(self.dataset) and collates_as_torch(self._collate))

    def _collated(self, samples: Any, start: int, stop: int) -> Any:
        return self._collate(samples if stop < 0 else samples[start:stop])

    def _one(self, index: Any, position: Position, own: OwnGenerators) -> Any:
        seed_streams(position)
        own.seed(position)
        return self._fetch([index])[0]

    def _fetch_watched(self, indices: Any, own: OwnGenerators) -> tuple[Any, bool]:
        """The samples, and whether any random number was drawn for them."""
        before = content_digest([states_of_streams(), own.states()], WHOLE)
        samples = self._fetch(indices)
        return samples, content_digest([states_of_streams(), own.states()], WHOLE) != before

    def _try(self, position: Position, drew: bool, indices: Any, own: OwnGenerators) -> None:
        """Whether the first samples of this process, loaded a second time, still draw random numbers.

        A dataset that does not has kept what it drew, and a restart would draw at another position. In this process the
        first batch comes a second time; a worker loads its first samples again, if it outlives the epoch, with what it
        keeps.
        """
        worker = get_worker_info()
        if worker is not None:
            self._tried = True
            if worker.id > 0 or not (self._outlives_epochs and drew):
                return
            for one in [[index] for index in indices] if self._batched else [indices]:
                seed_streams(position)
                own.seed(position)
                if self._fetch_watched(one, own)[1]:
                    return
        else:
            before, self._first = self._first, (position, drew)
            self._tried = before is not None
            if before != (position, True) or drew:
                return
        _log.warning(messages.text("dataset_keeps_draws", dataset=type(self.dataset).__qualname__))

    def own_generators(self) -> OwnGenerators:
        """The generators that dataset and collate function hold, as they are in this process."""
        if self._own is None:
            self._own = OwnGenerators(find_generators(self.dataset, self._collate))
        return self._own

    def forget_generators(self) -> None:
        """Look for them anew: a worker has copies of its own, and its user's function may have replaced them."""
        self._own = None

    def _fetch(self, indices: Any) -> Any:
        if not self._batched:
            return self.dataset[indices]
        fetch_many = getattr(self.dataset, "__getitems__", None)
        if fetch_many:
            return fetch_many(indices)
        return [self.dataset[index] for index in indices]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_own": None}


def _plain_attributes(value: object, depth: int = 0) -> dict[str, Any]:
    """The numbers, texts, arrays and tensors that a dataset, and those inside it, have as attributes."""
    found: dict[str, Any] = {}
    for name, child in getattr(value, "__dict__", {}).items():
        tensors = isinstance(child, list | tuple) and all(isinstance(one, torch.Tensor) for one in child)
        if tensors or isinstance(child, bool | int | float | str | type(None) | torch.Tensor | np.ndarray):
            found[name] = child
        elif depth < 3 and isinstance(child, Dataset):
            found[name] = _plain_attributes(child, depth + 1)
    return found


def _as_loaded(batch: Any) -> Any:
    return batch
