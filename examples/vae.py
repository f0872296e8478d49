"""A variational autoencoder on generated pictures of discs and bars, in the manner of the well-known MNIST one."""

import argparse

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import unbroken

SIDE, HIDDEN, LATENT = 16, 96, 8


def draw_pictures(count: int) -> Tensor:
    """White discs and bars on black, somewhere."""
    dice = torch.Generator().manual_seed(11)
    x, y, size = (torch.rand(count, 1, 1, generator=dice) for _ in range(3))
    rows, columns = torch.meshgrid(torch.linspace(0, 1, SIDE), torch.linspace(0, 1, SIDE), indexing="ij")
    discs = ((rows - y) ** 2 + (columns - x) ** 2).sqrt() < 0.1 + 0.2 * size
    bars = (columns - x).abs() < 0.05 + 0.1 * size
    return torch.where(torch.rand(count, 1, 1, generator=dice) < 0.5, discs, bars).float()


class VAE(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, HIDDEN), nn.ReLU())
        self.mean, self.log_variance = nn.Linear(HIDDEN, LATENT), nn.Linear(HIDDEN, LATENT)
        self.decode = nn.Sequential(nn.Linear(LATENT, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, SIDE * SIDE))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden = self.encode(x)
        mean, log_variance = self.mean(hidden), self.log_variance(hidden)
        latent = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        return self.decode(latent).view_as(x), mean, log_variance


def loss_of(model: VAE, x: Tensor) -> Tensor:
    logits, mean, log_variance = model(x)
    reconstruction = nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    divergence = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum()
    return (reconstruction + divergence) / len(x)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--pictures", type=int, default=4000)
    options = parser.parse_args()

    torch.manual_seed(1)
    pictures = draw_pictures(options.pictures)
    held_out = len(pictures) // 10
    loader = DataLoader(TensorDataset(pictures[held_out:]), batch_size=64, shuffle=True)
    model = VAE()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)

    run = unbroken.Run("checkpoints", every_steps=40, best="val_losses", best_mode="min", config=vars(options))  # (1)
    run.track(model=model, optimizer=optimizer)
    for epoch in run.epochs(options.epochs):  # (2)
        model.train()
        for (x,) in run.batches(loader):  # (3)
            loss = loss_of(model, x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            run.average(len(x), train_losses=loss)
        model.eval()
        with torch.no_grad():
            val_loss = loss_of(model, pictures[:held_out]).item()
        run.record(val_losses=val_loss)
        print(f"epoch {epoch}: validation {val_loss:.3f}")
    run.close()


if __name__ == "__main__":
    main()
