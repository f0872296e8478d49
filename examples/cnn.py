"""A small convolutional classifier of generated pictures, in the manner of the well-known MNIST and CIFAR scripts.

The pictures are augmented at random in worker processes.
"""

import argparse
import random

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

import unbroken

SIDE, CLASSES = 16, 4


class Shapes(Dataset[tuple[Tensor, int]]):
    """Discs, squares, crosses and rings under noise; ``augment`` shifts, flips and fades them anew each time."""

    def __init__(self, count: int, seed: int, *, augment: bool) -> None:
        dice = torch.Generator().manual_seed(seed)
        self.labels = torch.randint(0, CLASSES, (count,), generator=dice)
        self.centres = 5 + 6 * torch.rand(count, 2, generator=dice)
        self.noise = 0.4 * torch.randn(count, SIDE, SIDE, generator=dice)
        self.augment = augment

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        label, (row, column) = int(self.labels[index]), self.centres[index]
        down, across = torch.arange(SIDE)[:, None] - row, torch.arange(SIDE)[None] - column
        distance = (down**2 + across**2).sqrt()
        shape = (
            distance < 3.5,
            (down.abs() < 3) & (across.abs() < 3),
            (down.abs() < 1) | (across.abs() < 1),
            (distance > 2.5) & (distance < 4.5),
        )[label]
        picture = shape.float() + self.noise[index]
        if self.augment:
            picture = picture.roll((random.randint(-2, 2), random.randint(-2, 2)), (0, 1))
            picture = picture.flip(1) if random.random() < 0.5 else picture
            picture = picture * random.uniform(0.7, 1.3) + 0.1 * torch.randn(SIDE, SIDE)
        return picture[None], label


def convolution(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()

    torch.manual_seed(1)
    train = DataLoader(
        Shapes(options.pictures, 1, augment=True), batch_size=32, shuffle=True, num_workers=options.workers
    )
    test = DataLoader(Shapes(options.pictures // 5, 2, augment=False), batch_size=200)
    model = nn.Sequential(
        convolution(1, 8), convolution(8, 16), nn.Flatten(), nn.Dropout(0.3), nn.Linear(16 * (SIDE // 4) ** 2, CLASSES)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-4)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.epochs)
    criterion = nn.CrossEntropyLoss()

    run = unbroken.Run("checkpoints", every_epochs=2, every_steps=25, best="accuracy", config=vars(options))  # (1)
    run.track(model=model, optimizer=optimizer, scheduler=scheduler)
    for epoch in run.epochs(options.epochs):  # (2)
        model.train()
        for x, y in run.batches(train):  # (3)
            loss = criterion(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            run.average(len(x), train_losses=loss)
        scheduler.step()
        model.eval()
        with torch.no_grad():
            right = sum(int((model(x).argmax(1) == y).sum()) for x, y in test)
        accuracy = right / len(test.dataset)
        run.record(accuracy=accuracy)
        print(f"epoch {epoch}: accuracy {accuracy:.3f}")
    run.close()


if __name__ == "__main__":
    main()
