"""Variables of the loop that do not come back are named at the first boundary after a resume; no others are."""

import argparse
import itertools
import os
import queue
import random
import re
import sys
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import partial
from multiprocessing import Value
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from tests.run import rates
from tests.run.beside import EPOCHS, Session
from tests.run.loop import BrokenOffError, Lines
from tests.run.rates import next_rate
from unbroken.loop.looks import look

Script = Callable[[Session], Any]

HOOK = "small.model._forward_hooks[0]"
BACKWARD = "small.model._parameters['bias']._backward_hooks[0](backward)"

LISTS = {"dataset.classes", "dataset.signs", "dataset.pairs"}
LABELS = LISTS | {f"dataset.{name}" for name in ("y", "noise", "parts.tensors[0]")}

seen_in_all = 0


class Small:
    """A model and its step, as every script here has them."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.run = session.run
        self.model = nn.Linear(6, 1)
        self.optimizer = torch.optim.SGD(self.model.parameters(), 0.05)
        session.track(model=self.model, optimizer=self.optimizer)
        self.loader = DataLoader(TensorDataset(session.x, session.y), 8, shuffle=True)

    def step(self, a: Tensor, b: Tensor) -> Tensor:
        loss = nn.functional.mse_loss(self.model(a), b)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.session.stop_here()
        return loss


def early_stopping(session: Session) -> None:
    small, best, bad, value, loss = Small(session), float("inf"), 0, 0.0, None
    began, since, args, config = time.time(), time.perf_counter(), argparse.Namespace(lr=0.1), {"lr": 0.1, "sizes": [1]}
    started, i = datetime.now(), 0
    for _epoch in small.run.epochs(EPOCHS):
        epoch_began = time.time()
        for i, (a, b) in enumerate(small.run.batches(small.loader)):  # noqa: B007
            loss = small.step(a, b)
            value = float(loss)
        if value < best:
            best, bad = value, 0
        else:
            bad += 1
        if bad > 50:
            break
        print(time.time() - epoch_began, i)
    print(best, time.time() - began, time.perf_counter() - since, started, args.lr, config["lr"], loss)


def rate_by_hand(session: Session) -> None:
    small, rate, decay = Small(session), 0.05, 0.9
    for _epoch in small.run.epochs(EPOCHS):
        for a, b in small.run.batches(small.loader):
            for group in small.optimizer.param_groups:
                group["lr"] = rate
            small.step(a, b)
        rate *= decay


def running_loss(session: Session) -> None:
    small = Small(session)
    for _epoch in small.run.epochs(EPOCHS):
        total, count = 0.0, 0
        for a, b in small.run.batches(small.loader):
            total += small.step(a, b).item()
            count += len(a)
        print(total / count)


def losses_in_a_list(session: Session) -> None:
    small, losses = Small(session), []
    for _epoch in small.run.epochs(EPOCHS):
        for a, b in small.run.batches(small.loader):
            losses.append(small.step(a, b).item())
    print(len(losses))


def replay_buffer(session: Session) -> None:
    small = Small(session)
    buffer: deque[tuple[Tensor, Tensor]] = deque(maxlen=50)
    for _epoch in small.run.epochs(EPOCHS):
        for a, b in small.run.batches(small.loader):
            buffer.append((a, b))
            small.step(*buffer[random.randrange(len(buffer))])


def counted_by_a_function(session: Session) -> None:
    global seen_in_all
    seen_in_all, small = 0, Small(session)
    for _epoch in small.run.epochs(EPOCHS):
        for a, b in small.run.batches(small.loader):
            count_one()
            small.step(a, b)


def count_one() -> None:
    global seen_in_all
    seen_in_all += 1


class Trainer:
    def __init__(self, session: Session) -> None:
        self.small = Small(session)
        self.lowest, self.history = 1e9, []  # type: ignore[var-annotated]
        self.epoch, self.last, self.loss = 0, 0.0, None

    def train(self) -> None:
        for epoch in self.small.run.epochs(EPOCHS):
            self.epoch = epoch
            for a, b in self.small.run.batches(self.small.loader):
                self.one(a, b)
            self.judge()

    def one(self, a: Tensor, b: Tensor) -> None:
        self.loss = self.small.step(a, b)  # type: ignore[assignment]
        self.last = float(self.loss)  # type: ignore[arg-type]

    def judge(self) -> None:
        self.history.append(self.last)
        if self.last < self.lowest:
            self.lowest = self.last


def trainer_class(session: Session) -> None:
    trainer = Trainer(session)
    trainer.train()
    print(trainer.epoch)


def best_of_the_caller(session: Session) -> None:
    small, best, name, pid = Small(session), 1e9, f"run_{time.time()}", os.getpid()
    for _epoch in small.run.epochs(EPOCHS):
        last = train_epoch(small)
        if last < best:
            best = last
            print(name, pid)


def train_epoch(small: Small) -> float:
    last = 0.0
    for a, b in small.run.batches(small.loader):
        last = small.step(a, b).item()
    return last


def kept_in_run_state(session: Session) -> None:
    small, best, count, rate, last = Small(session), 0.0, 0, 0.1, 0.0
    for epoch in small.run.epochs(EPOCHS):
        best, count, rate = small.run.state.get("best", 1e9), small.run.state.get("count", 0), 0.1 * 0.9**epoch
        for a, b in small.run.batches(small.loader):
            last = small.step(a, b).item()
            doubled = a * 2
            print(last, doubled.sum(), rate)
        small.run.state["best"], small.run.state["count"] = min(best, last), count + 1


class Cut:
    luck = random.Random(1)

    @staticmethod
    def short(x: Tensor) -> Tensor:
        return x * Cut.luck.random()


def generator_of_a_class(session: Session) -> None:
    Cut.luck.seed(1)
    small = Small(session)
    for _epoch in small.run.epochs(EPOCHS):
        for a, b in small.run.batches(small.loader):
            small.step(Cut.short(a), b)


def generators_in_hooks(session: Session) -> None:
    small = Small(session)

    def add(forward: torch.Generator, backward: np.random.Generator) -> None:
        small.model.register_forward_hook(lambda m, i, o: o + torch.randn(1, generator=forward))
        small.model.bias.register_hook(lambda gradient: gradient * backward.random())

    add(torch.Generator().manual_seed(1), np.random.default_rng(1))
    for _epoch in small.run.epochs(EPOCHS):
        for a, b in small.run.batches(small.loader):
            small.step(a, b)


def generators_of_functions(session: Session) -> None:
    small = Small(session)

    def noise(x: Tensor, draw: Any = np.random.RandomState(1)) -> Tensor:  # noqa: B008
        return x + draw.normal()

    stretch = partial(lambda by, x: x * by.random(), random.Random(1))
    for _epoch in small.run.epochs(EPOCHS):
        for a, b in small.run.batches(small.loader):
            small.step(stretch(noise(a)).float(), b)


def seeded_before_it_is_drawn_from(session: Session) -> None:
    small, each_epoch, each_step = Small(session), random.Random(), torch.Generator()
    for epoch in small.run.epochs(EPOCHS):
        each_epoch.seed(epoch)
        factor = each_epoch.random()
        for a, b in small.run.batches(small.loader):
            each_step.manual_seed(small.run.step)
            small.step(a * factor + torch.randn(1, generator=each_step), b)


def noise_for_ever(seed: int) -> Iterator[float]:
    draw = random.Random(seed)
    while True:
        yield draw.random()


def again_and_again(values: Iterable[Any]) -> Iterator[Any]:
    while True:
        yield from values


def for_each(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        changed = value
        yield changed


def iterators(session: Session) -> None:
    small, counter = Small(session), SimpleNamespace(count=itertools.count(1))
    noise, rates, others = noise_for_ever(1), itertools.cycle([0.1, 0.2, 0.3]), again_and_again([0.1, 0.2])
    stages = iter([0.1] * 99)
    for _epoch in small.run.epochs(EPOCHS):
        for a, b in small.run.batches(small.loader):
            small.step(a * next(noise) * next(rates) * next(others) * next(stages) / next(counter.count), b)


def iterators_without_a_state(session: Session) -> None:
    """What is around the batches of a run comes back with them; and some say the same for ever."""
    small = Small(session)

    def whatever() -> Iterator[Tensor]:
        while True:
            yield torch.randn(1)

    for_all = whatever()
    session.folder.mkdir(exist_ok=True)
    log = (session.folder / "log").open("a")
    for _epoch in small.run.epochs(EPOCHS):
        batches = for_each(small.run.batches(small.loader))
        pairs = zip(batches, itertools.repeat(1.0), strict=False)
        for (a, b), factor in pairs:
            small.step(a * factor + next(for_all), b)
            log.write("step\n")
        print(batches, pairs)
    log.close()


def batches_beside(session: Session) -> None:
    """They come back, too; no batch of theirs is being asked for while the others are saved."""
    small = Small(session)
    for _epoch in small.run.epochs(EPOCHS):
        beside = zip(small.run.batches(small.loader), itertools.repeat(1.0), strict=False)
        for a, b in small.run.batches(small.loader):
            (_, _), factor = next(beside)
            small.step(a * factor, b)
        print(beside)


class Mean(nn.Module):
    """As a metric of torchmetrics: its state_dict is empty."""

    def __init__(self) -> None:
        super().__init__()
        self.total, self.count = torch.zeros(()), 0

    def add(self, value: Tensor) -> None:
        self.total, self.count = self.total + value, self.count + 1


def objects_of_torch(session: Session) -> None:
    small, mean, sobol = Small(session), Mean(), torch.quasirandom.SobolEngine(6)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0, growth_interval=1)
    for _epoch in small.run.epochs(EPOCHS):
        for a, b in small.run.batches(small.loader):
            loss = nn.functional.mse_loss(small.model(a + sobol.draw(1)), b)
            small.optimizer.zero_grad()
            scaler.scale(loss).backward()
            scaler.step(small.optimizer)
            scaler.update()
            mean.add(loss.detach())
            session.stop_here()


class Counted:
    calls, limit = 0, 10
    known: ClassVar[dict[int, float]] = {}
    sums: ClassVar[dict[str, int]] = {}

    def __call__(self, x: Tensor) -> Tensor:
        Counted.calls += 1
        Counted.sums["calls"] = Counted.calls
        return x * self.known.setdefault(Counted.calls, Counted.calls / self.limit)  # a cache


def counter_of_a_class(session: Session) -> None:
    Counted.calls, Counted.known, Counted.sums = 0, {}, {}
    small, counted = Small(session), Counted()
    for _epoch in small.run.epochs(EPOCHS):
        for a, b in small.run.batches(small.loader):
            small.step(counted(a), b)


def values_held_by_functions(session: Session) -> None:
    small, factor = Small(session), 2.0

    def mean(value: float, so_far: list[float] = []) -> float:  # noqa: B006
        so_far.append(value)
        return sum(so_far) / len(so_far)

    def count(module: nn.Module) -> None:
        calls = 0

        def hook(module: nn.Module, given: Any, gives: Tensor) -> Tensor:
            nonlocal calls
            calls += 1
            return gives * factor if calls % 3 == 0 else gives

        module.register_forward_hook(hook)

    mean.__defaults__ = ([],)  # made once with this function, as for a script's own
    count(small.model)
    for _epoch in small.run.epochs(EPOCHS):
        for a, b in small.run.batches(small.loader):
            mean(small.step(a, b).item())


def module_of_its_own(session: Session) -> None:
    rates.so_far, rates.LOG = 0, []
    small = Small(session)
    for _epoch in small.run.epochs(EPOCHS):
        for a, b in small.run.batches(small.loader):
            small.optimizer.param_groups[0]["lr"] = next_rate()
            small.step(a, b)


def names_that_stand_for_others(session: Session) -> None:
    """Objects without a state, functions, and tracked objects: what such a name stood for is no value."""
    small = Small(session)
    other = nn.Linear(6, 1)
    criterion, shape, first, second = nn.MSELoss(), torch.tanh, small.model, other
    for _epoch in small.run.epochs(EPOCHS):
        for a, b in small.run.batches(small.loader):
            criterion(shape(first(a)), second(a))
            small.step(a, b)
            if small.run.step == 3:
                criterion, shape = nn.L1Loss(), torch.sin  # type: ignore[assignment]
                first, second = second, first


def set_by_each_start(session: Session) -> None:
    """What the code before the batches sets to what it was is no loss, also between two epochs."""
    small, rate, criterion = Small(session), 0.1, nn.MSELoss()
    for epoch in small.run.epochs(EPOCHS):
        if epoch >= 1:
            rate, criterion = 0.05, nn.L1Loss()  # type: ignore[assignment]
            torch.set_default_dtype(torch.float64)
        for a, b in small.run.batches(small.loader):
            criterion(small.step(a, b), b * rate)


def settings_of_the_process(session: Session) -> None:
    small = Small(session)
    for _epoch in small.run.epochs(EPOCHS):
        for a, b in small.run.batches(small.loader):
            small.step(a * float(os.environ.get("FACTOR", 1)), b)
            if small.run.step == 3:
                torch.set_default_dtype(torch.float64)
                torch.set_flush_denormal(True)
                os.environ["FACTOR"] = "0.5"


class Table:
    def __init__(self) -> None:
        self.losses, self.scratch = np.zeros(4), torch.zeros(4)

    def add(self, value: float) -> float:
        self.losses[int(value * 1e6) % 4] = value
        self.scratch = torch.full((4,), value)
        return float(self.losses.sum() + self.scratch.sum())


def held_by_other_objects(session: Session) -> None:
    small, table = Small(session), Table()
    shared, current, waiting = Value("d", 1.0), ContextVar("current", default=1.0), queue.Queue[float]()
    children = np.random.SeedSequence(1)
    for _epoch in small.run.epochs(EPOCHS):
        for a, b in small.run.batches(small.loader):
            shared.value *= 0.9
            current.set(current.get() * 0.9)
            small.step(a * shared.value * current.get(), b)
            waiting.put(table.add(np.random.default_rng(children.spawn(1)[0]).random()))


def module_made_otherwise(session: Session) -> None:
    """Another module of another class, another function, hooks, a memory format: none of it is in a state_dict."""
    torch.manual_seed(1)
    small, images = Small(session), torch.randn(2, 3, 5, 5)
    convolution = nn.Conv2d(3, 4, 3)
    extra = nn.Sequential(convolution, nn.LeakyReLU(0.1))
    extra.scale = torch.tanh  # type: ignore[assignment]
    session.track(extra=extra)
    for _epoch in small.run.epochs(EPOCHS):
        for a, b in small.run.batches(small.loader):
            extra.scale(extra(images))  # type: ignore[operator]
            small.step(a, b)
            if small.run.step == 3:
                extra[1], extra.scale = nn.GELU(), torch.sin  # type: ignore[assignment]
                extra.to(memory_format=torch.channels_last)
                small.model.register_forward_hook(lambda module, given, gives: gives * 2)
                small.model.weight.register_hook(lambda gradient: gradient * 0.5)


class Running:
    def __init__(self) -> None:
        self.mean, self.calls = torch.zeros(1), 0

    def __call__(self, module: nn.Module, given: Any, gives: Tensor) -> Tensor:
        self.mean = 0.9 * self.mean + 0.1 * gives.detach().mean(0)
        self.calls += 1
        return gives - self.mean


def hook_that_keeps_a_mean(session: Session) -> None:
    small = Small(session)
    small.model.register_forward_hook(Running())
    for _epoch in small.run.epochs(EPOCHS):
        for a, b in small.run.batches(small.loader):
            small.step(a, b)


def deep_in_containers(session: Session) -> None:
    """Where it lies is seen from the start on; the name that the body gives it is not."""
    small, all_of_them = Small(session), {"in": {"the": {"deep": [Running()]}}}
    for _epoch in small.run.epochs(EPOCHS):
        for a, b in small.run.batches(small.loader):
            running = all_of_them["in"]["the"]["deep"][0]
            small.step(running(small.model, None, a), b)


def hooks_of_each_epoch(session: Session) -> None:
    """Registered anew by the code before the batches, and removed."""
    small = Small(session)
    for _epoch in small.run.epochs(EPOCHS):
        handle = small.model.register_forward_hook(lambda module, given, gives: gives * 2)
        for a, b in small.run.batches(small.loader):
            small.step(a, b)
        handle.remove()


def numbers_of_other_kinds(session: Session) -> None:
    small, rate, part, levels, dtype = Small(session), Decimal("0.1"), Fraction(1), array("d", [1.0]), torch.float32
    for _epoch in small.run.epochs(EPOCHS):
        for a, b in small.run.batches(small.loader):
            small.step((a * float(rate) * float(part) * levels[0]).to(dtype).float(), b)
            rate, part, dtype = rate * 2, part / 2, torch.bfloat16
            levels[0] *= 0.9


class Scaled(Dataset[tuple[Tensor, Tensor]]):
    augment = False

    def __init__(self, session: Session) -> None:
        self.x, self.y = session.x, session.y
        self.epoch, self.seen, self.last, self.strength = 0, 0, -1, 1.0
        self.change: Callable[[Tensor], Tensor] = torch.abs
        self.shared = Value("d", 1.0)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        self.count(index)
        return self.change(self.x[index]) * (2 if self.augment else 1) * self.shared.value, self.y[index]

    def count(self, index: int) -> None:
        self.seen, self.last = self.seen + 1, index


def dataset_set_by_the_loop(session: Session) -> None:
    small, dataset = Small(session), Scaled(session)
    loader = DataLoader(dataset, 8, shuffle=True)
    for epoch in small.run.epochs(EPOCHS):
        if epoch == 1:
            dataset.augment, dataset.change = True, torch.neg
            dataset.shared.value = 0.5
        for a, b in small.run.batches(loader):
            small.step(a, b)


def dataset_set_by_each_start(session: Session) -> None:
    """What the code before the batches sets is no loss, nor is what loading counts, nor what is set for validation."""
    small, dataset = Small(session), Scaled(session)
    loader = DataLoader(dataset, 8, shuffle=True)
    for epoch in small.run.epochs(EPOCHS):
        dataset.epoch, dataset.augment, dataset.strength = epoch, True, 1.0
        loader = DataLoader(dataset, 8, shuffle=True)
        for a, b in small.run.batches(loader):
            small.step(a, b)
        dataset.augment, dataset.strength = False, 0.0
        print(dataset[0])


class Labelled(Dataset[tuple[Tensor, Tensor]]):
    """Its labels are written anew behind the batches of each epoch, and how strong its noise is."""

    def __init__(self, session: Session) -> None:
        self.x, self.y = session.x, session.y.clone()
        self.classes, self.signs = [0] * len(self.x), {"a": 1.0}
        self.parts, self.pairs = TensorDataset(session.x.clone()), list[tuple[Tensor, int]]()
        self.noise, self.seen, self.training = 0.1, [0] * 3, True

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.x[index] * self.noise + self.parts[index][0], self.y[index] * self.signs["a"] + self.classes[index]

    def train(self, mode: bool) -> None:
        self.training = mode


class Cached(Labelled):
    """Its lists may be caches, for loading fills one."""

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        self.seen[index % 3] += 1
        return super().__getitem__(index)


def labels_for_the_next_epoch(session: Session, kind: Any = Labelled) -> None:
    small, dataset = Small(session), kind(session)
    loader = DataLoader(dataset, 8, shuffle=True)
    for _epoch in small.run.epochs(EPOCHS):
        dataset.train(True)
        for a, b in small.run.batches(loader):
            small.step(a, b)
        dataset.train(False)
        dataset.y[20:] *= 0.5
        dataset.classes[3] += 1
        dataset.signs["a"] += 1.0
        dataset.noise += 0.1
        dataset.parts.tensors[0][5:] += 1
        dataset.pairs.append((dataset.x[0], 1))


def labels_beside_a_cache(session: Session) -> None:
    labels_for_the_next_epoch(session, Cached)


def made_of_the_weights_before_the_batches(session: Session) -> None:
    """A resume inside the epoch makes them of other weights; what it makes of its number is the same again."""
    small = Small(session)
    for epoch in small.run.epochs(1):
        center, times = small.model.weight.detach().mean(0), epoch * 2
        for a, b in small.run.batches(small.loader):
            small.step(a - center * times, b)


def loader_of_each_epoch(session: Session) -> None:
    """It is not there yet when the loop begins; its dataset is."""
    small, dataset = Small(session), Labelled(session)
    for _epoch in small.run.epochs(EPOCHS):
        for a, b in small.run.batches(DataLoader(dataset, 8, shuffle=True)):
            small.step(a, b)
        dataset.y[20:] *= 0.5
        dataset.noise = float(b.mean())


class Totals:
    def __init__(self) -> None:
        self.losses = [0.0]


def tracked_and_bound_anew(session: Session) -> None:
    """What is tracked is not what the loop uses any more; where it is filled in place, it is."""
    small, totals = Small(session), Totals()
    means, filled, other = {"a": 1.0}, [0.0], torch.zeros(2)
    small.session.track(means=means, filled=filled, other=other, totals=totals.losses)
    for _epoch in small.run.epochs(EPOCHS):
        for a, b in small.run.batches(small.loader):
            small.step(a * means["a"] + totals.losses[-1] + filled[0] + other[0], b)
            means, totals.losses = {"a": means["a"] * 0.9}, [*totals.losses, 0.5]
            filled[0] += 0.1
            other += 1


def another_loader(session: Session) -> None:
    small = Small(session)
    loader = small.loader
    for epoch in small.run.epochs(EPOCHS):
        if epoch == 1:
            loader = DataLoader(TensorDataset(session.x, session.y), 8, shuffle=True)
        for a, b in small.run.batches(loader):
            small.step(a, b)


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each process of a script begins with the settings of a process; those of the tests' own are put back."""
    monkeypatch.setenv("FACTOR", "1")
    yield
    as_a_process_begins()


def as_a_process_begins() -> None:
    torch.set_default_dtype(torch.float32)
    torch.set_flush_denormal(False)
    os.environ["FACTOR"] = "1"


def named_by(script: Script, folder: Path, log: Lines, step: int, **facts: Any) -> set[str]:
    as_a_process_begins()
    with pytest.raises(BrokenOffError):
        script(Session(folder, until=step))
    as_a_process_begins()
    del log.lines[:]
    script(Session(folder, **facts))
    said = [found for line in log.lines for found in re.findall(r"at the save: (.*?) \((.*?):\d+\)", line)]
    assert all(place == __file__ for _, place in said)
    return {name for names, _ in said for name in names.split(", ")}


@pytest.mark.parametrize(
    ("script", "inside", "between"),
    [
        (early_stopping, {"best"}, {"best"}),
        (rate_by_hand, {"rate"}, {"rate"}),
        (running_loss, {"total", "count"}, set()),
        (losses_in_a_list, {"losses"}, {"losses"}),
        (replay_buffer, {"buffer"}, {"buffer"}),
        (counted_by_a_function, {"seen_in_all"}, {"seen_in_all"}),
        (trainer_class, {"self.lowest", "self.history"}, {"self.lowest", "self.history"}),
        (best_of_the_caller, {"best"}, {"best"}),
        (kept_in_run_state, set(), set()),
        (generator_of_a_class, {"Cut.luck"}, {"Cut.luck"}),
        (generators_in_hooks, *[{"small.model._forward_hooks[0](forward)", BACKWARD}] * 2),
        (generators_of_functions, *[{"noise(draw)", "stretch[0]"}] * 2),
        (seeded_before_it_is_drawn_from, set(), set()),
        (iterators, *[{"noise", "rates", "others", "stages", "counter.count"}] * 2),
        (iterators_without_a_state, set(), set()),
        (batches_beside, set(), set()),
        (counter_of_a_class, *[{"Counted.calls", "Counted.sums"}] * 2),
        (values_held_by_functions, *[{"mean(so_far)", "small.model._forward_hooks[0](calls)"}] * 2),
        (module_of_its_own, *[{"rates.so_far", "rates.LOG"}] * 2),
        (objects_of_torch, *[{"mean", "sobol", "scaler"}] * 2),
        (names_that_stand_for_others, *[{"criterion", "shape", "first", "second"}] * 2),
        (set_by_each_start, set(), set()),
        (
            settings_of_the_process,
            *[{"torch.get_default_dtype()", "torch.set_flush_denormal()", "os.environ['FACTOR']"}] * 2,
        ),
        (
            held_by_other_objects,
            *[{"table.losses", "shared.value", "current.get()", "waiting.queue", "children.n_children_spawned"}] * 2,
        ),
        (
            module_made_otherwise,
            *[{"extra.1", "extra.scale", "extra.0.weight", "model", "model.weight"}] * 2,
        ),
        (hook_that_keeps_a_mean, *[{f"{HOOK}.mean", f"{HOOK}.calls"}] * 2),
        (deep_in_containers, *[{f"all_of_them['in']['the']['deep'][0].{name}" for name in ("mean", "calls")}] * 2),
        (hooks_of_each_epoch, set(), set()),
        (
            dataset_set_by_the_loop,
            *[{"dataset.augment", "dataset.change", "dataset.shared.value"}] * 2,
        ),
        (dataset_set_by_each_start, set(), set()),
        (labels_for_the_next_epoch, LABELS, LABELS),
        (labels_beside_a_cache, LABELS - LISTS, LABELS - LISTS),
        (numbers_of_other_kinds, *[{"rate", "part", "levels", "dtype"}] * 2),
        (another_loader, *[{"loader"}] * 2),
        (loader_of_each_epoch, *[{"dataset.y", "dataset.noise"}] * 2),
        (tracked_and_bound_anew, *[{"means", "totals.losses"}] * 2),
    ],
)
@pytest.mark.one_in(5)
def test_just_the_variables_that_are_lost_are_named(
    script: Script, inside: set[str], between: set[str], tmp_path: Path, log: Lines
) -> None:
    assert named_by(script, tmp_path / "inside", log, 7) == inside
    assert named_by(script, tmp_path / "between", log, 5) == between


def test_what_is_made_before_the_batches_is_named_in_its_epoch(tmp_path: Path, log: Lines) -> None:
    assert named_by(made_of_the_weights_before_the_batches, tmp_path, log, 3) == {"center"}


def test_what_is_tracked_and_bound_anew_is_named_at_the_save(tmp_path: Path, log: Lines) -> None:
    tracked_and_bound_anew(Session(tmp_path / "run"))
    said = [line for line in log.lines if "bound it to another value" in line]
    assert sorted(line.split(" no longer")[0] for line in said) == ["means", "totals.losses"]


@pytest.mark.parametrize(("beside", "named"), [(itertools.cycle, True), (iter, True), (itertools.repeat, False)])
def test_what_a_zip_takes_beside_the_batches_is_named(
    beside: Callable[[list[float]], Any], named: bool, tmp_path: Path, log: Lines
) -> None:
    def script(session: Session) -> None:
        small = Small(session)
        for _epoch in small.run.epochs(EPOCHS):
            both = (small.run.batches(small.loader), small.run.batches(small.loader))
            for (a, b), factors, _ in zip(*both, beside([1.0, 0.5, 0.1, 0.2, 0.3]), strict=False):
                small.step(a * factors[0].mean(), b)

    with pytest.raises(BrokenOffError):
        script(Session(tmp_path, until=7))
    assert not any("beside run.batches" in line for line in log.lines)
    script(Session(tmp_path))
    assert any("beside run.batches" in line for line in log.lines) is named


def options(session: Session) -> None:
    """What somebody has changed on the command line is no variable of the loop that was lost."""
    small, rate, settings = Small(session), session.facts.get("rate", 0.1), {"rate": session.facts.get("rate", 0.1)}
    for _epoch in small.run.epochs(EPOCHS):
        for a, b in small.run.batches(small.loader):
            print(rate * settings["rate"])
            small.step(a, b)


def test_a_changed_option_is_not_named(tmp_path: Path, log: Lines) -> None:
    assert named_by(options, tmp_path / "run", log, 7, rate=0.5) == set()


def test_a_dict_of_locals_is_left_alone(tmp_path: Path) -> None:
    kept = {}

    def script(session: Session) -> None:
        small, config = Small(session), 1
        everything = locals()
        for _epoch in small.run.epochs(EPOCHS):
            for a, b in small.run.batches(small.loader):
                small.step(a, b)
                kept.update(config=everything["config"], step="a" in everything)
        print(config)

    script(Session(tmp_path / "run"))
    assert kept == {"config": 1, "step": False}


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="frames no longer keep a copy of their variables")
def test_no_variable_is_kept_alive_by_a_look(tmp_path: Path) -> None:
    import gc
    import weakref

    small, dead = Small(Session(tmp_path / "run")), []
    for _epoch in small.run.epochs(1):
        for a, b in small.run.batches(small.loader):
            big = a * 2
            dead.append(weakref.ref(big))
            small.step(big, b)
            del big, a
    gc.collect()
    assert all(one() is None for one in dead)


def test_a_compiled_module_looks_the_same_in_every_process() -> None:
    module = torch.nn.Linear(2, 2)
    assert look([torch.compile(module)]) == look([torch.compile(module)])
