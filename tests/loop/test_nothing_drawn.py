"""A dataset that runs no code but torch's own needs no streams of its own; any other has them, from when it is one."""

import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset, default_collate
from torch.utils.data._utils.collate import default_collate_fn_map

from unbroken.loop.content import WHOLE, content_digest
from unbroken.loop.drawing import collates_as_torch, draws_nothing
from unbroken.loop.positioned import PositionedLoader
from unbroken.loop.randomness import states_of_streams


class Noisy(TensorDataset):
    """A subclass that draws from all three streams."""

    def __getitem__(self, index: Any) -> Any:
        return super().__getitem__(index)[0] + torch.rand(1) + np.random.rand() + random.random()


class Marked(torch.Tensor):
    pass


class Shaky(list[int]):
    """Indices that are drawn when they are asked for."""

    def __getitem__(self, index: Any) -> Any:
        found: Any = super().__getitem__(index)
        return found if isinstance(index, slice) else (found + int(torch.randint(12, ()))) % 12


def fetched_at_once(indices: list[int]) -> list[Any]:
    return [torch.rand(1) for _ in indices]


def shaken(samples: list[Any]) -> Any:
    return default_collate(samples)[0] + torch.rand(1)


def tensors() -> TensorDataset:
    return TensorDataset(torch.arange(24.0).view(12, 2))


def with_getitems(dataset: Any) -> Dataset[Any]:
    dataset.__getitems__ = fetched_at_once
    return dataset  # type: ignore[no-any-return]


def each_batch(dataset: Dataset[Any], collate: Any, start: int, meanwhile: Callable[[int], object]) -> list[int]:
    """The digests of the batches of a pass; ``meanwhile`` is called with the number of each, and training draws."""
    loader = PositionedLoader(DataLoader(dataset, batch_size=3, shuffle=True, collate_fn=collate), seed=5)
    found = []
    meanwhile(start)
    for number, batch in enumerate(loader.iterate(epoch=1, loop=0, start=start), start + 1):
        found.append(content_digest(batch, WHOLE))
        _ = torch.rand(1), np.random.rand(), random.random()
        meanwhile(number)
    return found


def must_be_of_its_position(
    make: Callable[[], Dataset[Any]], collate: Any = None, change: Callable[[Any, int], object] = lambda *_: None
) -> None:
    torch.manual_seed(1)
    dataset = make()
    whole = each_batch(dataset, collate, 0, lambda number: change(dataset, number))
    torch.manual_seed(2)
    again = make()
    assert len(whole) == 4 and each_batch(again, collate, 2, lambda number: change(again, number)) == whole[2:]


@pytest.mark.parametrize(
    ("make", "collate", "known"),
    [
        (tensors, None, True),
        (lambda: Subset(Subset(tensors(), range(12)), range(12)), None, True),
        (tensors, shaken, False),
        (lambda: Noisy(*tensors().tensors), None, False),
        (lambda: Subset(Noisy(*tensors().tensors), range(12)), None, False),
        (lambda: Subset(tensors(), Shaky(range(12))), None, False),
        (lambda: with_getitems(tensors()), None, False),
        (lambda: with_getitems(Subset(tensors(), range(12))), None, False),
        (lambda: TensorDataset(torch.arange(12.0).as_subclass(Marked)), None, False),
    ],
)
def test_batches_do_not_depend_on_the_streams_of_training_nor_move_them(
    make: Callable[[], Dataset[Any]], collate: Any, known: bool
) -> None:
    assert (draws_nothing(make()) and collates_as_torch(collate or default_collate)) is known
    must_be_of_its_position(make, collate)
    before = content_digest(states_of_streams(), WHOLE)
    loader = PositionedLoader(DataLoader(make(), batch_size=3, collate_fn=collate), seed=5)
    assert len([*loader.iterate(epoch=1, loop=0, start=0)]) == 4
    assert content_digest(states_of_streams(), WHOLE) == before


def set_inside(dataset: Any, number: int) -> None:
    if number >= 1:
        dataset.dataset = Noisy(*tensors().tensors)


def set_class(dataset: Any, number: int) -> None:
    if number >= 1:
        dataset.dataset.__class__ = Noisy


def set_indices(dataset: Any, number: int) -> None:
    if number >= 1:
        dataset.indices = Shaky(range(12))


def set_getitems(dataset: Any, number: int) -> None:
    if number >= 1:
        with_getitems(dataset)


@pytest.mark.parametrize("change", [set_inside, set_class, set_indices, set_getitems])
def test_what_begins_to_draw_while_it_is_gone_through_has_streams_from_then_on(
    change: Callable[[Any, int], object],
) -> None:
    must_be_of_its_position(lambda: Subset(tensors(), range(12)), change=change)


@contextmanager
def put(holder: Any, name: Any, value: object) -> Iterator[None]:
    before = holder[name] if isinstance(holder, dict) else getattr(holder, name)
    set_to = holder.__setitem__ if isinstance(holder, dict) else lambda key, new: setattr(holder, key, new)
    set_to(name, value)
    try:
        yield
    finally:
        set_to(name, before)


def test_a_function_of_torch_s_that_was_replaced_is_not_torch_s() -> None:
    own, stacked = TensorDataset.__getitem__, default_collate_fn_map[torch.Tensor]

    def noisy(dataset: Any, index: Any) -> Any:
        return tuple(tensor + torch.rand(1) for tensor in own(dataset, index))

    def stacked_with_noise(batch: Any, **options: Any) -> Any:
        return stacked(batch, **options) + torch.rand(1)

    with put(TensorDataset, "__getitem__", noisy):
        must_be_of_its_position(tensors)
    with put(default_collate_fn_map, torch.Tensor, stacked_with_noise):
        must_be_of_its_position(tensors)


def test_where_torch_has_its_map_elsewhere_nothing_is_known() -> None:
    # Torch has it by then; only who asks again is told that there is none.
    program = (
        "import sys; from torch.utils.data import default_collate\n"
        "sys.modules['torch.utils.data._utils.collate'] = None\n"
        "from unbroken.loop import drawing; sys.exit(drawing.collates_as_torch(default_collate))"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def draws_in_the_worker(_: int) -> None:
    info: Any = torch.utils.data.get_worker_info()
    info.dataset.dataset = Noisy(*tensors().tensors)


def test_what_a_worker_makes_of_its_dataset_draws_by_position_too() -> None:
    def batches(start: int) -> list[int]:
        loader = DataLoader(Subset(tensors(), range(12)), 3, num_workers=1, worker_init_fn=draws_in_the_worker)
        given = PositionedLoader(loader, seed=5).iterate(epoch=1, loop=0, start=start)
        return [content_digest(batch, WHOLE) for batch in given]

    assert len(whole := batches(0)) == 4 and batches(2) == whole[2:]


@pytest.mark.parametrize("size", [2, 4000])  # bytes that are looked at whole, and in pieces
def test_workers_that_live_on_see_tensors_that_were_put_in_place_of_others(size: int) -> None:
    dataset = TensorDataset(torch.zeros(12, size))
    loader = PositionedLoader(DataLoader(dataset, 3, num_workers=1, persistent_workers=True), seed=5)
    assert all(not batch[0].any() for batch in loader.iterate(epoch=1, loop=0, start=0))
    dataset.tensors = (torch.ones(12, size),)
    assert all(batch[0].all() for batch in loader.iterate(epoch=2, loop=0, start=0))
