"""A classifier of generated spirals, trained by several processes with DistributedDataParallel.

``python ddp.py`` trains in one process, ``torchrun --nproc-per-node 3 ddp.py`` in three. Either goes on with what the
other has begun: a step is of the same 48 samples.
"""

import argparse
import math
import os

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset

import unbroken

ARMS, BATCH = 3, 48


class Spirals(Dataset[tuple[Tensor, int]]):
    """Points of three intertwined arms; ``augment`` moves each a little anew each time."""

    def __init__(self, count: int, seed: int, *, augment: bool) -> None:
        dice = torch.Generator().manual_seed(seed)
        self.arms = torch.randint(ARMS, (count,), generator=dice)
        radius = torch.rand(count, generator=dice) + 0.1
        angle = 5 * radius + math.tau / ARMS * self.arms
        self.points = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)
        self.augment = augment

    def __len__(self) -> int:
        return len(self.arms)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        point = self.points[index]
        if self.augment:
            point = point + 0.02 * torch.randn(2)
        return point, int(self.arms[index])


def join_the_others() -> None:
    """A process group of all that torchrun has started, or of this process alone."""
    if "RANK" in os.environ:
        dist.init_process_group("gloo")
    else:
        dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--points", type=int, default=2400)
    options = parser.parse_args()

    torch.set_num_threads(1)
    join_the_others()
    torch.manual_seed(1 + dist.get_rank())  # other dropout on each; the weights are made alike by DDP
    train = DataLoader(Spirals(options.points, 1, augment=True), batch_size=BATCH, shuffle=True, drop_last=True)
    test = Spirals(options.points // 4, 2, augment=False)
    network = nn.Sequential(
        nn.Linear(2, 64),
        nn.BatchNorm1d(64),
        nn.ReLU(),
        nn.Linear(64, 64),
        nn.ReLU(),
        nn.Dropout(0.1),
        nn.Linear(64, ARMS),
    )
    model = DistributedDataParallel(network)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.epochs)
    criterion = nn.CrossEntropyLoss()

    run = unbroken.Run("checkpoints", every_epochs=5, every_steps=25, best="accuracy", config=vars(options))  # (1)
    run.track(model=network, optimizer=optimizer, scheduler=scheduler)
    for epoch in run.epochs(options.epochs):  # (2)
        model.train()
        for x, y in run.batches(train):  # (3): the part of this process
            loss = criterion(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            run.average(len(x), train_losses=loss)
        scheduler.step()
        network.eval()
        own = range(dist.get_rank(), len(test), dist.get_world_size())
        with torch.no_grad():
            right = (network(test.points[own]).argmax(1) == test.arms[own]).sum()
        dist.all_reduce(right)
        accuracy = int(right) / len(test)
        run.record(accuracy=accuracy)
        if dist.get_rank() == 0:
            print(f"epoch {epoch}: accuracy {accuracy:.3f}", flush=True)
    run.close()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
