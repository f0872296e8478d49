"""A run with a story: killed five times, gone back with once, and gone on with by another number of threads."""

from pathlib import Path

from tests.kill.toolkit import Nursery, Program

_SCRIPT = """
import os, signal, sys
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
import unbroken

resume, die_at, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.manual_seed(1)
torch.set_num_threads(threads)
x = torch.randn(200, 10)
loader = DataLoader(TensorDataset(x, x[:, :1] * x[:, 1:2]), batch_size=50, shuffle=True)
model = nn.Linear(10, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
run = unbroken.Run("checkpoints", every_epochs=3, every=None, best="aucs", resume=resume)
run.track(model=model, optimizer=optimizer)
for epoch in run.epochs(12):
    for inputs, targets in run.batches(loader):
        loss = nn.functional.mse_loss(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.average(train_losses=loss)
        if run.step == die_at - 3:
            run.flush()  # a save asked for waits for the one that is being written
            run.save()
        if run.step == die_at:
            run.flush()
            os.kill(os.getpid(), signal.SIGKILL)
    run.record(val_losses=1.1 * float(loss), aucs=epoch / (epoch + 3))
"""
_STARTS = [
    ("auto", 12, 1),
    ("auto", 16, 1),
    ("auto", 24, 1),
    ("auto", 32, 1),
    ("auto", 40, 1),
    ("auto", 0, 2),
    ("checkpoints/checkpoint_epoch_6.pth", 0, 2),
]
"""What each process resumes from, the step in which it is killed (0: not), and its threads. Each kill is in the last
step of an epoch, two whole steps behind a save: no end of an epoch is saved in between, however slow the machine."""
KILLS = 5


def live_through(folder: Path) -> Path:
    """Train in ``folder`` as told; returns the checkpoint folder."""
    script = folder / "train.py"
    script.write_text(_SCRIPT, encoding="utf-8")
    with Nursery() as nursery:
        for number, (resume, die_at, threads) in enumerate(_STARTS, 1):
            program = Program(script, (resume, str(die_at), str(threads)))
            ended = nursery.attempt(program, folder, number=number)
            assert ended.code == (-9 if die_at else 0), ended.log
    return folder / "checkpoints"
