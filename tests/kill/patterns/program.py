"""The script under test: the parts, the loader and the shape of the loop that its argument names."""

import json
import os
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import unbroken
from tests.kill.patterns.data import BATCHES, LOADERS, Loader, shuffled
from tests.kill.patterns.parts import GROUPS, Part
from tests.kill.toolkit.digests import digest
from tests.kill.toolkit.script import say

EPOCHS = 4
STEPS = EPOCHS * BATCHES + 2  # not the end of a pass


@dataclass
class Training:
    """All that a loop needs; every loop trains the parts batch by batch and closes each epoch the same way."""

    run: unbroken.Run
    parts: dict[str, Part]
    loader: Loader

    def open(self, epoch: int) -> None:
        say("prologue", epoch)
        self.run.state["luck"] = random.gauss(0, 1)
        for part in self.parts.values():
            part.before(epoch)

    def train(self, x: Tensor, *others: Tensor) -> None:
        run = self.run
        place = (run.epoch, run.batch, run.step)
        if run.step == 1:
            say("begun")
        say("batch", *place, "=", *digest([x, *others], "").values())
        x = x + 0.01 * torch.randn(x.shape) + 0.01 * float(np.random.randn()) + 0.01 * random.gauss(0, 1)
        for other in others:
            x = x + 0.1 * other.mean()
        losses = {f"{name}_losses": part.train(x, run.step) for name, part in self.parts.items()}
        run.average(len(x), **losses)
        run.state["seen"] = run.state.get("seen", 0) + len(x)
        say("trained", *place, "=", *(f"{name}:{float(loss).hex()}" for name, loss in losses.items()))

    def close(self, epoch: int) -> float:
        say("validation", epoch)
        for part in self.parts.values():
            part.after(epoch)
        value = float(torch.rand(())) + random.random() + float(np.random.rand())
        self.run.record(aucs=value)
        self.run.save()
        say("validated", epoch, "=", value.hex())
        return value


Loop = Callable[[Training], None]


def by_epochs(training: Training) -> None:
    for epoch in training.run.epochs(EPOCHS):
        training.open(epoch)
        for x in training.run.batches(training.loader):
            training.train(x)
        training.close(epoch)


def by_steps(training: Training) -> None:
    for x in training.run.batches(training.loader, steps=STEPS):
        training.train(x)


def until_no_better(training: Training) -> None:
    """Early stopping, with its counters in ``run.state``."""
    run = training.run
    for epoch in run.epochs(20):
        training.open(epoch)
        for x in run.batches(training.loader):
            training.train(x)
        value = training.close(epoch)
        best = run.state.get("best", 0.0)
        run.state["waited"] = 0 if value > best else run.state.get("waited", 0) + 1
        run.state["best"] = max(value, best)
        if run.state["waited"] >= 2 and epoch >= 4:
            run.stop("no better for two epochs")


def over_several_loaders(training: Training) -> None:
    """One loader leads; one is zipped with it, one asked for a batch now and then and begun again at its end."""
    run = training.run
    zipped, short = shuffled(), shuffled(3)
    for epoch in run.epochs(EPOCHS):
        training.open(epoch)
        asked: Iterator[Tensor] = iter(())
        for x, other in zip(run.batches(training.loader), run.batches(zipped), strict=True):
            third = next(asked, None)
            if third is None:
                asked = iter(run.batches(short))
                third = next(asked)
            training.train(x, other, third)
        training.close(epoch)


def in_several_passes(training: Training) -> None:
    """Each epoch goes over the loader twice, and validates over a loader of the library."""
    run = training.run
    validation = shuffled(5)
    for epoch in run.epochs(EPOCHS):
        training.open(epoch)
        for x in run.batches(training.loader):
            training.train(x)
        for number, x in enumerate(run.batches(training.loader)):
            say("again", epoch, number, "=", *digest(x, "").values())
            for part in training.parts.values():
                part.train(x, run.step)
        drawn = torch.cat(list(run.batches(validation)))
        say("seen", epoch, "=", *digest(drawn, "").values())
        training.close(epoch)


@dataclass(frozen=True)
class Pattern:
    group: str = "plain"
    loader: str = "in process"
    loop: Loop = by_epochs


PATTERNS: dict[str, Pattern] = {
    **{name: Pattern(name) for name in ("number formats", "players and streams", "averages", "schedules", "modules")},
    "growing, early stopping": Pattern("growing", loop=until_no_better),
    "compiled": Pattern("compiled"),
    "several loaders": Pattern(loader="2 workers", loop=over_several_loaders),
    "several passes": Pattern(loader="2 persistent workers", loop=in_several_passes),
    "steps": Pattern(loader="2 persistent workers", loop=by_steps),
    "steps, endless sampler": Pattern(loader="endless sampler", loop=by_steps),
    "steps, endless iterable": Pattern(loader="endless iterable dataset", loop=by_steps),
    "spawned worker": Pattern(loader="spawned worker"),
    "weighted sampler": Pattern(loader="weighted sampler"),
    "iterable dataset": Pattern(loader="iterable dataset"),
    "StatefulDataLoader": Pattern(loader="StatefulDataLoader"),
    "StatefulDataLoader, iterable": Pattern(loader="StatefulDataLoader, iterable"),
    "DataLoader subclass": Pattern(loader="DataLoader subclass"),
}


def main(name: str) -> None:
    say("started")
    torch.set_num_threads(1)
    # Compiled once for all runs side by side, and again only where a kill came in between.
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(Path.cwd().parent / "compiled"))
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)

    pattern = PATTERNS[name]
    parts = {part: make() for part, make in GROUPS[pattern.group].items()}
    run = unbroken.Run("checkpoints", every_epochs=2, every_steps=2, best="aucs")
    tracked = {f"{part}_{key}": value for part, made in parts.items() for key, value in made.tracked.items()}
    run.track(**tracked)
    pattern.loop(Training(run, parts, LOADERS[pattern.loader]()))
    run.close()
    say("ended")
    live = {
        **{name: _state_of(value) for name, value in tracked.items()},
        "gradients": _gradients(tracked),
        "history": dict(run.history),
        "best": [run.best.value, run.best.epoch],
        "state": dict(run.state),
        "cursor": [run.epoch, run.batch, run.step],
        "draws": [random.random(), random.gauss(0, 1), float(np.random.randn()), torch.rand(2)],
    }
    Path("final.json").write_text(json.dumps(digest(live, "")))


def _state_of(value: Any) -> Any:
    """All there is of an object that is tracked."""
    if isinstance(value, nn.Module):
        return {**value.state_dict(), "buffers": dict(value.named_buffers())}
    if isinstance(value, Tensor):
        return value
    if isinstance(value, torch.Generator):
        return value.get_state()
    if isinstance(value, random.Random):
        return value.getstate()
    if isinstance(value, np.random.Generator):
        return value.bit_generator.state
    if isinstance(value, np.random.RandomState):
        return value.get_state(legacy=False)
    return value.state_dict()


def _gradients(tracked: dict[str, Any]) -> dict[str, Tensor | None]:
    return {
        f"{name}.{inner}": parameter.grad
        for name, value in tracked.items()
        if isinstance(value, nn.Module)
        for inner, parameter in value.named_parameters()
    }


if __name__ == "__main__":
    main(sys.argv[1])
