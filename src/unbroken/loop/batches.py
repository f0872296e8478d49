"""Batches: what every kind of loader gives, and what the kinds share. ``loaders`` says which kinds there are."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Protocol

import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

from unbroken.loop.content import WHOLE, content_digest
from unbroken.loop.generators import OwnGenerators
from unbroken.loop.randomness import Aside, Position, seed_streams, seeds_at
from unbroken.loop.samplers import PositionedSampler
from unbroken.loop.signals import heed_parent_only, stop_signals_held_back, workers_may_die

FIRST_VERSION = 1
"""Of how positions become batches; that of runs begun by version 0.1.0, which goes on as it was."""

VERSION = 2

KEYED = 3
"""Of runs begun by several processes: each sample has streams of its own, by its place in the global batch."""

HEARD = 0.2  # seconds in which a worker ends at its parent's word, if it hears it


class ResumableLoader(Protocol):
    """A loader that can start a pass at any batch. ``promise`` is the key of the sentence that says at what cost."""

    promise: str

    @property
    def repeatable(self) -> bool | None:
        """Whether its first batches, loaded twice, were the same; None before that is known."""

    @property
    def workers(self) -> int: ...

    @property
    def length(self) -> int | None:
        """How many batches a pass has, as the loader is now."""

    @property
    def facts(self) -> dict[str, Any]:
        """What must be the same for a saved position to mean the same."""

    def iterate(
        self, *, epoch: int, loop: int, start: int, order: int | None = None, ahead: Mapping[str, Any] | None = None
    ) -> "Pass":
        """The batches of one pass, from batch ``start`` on (counted from 0).

        ``order`` is the digest of the batches before ``start`` as they were given out, where that is known; ``ahead``
        the indices from there on, where they could not be drawn again.
        """


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
        self.common: int | None = None
        """A digest of the first rank's part of the first global batch, where this process loaded that to compare it."""

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
        return not isinstance(self._batches, LoadedHere)

    def remaining(self, given: int) -> dict[str, Any] | None:
        """The indices from batch ``given`` on, if another process could not draw them as they were drawn here."""
        return None if self._sampler is None else self._sampler.remaining(given)

    def end_workers(self) -> None:
        """End them now: a worker is otherwise given seconds to finish the batch that it loads, one after the other."""
        # The thread that pins memory would wait for ever for the rest of a message cut off here.
        workers = [] if hasattr(self._batches, "_pin_memory_thread") else [*getattr(self._batches, "_workers", ())]
        for worker in workers:
            worker.terminate()
        # One that still imports torch (spawned), holds the GIL or is stopped itself does not hear that word.
        until = time.monotonic() + HEARD
        for worker in workers:
            worker.join(max(0.0, until - time.monotonic()))
            if worker.is_alive() and workers_may_die():
                worker.kill()

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
        if sampler.is_divided:
            first_ranks = next(self._batches, None)
            self.common = content_digest(first_ranks, WHOLE) if same else None
        note(same)


class LoadedHere:
    """Iterates in this process under the conditions of a worker: streams of its own, ``own`` generators, one thread.

    With a ``position`` its streams begin there and go on from batch to batch; without one, what loads sets them.
    ``draws``: whether the next batch may depend on them at all; where not, all is left as it is.
    """

    def __init__(
        self,
        loader: Iterable[Any],
        own: OwnGenerators,
        position: Position | None = None,
        *,
        threads: int = 1,
        draws: Callable[[], bool] = lambda: True,
    ) -> None:
        self._aside = Aside()
        self._own = own
        self._threads = threads
        self._draws = draws
        self._streams: Any = None
        self._own_states: list[Any] | None = None
        if position is None:
            self._batches = iter(loader)
            return
        held = own.states()
        with self._aside.running():
            seed_streams(position)
            own.seed(position)
            try:
                self._batches = iter(loader)
            finally:
                self._set_aside(held)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if not self._draws():
            return next(self._batches)
        threads, held = torch.get_num_threads(), self._own.states()
        with self._aside.running(resume_from=self._streams):
            if self._own_states is not None:
                self._own.set_states(self._own_states)
            torch.set_num_threads(self._threads)
            try:
                return next(self._batches)
            finally:
                torch.set_num_threads(threads)
                if self._own_states is None:
                    self._own.set_states(held)
                else:
                    self._set_aside(held)

    def _set_aside(self, held: list[Any]) -> None:
        self._streams, self._own_states = self._aside.capture(), self._own.states()
        self._own.set_states(held)


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


class Rebuilt:
    """The user's loader over ``dataset``, with its workers as the user set them up and a generator of our own."""

    def __init__(self, loader: DataLoader[Any], dataset: Dataset[Any], seed: int, **batching: Any) -> None:
        self._seed = seed
        self._generator = torch.Generator()
        if getattr(loader, "pin_memory_device", ""):
            batching["pin_memory_device"] = loader.pin_memory_device
        self._loader: DataLoader[Any] = DataLoader(
            dataset,
            num_workers=loader.num_workers,
            pin_memory=loader.pin_memory,
            timeout=loader.timeout,
            worker_init_fn=_WorkerInit(loader.worker_init_fn),
            multiprocessing_context=loader.multiprocessing_context,
            generator=self._generator,
            prefetch_factor=loader.prefetch_factor,
            persistent_workers=loader.persistent_workers,
            **batching,
        )

    def __iter__(self) -> Iterator[Any]:
        # Workers get the same seed at every start, so that what a worker_init_fn builds from it does not
        # depend on how often they were started before. It is not drawn from a training stream.
        self._generator.manual_seed(seeds_at(Position(self._seed, 0, 0, 0), "workers").torch)
        if not self._loader.num_workers:
            return iter(self._loader)
        with stop_signals_held_back(self._loader.multiprocessing_context):
            return iter(self._loader)


def settings_of(loader: DataLoader[Any]) -> tuple[object, ...]:
    """What a rebuilt loader takes from the user's, to see whether it is still the same."""
    return (
        *(id(loader.collate_fn), id(loader.worker_init_fn), id(loader.multiprocessing_context), id(loader.dataset)),
        *(loader.num_workers, loader.pin_memory, loader.timeout, loader.prefetch_factor, loader.persistent_workers),
    )


def tell_epoch(dataset: object, epoch: int) -> None:
    """Call the dataset's ``set_epoch``, where it has one. For runs begun by version 0.1.0, which did so in every pass;
    since then the epoch is the user's to tell."""
    set_epoch = getattr(dataset, "set_epoch", None)
    if callable(set_epoch):
        set_epoch(epoch)
