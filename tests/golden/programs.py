"""The training programs behind the golden folders: `programs.py KIND [--resume PATH]`. Never changed, only added to.

What they compute with floating point is made of whole numbers and powers of two, so every CPU and every version of
torch comes to the same bits; ``floats`` alone is a network as people write them. How a run went, batch by batch, and
what it ended with is written to ``ended.json``: what holds on every machine under ``exact``, the rest as ``computed``.
"""

import argparse
import json
import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import partial
from pathlib import Path, PurePosixPath
from signal import Signals
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, Sampler, WeightedRandomSampler, get_worker_info

import unbroken
from tests.kill.toolkit.digests import Digest, digest

EPOCHS, SAMPLES, BATCH_SIZE, FEATURES = 4, 44, 4, 4  # 11 batches an epoch
STEPS = 3 * 11 + 5
EVERY_STEPS = 3
_PACE = 0.1  # seconds, where the program is to be interrupted
_MANIFEST = Path("checkpoints", ".unbroken", "manifests", "checkpoint_latest.pth.json")


def whole(*shape: int, generator: torch.Generator | None = None) -> Tensor:
    return torch.randint(-2, 3, shape, generator=generator).double()


class Rows(Dataset[Tensor]):
    """Fixed rows, shaken from the three streams each time."""

    def __init__(self, count: int = SAMPLES) -> None:
        self.rows = (torch.arange(count * FEATURES).reshape(count, FEATURES) * 7 % 13 - 6).double()

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Tensor:
        return self.rows[index] + whole(FEATURES) + random.randrange(-2, 3) + int(np.random.randint(-2, 3))


class Shaken(Rows):
    """With generators of its own of every kind, one behind a closure."""

    def __init__(self) -> None:
        super().__init__()
        dice = random.Random(1)
        self.numpy = np.random.default_rng(2)
        self.torch = torch.Generator().manual_seed(3)
        self.legacy = {"stream": np.random.RandomState(4)}
        self.transforms = [lambda x: x + dice.randrange(5), self._more]

    def _more(self, x: Tensor) -> Tensor:
        drawn = int(self.numpy.integers(5)) + int(self.legacy["stream"].randint(5))
        return x + drawn + whole(FEATURES, generator=self.torch)

    def __getitem__(self, index: int) -> Tensor:
        row = super().__getitem__(index)
        for transform in self.transforms:
            row = transform(row)
        return row


class Curriculum(Rows):
    """Knows its epoch only by ``set_epoch``."""

    epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __getitem__(self, index: int) -> Tensor:
        return super().__getitem__(index) * self.epoch


class Stream(IterableDataset[Tensor]):
    """The rows without positions, dealt to the workers and shuffled."""

    def __iter__(self) -> Iterator[Tensor]:
        worker, rows = get_worker_info(), Rows()
        mine = list(range(SAMPLES)) if worker is None else list(range(SAMPLES))[worker.id :: worker.num_workers]
        random.shuffle(mine)
        yield from (rows[index] for index in mine)


class Counting(Sampler[int]):
    """Another order at each pass, made from the number of the pass."""

    def __init__(self) -> None:
        self.passes = 0

    def __len__(self) -> int:
        return SAMPLES

    def __iter__(self) -> Iterator[int]:
        self.passes += 1
        order = list(range(SAMPLES))
        random.Random(self.passes).shuffle(order)
        return iter(order)


class DrawnTensors(Sampler[Any]):
    """A batch sampler with a generator of its own that gives tensors of indices."""

    def __init__(self) -> None:
        self.own = np.random.default_rng(5)

    def __len__(self) -> int:
        return SAMPLES // BATCH_SIZE

    def __iter__(self) -> Iterator[Tensor]:
        for _ in range(len(self)):
            yield torch.from_numpy(self.own.permutation(SAMPLES)[:BATCH_SIZE])


class Halves(DataLoader[Any]):
    """Iterates in a way of its own: the second half of the pass first."""

    def __iter__(self) -> Any:
        batches = list(super().__iter__())
        return iter(batches[len(batches) // 2 :] + batches[: len(batches) // 2])


def shuffled(count: int = SAMPLES, **options: Any) -> DataLoader[Tensor]:
    return DataLoader(Rows(count), batch_size=BATCH_SIZE, shuffle=True, **options)


class Signs(nn.Module):
    """Its gradient is a sum of whole numbers that depends on its weights; one buffer, one tied parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0, -2.0, 3.0, -4.0], dtype=torch.float64))
        self.bias = nn.Parameter(torch.zeros(1, dtype=torch.float64))
        self.tied = self.bias
        self.register_buffer("seen", torch.zeros(FEATURES, dtype=torch.int64))
        self.register_buffer("passing", torch.zeros(1, dtype=torch.int64), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        self.seen += x.sum(0).long()
        self.passing += 1
        return (x * self.weight.detach().sign() * self.weight).sum() + self.bias.sum() * int(self.passing % 3)


def signs() -> dict[str, Any]:
    model = Signs()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.125, momentum=0.5)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2, gamma=0.5)
    return {"model": model, "optimizer": optimizer, "scheduler": schedule}


class Gru(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(1, 4, batch_first=True)
        self.head = nn.Sequential(nn.BatchNorm1d(4), nn.Dropout(0.3), nn.Linear(4, 1))

    def forward(self, x: Tensor) -> Tensor:
        steps, _ = self.gru(x.float().unsqueeze(2) / 8)
        return self.head(steps[:, -1]).square().mean()


def floats() -> dict[str, Any]:
    model = Gru()
    optimizer = torch.optim.AdamW(
        [{"params": model.gru.parameters()}, {"params": model.head.parameters(), "lr": 0.02}], lr=0.01, amsgrad=True
    )
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0)
    average = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9), use_buffers=True
    )
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=5)
    return {"model": model, "optimizer": optimizer, "scheduler": schedule, "average": average, "scaler": scaler}


@dataclass
class Training:
    """What a loop needs: one step, and what stands around the batches of an epoch."""

    run: unbroken.Run
    loader: DataLoader[Any]
    tracked: dict[str, Any]
    accumulate: int
    interrupt: Callable[[str], None]
    begun: Digest = field(default_factory=dict)
    batches: Digest = field(default_factory=dict)

    def open(self, epoch: int) -> None:
        self.interrupt(f"epoch {epoch}")
        self.run.state["luck"] = random.randrange(1000)

    def step(self, *parts: Tensor) -> None:
        run, model, optimizer = self.run, self.tracked["model"], self.tracked["optimizer"]
        if not self.begun:
            self.begun = digest({**live(self.tracked, run), "streams": streams(), "batch": parts}, "")
        self.batches |= digest(parts, f"{run.epoch} {run.batch} {run.step}")
        self.interrupt(f"step {run.step}")
        x = torch.cat(parts) + whole(sum(map(len, parts)), FEATURES) + random.randrange(3) + int(np.random.randint(3))
        x = x + whole(FEATURES, generator=self.tracked["noise"]) + int(self.tracked["dice"].integers(3))
        scaler = self.tracked.get("scaler")
        loss = model(x)
        (loss if scaler is None else scaler.scale(loss)).backward()
        if run.step % self.accumulate == 0:
            if scaler is None:
                optimizer.step()
            else:
                scaler.step(optimizer)
                scaler.update()
                self.tracked["average"].update_parameters(model)
            optimizer.zero_grad()
        if isinstance(model, Signs):
            with torch.no_grad():
                model.weight.mul_(1024).round_().div_(1024)  # so that sums of products stay exact
        run.average(len(x), train_losses=loss)
        run.state["seen"] = run.state.get("seen", 0) + len(x)

    def close(self) -> None:
        schedule = self.tracked["scheduler"]
        if isinstance(schedule, torch.optim.lr_scheduler.ReduceLROnPlateau):
            schedule.step(self.tracked["model"](Rows().rows).item())
        else:
            schedule.step()
        self.run.record(aucs=random.randrange(64) / 64, val_losses=int(torch.randint(64, ())) / 64)


def by_epochs(training: Training) -> None:
    for epoch in training.run.epochs(EPOCHS):
        training.open(epoch)
        for x in training.run.batches(training.loader):
            training.step(x)
        training.close()


def by_steps(training: Training) -> None:
    for x in training.run.batches(training.loader, steps=STEPS):
        training.step(x)


def side_by_side(training: Training) -> None:
    """One loader leads; one is zipped with it, one asked now and then and begun again at its end."""
    run, zipped, short = training.run, shuffled(), shuffled(3 * BATCH_SIZE)
    for epoch in run.epochs(EPOCHS):
        training.open(epoch)
        asked: Iterator[Tensor] = iter(())
        for x, other in zip(run.batches(training.loader), run.batches(zipped), strict=True):
            third = next(asked, None)
            if third is None:
                asked = iter(run.batches(short))
                third = next(asked)
            training.step(x, other, third)
        training.close()


def several_passes(training: Training) -> None:
    """Two passes over the loader in an epoch, the second without steps, then a validation loader."""
    run, validation = training.run, shuffled(5 * BATCH_SIZE)
    for epoch in run.epochs(EPOCHS):
        training.open(epoch)
        for x in run.batches(training.loader):
            training.step(x)
        for number, x in enumerate([*run.batches(training.loader), *run.batches(validation)]):
            training.batches |= digest(x, f"{epoch} again {number}")
            if number == 3:
                training.interrupt(f"validation {epoch}")
        training.close()


class Colour(Enum):
    RED = 1


def with_values(training: Training) -> None:
    """``run.state`` holds values of every kind."""
    state = training.run.state
    for epoch in training.run.epochs(EPOCHS):
        training.open(epoch)
        for x in training.run.batches(training.loader):
            training.step(x)
            step = training.run.step
            state["values"] = {
                "big": 3**100 + step, "set": {step, -1}, "bytes": bytes([step]), "path": PurePosixPath("a", str(step)),
                "array": np.arange(step, dtype=np.int16), "when": datetime(2020, 1, step % 28 + 1),
                "colour": Colour.RED, "tensor": torch.full((2,), step),
                "keys": {(1, step): None, 2.5: "half"}, "nan": float("nan"),
            }  # fmt: skip
        training.close()


@dataclass(frozen=True)
class Kind:
    loader: Callable[[], DataLoader[Any]] = shuffled
    loop: Callable[[Training], None] = by_epochs
    parts: Callable[[], dict[str, Any]] = signs
    accumulate: int = 1


def _over(dataset: Callable[[], Any], **options: Any) -> Callable[[], DataLoader[Any]]:
    return lambda: DataLoader(dataset(), batch_size=BATCH_SIZE, **options)


KINDS: dict[str, Kind] = {
    "plain": Kind(),
    "accumulating": Kind(accumulate=3),
    "side by side": Kind(loop=side_by_side),
    "several passes": Kind(loop=several_passes),
    "workers": Kind(partial(shuffled, num_workers=2)),
    "persistent workers": Kind(partial(shuffled, num_workers=2, persistent_workers=True), by_steps),
    "steps": Kind(loop=by_steps, accumulate=2),
    "iterable": Kind(_over(Stream, num_workers=2)),
    "own generators": Kind(_over(Shaken, shuffle=True, num_workers=1)),
    "weighted": Kind(_over(Shaken, sampler=WeightedRandomSampler([1.0 + i for i in range(SAMPLES)], SAMPLES))),
    "counting": Kind(_over(Curriculum, sampler=Counting())),
    "drawn tensors": Kind(lambda: DataLoader(Rows(), batch_sampler=DrawnTensors())),
    "subclass": Kind(lambda: Halves(Rows(), batch_size=BATCH_SIZE, shuffle=True)),
    "values": Kind(loop=with_values),
    "floats": Kind(parts=floats, accumulate=2),
}


def live(tracked: dict[str, Any], run: unbroken.Run) -> dict[str, Any]:
    """All there is of the objects and of the run, nothing drawn."""
    model = tracked["model"]
    states = {name: _state_of(value) for name, value in tracked.items()}
    return {
        **states,
        "buffers": dict(model.named_buffers()),
        "gradients": {name: parameter.grad for name, parameter in model.named_parameters()},
        "history": dict(run.history),
        "best": [run.best.value, run.best.epoch],
        "state": dict(run.state),
        "cursor": [run.epoch, run.batch, run.step, run.seed],
    }


def streams() -> dict[str, Any]:
    version, words, in_hand = random.getstate()
    python = {"version": version, "words": torch.tensor(words), "in hand": in_hand}
    return {"python": python, "numpy": np.random.get_state(legacy=False), "torch": torch.get_rng_state()}


def files() -> dict[str, Any]:
    """What each checkpoint left in the end says of itself; which state came before the newest depends on timing."""
    found = {}
    for path in sorted(Path("checkpoints").glob("**/*.pth")):
        if path.name != "checkpoint_previous.pth":
            payload = torch.load(path, weights_only=True)
            own = payload["unbroken"]
            place = [payload["epoch"], own["batch"], own["step"], own["branch"], own["run_id"], own["finished"]]
            found[str(path)] = [*place, sorted(set(payload) - {"unbroken"})]
    return found


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)

    kind = KINDS[options.kind]
    run = unbroken.Run(
        "checkpoints",
        every_epochs=2,
        every_steps=EVERY_STEPS,
        best="aucs",
        config={"kind": options.kind},
        data="data.txt",
        resume=_the_one(options.resume),
    )
    tracked = {**kind.parts(), "noise": torch.Generator().manual_seed(6), "dice": np.random.default_rng(7)}
    run.track(**tracked)
    interrupt = partial(_interrupt, run, options.at, options.signal)
    training = Training(run, kind.loader(), tracked, kind.accumulate, interrupt)
    kind.loop(training)
    run.close()

    ended = digest({**live(tracked, run), "streams": streams(), "files": files()}, "ended")
    exact = {f"begun.{name}": bits for name, bits in training.begun.items()} | training.batches
    computed = {} if kind.parts is signs else {name: bits for name, bits in ended.items() if _is_computed(name)}
    exact |= {name: bits for name, bits in ended.items() if name not in computed}
    Path("ended.json").write_text(json.dumps({"exact": exact, "computed": computed}))


def _is_computed(name: str) -> bool:
    """Whether this may depend on the kernels where the program is one of ordinary arithmetic."""
    fixed = ("cursor", "state", "files", "noise", "dice", "streams.python", "streams.numpy")
    return not name.endswith("/kind") and not name.startswith(tuple(f"ended.{part}" for part in fixed))


def _state_of(value: Any) -> Any:
    if isinstance(value, torch.Generator):
        return value.get_state()
    return value.bit_generator.state if isinstance(value, np.random.Generator) else value.state_dict()


def _the_one(path: str) -> str:
    """A path that may hold a pattern: archives have names that nobody knows beforehand."""
    if "*" not in path:
        return path
    (found,) = Path().glob(path)
    return str(found)


def _interrupt(run: unbroken.Run, at: str | None, signal: str, here: str) -> None:
    """End this process, or send it the signal, where it was told to, at a pace that lets every save be written."""
    if at is None:
        return
    time.sleep(_PACE)
    if here == at:
        if here.startswith("epoch"):
            while json.loads(_MANIFEST.read_text())["step"] != run.step:
                os.sched_yield()
        os.kill(os.getpid(), Signals[f"SIG{signal}"])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--resume", default="auto")
    parser.add_argument("--at", help='where to be interrupted, as "step 17", "epoch 3" or "validation 2"')
    parser.add_argument("--signal", default="KILL")
    return parser.parse_args()


if __name__ == "__main__":
    main()
