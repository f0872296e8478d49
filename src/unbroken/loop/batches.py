"""A map-style DataLoader rebuilt so that a batch is a function of (seed, epoch, batch) and any batch can be next."""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

from unbroken.errors import LoaderRefusedError
from unbroken.loop.generators import OwnGenerators, find_generators
from unbroken.loop.randomness import Aside, Position, seed_streams, seeds_at
from unbroken.loop.samplers import Order, PositionedSampler, Tag, order_of
from unbroken.loop.signals import heed_parent_only, stop_signals_held_back


class PositionedLoader:
    """One user's DataLoader, made able to start at any batch of any epoch without loading what came before.

    The training process's own streams are the same after a batch as before it, whether it was loaded here or in
    a worker, and so is the batch.

    Raises:
        LoaderRefusedError: its sampler's order can't be repeated.
    """

    promise = "loader_exact"

    def __init__(self, loader: DataLoader[Any], seed: int) -> None:
        self._seed = seed
        self._order = order_of(loader)
        self.workers = loader.num_workers
        batched = loader.batch_sampler is not None
        source: Any = loader.batch_sampler if batched else loader.sampler
        self._sampler = PositionedSampler(source, self._order)
        self._dataset = _KeyedDataset(loader.dataset, loader.collate_fn, batched=batched)
        self._generator = torch.Generator()
        self._rebuilt = rebuild(
            loader, self._dataset, self._generator, batch_size=None, sampler=self._sampler, collate_fn=_as_loaded
        )
        self.length = length_of(self._sampler)

    @property
    def facts(self) -> dict[str, Any]:
        """What must be the same for a saved position to mean the same; the number of workers need not."""
        return {"promise": self.promise, "length": self.length}

    def iterate(self, *, epoch: int, loop: int, start: int, order: int | None = None) -> "Pass":
        """The batches of one pass, from batch ``start`` on (counted from 0).

        ``order`` is the digest of the batches before ``start`` as they were given out, where that is known.

        Raises:
            LoaderRefusedError: the sampler now gives another order, or can't be iterated a second time per epoch.
        """
        if loop > 0 and self._order is Order.COUNTING:
            raise LoaderRefusedError("counting_sampler_twice", epoch=epoch)
        self._sampler.seek(Position(self._seed, epoch, loop, start), order)
        # Workers get the same seed at every start, so that what a worker_init_fn builds from it does not
        # depend on how often they were started before. It is not drawn from a training stream.
        self._generator.manual_seed(worker_seed(self._seed))
        batches: Iterator[Any]
        if self.workers:
            with stop_signals_held_back(self._rebuilt.multiprocessing_context):
                batches = iter(self._rebuilt)
        else:
            batches = _InProcess(iter(self._rebuilt), self._dataset)
        return Pass(batches, self._sampler.digests, order or 0)


class Pass:
    """The batches of one pass; ``order`` is the digest of the indices of all given out so far."""

    def __init__(self, batches: Iterator[Any], digests: deque[int], order: int) -> None:
        self._batches = batches
        self._digests = digests
        self._ahead: list[Any] = []
        self.order = order

    def __iter__(self) -> Iterator[Any]:
        return self

    def has_more(self) -> bool:
        """Whether there is another batch; it is loaded to find out."""
        if not self._ahead:
            self._ahead = list(islice(self._batches, 1))
        return bool(self._ahead)

    def __next__(self) -> Any:
        batch = self._ahead.pop() if self._ahead else next(self._batches)
        if self._digests:
            self.order = self._digests.popleft()
        return batch

    def end_workers(self) -> None:
        """End them now: a worker is otherwise given seconds to finish the batch that it loads, one after the other."""
        # The thread that pins memory would wait for ever for the rest of a message cut off here.
        if not hasattr(self._batches, "_pin_memory_thread"):
            for worker in getattr(self._batches, "_workers", ()):
                worker.terminate()


class _InProcess:
    """Loads in this process under the conditions of a worker: streams set aside, one thread."""

    def __init__(self, batches: Iterator[Any], dataset: "_KeyedDataset") -> None:
        self._batches = batches
        self._dataset = dataset
        self._aside = Aside()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        threads = torch.get_num_threads()
        own = self._dataset.own_generators()
        held = own.states()
        with self._aside.running():
            torch.set_num_threads(1)
            try:
                return next(self._batches)
            finally:
                torch.set_num_threads(threads)
                own.set_states(held)


class _KeyedDataset(Dataset[Any]):
    """Loads and collates one whole batch with every random stream set by the batch's position."""

    def __init__(self, dataset: Dataset[Any], collate: Callable[[Any], Any], *, batched: bool) -> None:
        self.dataset = dataset
        self._collate = collate
        self._batched = batched
        self._own: OwnGenerators | None = None
        self._epoch: int | None = None

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]

    def __getitem__(self, tag: Tag) -> Any:
        fields, indices = tag
        position = Position(*fields)
        # A persistent worker has a copy of the dataset that the user's own set_epoch call never reaches.
        if position.epoch != self._epoch:
            self._epoch = position.epoch
            tell_epoch(self.dataset, position.epoch)
        own = self.own_generators()
        seed_streams(position)
        own.seed(position)
        return self._collate(self._fetch(indices))

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


class _WorkerInit:
    """Makes a worker deaf to all but its parent, shows it the user's dataset, then runs the user's own function."""

    def __init__(self, users: Callable[[int], None] | None) -> None:
        self._users = users

    def __call__(self, worker_id: int) -> None:
        heed_parent_only()
        info = get_worker_info()
        assert info is not None
        keyed: Any = info.dataset
        keyed.forget_generators()
        object.__setattr__(info, "dataset", keyed.dataset)  # WorkerInfo is frozen
        if self._users is not None:
            self._users(worker_id)


def tell_epoch(dataset: object, epoch: int) -> None:
    """Call the dataset's ``set_epoch``, where it has one."""
    set_epoch = getattr(dataset, "set_epoch", None)
    if callable(set_epoch):
        set_epoch(epoch)


def worker_seed(seed: int) -> int:
    return seeds_at(Position(seed, 0, 0, 0), "workers").torch


def length_of(sized: Any) -> int | None:
    try:
        return len(sized)
    except (TypeError, NotImplementedError):
        return None


def rebuild(
    loader: DataLoader[Any], dataset: Dataset[Any], generator: torch.Generator, **batching: Any
) -> DataLoader[Any]:
    """The user's loader over ``dataset``, with its workers as the user set them up and a generator of our own."""
    if getattr(loader, "pin_memory_device", ""):
        batching["pin_memory_device"] = loader.pin_memory_device
    return DataLoader(
        dataset,
        num_workers=loader.num_workers,
        pin_memory=loader.pin_memory,
        timeout=loader.timeout,
        worker_init_fn=_WorkerInit(loader.worker_init_fn),
        multiprocessing_context=loader.multiprocessing_context,
        generator=generator,
        prefetch_factor=loader.prefetch_factor,
        persistent_workers=loader.persistent_workers,
        **batching,
    )


def _as_loaded(batch: Any) -> Any:
    return batch
