"""The user's DataLoader rebuilt so that a batch is a function of (seed, epoch, batch) and any batch can be next."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info

from unbroken.errors import LoaderRefusedError
from unbroken.loop.generators import OwnGenerators, find_generators
from unbroken.loop.randomness import Aside, Position, seed_streams, seeds_at
from unbroken.loop.samplers import PositionedSampler, Tag, check_order
from unbroken.loop.signals import heed_parent_only, stop_signals_held_back


class PositionedLoader:
    """One user's DataLoader, made able to start at any batch of any epoch without loading what came before.

    The training process's own streams are the same after a batch as before it, whether it was loaded here or in
    a worker, and so is the batch.

    Raises:
        LoaderRefusedError: a loader whose position can't be restored exactly; the message says which and why.
    """

    def __init__(self, loader: DataLoader[Any], seed: int) -> None:
        _refuse_what_is_not_covered(loader)
        check_order(loader)
        self._seed = seed
        self.in_process = loader.num_workers == 0
        batched = loader.batch_sampler is not None
        self._sampler = PositionedSampler(loader.batch_sampler if batched else loader.sampler)  # type: ignore[arg-type]
        self._dataset = _KeyedDataset(loader.dataset, loader.collate_fn, batched=batched)
        self._generator = torch.Generator()
        self._rebuilt = _rebuild(loader, self._dataset, self._sampler, self._generator)
        try:
            self.length: int | None = len(self._sampler)
        except TypeError:
            self.length = None

    def iterate(self, *, epoch: int, loop: int, start: int) -> Iterator[Any]:
        """The batches of one pass, from batch ``start`` on (counted from 0)."""
        self._sampler.seek(Position(self._seed, epoch, loop, start))
        # Workers get the same seed at every start, so that what a worker_init_fn builds from it does not
        # depend on how often they were started before. It is not drawn from a training stream.
        self._generator.manual_seed(seeds_at(Position(self._seed, 0, 0, 0), "workers").torch)
        with stop_signals_held_back():
            batches = iter(self._rebuilt)
        return _InProcess(batches, self._dataset) if self.in_process else batches


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
        position, indices = tag
        self._tell_epoch(position.epoch)
        own = self.own_generators()
        seed_streams(position)
        own.seed(position)
        return self._collate(self._fetch(indices))

    def own_generators(self) -> OwnGenerators:
        """The generators that dataset and collate function hold, as they are in this process."""
        if self._own is None:
            self._own = OwnGenerators(find_generators(self.dataset, self._collate))
        return self._own

    def _fetch(self, indices: Any) -> Any:
        if not self._batched:
            return self.dataset[indices]
        fetch_many = getattr(self.dataset, "__getitems__", None)
        if fetch_many:
            return fetch_many(indices)
        return [self.dataset[index] for index in indices]

    def _tell_epoch(self, epoch: int) -> None:
        # A persistent worker has a copy of the dataset that the user's own set_epoch call never reaches.
        if epoch != self._epoch:
            self._epoch = epoch
            set_epoch = getattr(self.dataset, "set_epoch", None)
            if callable(set_epoch):
                set_epoch(epoch)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_own": None}  # a spawned worker finds its own copies


class _WorkerInit:
    """Makes a worker deaf to all but its parent, shows it the user's dataset, then runs the user's own function."""

    def __init__(self, users: Callable[[int], None] | None) -> None:
        self._users = users

    def __call__(self, worker_id: int) -> None:
        heed_parent_only()
        info = get_worker_info()
        assert info is not None
        keyed: Any = info.dataset
        keyed._own = None  # found anew: a forked worker would seed, but its user's function may replace them
        object.__setattr__(info, "dataset", keyed.dataset)  # WorkerInfo is frozen
        if self._users is not None:
            self._users(worker_id)


def _as_loaded(batch: Any) -> Any:
    return batch


def _rebuild(
    loader: DataLoader[Any], dataset: _KeyedDataset, sampler: PositionedSampler, generator: torch.Generator
) -> DataLoader[Any]:
    options: dict[str, Any] = {}
    if loader.pin_memory_device:
        options["pin_memory_device"] = loader.pin_memory_device
    return DataLoader(
        dataset,
        batch_size=None,
        sampler=sampler,
        collate_fn=_as_loaded,
        num_workers=loader.num_workers,
        pin_memory=loader.pin_memory,
        timeout=loader.timeout,
        worker_init_fn=_WorkerInit(loader.worker_init_fn),
        multiprocessing_context=loader.multiprocessing_context,
        generator=generator,
        prefetch_factor=loader.prefetch_factor,
        persistent_workers=loader.persistent_workers,
        **options,
    )


def _refuse_what_is_not_covered(loader: object) -> None:
    name = f"{type(loader).__module__}.{type(loader).__qualname__}"
    if not isinstance(loader, DataLoader):
        raise LoaderRefusedError("not_a_loader", loader=name)
    if type(loader) is not DataLoader:
        raise LoaderRefusedError("loader_subclass", loader=name)
    if isinstance(loader.dataset, IterableDataset):
        raise LoaderRefusedError("loader_iterable", dataset=type(loader.dataset).__qualname__)
    if not getattr(loader, "in_order", True):
        raise LoaderRefusedError("loader_out_of_order")
