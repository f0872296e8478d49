"""Resumable training for PyTorch: kill it anywhere; resume it exactly.

Importing this package imports nothing else: each name brings what it needs at its first use, ``Run`` torch.

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

from unbroken.version import __version__ as __version__

TYPE_CHECKING = False  # typing's own takes as long to import as Python to begin; type checkers know this name, too
if TYPE_CHECKING:
    from unbroken._run import Run as Run
    from unbroken.cache import cached as cached
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
    from unbroken.store import load as load

_HOMES = {
    "Run": "unbroken._run",
    "cached": "unbroken.cache",
    "load": "unbroken.store",
    "ArchitectureChangedError": "unbroken.errors",
    "CheckpointDamagedError": "unbroken.errors",
    "DataChangedError": "unbroken.errors",
    "DiskError": "unbroken.errors",
    "FolderLockedError": "unbroken.errors",
    "GuardError": "unbroken.errors",
    "LoaderRefusedError": "unbroken.errors",
    "NothingToResumeError": "unbroken.errors",
    "RanksError": "unbroken.errors",
    "ResourcesError": "unbroken.errors",
    "Stopped": "unbroken.errors",
    "UnbrokenError": "unbroken.errors",
    "UnsavableStateError": "unbroken.errors",
    "UsageError": "unbroken.errors",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'unbroken' has no attribute {name!r}")
    from importlib import import_module

    found: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
