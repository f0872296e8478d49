"""A notebook of three cells, driven as its user does: run, interrupted, run again, restarted."""

import os
import signal
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

BUILD = """
import os
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
import unbroken

with open("pid", "w") as file:
    print(os.getpgid(0), file=file)
torch.manual_seed(1)
torch.set_num_threads(1)
x = torch.randn(24, 3)
loader = DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), 4, shuffle=True)
model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.2), nn.Linear(4, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
"""
MAKE = """
run = unbroken.Run("checkpoints")
run.track(model=model, optimizer=optimizer)
"""
# Slow enough to be interrupted at every place; a file tells where it is.
LOOP = """
import time
for epoch in run.epochs(4):
    for inputs, targets in run.batches(loader):
        loss = nn.functional.mse_loss(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.average(loss=loss)
        with open("steps", "a") as file:
            print(run.step, file=file)
        time.sleep(float(os.environ["STEP_SECONDS"]))
"""
SHOW = """
import hashlib
tensors = [*model.state_dict().values(), *optimizer.state_dict()["state"][0].values()]
print("END", run.step, hashlib.sha256(b"".join(t.numpy().tobytes() for t in tensors)).hexdigest(), run.history["loss"])
"""


class Notebook:
    """A kernel in ``folder``; ``cells`` are numbered as they stand in the notebook."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(c) for c in (BUILD, MAKE, LOOP, SHOW)]
        )
        self.said = ""

    def __enter__(self) -> "Notebook":
        self.client = NotebookClient(
            self.notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(self.folder)}}
        )
        self.client.create_kernel_manager()
        self.client.start_new_kernel()
        self.client.start_new_kernel_client()
        return self

    def __exit__(self, *_: object) -> None:
        self.client._cleanup_kernel()

    def restart(self) -> None:
        self.__exit__()
        self.__enter__()

    def run(self, number: int) -> str:
        """Run one cell to its end; the name of the error it ended with."""
        cell = self.notebook.cells[number]
        try:
            self.client.execute_cell(cell, number)
            error = ""
        except CellExecutionError as failed:
            error = failed.ename
        self.said = "\n".join(str(one.get("text", one.get("evalue", ""))) for one in cell.outputs)
        return error

    def interrupt_when(self, step: int) -> None:
        """To be run beside ``run``: interrupt the kernel once this step is done."""
        steps = self.folder / "steps"
        deadline = time.monotonic() + 100
        while time.monotonic() < deadline:
            if steps.exists() and str(step) in steps.read_text().split():
                steps.unlink()
                # As Jupyter does: all processes of the kernel get it.
                os.killpg(int((self.folder / "pid").read_text()), signal.SIGINT)
                return
            time.sleep(0.01)
