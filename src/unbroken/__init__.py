"""Resumable training for PyTorch: kill it anywhere; resume it exactly.

Importing this package does not import torch; the first use of ``Run`` does.
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
