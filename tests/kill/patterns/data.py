"""The data of the patterns, and loaders of every kind over them; importable by spawned workers."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, Sampler, WeightedRandomSampler, get_worker_info
from torchdata.stateful_dataloader import StatefulDataLoader

SAMPLES, BATCH_SIZE, FEATURES = 44, 4, 4
BATCHES = SAMPLES // BATCH_SIZE  # 11: neither 2 nor 3 divides it

Loader = DataLoader[Tensor]


class Rows(Dataset[Tensor]):
    """Fixed rows, shaken from all three streams and from a generator of its own each time."""

    def __init__(self, count: int = SAMPLES) -> None:
        self.rows = torch.randn(count, FEATURES, generator=torch.Generator().manual_seed(1))
        self.own = np.random.default_rng(2)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Tensor:
        return self.shaken(index)

    def shaken(self, index: int) -> Tensor:
        noise = 0.01 * float(np.random.randn()) + 0.01 * float(self.own.normal())
        return self.rows[index] * random.uniform(0.9, 1.1) + 0.05 * torch.randn(FEATURES) + noise


class Stream(IterableDataset[Tensor]):
    """The same rows without positions, dealt to the workers and shuffled; ``endless``: again and again."""

    def __init__(self, *, endless: bool = False) -> None:
        self.rows = Rows()
        self.endless = endless

    def __iter__(self) -> Iterator[Tensor]:
        worker = get_worker_info()
        mine = list(range(SAMPLES)) if worker is None else list(range(SAMPLES))[worker.id :: worker.num_workers]
        while True:
            random.shuffle(mine)
            for index in mine:
                yield self.rows.shaken(index)
            if not self.endless:
                return


class Endless(Sampler[int]):
    """Never comes to an end."""

    def __iter__(self) -> Iterator[int]:
        while True:
            yield from torch.randperm(SAMPLES).tolist()


class Halves(DataLoader[Any]):
    """Iterates in a way of its own, as the loaders of other libraries do: the second half of the pass first."""

    def __iter__(self) -> Any:
        batches = list(super().__iter__())
        return iter(batches[len(batches) // 2 :] + batches[: len(batches) // 2])


def shuffled(batches: int = BATCHES, **options: Any) -> Loader:
    return DataLoader(Rows(batches * BATCH_SIZE), batch_size=BATCH_SIZE, shuffle=True, **options)


LOADERS: dict[str, Callable[[], Loader]] = {
    "in process": shuffled,
    "2 workers": lambda: shuffled(num_workers=2),
    "2 persistent workers": lambda: shuffled(num_workers=2, persistent_workers=True),
    "spawned worker": lambda: shuffled(num_workers=1, persistent_workers=True, multiprocessing_context="spawn"),
    "weighted sampler": lambda: DataLoader(
        Rows(),
        batch_size=BATCH_SIZE,
        sampler=WeightedRandomSampler([1.0 + i for i in range(SAMPLES)], SAMPLES),
        num_workers=1,
    ),
    "endless sampler": lambda: DataLoader(Rows(), batch_size=BATCH_SIZE, sampler=Endless(), num_workers=1),
    "iterable dataset": lambda: DataLoader(Stream(), batch_size=BATCH_SIZE, num_workers=2),
    "endless iterable dataset": lambda: DataLoader(Stream(endless=True), batch_size=BATCH_SIZE, num_workers=2),
    "StatefulDataLoader": lambda: StatefulDataLoader(Rows(), batch_size=BATCH_SIZE, shuffle=True, num_workers=2),
    "StatefulDataLoader, iterable": lambda: StatefulDataLoader(Stream(), batch_size=BATCH_SIZE, num_workers=2),
    "DataLoader subclass": lambda: Halves(Rows(), batch_size=BATCH_SIZE, shuffle=True, num_workers=1),
}
