"""Loaders whose position can be reached only by loading again what was loaded before it, from the same streams."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info

from unbroken.errors import LoaderRefusedError
from unbroken.loop.batches import (
    FIRST_VERSION,
    VERSION,
    Pass,
    rebuild,
    settings_of,
    tell_epoch,
    worker_seed,
)
from unbroken.loop.generators import OwnGenerators, find_generators
from unbroken.loop.randomness import SAMPLER_BATCH, Aside, Position, seed_streams
from unbroken.loop.samplers import length_of
from unbroken.loop.signals import stop_signals_held_back


class ReplayedIterable:
    """A DataLoader over an IterableDataset: each worker's streams are a function of (seed, epoch, worker).

    A resume loads and drops the batches already trained. Samples are dealt to the workers in turn, so the number
    of workers is part of what a position means.
    """

    promise = "loader_replayed_iterable"

    def __init__(self, loader: DataLoader[Any], seed: int, version: int = VERSION) -> None:
        self._seed = seed
        self._loader = loader
        self._version = version
        self._epoch = torch.zeros(4, dtype=torch.int64)
        if loader.num_workers:
            self._epoch.share_memory_()  # type: ignore[no-untyped-call]  # persistent workers outlive the epoch they were started in
        self._dataset = _KeyedIterable(loader.dataset, self._epoch, tells_epoch=version == FIRST_VERSION)
        self._generator = torch.Generator()
        self._built: tuple[object, ...] = ()
        # Not tried, as positions are: a pass begun to look may take from a stream what training then never gets.
        self.repeatable = not _is_used_up(loader.dataset)
        self._refresh()

    @property
    def length(self) -> int | None:
        return length_of(self._loader)

    @property
    def workers(self) -> int:
        return self._loader.num_workers

    @property
    def facts(self) -> dict[str, Any]:
        return {"promise": self.promise, "length": self.length, "workers": self.workers}

    def iterate(
        self, *, epoch: int, loop: int, start: int, order: int | None = None, ahead: Mapping[str, Any] | None = None
    ) -> Pass:
        self._refresh()
        self._generator.manual_seed(worker_seed(self._seed))
        self._epoch.copy_(torch.tensor([self._seed % 2**63, epoch, loop, self._seed // 2**63]))
        return _after(self._with_workers() if self.workers else self._in_process(epoch, loop), start)

    def _with_workers(self) -> Iterator[Any]:
        with stop_signals_held_back(self._rebuilt.multiprocessing_context):
            return iter(self._rebuilt)

    def _in_process(self, epoch: int, loop: int) -> Iterator[Any]:
        position = Position(self._seed, epoch, loop, SAMPLER_BATCH)
        own = find_generators(self._dataset.dataset, self._loader.collate_fn)
        return _Continued(self._rebuilt, position, own)

    def _refresh(self) -> None:
        loader = self._loader
        if settings_of(loader) == self._built:
            return
        self._built = settings_of(loader)
        self._keep_alive = (loader.collate_fn, loader.worker_init_fn)  # the id of what is gone may become another's
        self._rebuilt = rebuild(
            loader,
            self._dataset,
            self._generator,
            batch_size=loader.batch_size,
            drop_last=loader.drop_last,
            collate_fn=loader.collate_fn,
        )


class ReplayedLoader:
    """A loader that iterates in a way of its own: used as it is, from streams that are a function of (seed, epoch).

    Raises:
        LoaderRefusedError: it keeps its workers from one epoch to the next, and with them their streams.
    """

    promise = "loader_replayed_subclass"

    def __init__(self, loader: DataLoader[Any], seed: int, version: int = VERSION) -> None:
        if loader.persistent_workers:
            raise LoaderRefusedError("loader_subclass_persistent", loader=type(loader).__qualname__)
        self._seed = seed
        self._loader = loader
        self._version = version
        self.repeatable = not _is_used_up(loader.dataset)

    @property
    def length(self) -> int | None:
        return length_of(self._loader)

    @property
    def workers(self) -> int:
        return self._loader.num_workers

    @property
    def facts(self) -> dict[str, Any]:
        return {"promise": self.promise, "length": self.length, "workers": self.workers}

    def iterate(
        self, *, epoch: int, loop: int, start: int, order: int | None = None, ahead: Mapping[str, Any] | None = None
    ) -> Pass:
        if self._version == FIRST_VERSION:
            tell_epoch(self._loader.dataset, epoch)
        position = Position(self._seed, epoch, loop, SAMPLER_BATCH)
        return _after(_Continued(self._loader, position, find_generators(self._loader)), start)


def _is_used_up(dataset: object) -> bool:
    """Whether what gives the samples is itself an iterator: it can be gone through only once."""
    return hasattr(dataset, "__next__")


def _after(batches: Iterator[Any], start: int) -> Pass:
    for _ in range(start):
        next(batches, None)
    return Pass(batches)


class _Continued:
    """Iterates a loader on streams of its own, which go on from batch to batch; one thread, as in a worker."""

    sets_streams_aside = True

    def __init__(self, loader: DataLoader[Any], position: Position, generators: list[Any]) -> None:
        self._aside = Aside()
        self._own = OwnGenerators(generators)
        self._threads = 1 if loader.num_workers == 0 else torch.get_num_threads()
        held = self._own.states()
        with self._aside.running():
            seed_streams(position)
            self._own.seed(position)
            try:
                self._batches = iter(loader)
            finally:
                self._streams, self._own_states = self._aside.capture(), self._own.states()
                self._own.set_states(held)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        threads, held = torch.get_num_threads(), self._own.states()
        with self._aside.running(resume_from=self._streams):
            self._own.set_states(self._own_states)
            torch.set_num_threads(self._threads)
            try:
                return next(self._batches)
            finally:
                torch.set_num_threads(threads)
                self._streams, self._own_states = self._aside.capture(), self._own.states()
                self._own.set_states(held)


class _KeyedIterable(IterableDataset[Any]):
    """Starts each worker's share of a pass from streams set by (seed, epoch, loop, worker)."""

    def __init__(self, dataset: Dataset[Any], epoch: torch.Tensor, *, tells_epoch: bool) -> None:
        self.dataset = dataset
        self._epoch = epoch
        self._tells_epoch = tells_epoch

    def __iter__(self) -> Iterator[Any]:
        low, epoch, loop, high = self._epoch.tolist()
        worker = get_worker_info()
        if self._tells_epoch:
            tell_epoch(self.dataset, epoch)
        if worker is not None:
            position = Position(high * 2**63 + low, epoch, loop, SAMPLER_BATCH, slot=worker.id)
            seed_streams(position)
            OwnGenerators(find_generators(self.dataset)).seed(position)
        return iter(self.dataset)

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]

    def forget_generators(self) -> None:
        """Nothing to forget: they are looked for at every pass."""
