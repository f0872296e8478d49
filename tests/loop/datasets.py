"""Small datasets that draw from every random stream there is; importable by spawned workers."""

import random
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, get_worker_info

MOST_WORKERS = 4


class Noisy(Dataset[torch.Tensor]):
    """One row per sample: its index, then a draw from each global stream.

    ``loaded`` is what this process has loaded; ``tally`` counts what each has, by worker (the process of the training
    is the last row) and index: two workers may load one sample at once, and a sum that both add to would lose one.
    """

    def __init__(self, length: int = 37) -> None:
        self.length = length
        self.loaded: list[int] = []
        self.tally = torch.zeros(MOST_WORKERS + 1, length, dtype=torch.int64)
        self.tally.share_memory_()  # type: ignore[no-untyped-call]

    def note(self, index: int) -> None:
        self.loaded.append(index)
        worker = get_worker_info()
        self.tally[MOST_WORKERS if worker is None else worker.id, index] += 1

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> torch.Tensor:
        self.note(index)
        draws = [float(index), random.random(), float(np.random.randn()), float(torch.rand(()))]
        return torch.tensor(draws, dtype=torch.float64)


class OwnStreams(Noisy):
    """Holds generators of its own, one of them behind a transform's closure."""

    def __init__(self, length: int = 37) -> None:
        super().__init__(length)
        self.numpy = np.random.default_rng(1)
        self.torch: torch.Generator | None = torch.Generator()
        self.transforms = [{"python": random.Random(2)}, np.random.RandomState(3)]
        self.seldom = [np.random.RandomState(np.random.PCG64(4)), random.SystemRandom()]

    def __getitem__(self, index: int) -> torch.Tensor:
        self.note(index)
        python: Any = self.transforms[0]
        legacy: Any = self.transforms[1]
        draws = [
            float(index),
            self.numpy.normal(),
            float(torch.rand((), generator=self.torch)),
            python["python"].random(),
            legacy.randn(),
            self.seldom[0].random(),
        ]
        return torch.tensor(draws, dtype=torch.float64)


class OwnStreamsToSend(OwnStreams):
    """Without a generator of torch's, and without the system's: they can't be sent to a process that was not forked."""

    def __init__(self) -> None:
        super().__init__()
        self.torch = None
        self.seldom = self.seldom[:1]


class AtOnce(Noisy):
    """Fetches a batch in one call."""

    def __getitems__(self, indices: list[int]) -> list[torch.Tensor]:
        return [self[index] + 1000 for index in indices]


class Curriculum(Noisy):
    """Knows its epoch only by set_epoch."""

    epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __getitem__(self, index: int) -> torch.Tensor:
        self.note(index)
        return torch.tensor([float(index), float(self.epoch)], dtype=torch.float64)


def shaking_collate(samples: list[torch.Tensor]) -> torch.Tensor:
    """A collate function that draws, too."""
    return torch.stack(samples) + random.random() + float(np.random.randn()) + torch.rand(())


def tell_users_dataset(worker_id: int) -> None:
    """A worker_init_fn as people write them: it reaches for the dataset through the worker's info."""
    info = get_worker_info()
    assert info is not None
    dataset: Any = info.dataset
    assert isinstance(dataset, Noisy)
    dataset.length = 37
