"""A tiny training that saves in every way there is, and says over a descriptor what it was told is saved.

Run with the folder as its argument; a third argument "plain" saves as hand-written scripts do, with ``torch.save``.
"""

import os
import signal
import sys
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import unbroken

EPOCHS = 6
SIGNAL_IN_EPOCH = 3


def say(folder: Path, step: int) -> None:
    """One write to a file beside the folder: the recorder sees in which order it came."""
    with (folder.parent / "said").open("ab", buffering=0) as said:
        said.write(f"saved {step}\n".encode())


def main(folder: Path) -> None:
    torch.manual_seed(1)
    torch.set_num_threads(1)
    model = nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    loader = DataLoader(TensorDataset(torch.randn(16, 3)), batch_size=4, shuffle=True)
    run = unbroken.Run(folder, every_epochs=1, every_steps=2, every=None, keep=1, best="aucs")
    run.track(model=model, optimizer=optimizer)
    with run:
        for epoch in run.epochs(EPOCHS):
            for (x,) in run.batches(loader):
                settle(run, folder)
                loss = model(x).square().mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                run.average(train_losses=loss)
                if epoch == SIGNAL_IN_EPOCH and run.batch == 2:
                    os.kill(os.getpid(), signal.SIGTERM)
            run.record(aucs=float(epoch % 2))
            settle(run, folder)


def settle(run: unbroken.Run, folder: Path) -> None:
    run.flush()
    say(folder, unbroken.load(folder / "checkpoint_latest.pth")["unbroken"]["step"])


def plain(folder: Path) -> None:
    """What most scripts do: the newest state, written in place."""
    torch.manual_seed(1)
    folder.mkdir()
    for step in range(1, 5):
        torch.save({"step": step, "weights": torch.full((64,), float(step))}, folder / "checkpoint_latest.pth")
        say(folder, step)


if __name__ == "__main__":
    plain(Path(sys.argv[1])) if sys.argv[2:] == ["plain"] else main(Path(sys.argv[1]))
