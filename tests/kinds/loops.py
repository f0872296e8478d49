"""Loops that people write in which a resume is easily inexact. Each returns what it ends with; see ``judge``."""

import random
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import (
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    Sampler,
    TensorDataset,
    WeightedRandomSampler,
)

from tests.kinds.judge import Trial

SAMPLES, BATCH = 96, 8  # twelve batches an epoch

Batch = tuple[Tensor, Tensor]


class Parts:
    """Data, a small network with dropout and its optimizer, as a script makes them."""

    def __init__(self, trial: Trial, dataset: "Callable[[Tensor, Tensor], Any] | None" = None, **options: Any) -> None:
        torch.manual_seed(1)
        np.random.seed(1)
        random.seed(1)
        self.x = torch.randn(SAMPLES, 6)
        self.y = self.x[:, :1] * self.x[:, 1:2]
        self.model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 1))
        self.optimizer = torch.optim.SGD(self.model.parameters(), 0.05, momentum=0.9)
        self.dataset = (dataset or TensorDataset)(self.x, self.y)
        self.trial = trial
        self.run = trial.run()
        self.run.track(model=self.model, optimizer=self.optimizer, **options)

    def loader(self, **options: Any) -> DataLoader[Any]:
        shuffle = {} if "sampler" in options or isinstance(self.dataset, IterableDataset) else {"shuffle": True}
        return DataLoader(self.dataset, **{"batch_size": BATCH, **shuffle, **options})

    def step(self, batch: Any) -> Tensor:
        self.trial.at(self.run.step)
        loss = nn.functional.mse_loss(self.model(batch[0]), batch[1])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.run.average(train_losses=loss)
        return loss

    def train(self, loader: DataLoader[Any], epochs: int = 3, prologue: Callable[[int], None] | None = None) -> Any:
        for epoch in self.run.epochs(epochs):
            if prologue is not None:
                prologue(epoch)
            for batch in self.run.batches(loader):
                self.step(batch)
        return self.end()

    def end(self) -> Any:
        return {"model": self.model.state_dict(), "history": dict(self.run.history)}


class Samples(Dataset[Batch]):
    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> Batch:
        return self.x[index] * (1 + 0.1 * self.draw(index)), self.y[index]

    def draw(self, index: int) -> float:
        return 0.0


# Generators that a dataset or a collate function draws from, wherever it has them.

DICE = np.random.default_rng(5)
CARDS = random.Random(4)


class OfTheModule(Samples):
    def draw(self, index: int) -> float:
        return float(DICE.normal())


class OfAClass(Samples):
    dice: ClassVar[random.Random] = random.Random(3)

    def draw(self, index: int) -> float:
        return self.dice.random()


class AsAMethod(Samples):
    def __init__(self, x: Tensor, y: Tensor) -> None:
        super().__init__(x, y)
        self.roll = random.Random(3).random

    def draw(self, index: int) -> float:
        return self.roll()


class OnePerSample(Samples):
    def __init__(self, x: Tensor, y: Tensor) -> None:
        super().__init__(x, y)
        self.dice = [random.Random(index) for index in range(len(x))]

    def draw(self, index: int) -> float:
        return self.dice[index].random()


class InADeque(Samples):
    def __init__(self, x: Tensor, y: Tensor) -> None:
        super().__init__(x, y)
        self.dice = deque([{"one": random.Random(0)}])

    def draw(self, index: int) -> float:
        return self.dice[0]["one"].random()


def jitter() -> float:
    return CARDS.random()


class BehindAFunction(Samples):
    def draw(self, index: int) -> float:
        return jitter()


class Counting(Samples):
    """A state that no search can know: how often it was asked."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        super().__init__(x, y)
        self.asked = 0

    def draw(self, index: int) -> float:
        self.asked += 1
        return self.asked % 7 / 7


class KeepsWhatItDrew(Samples):
    """A cache of what was drawn for a sample when it was first loaded."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        super().__init__(x, y)
        self.drawn: dict[int, float] = {}

    def draw(self, index: int) -> float:
        if index not in self.drawn:
            self.drawn[index] = random.random()
        return self.drawn[index]


class KeepsWhatIsTheSame(KeepsWhatItDrew):
    """A cache of what is the same for ever; what is drawn is drawn each time."""

    def draw(self, index: int) -> float:
        return self.drawn.setdefault(index, index / 7) * random.random()


def draws_in_collate(samples: list[Batch]) -> Batch:
    scale = 1 + 0.1 * CARDS.random()
    return torch.stack([x for x, _ in samples]) * scale, torch.stack([y for _, y in samples])


class Remembers(nn.Module):
    """A bank of what came by last, and a range for every output, which has its shape from the first batch."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("bank", torch.zeros(0, 1))
        self.register_buffer("least", torch.zeros(0))

    def forward(self, y: Tensor) -> Tensor:
        seen = y.detach()
        self.bank = torch.cat([self.bank, seen])[-20:]
        if not len(self.least):
            self.least.resize_(seen.shape[1]).zero_()
        self.least.copy_(torch.minimum(self.least, seen.min(0).values))
        return y - 0.1 * self.bank.mean() + 0.01 * self.least


def buffers_that_grow(trial: Trial) -> Any:
    parts = Parts(trial)
    parts.model.append(Remembers())
    return parts.train(parts.loader())


def over(dataset: type[Samples], **options: Any) -> Callable[[Trial], Any]:
    def loop(trial: Trial) -> Any:
        parts = Parts(trial, dataset)
        return parts.train(parts.loader(**options))

    return loop


def tracked_generator(trial: Trial) -> Any:
    """It is the program's own as well: what the loading draws must not be in the saves."""
    parts = Parts(trial, OfTheModule, dice=DICE)
    return parts.train(parts.loader())


class Hidden(Samples):
    """Draws from a tracked generator that no search of the dataset comes upon."""

    def draw(self, index: int) -> float:
        return random.Random(int(torch.randint(1 << 30, (1,), generator=_hidden()))).random()


def _hidden() -> torch.Generator:
    generator: torch.Generator = _HIDING_PLACE[b"key"]
    return generator


class _Places(dict[bytes, Any]):
    def values(self) -> Any:
        return iter(())


_HIDING_PLACE = _Places()


def tracked_generator_that_is_not_found(trial: Trial) -> Any:
    _HIDING_PLACE[b"key"] = torch.Generator().manual_seed(2)
    parts = Parts(trial, Hidden, dice=_HIDING_PLACE[b"key"])
    return parts.train(parts.loader())


# The loader as it is now.


def collate_replaced(trial: Trial) -> Any:
    parts = Parts(trial)
    loader = parts.loader()

    def replace(epoch: int) -> None:
        def collate(samples: list[Batch], scale: float = 1 / epoch) -> Batch:
            return torch.stack([x for x, _ in samples]) * scale, torch.stack([y for _, y in samples])

        loader.collate_fn = collate

    return parts.train(loader, prologue=replace)


def dataset_that_grows(trial: Trial) -> Any:
    parts = Parts(trial)
    every: Any = TensorDataset(parts.x, parts.y)
    samples: list[Any] = [every[index] for index in range(40)]
    parts.dataset = samples
    loader = parts.loader()

    def grow(epoch: int) -> None:
        samples[40:] = [every[index] for index in range(40, 24 + 16 * epoch)]

    end = parts.train(loader, prologue=grow)
    return {**end, "steps": parts.run.step}


class Curriculum(Samples):
    """Users count their epochs from 0, and tell the dataset themselves."""

    epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def draw(self, index: int) -> float:
        return float(self.epoch)


def epochs_counted_from_0(**options: Any) -> Callable[[Trial], Any]:
    def loop(trial: Trial) -> Any:
        parts = Parts(trial, Curriculum)
        loader = parts.loader(**options)
        for epoch in parts.run.epochs(3):
            parts.dataset.set_epoch(epoch - 1)
            for x, y in parts.run.batches(loader):
                parts.run.average(size=x.double().abs().mean())
                parts.step((x, y))
        sizes = parts.run.history["size"]
        return {**parts.end(), "growth": [round(size / sizes[0], 4) for size in sizes]}

    return loop


def weights_that_follow_the_losses(trial: Trial, sampler: Callable[[Tensor], Any] | None = None) -> Any:
    weights = torch.ones(SAMPLES, dtype=torch.double)
    parts = Parts(trial, lambda x, y: TensorDataset(x, y, torch.arange(SAMPLES)), weights=weights)
    drawn: Any = WeightedRandomSampler(weights, SAMPLES) if sampler is None else sampler(weights)  # type: ignore[arg-type]
    loader = parts.loader(sampler=drawn)
    for _ in parts.run.epochs(3):
        for x, y, indices in parts.run.batches(loader):
            trial.at(parts.run.step)
            losses = ((parts.model(x) - y) ** 2).flatten()
            parts.optimizer.zero_grad()
            losses.mean().backward()
            parts.optimizer.step()
            weights[indices] = losses.detach().double() + 0.01
            parts.run.average(train_losses=losses.mean())
    return parts.end()


class Bandit(Sampler[int]):
    """Draws each sample when it is asked for."""

    def __init__(self, weights: Tensor) -> None:
        self.weights = weights

    def __len__(self) -> int:
        return len(self.weights)

    def __iter__(self) -> Iterator[int]:
        for _ in range(len(self)):
            yield int(torch.multinomial(self.weights, 1))


def bandit(trial: Trial) -> Any:
    return weights_that_follow_the_losses(trial, Bandit)


class TensorBatches(Sampler[Tensor]):
    """Batches of indices as one long tensor each, of which a text shows but the ends."""

    def __init__(self, swap: Callable[[], bool]) -> None:
        self.swap = swap

    def __len__(self) -> int:
        return 12

    def __iter__(self) -> Iterator[Tensor]:
        for _ in range(12):
            order = torch.randint(SAMPLES, (1_200,))
            if self.swap():
                order[500:600] = order[500:600].flip(0)
            yield order


def order_of_long_tensors(trial: Trial) -> Any:
    """In the process that goes on, the sampler gives another order, in the middle of long tensors only."""
    parts = Parts(trial)
    sampler = TensorBatches(lambda: parts.run.resumed_from is not None)
    loader: DataLoader[Any] = DataLoader(parts.dataset, batch_sampler=sampler)
    return parts.train(loader)


def first_seven(trial: Trial) -> Any:
    parts = Parts(trial)
    loader = parts.loader()
    for _ in parts.run.epochs(3):
        for batch in islice(parts.run.batches(loader), 7):
            parts.step(batch)
        parts.run.save()
    return parts.end()


def counted_by_hand(trial: Trial) -> Any:
    parts = Parts(trial)
    loader = parts.loader()
    for _ in parts.run.epochs(3):
        for number, batch in enumerate(parts.run.batches(loader)):
            parts.step(batch)
            if number == 6:
                break
        parts.run.save()
    return parts.end()


def growing_epochs(trial: Trial) -> Any:
    parts = Parts(trial)
    loader = parts.loader()
    for epoch in parts.run.epochs(3):
        for batch in parts.run.batches(loader):
            parts.step(batch)
            if parts.run.batch >= 4 * epoch:
                break
    return parts.end()


def stream_once(trial: Trial) -> Any:
    """Nothing that a stream gives is taken from training."""
    parts = Parts(trial, UsedUp)
    seen = 0
    for _ in parts.run.epochs(2):
        for batch in parts.run.batches(parts.loader()):
            seen += len(batch[0])
            parts.step(batch)
    return {"seen": seen}


def beside_a_plain_loader(trial: Trial) -> Any:
    """A shorter loader, which is not taken through the run, ends every epoch."""
    parts = Parts(trial)
    fixed = [torch.full((1,), 0.1 * number) for number in range(7)]
    loader = parts.loader()
    for _ in parts.run.epochs(3):
        for batch, extra in zip(parts.run.batches(loader), fixed, strict=False):
            parts.step((batch[0] + extra, batch[1]))
    return parts.end()


LUCK = random.Random(8)


def generator_of_the_loop(trial: Trial) -> Any:
    """Drawn from once an epoch, behind the batches: long after the steps that a resume trains again."""
    parts = Parts(trial)
    LUCK.seed(8)
    for _ in parts.run.epochs(4):
        for batch in parts.run.batches(parts.loader()):
            parts.step(batch)
        for group in parts.optimizer.param_groups:
            group["lr"] *= 0.5 + LUCK.random()
    return parts.end()


def enumerate_that_shows_late(trial: Trial) -> Any:
    parts = Parts(trial)
    for _ in parts.run.epochs(3):
        for number, batch in enumerate(parts.run.batches(parts.loader())):
            parts.step(batch)
            if number == 11:
                parts.optimizer.param_groups[0]["lr"] *= 0.5
    return parts.end()


def enumerate_from_where_it_is(trial: Trial) -> Any:
    parts = Parts(trial)
    for _ in parts.run.epochs(3):
        batches = parts.run.batches(parts.loader())
        for number, batch in enumerate(batches, parts.run.batch):
            parts.step(batch)
            if number == 11:
                parts.optimizer.param_groups[0]["lr"] *= 0.5
    return parts.end()


def enumerate_of_steps(trial: Trial) -> Any:
    parts = Parts(trial)
    for number, batch in enumerate(parts.run.batches(parts.loader(), steps=30)):
        parts.step(batch)
        if number == 20:
            parts.optimizer.param_groups[0]["lr"] *= 0.5
    return parts.end()


def only_epoch_cut_off(trial: Trial) -> Any:
    parts = Parts(trial)
    for _ in parts.run.epochs(1):
        for batch in islice(parts.run.batches(parts.loader()), 8):
            parts.step(batch)
    return parts.end()


def another_batch_size(trial: Trial) -> Any:
    """In the process that goes on, from the end of an epoch."""
    parts = Parts(trial)
    for _ in parts.run.epochs(3):
        size = BATCH if parts.run.resumed_from is None else 2 * BATCH
        for batch in parts.run.batches(DataLoader(parts.dataset, size, shuffle=True)):
            parts.step(batch)
    return parts.end()


def another_sampler(trial: Trial) -> Any:
    parts = Parts(trial)
    for _ in parts.run.epochs(3):
        shuffle = parts.run.resumed_from is None
        for batch in parts.run.batches(DataLoader(parts.dataset, BATCH, shuffle=shuffle)):
            parts.step(batch)
    return parts.end()


def distributed_sampler(trial: Trial) -> Any:
    parts = Parts(trial)
    sampler: Any = DistributedSampler(parts.dataset, num_replicas=2, rank=0)
    return parts.train(parts.loader(sampler=sampler), prologue=sampler.set_epoch)


class CountsItsPasses(IterableDataset[Batch]):
    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y, self.passes = x, y, 0

    def __iter__(self) -> Iterator[Batch]:
        self.passes += 1
        for index in torch.randperm(len(self.x), generator=torch.Generator().manual_seed(self.passes)):
            yield self.x[index], self.y[index]


class UsedUp(IterableDataset[Batch]):
    """Goes on where it is, as a stream does: another pass is the rest of it."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self._rows = iter([(x[row % SAMPLES] + 0.001 * row, y[row % SAMPLES]) for row in range(4 * SAMPLES)])

    def __iter__(self) -> Iterator[Batch]:
        return islice(self._rows, SAMPLES)


def iterable(dataset: Any, **options: Any) -> Callable[[Trial], Any]:
    def loop(trial: Trial) -> Any:
        parts = Parts(trial, dataset)
        return parts.train(parts.loader(**options))

    return loop


# What is tracked beside a state_dict, and what a step does to it.


def batchnorm_momentum(trial: Trial) -> Any:
    parts = Parts(trial)
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    run = trial.run(every_steps=7)
    run.track(model=model, optimizer=optimizer)
    for _ in run.epochs(3):
        for x, y in run.batches(parts.loader()):
            trial.at(run.step)
            loss = nn.functional.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            run.average(train_losses=loss)
        model[1].momentum *= 0.5  # type: ignore[operator]
    return model.state_dict()


def by_steps(trial: Trial) -> Any:
    parts = Parts(trial)
    for batch in parts.run.batches(parts.loader(), steps=30):
        parts.step(batch)
    return parts.end()


def side_by_side(trial: Trial) -> Any:
    parts = Parts(trial)
    other = DataLoader(TensorDataset(parts.x, parts.y), 4, shuffle=True)
    for _ in parts.run.epochs(3):
        for batch, more in zip(parts.run.batches(parts.loader()), parts.run.batches(other), strict=False):
            parts.step((batch[0] + more[0].mean(), batch[1]))
    return parts.end()


def accumulating(trial: Trial) -> Any:
    parts = Parts(trial)
    for _ in parts.run.epochs(3):
        for x, y in parts.run.batches(parts.loader()):
            trial.at(parts.run.step)
            loss = nn.functional.mse_loss(parts.model(x), y)
            loss.backward()
            if parts.run.step % 5 == 0:
                parts.optimizer.step()
                parts.optimizer.zero_grad()
            parts.run.average(train_losses=loss)
    return parts.end()


def plain(trial: Trial) -> Any:
    parts = Parts(trial)
    return parts.train(parts.loader())


def with_workers(trial: Trial) -> Any:
    parts = Parts(trial)
    return parts.train(parts.loader(num_workers=2))


def forgets(what: str) -> Callable[[Trial], Any]:
    """A plain loop in which something that nobody tracks goes into the steps of a process that goes on."""

    def loop(trial: Trial) -> Any:
        parts = Parts(trial)
        run = parts.run
        shift, started = torch.zeros(1), False
        for _ in run.epochs(3):
            for x, y in run.batches(parts.loader()):
                if not started and run.resumed_from is not None and run.step > 1:
                    shift = torch.full((1,), 0.5)
                started = True
                inputs = x + shift if what == "inputs" else x
                parts.step((inputs, y + shift if what == "targets" else y))
        return parts.end()

    return loop
