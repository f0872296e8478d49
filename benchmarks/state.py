"""A training state of a given size: a model, its AdamW with both moments, and what is saved of them."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


@dataclass
class Training:
    model: nn.Module
    optimizer: torch.optim.Optimizer

    def payload(self) -> dict[str, Any]:
        return {"epoch": 1, "model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}

    @property
    def bytes(self) -> int:
        moments = (t for state in self.optimizer.state.values() for t in state.values())
        return sum(tensor.nbytes for tensor in (*self.model.parameters(), *moments))


def training(megabytes: float, *, tensors: int = 24, stepped: bool = True) -> Training:
    """Parameters and two moments of ``megabytes`` in all, in ``tensors`` parameters."""
    torch.manual_seed(0)
    each = max(1, int(megabytes * 1e6 / 12 / tensors))
    model = nn.ParameterList(nn.Parameter(torch.randn(each)) for _ in range(tensors))
    optimizer = torch.optim.AdamW(model.parameters())
    if stepped:
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
        optimizer.zero_grad()
    return Training(model, optimizer)
