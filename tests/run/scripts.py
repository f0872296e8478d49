"""Small scripts as users write them, run in processes of their own: what they print, and how they end."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.preloaded import preloaded

ROOT = Path(__file__).parents[2]

BEGINNING = """
import os, signal, sys
from pathlib import Path
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
import unbroken

torch.manual_seed(1)
x = torch.randn(24, 3)
loader = DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), 4, shuffle=True)
model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))

def step(model, optimizer, x, y):
    loss = nn.functional.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss
"""


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err


def run_script(folder: Path, body: str, *arguments: str, variables: Mapping[str, str] | None = None) -> Ended:
    """``BEGINNING`` and then ``body``, as a script of that folder, in a process of its own."""
    (folder / "train.py").write_text(BEGINNING + body, encoding="utf-8")
    variables = {"UNBROKEN_LANG": "en", "OMP_NUM_THREADS": "1", **(variables or {})}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "TORCHELASTIC_"))}
    environment = {**kept, "PYTHONPATH": str(ROOT / "src"), **variables}
    return Ended(*preloaded().run(["train.py", *arguments], folder, environment, 100))
