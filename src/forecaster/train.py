"""The training, from the data file to the trained network, top to bottom."""

import logging
import os
import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

import unbroken
from forecaster.baselines import Yardsticks, measure, pearson
from forecaster.errors import InputError
from forecaster.messages import text
from forecaster.model import BranchedForecaster
from forecaster.options import SPLIT_DAY, Options
from forecaster.prepare import data_path, prepare
from forecaster.progress import EpochReport
from forecaster.windows import Windows, WindowSet

_VALIDATION_BATCH = 1024

_log = logging.getLogger("forecaster")


@dataclass(frozen=True)
class Outcome:
    """What a training ends with. Losses are of the standardised label; histories have one entry per epoch."""

    windows: Windows
    yardsticks: Yardsticks
    train_losses: tuple[float, ...]
    val_losses: tuple[float, ...]
    correlations: tuple[float, ...]
    best: float
    best_epoch: int
    predictions: npt.NDArray[np.float64]  # of the validation labels, in their own unit, after the last epoch
    learning_rates: tuple[float, ...] = ()  # NaN for epochs of a version that did not record them
    run: str = ""  # the run's own name
    unsafe: unbroken.DiskError | None = None  # why the last state is not safe on disk


def train(options: Options, *, cache: Path, report: EpochReport) -> Outcome:
    """Train as ``options`` say, or go on with what their ``resume`` names, exactly where it stopped.

    Args:
        cache: the file of the preprocessed data, made if missing.

    Raises:
        InputError: the data can't be used, or the device is not there.
        unbroken.UnbrokenError: the run can't be resumed or saved.
        unbroken.Stopped: a signal or the time budget ended it, with the state saved.
    """
    device = _choose_device(options.device)
    _make_deterministic(options, device)

    windows = prepare(options, cache)
    yardsticks = measure(windows)
    _log.info(text("yardsticks", persistence=yardsticks.persistence, ridge=yardsticks.ridge))

    loader = DataLoader(
        WindowSet(windows.features, windows.training),
        batch_size=options.batch_size,
        shuffle=True,
        num_workers=options.num_workers,
        collate_fn=_as_it_is,
    )
    model = BranchedForecaster().to(device)
    criterion = nn.HuberLoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.lr, weight_decay=options.weight_decay)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=3)
    scaler = torch.amp.GradScaler(device.type, enabled=options.amp and device.type == "cuda")
    half = torch.float16 if device.type == "cuda" else torch.bfloat16

    with (
        report,
        unbroken.Run(
            options.checkpoint_dir,
            every_epochs=options.checkpoint_freq,
            every_steps=options.checkpoint_every_steps,
            number_steps=options.checkpoint_freq_steps,
            every=None if options.checkpoint_every == "off" else options.checkpoint_every,
            best="aucs",
            keep=options.keep,
            keep_best=options.keep_best,
            keep_every=options.keep_every,
            keep_every_steps=options.keep_every_steps,
            config={**options.parameters(), SPLIT_DAY: str(windows.train_end)},
            data=data_path(options),
            allow_changed_data=options.allow_changed_data,
            resume=options.resume,
            seed=options.seed,
            stop_after=options.stop_after,
        ) as run,
    ):
        run.track(model=model, optimizer=optimizer, scheduler=scheduler)
        if scaler.is_enabled():
            run.track(scaler=scaler)
        # A flag given on a resume takes effect; what is not given is as the run was started, and changes nothing.
        run.keep_built("optimizer.lr", "optimizer.weight_decay")

        for _ in report.epochs(run, options.epochs, len(loader)):
            model.train()
            for inputs, labels in run.batches(loader):
                with torch.autocast(device.type, dtype=half, enabled=options.amp):
                    loss = criterion(model(inputs.to(device)), labels.to(device))
                optimizer.zero_grad()
                scaler.scale(loss).backward()
                scaler.step(optimizer)
                scaler.update()
                run.average(len(labels), train_losses=loss)
                report.step(run)

            predicted, labels = predict(model, windows, device)
            val_loss = criterion(predicted, labels).item()
            run.record(learning_rates=optimizer.param_groups[0]["lr"])  # the one that this epoch was trained with
            scheduler.step(val_loss)
            run.record(val_losses=val_loss, aucs=pearson(predicted, labels))
            run.save()  # after every epoch, however short it is

        predicted, _ = predict(model, windows, device)
        outcome = Outcome(
            windows=windows,
            yardsticks=yardsticks,
            train_losses=tuple(run.history["train_losses"]),
            val_losses=tuple(run.history["val_losses"]),
            correlations=tuple(run.history["aucs"]),
            best=run.best.value,
            best_epoch=run.best.epoch,
            predictions=predicted.numpy().astype(np.float64) * windows.label_scale + windows.label_mean,
            learning_rates=tuple(run.history.get("learning_rates", ())),
            run=run.id,
        )
    return replace(outcome, unsafe=run.failure)


@torch.no_grad()
def predict(model: nn.Module, windows: Windows, device: torch.device) -> tuple[Tensor, Tensor]:
    """Predictions of the validation labels, and these labels, both standardised and on the CPU."""
    model.eval()
    validation = WindowSet(windows.features, windows.validation)
    predicted, labels = [], []
    for start in range(0, len(validation), _VALIDATION_BATCH):
        inputs, truth = validation.batch(range(start, min(start + _VALIDATION_BATCH, len(validation))))
        predicted.append(model(inputs.to(device)).float().cpu())
        labels.append(truth)
    return torch.cat(predicted), torch.cat(labels)


def _make_deterministic(options: Options, device: torch.device) -> None:
    """The same command twice gives the same bits; the thread count is part of that, so it is not the machine's."""
    random.seed(options.seed)
    np.random.seed(options.seed % 2**32)
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)


def _choose_device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError("no_such_device", device=name) from error
    return device


def _as_it_is(batch: Any) -> Any:
    """WindowSet gives whole batches."""
    return batch
