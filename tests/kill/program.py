"""The script under test: a small training run with everything in it that makes a resume inexact.

Random augmentation from three streams in the dataset, odd numbers of draws where a generator keeps one in hand,
BatchNorm, Dropout, a GRU, gradients left over at the end of an epoch, a prologue that draws and changes the
learning rate, a scheduler that looks at the validation, generators of its own, an average of the weights.

Its only ties to the toolkit are ``say`` and the digest of what it ends with.
"""

import argparse
import json
import math
import os
import random
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, get_worker_info

import unbroken
from tests.kill.toolkit.digests import digest
from tests.kill.toolkit.script import say

EPOCHS = 5
SAMPLES, BATCH_SIZE, DAYS, FEATURES = 180, 8, 6, 3  # 23 batches, the last one of 4
ACCUMULATE = 3  # 23 batches are 7 optimizer steps and a rest of 2

Sample = tuple[Tensor, Tensor]


class Noisy(Dataset[Sample]):
    """Windows of a fixed series, augmented anew each time; ``delay`` is a slow disk: seconds per sample."""

    def __init__(
        self, count: int, seed: int, *, augment: bool, delay: float, tell: bool = False, freeze: bool = False
    ) -> None:
        fixed = torch.Generator().manual_seed(seed)
        self.windows = torch.randn(count, DAYS, FEATURES, generator=fixed)
        self.targets = self.windows[:, :, 0].mean(1) + 0.1 * torch.randn(count, generator=fixed)
        self.augment = augment
        self.delay = delay
        self.tell = tell
        self.freeze = freeze

    def __len__(self) -> int:
        return len(self.targets)

    def __setstate__(self, state: dict[str, Any]) -> None:
        say("born")  # a spawned worker, before it heeds anybody
        self.__dict__.update(state)

    def __getitem__(self, index: int) -> Sample:
        if self.tell:
            say("loading", index)
        if self.freeze:
            self._freeze()
        if self.delay:
            time.sleep(self.delay)
        window = self.windows[index]
        if self.augment:
            window = window * random.uniform(0.9, 1.1) + 0.05 * torch.randn(DAYS, FEATURES)
            window = window + 0.01 * float(np.random.randn())  # one: numpy keeps the second in hand
            if random.gauss(0, 1) > 1:
                window = window.flip(0)
        return window, self.targets[index]

    def _freeze(self) -> None:
        """The second worker stops itself, for good, at its fourth batch."""
        worker = get_worker_info()
        self.loaded = getattr(self, "loaded", 0) + 1
        if worker is not None and worker.id == 1 and self.loaded > 3 * BATCH_SIZE:
            say("frozen")
            os.kill(os.getpid(), signal.SIGSTOP)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(FEATURES)
        self.gru = nn.GRU(FEATURES, 12, batch_first=True)
        self.drop = nn.Dropout(0.3)
        self.head = nn.Sequential(nn.Linear(12, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))

    def forward(self, windows: Tensor) -> Tensor:
        steps, _ = self.gru(self.norm(windows.transpose(1, 2)).transpose(1, 2))
        out: Tensor = self.head(self.drop(steps[:, -1])).squeeze(1)
        return out


class Average(nn.Module):
    """An exponential average of the weights, kept by hand, outside any optimizer."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        for name, value in model.state_dict().items():
            self.register_buffer(name.replace(".", "_"), value.clone())

    @torch.no_grad()
    def follow(self, model: nn.Module) -> None:
        for own, value in zip(self.buffers(), model.state_dict().values(), strict=True):
            if own.is_floating_point():
                own.lerp_(value, 0.05)


def main() -> None:
    options = _options()
    say("started")
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    np.random.seed(options.seed)
    random.seed(options.seed)

    train_loader = DataLoader(
        Noisy(SAMPLES, 1, augment=True, delay=options.delay, tell=options.tell_loads, freeze=options.freeze),
        batch_size=BATCH_SIZE,
        shuffle=True,
        num_workers=options.workers,
        persistent_workers=options.persistent,
        multiprocessing_context="spawn" if options.spawn else None,
    )
    validation_loader = DataLoader(
        Noisy(40, 2, augment=False, delay=options.delay), batch_size=16, num_workers=options.validation_workers
    )

    model = Net()
    average = Average(model)
    groups = [{"params": [*part.parameters()]} for part in (model.gru, nn.ModuleList([model.norm, model.head]))]
    optimizer = torch.optim.AdamW(groups, lr=5e-3, amsgrad=True)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0)
    noise = torch.Generator().manual_seed(3)
    dice = np.random.default_rng(4)

    run = unbroken.Run(
        "checkpoints",
        every_epochs=2,
        every_steps=options.every_steps,
        every=options.every,
        stop_after=options.stop_after,
        best="aucs",
        config={"lr": 5e-3, "seed": options.seed},
    )
    run.track(model=model, optimizer=optimizer, scheduler=scheduler, average=average, noise=noise, dice=dice)

    for epoch in run.epochs(EPOCHS):
        if run.step == 0:
            say("begun")
        say("prologue", epoch)
        # All of it happens again when the epoch is resumed in its middle, and must leave no trace then.
        jitter = torch.randn(FEATURES, generator=noise) * 0.01 + float(np.random.randn()) * 0.01
        jitter /= 1 + run.state.get("seen", 0) / 1000  # counted up in every batch
        for group in optimizer.param_groups:
            group["lr"] *= random.uniform(0.8, 1.1)
        run.state["prologues"] = run.state.get("prologues", 0) + 1
        run.state["luck"] = random.gauss(0, 1)

        model.train()
        for windows, targets in run.batches(train_loader):
            place = (epoch, run.batch, run.step)
            say("batch", *place, "=", *digest([windows, targets], "").values())
            blurred = windows + jitter + 0.01 * torch.randn(windows.shape) * float(dice.random())
            weight = 1 + 0.1 * float(np.random.randn()) + 0.01 * random.gauss(0, 1)
            loss = weight * nn.functional.mse_loss(model(blurred), targets) / ACCUMULATE
            loss.backward()  # type: ignore[no-untyped-call]
            if run.step % ACCUMULATE == 0:
                optimizer.step()
                optimizer.zero_grad()
                average.follow(model)
            run.average(len(targets), train_losses=loss)
            run.average(weights=weight)
            run.state["seen"] = run.state.get("seen", 0) + len(targets)
            say("trained", *place, "=", float(loss.detach()).hex())

        say("validation", epoch)
        val_loss, corr = validate(model, validation_loader)
        scheduler.step(val_loss)
        # What the body of the loop set last is read behind it, also where the epoch is resumed at its end.
        run.record(val_losses=val_loss, aucs=corr, spread=np.float32(corr * random.random()), last=loss)
        run.save()
        say("validated", epoch, "=", val_loss.hex(), corr.hex())

    run.close()
    say("ended")
    live = {
        "model": model.state_dict(),
        "gradients": {name: parameter.grad for name, parameter in model.named_parameters()},
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "average": average.state_dict(),
        "history": dict(run.history),
        "best": [run.best.value, run.best.epoch],
        "state": dict(run.state),
        "cursor": [run.epoch, run.batch, run.step],
        "streams": draws(noise, dice),
    }
    Path("final.json").write_text(json.dumps(digest(live, "")))


def validate(model: nn.Module, loader: DataLoader[Sample]) -> tuple[float, float]:
    """Monte Carlo dropout: validation draws from the training streams as well."""
    model.eval()
    total, outputs, truths = 0.0, [], []
    with torch.no_grad():
        for windows, targets in loader:
            say("validating")
            predictions = model(windows) + 0.01 * torch.randn(len(targets))
            total += nn.functional.mse_loss(predictions, targets, reduction="sum").item()
            outputs.append(predictions)
            truths.append(targets)
    pair = torch.stack([torch.cat(outputs), torch.cat(truths)])
    corr = float(torch.corrcoef(pair)[0, 1])
    return total / len(pair[0]), corr if math.isfinite(corr) else 0.0


def draws(noise: torch.Generator, dice: np.random.Generator) -> Mapping[str, Any]:
    """What every stream would give next, twice over, so that a value kept in hand is seen."""
    return {
        "python": [random.random(), random.gauss(0, 1), random.gauss(0, 1)],
        "numpy": [float(np.random.randn()), float(np.random.randn()), float(np.random.rand())],
        "torch": torch.rand(2),
        "own torch": torch.rand(2, generator=noise),
        "own numpy": dice.random(2),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--persistent", action="store_true")
    parser.add_argument("--spawn", action="store_true")
    parser.add_argument("--freeze", action="store_true")
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--validation-workers", type=int, default=0)
    parser.add_argument("--tell-loads", action="store_true")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--every-steps", type=int, default=4)
    parser.add_argument("--every", default=None)
    parser.add_argument("--stop-after", default=None)
    return parser.parse_args()


if __name__ == "__main__":
    main()
