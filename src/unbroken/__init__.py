"""Resumable training for PyTorch: kill it anywhere; resume it exactly.

Importing this package does not import torch; the first use of ``Run`` does.

>>> import torch, unbroken
>>> from torch.utils.data import DataLoader, TensorDataset
>>> def train(epochs):
...     torch.manual_seed(1)
...     model = torch.nn.Linear(1, 1)
...     optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
...     loader = DataLoader(TensorDataset(torch.ones(8, 1)), batch_size=2, shuffle=True)
...     with unbroken.Run("checkpoints") as run:
...         run.track(model=model, optimizer=optimizer)
...         for epoch in run.epochs(epochs):
...             for (inputs,) in run.batches(loader):
...                 optimizer.zero_grad()
...                 loss = (model(inputs) - 3 * inputs).square().mean()
...                 loss.backward()
...                 optimizer.step()
...                 run.average(loss=loss)
...     return run.resumed_from, run.history["loss"]
>>> train(epochs=2)[0] is None
True
>>> resumed_from, losses = train(epochs=3)
>>> resumed_from.name, len(losses)
('checkpoint_latest.pth', 3)
"""

from typing import TYPE_CHECKING

from unbroken.errors import ArchitectureChangedError as ArchitectureChangedError
from unbroken.errors import CheckpointDamagedError as CheckpointDamagedError
from unbroken.errors import DataChangedError as DataChangedError
from unbroken.errors import DiskError as DiskError
from unbroken.errors import FolderLockedError as FolderLockedError
from unbroken.errors import GuardError as GuardError
from unbroken.errors import LoaderRefusedError as LoaderRefusedError
from unbroken.errors import NothingToResumeError as NothingToResumeError
from unbroken.errors import RanksError as RanksError
from unbroken.errors import ResourcesError as ResourcesError
from unbroken.errors import Stopped as Stopped
from unbroken.errors import UnbrokenError as UnbrokenError
from unbroken.errors import UnsavableStateError as UnsavableStateError
from unbroken.errors import UsageError as UsageError
from unbroken.version import __version__ as __version__

if TYPE_CHECKING:
    from unbroken._run import Run as Run
    from unbroken.cache import cached as cached
    from unbroken.store import load as load


def __getattr__(name: str) -> object:
    if name == "Run":
        from unbroken._run import Run

        return Run
    if name == "load":
        from unbroken.store import load

        return load
    if name == "cached":
        from unbroken.cache import cached

        return cached
    raise AttributeError(f"module 'unbroken' has no attribute {name!r}")
