"""Scripts that use the library and hold something beside what they track, as ``--kind`` says."""

# ruff: noqa: N806 - nanoGPT's names

import argparse
import random
from collections import deque

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import unbroken

EPOCHS, BATCHES = 4, 6


class Replay:
    """A buffer as many write it: preallocated, with a place."""

    def __init__(self) -> None:
        self.states = torch.zeros(100, 3)
        self.count = 0

    def add(self, x: torch.Tensor) -> None:
        self.states[self.count % 100] = x[0].detach()
        self.count += 1

    def sample(self) -> torch.Tensor:
        return self.states[random.sample(range(min(self.count, 100)), 4)]


def get_batch(data: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    places = torch.randint(len(data) - 4, (4,))
    return torch.stack([data[i : i + 3] for i in places]), torch.stack([data[i + 3 : i + 4] for i in places])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kind", default="clean")
    kind = parser.parse_args().kind
    torch.set_num_threads(1)
    torch.manual_seed(1)
    random.seed(1)
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    data = torch.randn(50)
    loader = DataLoader(TensorDataset(torch.randn(4 * BATCHES, 3)), batch_size=4, shuffle=True)
    run = unbroken.Run("checkpoints", every_steps=2)
    run.track(model=model, optimizer=optimizer)
    buffer: deque[tuple[torch.Tensor, float]] = deque(maxlen=50)
    memory = Replay()
    local_iter, losses = 0, []
    X, Y = get_batch(data)
    ahead = [get_batch(data), get_batch(data)]
    for _ in run.epochs(EPOCHS):
        for (x,) in run.batches(loader):
            loss = model(x).square().mean()
            if kind == "prefetch":
                loss = nn.functional.mse_loss(model(X), Y)
                X, Y = get_batch(data)
            if kind == "prefetch two":
                one, other = ahead.pop(0)
                loss = nn.functional.mse_loss(model(one), other)
                ahead.append(get_batch(data))
            if kind == "buffer":
                buffer.append((x[0], 1.0))
                if len(buffer) >= 4:
                    loss = (
                        loss
                        + torch.stack([one for one, _ in random.sample(list(buffer), 4)]).sum() * model[0].bias.sum()
                    )
            if kind == "buffer object":
                memory.add(x)
                if memory.count >= 4:
                    loss = loss + model(memory.sample()).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            local_iter += 1
            losses.append(loss.item())
            if local_iter % 100 == 0:
                print(local_iter, sum(losses) / len(losses))
            run.average(train_losses=loss)
    torch.save(model.state_dict(), "final.pt")


if __name__ == "__main__":
    main()
