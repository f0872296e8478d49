"""A map-style DataLoader rebuilt so that a batch is a function of (seed, epoch, batch) and any batch can be next."""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

from unbroken.errors import LoaderRefusedError
from unbroken.loop.content import SAMPLED, WHOLE, content_digest
from unbroken.loop.generators import OwnGenerators, find_generators
from unbroken.loop.randomness import Aside, Position, seed_streams, seeds_at
from unbroken.loop.samplers import Order, PositionedSampler, Tag, inner_of, length_of, order_of
from unbroken.loop.signals import heed_parent_only, stop_signals_held_back

FIRST_VERSION = 1
"""Of how positions become batches; that of runs begun by version 0.1.0, which goes on as it was."""

VERSION = 2


class PositionedLoader:
    """One user's DataLoader, made able to start at any batch of any epoch without loading what came before.

    The training process's own streams are the same after a batch as before it, whether it was loaded here or in
    a worker, and so is the batch. The loader is read anew at each pass: a collate function or a sampler replaced
    between two epochs is the one that is used.

    Raises:
        LoaderRefusedError: its sampler's order can't be repeated.
    """

    promise = "loader_exact"

    def __init__(self, loader: DataLoader[Any], seed: int, version: int = VERSION) -> None:
        self._seed = seed
        self._loader = loader
        self._version = version
        self._generator = torch.Generator()
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
        kinds = [type(self._sampler.source).__qualname__, type(inner_of(self._sampler.source)).__qualname__]
        return {
            **{"promise": self.promise, "length": self.length},
            **{"samples": length_of(self._dataset), "sampler": "/".join(dict.fromkeys(kinds))},
        }

    def iterate(
        self, *, epoch: int, loop: int, start: int, order: int | None = None, ahead: Mapping[str, Any] | None = None
    ) -> "Pass":
        """The batches of one pass, from batch ``start`` on (counted from 0).

        ``order`` is the digest of the batches before ``start`` as they were given out, where that is known; ``ahead``
        the indices from there on, where they could not be drawn again.

        Raises:
            LoaderRefusedError: the sampler now gives another order, or can't be iterated a second time per epoch.
        """
        self._refresh()
        if loop > 0 and self._order is Order.COUNTING:
            raise LoaderRefusedError("counting_sampler_twice", epoch=epoch)
        check = None if self.repeatable is not None else max(self.workers, 1)
        self._sampler.seek(Position(self._seed, epoch, loop, start), order, ahead=ahead, check=check)
        # Workers get the same seed at every start, so that what a worker_init_fn builds from it does not
        # depend on how often they were started before. It is not drawn from a training stream.
        self._generator.manual_seed(worker_seed(self._seed))
        batches: Iterator[Any]
        if self.workers:
            with stop_signals_held_back(self._rebuilt.multiprocessing_context):
                batches = iter(self._rebuilt)
        else:
            batches = _InProcess(iter(self._rebuilt), self._dataset)
        return Pass(batches, order or 0, self._sampler, self._note_repeatable if check else None)

    def _note_repeatable(self, same: bool) -> None:
        self.repeatable = same

    def _refresh(self) -> None:
        loader = self._loader
        source: Any = loader.batch_sampler if loader.batch_sampler is not None else loader.sampler
        held = (*settings_of(loader), id(source), id(inner_of(source)))
        if loader.persistent_workers and self._version > FIRST_VERSION:
            # Its workers have copies of the dataset, which would never see what is changed in it between two epochs.
            held = (*held, content_digest(plain_attributes(loader.dataset), SAMPLED))
        if held == self._built:
            return
        self._built = held
        self._keep_alive = (
            loader.collate_fn,
            loader.worker_init_fn,
            source,
            inner_of(source),
        )  # an id is of the living
        self._order = order_of(loader)
        self._sampler = PositionedSampler(
            source, self._order, loader.dataset, bytes_of_tensors=self._version > FIRST_VERSION
        )
        self._dataset = _KeyedDataset(
            loader.dataset,
            loader.collate_fn,
            batched=loader.batch_sampler is not None,
            tells_epoch=self._version == FIRST_VERSION,
        )
        self._rebuilt = rebuild(
            loader, self._dataset, self._generator, batch_size=None, sampler=self._sampler, collate_fn=_as_loaded
        )
        self.repeatable = None


class Pass:
    """The batches of one pass; ``order`` is the digest of the indices of all given out so far.

    ``note``: the first batches were asked for twice, by ``sampler``; it is told whether they were the same.
    """

    def __init__(
        self,
        batches: Iterator[Any],
        order: int = 0,
        sampler: PositionedSampler | None = None,
        note: Callable[[bool], None] | None = None,
    ) -> None:
        self._batches = batches
        self._sampler = sampler
        self._digests = None if sampler is None else sampler.digests
        self._note = note
        self._ahead: list[Any] = []
        self.order = order

    def __iter__(self) -> Iterator[Any]:
        return self

    def has_more(self) -> bool:
        """Whether there is another batch; it is loaded to find out."""
        if not self._ahead:
            self._ahead = [*islice(self._loaded(), 1), *self._ahead]
        return bool(self._ahead)

    def __next__(self) -> Any:
        batch = self._ahead.pop(0) if self._ahead else next(self._batches if self._note is None else self._loaded())
        if self._digests:
            self.order = self._digests.popleft()
        return batch

    @property
    def is_drawing(self) -> bool:
        """Whether indices are being drawn at this moment, while the training streams lie aside."""
        return self._sampler is not None and self._sampler.is_drawing

    @property
    def leaves_streams(self) -> bool:
        """Whether the training streams are in their place while a batch is awaited."""
        return not getattr(self._batches, "sets_streams_aside", False)

    def remaining(self, given: int) -> dict[str, Any] | None:
        """The indices from batch ``given`` on, if another process could not draw them as they were drawn here."""
        return None if self._sampler is None else self._sampler.remaining(given)

    def end_workers(self) -> None:
        """End them now: a worker is otherwise given seconds to finish the batch that it loads, one after the other."""
        # The thread that pins memory would wait for ever for the rest of a message cut off here.
        if not hasattr(self._batches, "_pin_memory_thread"):
            for worker in getattr(self._batches, "_workers", ()):
                worker.terminate()

    def _loaded(self) -> Iterator[Any]:
        note, self._note = self._note, None
        if note is not None and self._sampler is not None:
            self._check(note, self._sampler)
        return self._batches if not self._ahead else iter([self._ahead.pop(0)])

    def _check(self, note: Callable[[bool], None], sampler: PositionedSampler) -> None:
        """Load the first batches, those that come a second time included, and compare."""
        first = list(islice(self._batches, 1))
        if not first:
            return
        first += islice(self._batches, sampler.checked - 1)
        self._ahead = first
        same = True
        for index in sampler.repeated:
            try:
                again = next(self._batches)
            except StopIteration:
                break
            except Exception:  # what can be loaded once only
                same = False
            else:
                same = same and content_digest(again, WHOLE) == content_digest(first[index], WHOLE)
        note(same)


class _InProcess:
    """Loads in this process under the conditions of a worker: streams set aside, one thread."""

    sets_streams_aside = True

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

    def __init__(
        self, dataset: Dataset[Any], collate: Callable[[Any], Any], *, batched: bool, tells_epoch: bool = False
    ) -> None:
        self.dataset = dataset
        self._collate = collate
        self._batched = batched
        self._tells_epoch = tells_epoch
        self._own: OwnGenerators | None = None
        self._epoch: int | None = None

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]

    def __getitem__(self, tag: Tag) -> Any:
        fields, indices = tag
        position = Position(*fields)
        if self._tells_epoch and position.epoch != self._epoch:
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


def settings_of(loader: DataLoader[Any]) -> tuple[object, ...]:
    """What a rebuilt loader takes from the user's, to see whether it is still the same."""
    return (
        *(id(loader.collate_fn), id(loader.worker_init_fn), id(loader.multiprocessing_context), id(loader.dataset)),
        *(loader.num_workers, loader.pin_memory, loader.timeout, loader.prefetch_factor, loader.persistent_workers),
    )


def plain_attributes(value: object, depth: int = 0) -> dict[str, Any]:
    """The numbers, texts and small tensors that a dataset, and those inside it, have as attributes."""
    found: dict[str, Any] = {}
    for name, child in getattr(value, "__dict__", {}).items():
        small = isinstance(child, torch.Tensor) and child.nbytes <= SAMPLED
        if small or isinstance(child, bool | int | float | str | type(None)):
            found[name] = child
        elif depth < 3 and isinstance(child, Dataset):
            found[name] = plain_attributes(child, depth + 1)
    return found


def tell_epoch(dataset: object, epoch: int) -> None:
    """Call the dataset's ``set_epoch``, where it has one. For runs begun by version 0.1.0, which did so in every pass;
    since then the epoch is the user's to tell."""
    set_epoch = getattr(dataset, "set_epoch", None)
    if callable(set_epoch):
        set_epoch(epoch)


def worker_seed(seed: int) -> int:
    return seeds_at(Position(seed, 0, 0, 0), "workers").torch


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
