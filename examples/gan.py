"""A generator against a discriminator on points of a ring, in the manner of the well-known DCGAN script."""

import argparse
import math

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import unbroken

NOISE, WIDTH = 8, 48


def ring(count: int) -> Tensor:
    """Points on eight small clouds around a circle."""
    dice = torch.Generator().manual_seed(3)
    angles = torch.randint(0, 8, (count,), generator=dice) * math.tau / 8
    return torch.stack([angles.cos(), angles.sin()], 1) + 0.05 * torch.randn(count, 2, generator=dice)


def network(inputs: int, outputs: int) -> nn.Sequential:
    layers = [nn.Linear(inputs, WIDTH), nn.LeakyReLU(0.2), nn.Linear(WIDTH, WIDTH), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Linear(WIDTH, outputs))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--points", type=int, default=6000)
    options = parser.parse_args()

    torch.manual_seed(1)
    loader = DataLoader(TensorDataset(ring(options.points)), batch_size=64, shuffle=True, drop_last=True)
    generator, discriminator = network(NOISE, 2), network(2, 1)
    rates = {"lr": 1e-3, "betas": (0.5, 0.999)}
    optimizer_g = torch.optim.Adam(generator.parameters(), **rates)
    optimizer_d = torch.optim.Adam(discriminator.parameters(), **rates)
    criterion = nn.BCEWithLogitsLoss()
    fixed_noise = torch.randn(256, NOISE)

    run = unbroken.Run("checkpoints", every_steps=50, config=vars(options))  # (1)
    run.track(generator=generator, discriminator=discriminator, optimizer_g=optimizer_g, optimizer_d=optimizer_d)
    for epoch in run.epochs(options.epochs):  # (2)
        for (real,) in run.batches(loader):  # (3)
            ones, zeros = torch.ones(len(real), 1), torch.zeros(len(real), 1)
            fake = generator(torch.randn(len(real), NOISE))
            loss_d = criterion(discriminator(real), ones) + criterion(discriminator(fake.detach()), zeros)
            optimizer_d.zero_grad()
            loss_d.backward()
            optimizer_d.step()

            loss_g = criterion(discriminator(fake), ones)
            optimizer_g.zero_grad()
            loss_g.backward()
            optimizer_g.step()
            run.average(train_losses=loss_d, generator_losses=loss_g)
        with torch.no_grad():
            radius = generator(fixed_noise).norm(dim=1)
        run.record(val_losses=(radius - 1).abs().mean())
        print(f"epoch {epoch}: mean radius {radius.mean():.3f}, spread {radius.std():.3f}")
    run.close()


if __name__ == "__main__":
    main()
