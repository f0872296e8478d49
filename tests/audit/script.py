"""The script under audit: a small training run that resumes exactly, and with ``--fault`` one that has one fault.

Each fault is one or two lines, as they are found in real scripts; the rest stays as it is.
"""

import argparse
import random
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset

import unbroken

EPOCHS, SAMPLES, BATCH_SIZE = 4, 40, 8
FAULTS = (
    "hash order",
    "own stream",
    "clock",
    "dataset state",
    "scheduler",
    "ema",
    "ema by hand",
    "optimizer from set",
    "counter",
    "accumulation",
    "patience",
    "starts over",
    "fails at restart",
    "fails",
    "outside",
    "kernels",
    "unseeded",
    "recompiled",
)


class Points(Dataset[tuple[Tensor, Tensor]]):
    def __init__(self, count: int, *, counts: bool = False) -> None:
        fixed = torch.Generator().manual_seed(5)
        self.inputs = torch.randn(count, 4, generator=fixed)
        self.calls = 0
        self.counts = counts

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        self.calls += self.counts
        noisy = self.inputs[index] + 0.01 * torch.randn(4)
        return noisy * (1 + self.calls / 1000), noisy.sum(0, keepdim=True)


def main() -> None:
    options = _options()
    fault = options.fault
    torch.set_num_threads(1)
    torch.manual_seed(time.time_ns() % 2**31 if fault == "clock" else 1)
    random.seed(1)
    if fault != "unseeded":
        np.random.seed(1)
    if fault == "fails":
        raise RuntimeError("no GPU here")
    if fault == "fails at restart":
        Path("results").mkdir()

    # Three batches, the last of them of another size.
    points = Points(19 if fault == "recompiled" else SAMPLES, counts=fault == "dataset state")
    order = None
    if fault == "hash order":
        order = [int(name) for name in {str(number) for number in range(SAMPLES)}]
    loader = DataLoader(
        points, batch_size=BATCH_SIZE, shuffle=order is None, sampler=order, num_workers=options.workers
    )

    model: nn.Module = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.2), nn.Linear(8, 1))
    if fault == "recompiled":
        model = nn.Sequential(nn.Linear(4, 32), nn.BatchNorm1d(32), nn.Softmax(1), nn.Linear(32, 1))
    if options.compile or fault == "recompiled":
        model = torch.compile(model)  # type: ignore[assignment]
    parameters = dict(model.named_parameters())
    if fault == "optimizer from set":
        optimizer = torch.optim.Adam([parameters[name] for name in {*parameters}], lr=0.01)
    else:
        optimizer = torch.optim.Adam(parameters.values(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.7)
    ema = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    by_hand = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    dice = np.random.default_rng(3)

    folder = "/tmp/unbroken-audit-elsewhere" if fault == "outside" else "checkpoints"
    resume = "never" if fault == "starts over" else "auto"
    run = unbroken.Run(folder, every_steps=3, best="aucs", resume=resume)
    tracked = {"model": model, "optimizer": optimizer, "scheduler": scheduler, "ema": ema, "dice": dice}
    for name, forgotten in (("scheduler", "scheduler"), ("ema", "ema"), ("dice", "own stream")):
        if fault == forgotten:
            del tracked[name]
    run.track(**tracked)

    seen, waited, lowest = 0, 0, float("inf")
    for _epoch in run.epochs(EPOCHS):
        began = time.perf_counter()
        for i, (x, y) in enumerate(run.batches(loader)):
            seen += len(x)
            noise = 0.01 * float(dice.random()) + 0.01 * float(np.random.rand())
            loss = nn.functional.mse_loss(model(x + noise), y)
            if fault == "counter":
                loss = loss * (1 + seen / 1000)
            if fault == "kernels":
                loss = loss * (1 + time.time_ns() % 1000 / 1000)
            loss.backward()
            if fault == "optimizer from set":  # gradient noise, in the optimizer's order
                for parameter in optimizer.param_groups[0]["params"]:
                    parameter.grad += 0.01 * torch.randn_like(parameter)
            if fault != "accumulation" or i % 2 == 1:
                optimizer.step()
                optimizer.zero_grad()
                ema.update_parameters(model)
                for name, parameter in parameters.items():
                    by_hand[name].lerp_(parameter.detach(), 0.1)
            run.average(train_losses=loss)
        scheduler.step()
        judged = ema if fault == "ema" else model
        judged.eval()
        with torch.no_grad():
            val_loss = float(nn.functional.mse_loss(judged(points.inputs), points.inputs.sum(1, keepdim=True)))
            if fault == "ema by hand":
                val_loss += float(by_hand["0.weight"].sum())
        judged.train()
        run.record(val_losses=val_loss, aucs=-val_loss)
        if options.record_time:
            run.record(seconds=time.perf_counter() - began)
        if fault == "patience":
            waited = 0 if val_loss < 0.8 * lowest else waited + 1
            lowest = min(lowest, val_loss)
            if waited > 1:
                run.stop("no better")
    run.close()
    torch.save(ema.state_dict(), "final.pt")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fault", choices=FAULTS)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--record-time", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
