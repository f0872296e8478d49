"""Any number of processes, one after the other, are given the same global batches, each sample with the same bits."""

import functools
import operator
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    DistributedSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from unbroken.errors import LoaderRefusedError
from unbroken.loop.batches import KEYED, VERSION
from unbroken.loop.loaders import resumable
from unbroken.loop.positioned import PositionedLoader
from unbroken.loop.shares import Share

SAMPLES = 60


class Noisy(Dataset[torch.Tensor]):
    """Draws from all three streams and from a generator of its own, a different number of times for each sample."""

    def __init__(self) -> None:
        self.own = np.random.default_rng(3)

    def __len__(self) -> int:
        return SAMPLES

    def __getitem__(self, index: int) -> torch.Tensor:
        drawn = torch.rand(1 + index % 3).sum() + random.random() + float(np.random.rand()) + self.own.random()
        return torch.tensor([index, float(drawn)], dtype=torch.float64)


def _batches(rank: int, size: int, start: int, *, version: int = KEYED, workers: int = 0) -> list[torch.Tensor]:
    loader = DataLoader(Noisy(), batch_size=12, shuffle=True, num_workers=workers)
    positioned = PositionedLoader(loader, 5, version, Share(rank, size))
    return list(positioned.iterate(epoch=2, loop=1, start=start))


def _global(size: int, start: int, **options: Any) -> list[torch.Tensor]:
    of_ranks = [_batches(rank, size, start, **options) for rank in range(size)]
    return [torch.cat(parts) for parts in zip(*of_ranks, strict=True)]


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.sampled_from([1, 2, 3, 4, 6]), st.integers(1, 3)), min_size=1, max_size=4))
def test_a_pass_dealt_to_one_world_after_another_is_that_of_one_process(worlds: list[tuple[int, int]]) -> None:
    whole, given_out = _batches(0, 1, 0), []
    for size, steps in worlds:
        given_out += _global(size, len(given_out))[:steps]
    for one, other in zip(given_out, whole, strict=False):
        assert torch.equal(one, other)


@pytest.mark.parametrize("size", [2, 3])
def test_a_run_begun_by_one_process_alone_is_dealt_too(size: int) -> None:
    alone = _batches(0, 1, 1, version=VERSION)
    assert all(torch.equal(one, other) for one, other in zip(_global(size, 1, version=VERSION), alone, strict=True))


def test_who_loads_changes_no_bit() -> None:
    assert all(torch.equal(one, other) for one, other in zip(_global(2, 1, workers=2), _global(2, 1), strict=True))


def test_a_dataset_that_draws_nothing_is_not_keyed() -> None:
    data = TensorDataset(torch.arange(24.0))
    for dataset in (data, Subset(data, range(12))):
        loader = PositionedLoader(DataLoader(dataset, batch_size=4), 5, KEYED, Share(1, 2))
        assert next(batch[0].tolist() for batch in loader.iterate(epoch=1, loop=1, start=0)) == [2.0, 3.0]


def _distributed(rank: int, size: int, processes: int, batch: int, *, rescaled: bool = False) -> list[list[int]]:
    data = TensorDataset(torch.arange(float(SAMPLES)))
    sampler: DistributedSampler[Any] = DistributedSampler(data, num_replicas=size, rank=rank, seed=3)
    sampler.set_epoch(4)
    loader = PositionedLoader(
        DataLoader(data, batch_size=batch, sampler=sampler, drop_last=True), 5, KEYED, Share(rank, size, processes)
    )
    if rescaled:
        assert loader.fits_rescaled(12 // processes)
        loader.rescale()
    return [values.int().tolist() for (values,) in loader.iterate(epoch=1, loop=1, start=0)]


def _begun_by(processes: int, batch: int) -> list[list[int]]:
    """What torch's own sampler gives that many processes, one part behind the other."""
    data = TensorDataset(torch.arange(float(SAMPLES)))
    parts = []
    for rank in range(processes):
        sampler: DistributedSampler[Any] = DistributedSampler(data, num_replicas=processes, rank=rank, seed=3)
        sampler.set_epoch(4)
        parts.append([v.int().tolist() for (v,) in DataLoader(data, batch_size=batch, sampler=sampler, drop_last=True)])
    return [functools.reduce(operator.iadd, of_step, []) for of_step in zip(*parts, strict=True)]


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_a_distributed_sampler_keeps_the_global_batches_of_its_first_start(size: int) -> None:
    begun = _begun_by(4, 3)
    kept = [_distributed(rank, size, 4, 3) for rank in range(size)]
    divided = [_distributed(rank, size, 4, 12 // size, rescaled=size != 4) for rank in range(size)]
    for dealt in (kept, divided):
        assert [functools.reduce(operator.iadd, parts, []) for parts in zip(*dealt, strict=True)] == begun


def test_samplers_that_deal_for_themselves_are_told_from_those_that_do_not() -> None:
    def trials(sampler_of: Any) -> list[int]:
        made = [DataLoader(Noisy(), batch_size=4, sampler=sampler_of(rank)) for rank in range(2)]
        return [PositionedLoader(one, 5, KEYED, Share(rank, 2)).trial for rank, one in enumerate(made)]

    one, other = trials(lambda rank: SubsetRandomSampler(range(rank, SAMPLES, 2)))
    assert one != other
    one, other = trials(lambda rank: WeightedRandomSampler([1.0] * SAMPLES, SAMPLES))
    assert one == other != 0
    batches = [BatchSampler(DistributedSampler(Noisy(), 2, rank), 4, drop_last=True) for rank in range(2)]
    dealt = [
        PositionedLoader(DataLoader(Noisy(), batch_sampler=one), 5, KEYED, Share(rank, 2, 2))
        for rank, one in enumerate(batches)
    ]
    assert [one.trial for one in dealt] == [0, 0] and dealt[0].sizes == (8, 4)


def test_what_cannot_be_divided_is_refused_by_name() -> None:
    loader: Any = DataLoader(Noisy(), batch_size=10)
    with pytest.raises(
        LoaderRefusedError, match=r"10 samples can't be divided by 4 processes\. It can by: 1, 2, 5, 10"
    ):
        resumable(loader, 1, KEYED, Share(0, 4))
    with pytest.raises(LoaderRefusedError, match="batch_size=None"):
        resumable(DataLoader(Noisy(), batch_size=None), 1, KEYED, Share(0, 2))
    with pytest.raises(LoaderRefusedError, match="made for 3 replicas as rank 1; this is rank 0 of 2"):
        sampler: DistributedSampler[Any] = DistributedSampler(Noisy(), num_replicas=3, rank=1)
        resumable(DataLoader(Noisy(), batch_size=4, sampler=sampler), 1, KEYED, Share(0, 2, 2))


def test_a_last_batch_too_small_for_all_is_refused() -> None:
    data = TensorDataset(torch.arange(13.0))
    with pytest.raises(LoaderRefusedError, match="Batch 4 has 1 sample for 2 processes"):
        PositionedLoader(DataLoader(data, batch_size=4), 5, KEYED, Share(0, 2))
    batches = BatchSampler([*range(12), 12], 4, drop_last=False)
    loader = PositionedLoader(DataLoader(data, batch_sampler=_Own(batches)), 5, KEYED, Share(0, 2))
    with pytest.raises(LoaderRefusedError, match="Batch 4 has 1 sample for 2 processes"):
        list(loader.iterate(epoch=1, loop=1, start=0))


class _Own:
    """A sampler of batches of which nothing is known."""

    def __init__(self, batches: BatchSampler) -> None:
        self._batches = batches

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self._batches)
