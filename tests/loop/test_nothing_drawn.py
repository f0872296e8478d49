"""A dataset that runs no code but torch's own needs no streams of its own; any other has them."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset, default_collate

from unbroken.loop.content import WHOLE, content_digest
from unbroken.loop.positioned import PositionedLoader
from unbroken.loop.randomness import states_of_streams


class Noisy(TensorDataset):
    """A subclass that draws from all three streams."""

    def __getitem__(self, index: Any) -> Any:
        return super().__getitem__(index)[0] + torch.rand(1) + np.random.rand() + random.random()


class Marked(torch.Tensor):
    pass


def fetched_at_once(indices: list[int]) -> list[Any]:
    return [torch.rand(1) for _ in indices]


def shaken(samples: list[Any]) -> Any:
    return default_collate(samples)[0] + torch.rand(1)


def tensors() -> TensorDataset:
    return TensorDataset(torch.arange(24.0).view(12, 2))


def with_getitems(dataset: Dataset[Any]) -> Dataset[Any]:
    dataset.__getitems__ = fetched_at_once  # type: ignore[attr-defined]
    return dataset


@pytest.mark.parametrize(
    ("dataset", "collate", "known"),
    [
        (tensors, None, True),
        (lambda: Subset(Subset(tensors(), range(12)), range(12)), None, True),
        (tensors, shaken, False),
        (lambda: Noisy(*tensors().tensors), None, False),
        (lambda: Subset(Noisy(*tensors().tensors), range(12)), None, False),
        (lambda: with_getitems(tensors()), None, False),
        (lambda: with_getitems(Subset(tensors(), range(12))), None, False),
        (lambda: TensorDataset(torch.arange(12.0).as_subclass(Marked)), None, False),
    ],
)
def test_batches_do_not_depend_on_the_streams_of_training_nor_move_them(
    dataset: Callable[[], Dataset[Any]], collate: Callable[[Any], Any] | None, known: bool
) -> None:
    def batches(start: int) -> list[int]:
        loader = PositionedLoader(DataLoader(dataset(), batch_size=3, shuffle=True, collate_fn=collate), seed=5)
        assert loader._dataset.draws_nothing is known
        given = loader.iterate(epoch=1, loop=0, start=start)
        found = []
        for batch in given:
            found.append(content_digest(batch, WHOLE))
            _ = torch.rand(1), np.random.rand(), random.random()  # what training draws
        return found

    torch.manual_seed(1)
    whole = batches(0)
    torch.manual_seed(2)
    assert len(whole) == 4 and batches(2) == whole[2:]
    before = content_digest(states_of_streams(), WHOLE)
    iterator = PositionedLoader(DataLoader(dataset(), batch_size=3, collate_fn=collate), seed=5)
    assert len([*iterator.iterate(epoch=1, loop=0, start=0)]) == 4
    assert content_digest(states_of_streams(), WHOLE) == before
