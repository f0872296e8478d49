"""An LSTM that forecasts a noisy oscillation, in the manner of the well-known time-sequence script."""

import argparse
import math

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import unbroken

LENGTH, HIDDEN, PATIENCE = 24, 24, 5


def windows(count: int) -> tuple[Tensor, Tensor]:
    """Stretches of two overlaid oscillations with noise, and the value after each."""
    dice = torch.Generator().manual_seed(2)
    time = torch.arange(count + LENGTH)
    series = (math.tau * time / 20).sin() + 0.5 * (math.tau * time / 33).sin()
    series = series + 0.1 * torch.randn(len(series), generator=dice)
    stretches = series.unfold(0, LENGTH + 1, 1)
    return stretches[:, :-1, None], stretches[:, -1:]


class Forecaster(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(1, HIDDEN, num_layers=2, dropout=0.1, batch_first=True)
        self.head = nn.Linear(HIDDEN, 1)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.lstm(x)
        return self.head(states[:, -1])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--windows", type=int, default=2000)
    options = parser.parse_args()

    torch.manual_seed(1)
    x, y = windows(options.windows)
    split = len(x) * 4 // 5
    loader = DataLoader(TensorDataset(x[:split], y[:split]), batch_size=32, shuffle=True)
    model = Forecaster()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    criterion = nn.MSELoss()

    run = unbroken.Run("checkpoints", every_steps=20, best="val_losses", best_mode="min", config=vars(options))  # (1)
    run.track(model=model, optimizer=optimizer, scheduler=scheduler)
    for epoch in run.epochs(options.epochs):  # (2)
        model.train()
        for inputs, targets in run.batches(loader):  # (3)
            loss = criterion(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            run.average(len(inputs), train_losses=loss)
        model.eval()
        with torch.no_grad():
            val_loss = criterion(model(x[split:]), y[split:]).item()
        scheduler.step(val_loss)
        run.record(val_losses=val_loss)
        print(f"epoch {epoch}: validation {val_loss:.4f}, learning rate {optimizer.param_groups[0]['lr']:.2g}")
        # Counters of one's own belong into run.state: they are saved and come back.
        lowest = run.state.get("lowest", math.inf)
        run.state["waited"] = 0 if val_loss < lowest else run.state.get("waited", 0) + 1
        run.state["lowest"] = min(lowest, val_loss)
        if run.state["waited"] >= PATIENCE:
            run.stop("no better for some epochs")
    run.close()


if __name__ == "__main__":
    main()
