"""The training that the soak kills again and again: many short epochs, saves of every kind, retention at work."""

import json
import random
import sys
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import unbroken
from tests.kill.toolkit.digests import digest
from tests.kill.toolkit.script import say

STEPS_PER_EPOCH = 12
KEEP = 3


def main(epochs: int) -> None:
    say("started")
    torch.set_num_threads(1)
    torch.manual_seed(5)
    x = torch.randn(STEPS_PER_EPOCH * 8, 6)
    loader = DataLoader(TensorDataset(x, x[:, :1] * x[:, 1:2]), batch_size=8, shuffle=True)
    model = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    run = unbroken.Run("checkpoints", every_epochs=1, every_steps=3, every=None, keep=KEEP, best="aucs")
    run.track(model=model, optimizer=optimizer, scheduler=scheduler)
    for epoch in run.epochs(epochs):
        say("prologue", epoch)
        for inputs, targets in run.batches(loader):
            loss = nn.functional.mse_loss(model(inputs), targets)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            optimizer.zero_grad()  # here, so that no gradient is left for a checkpoint to hold
            run.average(train_losses=loss)
            say("batch", epoch, run.batch, run.step)
        say("validation", epoch)
        scheduler.step()
        run.record(aucs=random.random() + float(torch.rand(())))
        run.save()
    run.close()
    live = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "history": dict(run.history)}
    Path("final.json").write_text(json.dumps(digest(live, "")))


if __name__ == "__main__":
    random.seed(7)
    main(int(sys.argv[1]))
