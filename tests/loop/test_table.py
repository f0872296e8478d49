"""The table of loaders: for every kind one digest per batch, whoever loads it; nothing done is loaded; or a refusal."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
import xxhash
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    DistributedSampler,
    RandomSampler,
    Sampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from torchdata.stateful_dataloader import StatefulDataLoader

from tests.loop.datasets import (
    AtOnce,
    Curriculum,
    Noisy,
    OwnStreams,
    OwnStreamsToSend,
    shaking_collate,
    tell_users_dataset,
)
from tests.loop.test_batches import AsksTheSystem, CountsItsPasses, DrawsFromNumpy, disturb
from tests.loop.test_replayed import Reversed, Stream
from unbroken.course.passes import EpochPasses
from unbroken.errors import LoaderRefusedError
from unbroken.loop.loaders import resumable
from unbroken.loop.positioned import PositionedLoader
from unbroken.loop.randomness import capture_streams
from unbroken.state.snapshot import equal_bits

SEED = 77
PASSES = ((1, 0), (2, 3), (3, 0), (4, 4))  # epoch and first batch

Make = Callable[..., DataLoader[Any]]


def shuffled(dataset: Any = Noisy, **always: Any) -> Make:
    return lambda **o: DataLoader(dataset(), batch_size=4, shuffle=True, **always, **o)


def sampled(sampler: Callable[[], Sampler[int]]) -> Make:
    return lambda **o: DataLoader(Noisy(), batch_size=4, sampler=sampler(), **o)


EXACT: dict[str, Make] = {
    "shuffle": shuffled(),
    "sequential": lambda **o: DataLoader(Noisy(), batch_size=4, **o),
    "drop_last": shuffled(drop_last=True),
    "generator": lambda **o: DataLoader(
        Noisy(), batch_size=4, shuffle=True, generator=torch.Generator().manual_seed(5), **o
    ),
    "WeightedRandomSampler": sampled(lambda: WeightedRandomSampler([1.0 + i for i in range(37)], 50)),
    "SubsetRandomSampler": sampled(lambda: SubsetRandomSampler(range(5, 30))),
    "BatchSampler": lambda **o: DataLoader(
        Noisy(), batch_sampler=BatchSampler(RandomSampler(range(37)), 5, False), **o
    ),
    "batch_size=None": lambda **o: DataLoader(Noisy(), batch_size=None, shuffle=True, **o),
    "__getitems__": shuffled(AtOnce),
    "collate that draws": shuffled(collate_fn=shaking_collate),
    "dataset with generators of its own": shuffled(OwnStreams),
    "dataset with generators that can be sent": shuffled(OwnStreamsToSend),
    "dataset with set_epoch": shuffled(Curriculum),
    "sampler with a generator of its own": sampled(
        lambda: RandomSampler(range(37), generator=torch.Generator().manual_seed(3))
    ),
    "DistributedSampler": sampled(lambda: DistributedSampler(Noisy(), num_replicas=2, rank=1, seed=3)),
    "sampler of the user's own": sampled(DrawsFromNumpy),
    "sampler that counts its passes": sampled(CountsItsPasses),
    "StatefulDataLoader": lambda **o: StatefulDataLoader(Noisy(), batch_size=4, shuffle=True, **o),
}

FEW = {"num_workers": 2}
CONDITIONS: dict[str, dict[str, Any]] = {
    "2 workers": FEW,
    "2 workers, worker_init_fn": {**FEW, "worker_init_fn": tell_users_dataset},
    "2 persistent workers": {**FEW, "persistent_workers": True},
    "4 workers": {"num_workers": 4, "prefetch_factor": 5},
    "4 persistent workers": {"num_workers": 4, "persistent_workers": True},
    "2 spawned workers": {**FEW, "persistent_workers": True, "multiprocessing_context": "spawn"},
    "4 workers of a fork server": {
        "num_workers": 4,
        "persistent_workers": True,
        "multiprocessing_context": "forkserver",
    },
}

QUICK = {("shuffle", "4 workers"), ("collate that draws", "4 persistent workers"), ("__getitems__", "2 workers")}


def cases() -> list[Any]:
    return [
        pytest.param(row, condition, marks=[] if (row, condition) in QUICK else pytest.mark.slow)
        for row in EXACT
        for condition, options in CONDITIONS.items()
        # A plain DataLoader can't do it either: torch.Generator does not arrive in a process that was not forked.
        if not ("multiprocessing_context" in options and row == "dataset with generators of its own")
    ]


def digests(loader: Any, users: DataLoader[Any]) -> list[list[str]]:
    """One digest per batch for every pass, each from its first batch on; and nothing before that batch is loaded."""
    dataset: Any = users.dataset
    found = []
    for epoch, start in PASSES:
        if isinstance(users.sampler, DistributedSampler):
            users.sampler.set_epoch(epoch)
        disturb()
        before = capture_streams()
        dataset.tally.zero_()
        batches = list(loader.iterate(epoch=epoch, loop=0, start=start))
        assert equal_bits(capture_streams(), before) is None, "the streams of training"
        given = sum(len(batch) if batch.ndim == 2 else 1 for batch in batches)
        # The first pass of a process asks for some batches twice.
        repeated = [] if found else [batches[index] for index in loader._sampler.repeated]
        twice = sum(len(batch) if batch.ndim == 2 else 1 for batch in repeated)
        # One of several workers that outlive the epoch sees by one sample whether a dataset that draws still does.
        again = 1 if users.persistent_workers and not found and not isinstance(dataset, Curriculum) else 0
        assert int(dataset.tally.sum()) == given + twice + again
        found.append([xxhash.xxh3_64_hexdigest(batch.numpy().tobytes()) for batch in batches])
    return found


IN_PROCESS: dict[str, list[list[str]]] = {}


def in_process(row: str) -> list[list[str]]:
    """The digests of all batches loaded in the main process, each pass from its beginning."""
    if row not in IN_PROCESS:
        users = EXACT[row]()
        IN_PROCESS[row] = digests(resumable(users, SEED), users)
    return IN_PROCESS[row]


@pytest.mark.parametrize("row", EXACT)
def test_a_pass_from_its_middle_is_the_rest_of_the_whole_pass(row: str) -> None:
    for (epoch, start), rest in zip(PASSES, in_process(row), strict=True):
        users = EXACT[row]()
        if isinstance(users.sampler, DistributedSampler):
            users.sampler.set_epoch(epoch)
        whole = resumable(users, SEED).iterate(epoch=epoch, loop=0, start=0)
        assert [xxhash.xxh3_64_hexdigest(batch.numpy().tobytes()) for batch in whole][start:] == rest
        assert rest


@pytest.mark.parametrize(("row", "condition"), cases())
def test_who_loads_changes_no_bit_and_nothing_done_is_loaded(row: str, condition: str) -> None:
    users = EXACT[row](**CONDITIONS[condition])
    loader = resumable(users, SEED)
    assert isinstance(loader, PositionedLoader)
    assert loader.promise == "loader_exact"
    assert digests(loader, users) == in_process(row)


class Locked(Sampler[int]):
    """Can't be copied, so it can't be tried."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "in_order=False": (lambda: DataLoader(Noisy(), num_workers=2, in_order=False), "in_order=False"),
    "sampler that asks the system": (lambda: DataLoader(Noisy(), sampler=AsksTheSystem()), "AsksTheSystem"),
    "sampler that can't be copied": (lambda: DataLoader(Noisy(), sampler=Locked()), "Locked"),
    "subclass with persistent workers": (
        lambda: Reversed(Noisy(), num_workers=1, persistent_workers=True),
        "Reversed.*persistent_workers=False",
    ),
    "no DataLoader": (lambda: [torch.zeros(1)], "not a builtins.list"),
}


@pytest.mark.parametrize("row", REFUSED)
def test_a_loader_that_cannot_be_exact_is_refused_by_name(row: str) -> None:
    make, named = REFUSED[row]
    with pytest.raises(LoaderRefusedError, match=named):
        resumable(make(), SEED)


@pytest.mark.parametrize(
    "make", [lambda n: DataLoader(Stream(), num_workers=n), lambda n: Reversed(Noisy(), num_workers=n)]
)
def test_where_loading_is_replayed_another_number_of_workers_is_refused(make: Callable[[int], Any]) -> None:
    passes = EpochPasses()
    passes.take_lead(passes.open(resumable(make(2), SEED).facts))
    resumed = EpochPasses(passes.record(3, 7), same_epoch=True)
    with pytest.raises(LoaderRefusedError, match=r"2 workers before and has 1 now"):
        resumed.open(resumable(make(1), SEED).facts)
