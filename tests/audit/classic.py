"""A training script of the classic kind: it saves and resumes by itself, rightly, unless told to have a fault."""

import argparse
import os
from pathlib import Path

import torch
from torch import nn

EPOCHS, BATCHES, EVERY = 6, 20, 7
LATEST = Path("ckpt/last.pt")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fault", default="none")
    fault = parser.parse_args().fault
    torch.set_num_threads(1)
    torch.manual_seed(1)
    inputs = torch.randn(BATCHES, 256, 16)
    hidden = [layer for _ in range(3) for layer in (nn.Linear(64, 64), nn.ReLU())]
    model = nn.Sequential(nn.Linear(16, 64), nn.Dropout(0.1), *hidden, nn.Linear(64, 1))
    parameters = dict(model.named_parameters())
    # Of a set the order is another in every process, and moments land on another parameter of the same shape.
    names = {*parameters} if fault == "optimizer from set" else [*parameters]
    by_shape = sorted(names, key=lambda name: tuple(parameters[name].shape))
    optimizer = torch.optim.Adam([parameters[name] for name in by_shape], lr=0.003)
    step, order = 0, torch.arange(BATCHES)
    if LATEST.exists() and fault in ("model only", "model and step"):
        saved = torch.load(LATEST, weights_only=True)
        model.load_state_dict(saved["model"] if fault == "model and step" else saved)
        step = saved["step"] if fault == "model and step" else 0
    elif LATEST.exists() and fault != "never loads":
        saved = torch.load(LATEST, weights_only=True)
        model.load_state_dict(saved["model"])
        if fault != "optimizer forgotten":
            optimizer.load_state_dict(saved["optimizer"])
        torch.set_rng_state(saved["rng"])
        step, order = saved["step"], saved["order"]
        if fault == "order starts anew":
            step -= step % BATCHES
    while step < EPOCHS * BATCHES:
        if step % BATCHES == 0:
            order = torch.randperm(BATCHES)
        batch = inputs[order[step % BATCHES]]
        loss = nn.functional.mse_loss(model(batch), batch.sum(1, keepdim=True))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        if step % EVERY == 0:
            save(model, optimizer, step, order, fault)
    torch.save({"model": model.state_dict(), "loss": loss.item()}, "final.pt")


def save(model: nn.Module, optimizer: torch.optim.Optimizer, step: int, order: torch.Tensor, fault: str) -> None:
    LATEST.parent.mkdir(exist_ok=True)
    temporary = LATEST.with_suffix(".tmp")
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
    state |= {"step": step, "order": order, "rng": torch.get_rng_state()}
    if fault == "model only":
        state = model.state_dict()
    if fault == "model and step":
        state = {"model": model.state_dict(), "step": step}
    with temporary.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(LATEST)


if __name__ == "__main__":
    main()
