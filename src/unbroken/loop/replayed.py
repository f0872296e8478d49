"""Loaders whose position can be reached only by loading again what was loaded before it, from the same streams."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from unbroken import messages
from unbroken.errors import LoaderRefusedError
from unbroken.loop.accelerate import tell_pass
from unbroken.loop.batches import FIRST_VERSION, VERSION, LoadedHere, Pass, Rebuilt, settings_of, tell_epoch
from unbroken.loop.generators import OwnGenerators, find_generators
from unbroken.loop.passing import changed, counted
from unbroken.loop.randomness import SAMPLER_BATCH, Position, seed_streams
from unbroken.loop.samplers import length_of

_log = logging.getLogger("unbroken")

_NAMED = 4


class _Replayed:
    """A resume loads and drops the batches already trained. Samples are dealt to the workers in turn, so the number
    of workers is part of what a position means."""

    promise: str

    def __init__(self, loader: DataLoader[Any], seed: int, version: int = VERSION) -> None:
        self._loader = loader
        self._seed = seed
        self._tells_epoch = version == FIRST_VERSION
        # Not tried, as positions are: a pass begun to look may take from a stream what training then never gets. What
        # gives the samples may itself be an iterator, which can be gone through only once.
        self.repeatable = not hasattr(loader.dataset, "__next__")

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
        batches = self._from_start(Position(self._seed, epoch, loop, SAMPLER_BATCH))
        for _ in range(start):
            next(batches, None)
        return Pass(batches)

    def _from_start(self, position: Position) -> Iterator[Any]:
        raise NotImplementedError


class ReplayedIterable(_Replayed):
    """A DataLoader over an IterableDataset: each worker's streams are a function of (seed, epoch, worker)."""

    promise = "loader_replayed_iterable"

    def __init__(self, loader: DataLoader[Any], seed: int, version: int, said: set[str]) -> None:
        super().__init__(loader, seed, version)
        self._epoch = torch.zeros(4, dtype=torch.int64)
        if loader.num_workers:
            self._epoch.share_memory_()  # type: ignore[no-untyped-call]  # persistent workers outlive the epoch they were started in
        # Other workers begin each pass with a new copy of the dataset, which has counted nothing.
        watched = said if loader.num_workers == 0 or loader.persistent_workers else None
        dataset: Any = loader.dataset
        self._dataset = _KeyedIterable(dataset, self._epoch, watched, tells_epoch=self._tells_epoch)
        self._built: tuple[object, ...] = ()

    def _from_start(self, position: Position) -> Iterator[Any]:
        loader = self._loader
        if settings_of(loader) != self._built:
            self._built = settings_of(loader)
            self._keep_alive = (loader.collate_fn, loader.worker_init_fn)  # the id of what is gone may become another's
            batching = {name: getattr(loader, name) for name in ("batch_size", "drop_last", "collate_fn")}
            self._rebuilt = Rebuilt(loader, self._dataset, self._seed, **batching)
        self._epoch.copy_(torch.tensor([self._seed % 2**63, position.epoch, position.loop, self._seed // 2**63]))
        if self.workers:
            return iter(self._rebuilt)
        own = OwnGenerators(find_generators(loader.dataset, loader.collate_fn))
        return LoadedHere(self._rebuilt, own, position)


class ReplayedLoader(_Replayed):
    """A loader that iterates in a way of its own: used as it is, from streams that are a function of (seed, epoch).

    Raises:
        LoaderRefusedError: it keeps its workers from one epoch to the next, and with them their streams.
    """

    promise = "loader_replayed_subclass"

    def __init__(self, loader: DataLoader[Any], seed: int, version: int = VERSION) -> None:
        if loader.persistent_workers:
            raise LoaderRefusedError("loader_subclass_persistent", loader=type(loader).__qualname__)
        super().__init__(loader, seed, version)

    def _from_start(self, position: Position) -> Iterator[Any]:
        if self._tells_epoch:
            tell_epoch(self._loader.dataset, position.epoch)
        tell_pass(self._loader, position.epoch)
        threads = torch.get_num_threads() if self.workers else 1
        return LoadedHere(self._loader, OwnGenerators(find_generators(self._loader)), position, threads=threads)


class _KeyedIterable(IterableDataset[Any]):
    """Starts each worker's share of a pass from streams set by (seed, epoch, loop, worker)."""

    def __init__(
        self, dataset: IterableDataset[Any], epoch: torch.Tensor, watched: set[str] | None, *, tells_epoch: bool
    ) -> None:
        self.dataset = dataset
        self._epoch = epoch
        self._watched = watched
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
        if self._watched is None or (worker is not None and worker.id):
            return iter(self.dataset)
        return self._looked_at(self._watched)

    def _looked_at(self, said: set[str]) -> Iterator[Any]:
        """What the dataset counts while it is gone through, a restart begins to count again."""
        before = counted(self.dataset)
        yield from self.dataset
        found = changed(before, counted(self.dataset))
        kind = type(self.dataset).__qualname__
        if found and kind not in said:
            said.add(kind)
            _log.warning(messages.text("dataset_counts", dataset=kind, changed=", ".join(found[:_NAMED])))

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]

    def forget_generators(self) -> None:
        """Nothing to forget: they are looked for at every pass."""
