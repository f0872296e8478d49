"""Loaders without positions: any batch is reached by loading again what came before it, from the same streams."""

import contextlib
import logging
import random
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from torchdata.stateful_dataloader import StatefulDataLoader

from tests.loop.datasets import Noisy
from tests.loop.test_batches import SEED, disturb, same
from tests.run.loop import listening
from unbroken.errors import LoaderRefusedError
from unbroken.loop.loaders import resumable
from unbroken.loop.positioned import PositionedLoader
from unbroken.loop.randomness import capture_streams
from unbroken.state.snapshot import equal_bits


class Stream(IterableDataset[torch.Tensor]):
    """Sharded over workers, shuffled and noisy from all streams and from a generator of its own."""

    def __init__(self) -> None:
        self.own = np.random.default_rng(3)
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[torch.Tensor]:
        info = get_worker_info()
        share = list(range(30))[info.id :: info.num_workers] if info else list(range(30))
        random.shuffle(share)
        for index in share:
            draws = [random.random(), np.random.randn(), float(torch.rand(())), self.own.random()]
            yield torch.tensor([float(index), float(self.epoch), *draws], dtype=torch.float64)


class Reversed(DataLoader[Any]):
    """Iterates in a way of its own, as wrappers of other libraries do."""

    def __iter__(self) -> Any:
        return reversed(list(super().__iter__()))


LOADERS: dict[str, Any] = {
    "iterable": lambda **o: DataLoader(Stream(), batch_size=4, **o),
    "iterable_unbatched": lambda **o: DataLoader(Stream(), batch_size=None, **o),
    "subclass": lambda **o: Reversed(Noisy(), batch_size=4, shuffle=True, **o),
    "stateful_iterable": lambda **o: StatefulDataLoader(Stream(), batch_size=4, **o),
}


@pytest.mark.parametrize("kind", LOADERS)
@pytest.mark.parametrize("workers", [0, 2])
def test_any_batch_is_a_function_of_seed_epoch_and_batch(kind: str, workers: int) -> None:
    def load(epoch: int, start: int) -> list[torch.Tensor]:
        disturb()
        before = capture_streams()
        batches = list(resumable(LOADERS[kind](num_workers=workers), SEED).iterate(epoch=epoch, loop=0, start=start))
        assert equal_bits(capture_streams(), before) is None, "training streams"
        return batches

    whole = load(2, 0)
    assert same(load(2, 0), whole)
    assert same(load(2, 3), whole[3:])
    assert not same(load(1, 0), whole)


def test_persistent_workers_are_told_the_epoch() -> None:
    persistent = resumable(DataLoader(Stream(), batch_size=4, num_workers=2, persistent_workers=True), SEED)
    for epoch in (1, 2, 3):
        fresh = resumable(DataLoader(Stream(), batch_size=4, num_workers=2), SEED)
        assert same(
            list(persistent.iterate(epoch=epoch, loop=0, start=0)), list(fresh.iterate(epoch=epoch, loop=0, start=0))
        )


class Counting(IterableDataset[torch.Tensor]):
    """Knows its passes, as one does that orders its samples by them; ``parts`` of it, too."""

    def __init__(self) -> None:
        self.parts = [SimpleNamespace(passes=-1), object()]
        self.least = float("nan")
        self.samples = 8

    def __iter__(self) -> Iterator[torch.Tensor]:
        self.parts[0].passes += 1  # type: ignore[attr-defined]
        return iter(torch.arange(self.samples) + self.parts[0].passes)  # type: ignore[attr-defined]


class Told(Counting):
    """Is told by the loop, which tells it after a restart as well."""

    def set_epoch(self, epoch: int) -> None:
        self.parts[0].passes = epoch  # type: ignore[attr-defined]

    def __iter__(self) -> Iterator[torch.Tensor]:
        return iter(torch.arange(self.samples) + self.parts[0].passes)  # type: ignore[attr-defined]


def test_what_an_iterable_dataset_counts_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNBROKEN_LANG", "en")
    said: set[str] = set()
    counting, told = Counting(), Told()
    with listening(logging.WARNING) as log:
        for epoch in range(3):
            told.set_epoch(epoch)
            for dataset in (counting, told):
                loader = DataLoader(dataset, batch_size=4)  # a new one in every epoch
                list(resumable(loader, SEED, said=said).iterate(epoch=epoch, loop=0, start=0))
    (line,) = log.lines
    assert line.startswith("A pass over Counting changes it (parts[0].passes: -1 -> 0)")


def test_only_workers_that_live_on_count_passes(capfd: pytest.CaptureFixture[str]) -> None:
    console = logging.StreamHandler(sys.stderr)
    with listening(logging.WARNING), contextlib.ExitStack() as after:
        log = logging.getLogger("unbroken")
        log.addHandler(console)
        after.callback(log.removeHandler, console)
        for persistent in (False, True):
            loader = DataLoader(Counting(), batch_size=4, num_workers=2, persistent_workers=persistent)
            made = resumable(loader, SEED)
            for epoch in range(2):
                list(made.iterate(epoch=epoch, loop=0, start=0))
            assert capfd.readouterr().err.count("passes: -1 -> 0") == persistent


def test_the_number_of_workers_is_among_the_facts_of_a_replayed_position() -> None:
    facts = [resumable(DataLoader(Stream(), num_workers=workers), SEED).facts for workers in (0, 2)]
    assert facts[0] != facts[1]
    exact = [resumable(DataLoader(Noisy(), num_workers=workers), SEED).facts for workers in (0, 2)]
    assert exact[0] == exact[1]


def test_a_subclass_that_keeps_its_workers_is_refused() -> None:
    with pytest.raises(LoaderRefusedError, match="Reversed"):
        resumable(Reversed(Noisy(), num_workers=1, persistent_workers=True), SEED)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_stateful_loader_over_a_map_style_dataset_is_positioned(workers: int) -> None:
    def make(workers: int) -> Any:
        return resumable(StatefulDataLoader(Noisy(), batch_size=4, shuffle=True, num_workers=workers), SEED)

    assert isinstance(make(workers), PositionedLoader)
    whole = list(make(0).iterate(epoch=1, loop=0, start=0))
    assert same(list(make(workers).iterate(epoch=1, loop=0, start=4)), whole[4:])


def test_a_subclass_that_only_sets_defaults_is_positioned() -> None:
    class Defaults(DataLoader[Any]):
        def __init__(self) -> None:
            super().__init__(Noisy(), batch_size=4, shuffle=True)

    plain = resumable(DataLoader(Noisy(), batch_size=4, shuffle=True), SEED)
    assert same(
        list(resumable(Defaults(), SEED).iterate(epoch=1, loop=0, start=2)),
        list(plain.iterate(epoch=1, loop=0, start=2)),
    )
