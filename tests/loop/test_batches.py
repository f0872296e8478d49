"""Order and loading randomness are functions of position, whoever loads, and training's own streams are untouched."""

import gc
import logging
import multiprocessing
import random
import signal
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    RandomSampler,
    Sampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from tests.loop.datasets import AtOnce, Curriculum, Noisy, OwnStreams, shaking_collate, tell_users_dataset
from unbroken.errors import LoaderRefusedError
from unbroken.loop.batches import VERSION
from unbroken.loop.loaders import Loaders, resumable
from unbroken.loop.positioned import PositionedLoader
from unbroken.loop.randomness import capture_streams, restore_streams
from unbroken.loop.witness import numpy_stream, python_stream, torch_stream
from unbroken.state.snapshot import equal_bits

SEED = 1234


def batches(loader: DataLoader[Any], *, epoch: int = 1, start: int = 0, seed: int = SEED) -> list[torch.Tensor]:
    return list(PositionedLoader(loader, seed).iterate(epoch=epoch, loop=0, start=start))


def same(left: list[torch.Tensor], right: list[torch.Tensor]) -> bool:
    return len(left) == len(right) and all(torch.equal(a, b) for a, b in zip(left, right, strict=True))


def disturb() -> None:
    random.seed(99)
    np.random.seed(99)
    torch.manual_seed(99)


LOADERS: dict[str, Any] = {
    "shuffle": lambda **o: DataLoader(Noisy(), batch_size=4, shuffle=True, **o),
    "sequential": lambda **o: DataLoader(Noisy(), batch_size=4, **o),
    "drop_last": lambda **o: DataLoader(Noisy(), batch_size=4, shuffle=True, drop_last=True, **o),
    "generator": lambda **o: DataLoader(
        Noisy(), batch_size=4, shuffle=True, generator=torch.Generator().manual_seed(5), **o
    ),
    "weighted": lambda **o: DataLoader(
        Noisy(), batch_size=4, sampler=WeightedRandomSampler([1.0 + i for i in range(37)], 50), **o
    ),
    "subset": lambda **o: DataLoader(Noisy(), batch_size=4, sampler=SubsetRandomSampler(range(5, 30)), **o),
    "batch_sampler": lambda **o: DataLoader(
        Noisy(), batch_sampler=BatchSampler(RandomSampler(range(37)), 5, False), **o
    ),
    "unbatched": lambda **o: DataLoader(Noisy(), batch_size=None, shuffle=True, **o),
    "getitems": lambda **o: DataLoader(AtOnce(), batch_size=4, shuffle=True, **o),
    "collate": lambda **o: DataLoader(Noisy(), batch_size=4, shuffle=True, collate_fn=shaking_collate, **o),
    "own_streams": lambda **o: DataLoader(OwnStreams(), batch_size=4, shuffle=True, **o),
    "set_epoch": lambda **o: DataLoader(Curriculum(), batch_size=4, shuffle=True, **o),
    "long": lambda **o: DataLoader(Noisy(500), batch_size=2, shuffle=True, **o),
}


@pytest.mark.parametrize("kind", LOADERS)
def test_any_batch_is_a_function_of_seed_epoch_and_batch(kind: str) -> None:
    make = LOADERS[kind]
    whole = batches(make())
    disturb()
    assert same(batches(make()), whole)
    for start in (1, len(whole) // 2, len(whole)):
        disturb()
        assert same(batches(make(), start=start), whole[start:]), f"from batch {start}"
    assert not same(batches(make(), epoch=2), whole)
    assert not same(batches(make(), seed=SEED + 1), whole)


@pytest.mark.parametrize(
    "kind", ["shuffle", "generator", "collate", "own_streams", "set_epoch", "getitems", "unbatched"]
)
@pytest.mark.parametrize("persistent", [False, True])
def test_workers_change_nothing(kind: str, persistent: bool) -> None:
    here = PositionedLoader(LOADERS[kind](), SEED)
    there = PositionedLoader(LOADERS[kind](num_workers=2, persistent_workers=persistent), SEED)
    for epoch, start in ((1, 0), (2, 3), (3, 0)):
        assert same(
            list(there.iterate(epoch=epoch, loop=0, start=start)),
            list(here.iterate(epoch=epoch, loop=0, start=start)),
        ), f"epoch {epoch}"


def test_spawned_workers_change_nothing() -> None:
    options = {"num_workers": 1, "multiprocessing_context": "spawn", "worker_init_fn": tell_users_dataset}
    assert same(batches(LOADERS["collate"](**options)), batches(LOADERS["collate"]()))


def test_worker_init_fn_sees_the_users_dataset() -> None:
    assert same(
        batches(LOADERS["shuffle"](num_workers=1, worker_init_fn=tell_users_dataset)),
        batches(LOADERS["shuffle"]()),
    )


def test_a_resume_loads_nothing_that_was_done() -> None:
    loader = LOADERS["shuffle"]()
    rest = batches(loader, start=6)
    twice = len(rest[0])  # the first batch of a process, to see whether it is the same
    assert len(loader.dataset.loaded) == sum(len(batch) for batch in rest) + twice == 37 - 24 + twice


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("cached_normal", [False, True])
def test_training_streams_are_untouched_by_loading(workers: int, cached_normal: bool) -> None:
    disturb()
    if cached_normal:
        np.random.randn()
        random.gauss(0, 1)
    before = capture_streams()
    draws_without = (random.gauss(0, 1), np.random.randn(3).tolist(), torch.rand(3).tolist())
    restore_streams(before)
    iterator = PositionedLoader(LOADERS["long"](num_workers=workers), SEED).iterate(epoch=1, loop=0, start=0)
    for _ in range(130):
        next(iterator)
    assert equal_bits(capture_streams(), before) is None
    assert (random.gauss(0, 1), np.random.randn(3).tolist(), torch.rand(3).tolist()) == draws_without


def test_a_generator_shared_with_training_is_untouched_by_loading() -> None:
    shared = torch.Generator().manual_seed(7)
    loader = DataLoader(Noisy(), batch_size=4, sampler=RandomSampler(range(37), True, 500, generator=shared))
    before = shared.get_state()
    assert len(batches(loader)) == 125
    assert torch.equal(shared.get_state(), before)


def test_in_process_loading_gives_the_thread_count_back() -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        seen: list[int] = []

        class Watching(Noisy):
            def __getitem__(self, index: int) -> torch.Tensor:
                seen.append(torch.get_num_threads())
                return super().__getitem__(index)

        batches(DataLoader(Watching(8), batch_size=4))
        assert set(seen) == {1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def test_a_failing_dataset_gives_the_streams_back() -> None:
    class Failing(Noisy):
        def __getitem__(self, index: int) -> torch.Tensor:
            raise RuntimeError("unreadable sample")

    before = capture_streams()
    with pytest.raises(RuntimeError, match="unreadable sample"):
        batches(DataLoader(Failing(), batch_size=4))
    assert equal_bits(capture_streams(), before) is None


class CountsItsPasses(Sampler[int]):
    def __init__(self) -> None:
        self.passes = 0

    def __iter__(self) -> Iterator[int]:
        self.passes += 1
        return iter(torch.randperm(37, generator=torch.Generator().manual_seed(self.passes)).tolist())

    def __len__(self) -> int:
        return 37


class AsksTheSystem(Sampler[int]):
    def __iter__(self) -> Iterator[int]:
        order = list(range(37))
        random.SystemRandom().shuffle(order)
        return iter(order)

    def __len__(self) -> int:
        return 37


class DrawsFromNumpy(Sampler[int]):
    def __iter__(self) -> Iterator[int]:
        return iter(np.random.permutation(37).tolist())

    def __len__(self) -> int:
        return 37


def test_a_users_own_sampler_resumes_exactly() -> None:
    whole = batches(DataLoader(Noisy(), batch_size=4, sampler=DrawsFromNumpy()))
    assert same(batches(DataLoader(Noisy(), batch_size=4, sampler=DrawsFromNumpy()), start=3), whole[3:])


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: DataLoader(Noisy(), sampler=AsksTheSystem()), "AsksTheSystem"),
        (lambda: DataLoader(Noisy(), batch_sampler=BatchSampler(AsksTheSystem(), 4, False)), "AsksTheSystem"),
        (lambda: DataLoader(Noisy(), num_workers=1, in_order=False), "in_order"),
        (lambda: [1, 2, 3], "list"),
    ],
)
def test_what_cannot_be_exact_is_refused_by_name(make: Any, named: str) -> None:
    with pytest.raises(LoaderRefusedError, match=named):
        resumable(make(), SEED)


def test_a_dataset_given_twice_is_not_confused() -> None:
    dataset: Dataset[torch.Tensor] = Noisy()
    first = PositionedLoader(DataLoader(dataset, batch_size=4, shuffle=True), SEED)
    second = PositionedLoader(DataLoader(dataset, batch_size=4, shuffle=True), SEED)
    one, two = first.iterate(epoch=1, loop=0, start=0), second.iterate(epoch=1, loop=0, start=0)
    assert all(torch.equal(next(one), next(two)) for _ in range(10))


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("start", [0, 3])
def test_a_sampler_that_counts_its_passes_is_caught_up(wrapped: bool, start: int) -> None:
    def make() -> DataLoader[Any]:
        if wrapped:
            return DataLoader(Noisy(), batch_sampler=BatchSampler(CountsItsPasses(), 4, False))
        return DataLoader(Noisy(), batch_size=4, sampler=CountsItsPasses())

    running = PositionedLoader(make(), SEED)
    passes = [list(running.iterate(epoch=epoch, loop=0, start=0)) for epoch in (1, 2, 3)]
    assert not torch.equal(passes[1][0][:, 0], passes[2][0][:, 0])
    resumed = PositionedLoader(make(), SEED).iterate(epoch=3, loop=0, start=start)
    assert same(list(resumed), passes[2][start:])


def test_another_order_than_before_is_refused() -> None:
    loader = DataLoader(Noisy(), batch_size=4, sampler=DrawsFromNumpy())
    running = PositionedLoader(loader, SEED).iterate(epoch=1, loop=0, start=0)
    next(running), next(running)
    resumed = PositionedLoader(loader, SEED)
    next(resumed.iterate(epoch=1, loop=0, start=2, order=running.order))
    with pytest.raises(LoaderRefusedError, match=r"DrawsFromNumpy|BatchSampler"):
        next(PositionedLoader(loader, SEED + 1).iterate(epoch=1, loop=0, start=2, order=running.order))


def test_the_order_digest_is_that_of_the_batches_given_out_not_of_those_prefetched() -> None:
    here = PositionedLoader(LOADERS["shuffle"](), SEED).iterate(epoch=1, loop=0, start=0)
    there = PositionedLoader(LOADERS["shuffle"](num_workers=2), SEED).iterate(epoch=1, loop=0, start=0)
    for _ in range(5):
        next(here), next(there)
        assert here.order == there.order


def test_weights_changed_inside_an_epoch_are_refused_where_its_order_depends_on_them() -> None:
    sampler = WeightedRandomSampler([1.0] * 37, 20)
    positioned = PositionedLoader(DataLoader(Noisy(), batch_size=4, sampler=sampler), SEED)
    given = positioned.iterate(epoch=1, loop=0, start=0)
    next(given), next(given)
    sampler.weights[:5] = 0
    with pytest.raises(LoaderRefusedError, match="WeightedRandomSampler"):
        next(positioned.iterate(epoch=1, loop=0, start=2, order=given.order))


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_and_other_children_end_at_their_parents_word(method: str) -> None:
    """However they are started; what starts them must not stay deaf to it."""
    context = multiprocessing.get_context(method)
    loader: DataLoader[Any] = DataLoader(Noisy(), batch_size=4, num_workers=1, multiprocessing_context=context)
    before = set(multiprocessing.active_children())
    batches = PositionedLoader(loader, SEED).iterate(epoch=1, loop=0, start=0)
    next(batches)
    [worker] = set(multiprocessing.active_children()) - before
    batches.end_workers()
    other = context.Process(target=signal.pause)
    other.start()
    other.terminate()
    for child in (worker, other):
        child.join(20)
    assert worker.exitcode is not None
    assert other.exitcode == -signal.SIGTERM


def test_a_search_for_generators_that_had_to_end_is_said(caplog: pytest.LogCaptureFixture) -> None:
    dataset = Noisy()
    dataset.nested = [[[object() for _ in range(60)] for _ in range(60)] for _ in range(60)]  # type: ignore[attr-defined]
    with caplog.at_level(logging.INFO, "unbroken"):
        loaders = Loaders()
        known = loaders.known(DataLoader(dataset), SEED, VERSION)
        next(known.iterate(epoch=1, loop=0, start=0))
        loaders.say_promise(known)
    assert "Noisy" in caplog.text and "Exact at any batch" in caplog.text


@pytest.mark.parametrize(
    ("compiled", "batching", "said"),
    [
        (True, {"batch_size": 4}, True),
        (False, {"batch_size": 4}, False),
        (True, {"batch_size": 4, "drop_last": True}, False),
        (True, {"batch_size": 5}, False),
        (True, {"batch_size": 20}, False),
        (True, {"batch_size": None}, False),
    ],
)
def test_that_a_compiled_model_will_meet_two_shapes_is_said(
    caplog: pytest.LogCaptureFixture, compiled: bool, batching: dict[str, Any], said: bool
) -> None:
    with caplog.at_level(logging.INFO, "unbroken"):
        Loaders().known(DataLoader(TensorDataset(torch.zeros(10, 1)), **batching), SEED, VERSION, compiled=compiled)
    assert ("dynamic=False" in caplog.text) is said


def test_loaders_made_anew_in_every_epoch_are_not_kept_for_ever() -> None:
    loaders, datasets = Loaders(), []
    for _ in range(100):
        dataset = Noisy()
        datasets.append(weakref.ref(dataset))
        loaders.known(DataLoader(dataset), SEED, VERSION)
    del dataset
    gc.collect()
    assert sum(dataset() is not None for dataset in datasets) < 50


@pytest.mark.parametrize(
    ("stream", "draw"),
    [
        (0, random.random),
        (0, lambda: random.gauss(0, 1)),
        (1, np.random.rand),
        (1, np.random.standard_normal),
        (2, lambda: torch.rand(1)),
        (2, lambda: torch.randn(1)),
    ],
)
def test_what_is_drawn_shows_in_the_witness_of_its_stream(stream: int, draw: Callable[[], object]) -> None:
    seen = [tuple(take() for take in (python_stream, numpy_stream, torch_stream))]
    for _ in range(1_300):
        draw()
        seen.append(tuple(take() for take in (python_stream, numpy_stream, torch_stream)))
    assert [len({one[index] for one in seen}) for index in range(3)] == [
        len(seen) if index == stream else 1 for index in range(3)
    ]


class OneList(Sampler[list[int]]):
    """Fills one and the same list for every batch, as ``make`` does."""

    def __init__(self, make: Callable[[list[int]], Any]) -> None:
        self.batch: Any = make([0, 0])

    def __iter__(self) -> Iterator[Any]:
        for number in range(4):
            self.batch[0], self.batch[1] = 2 * number, 2 * number + 1
            yield self.batch

    def __len__(self) -> int:
        return 4


@pytest.mark.parametrize("make", [list, np.array, torch.tensor])
def test_a_sampler_may_give_one_list_again_and_again(make: Callable[[list[int]], Any]) -> None:
    dataset: Any = list(range(8))
    given = [batch.tolist() for batch in batches(DataLoader(dataset, batch_sampler=OneList(make)))]
    assert given == [[0, 1], [2, 3], [4, 5], [6, 7]]


@pytest.mark.parametrize("batch", [0, 1, 5, 13])
@pytest.mark.parametrize("how", [{}, {"num_samples": 100}, {"num_samples": 100, "replacement": True}])
def test_any_batch_of_a_random_sampler_is_that_of_the_whole_pass(how: dict[str, Any], batch: int) -> None:
    dataset: Any = list(range(42))
    loader = DataLoader(dataset, batch_size=3, sampler=RandomSampler(dataset, **how))
    whole = list(resumable(loader, SEED).iterate(epoch=1, loop=0, start=0))
    assert same(list(resumable(loader, SEED).iterate(epoch=1, loop=0, start=batch)), whole[batch:])
