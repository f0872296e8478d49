"""A checkpoint is mapped when it is read, and nothing that is restored from it stays in the map."""

import subprocess
import sys
from pathlib import Path

import torch

from unbroken.disk.durable import write_durably
from unbroken.store import torchfile

PROGRAM = """
import sys
from pathlib import Path
import numpy as np, torch
from torch import nn
from unbroken.state.gradients import Gradients
from unbroken.state.snapshot import copy_to_host
from unbroken.state.tracked import Tracked
from unbroken.state.user import UserState
from unbroken.store import torchfile

class Keeper:  # keeps the very tensors it is given
    def __init__(self): self.held = {"t": torch.ones(300_000), "a": np.ones(300_000)}
    def state_dict(self): return self.held
    def load_state_dict(self, state): self.held = state

def build():
    model = nn.Linear(500, 600)
    model.register_buffer("hidden", torch.ones(300_000), persistent=False)
    optimizer = torch.optim.AdamW(model.parameters())
    parts = {"model": model, "optimizer": optimizer, "keeper": Keeper(), "tensor": torch.ones(300_000),
             "rng": torch.Generator()}
    tracked = Tracked()
    for name, part in parts.items():
        tracked.add(name, part)
    return model, optimizer, tracked

path = Path(sys.argv[1])
model, optimizer, tracked = build()
model(torch.ones(500)).sum().backward()
optimizer.step()
saved = {"states": tracked.state(), "names": tracked.optimizer_parameters(), "extras": tracked.extras()}
with path.open("wb") as file:
    torchfile.write(copy_to_host(saved), file)

model, optimizer, tracked = build()
payload = torchfile.read(path)
tracked.restore(payload["states"], payload["names"], payload["extras"])
user = UserState()
user.restore({"table": payload["states"]["tensor"]["tensor"]})
path.open("r+b").truncate(0)  # from here on, to look at the map is to die of SIGBUS
back = copy_to_host([tracked.state(), tracked.extras(), user.values_to_save()])
model(torch.ones(500)).sum().backward()
optimizer.step()
print("alive")
"""


def test_nothing_restored_stays_in_the_file(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path / "a.pth")], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr[-1000:]


def test_reading_takes_no_memory_for_tensors_and_a_replaced_file_stays_readable(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    write_durably(path, lambda file: torchfile.write({"w": torch.ones(1 << 20)}, file) and None)
    payload = torchfile.read(path)
    lines = Path("/proc/self/maps").read_text().splitlines()
    ranges = [line.split() for line in lines if str(path) in line]
    bounds = [tuple(int(part, 16) for part in line[0].split("-")) for line in ranges]
    assert any(start <= payload["w"].data_ptr() < end for start, end in bounds)
    write_durably(path, lambda file: torchfile.write({"w": torch.zeros(1 << 20)}, file) and None)
    assert payload["w"].eq(1).all()
    payload["w"].zero_()  # private: the file does not change
    assert torchfile.read(path)["w"].eq(0).all()
