"""Nothing found: what was looked for, where, what is there instead, and what to run next."""

import os
import shlex
from pathlib import Path

from unbroken.cli.checkpoints import archived_runs
from unbroken.disk.space import human
from unbroken.errors import NothingToResumeError, UsageError
from unbroken.messages import text
from unbroken.store.folder import CheckpointFolder

_CACHE = "processed_data.npz"
_TRAINING = "Training.py"
_NAMED = 6


def nothing_found(folder: CheckpointFolder) -> NothingToResumeError:
    """The error for a folder without checkpoints."""
    return NothingToResumeError(
        "cli_nothing",
        pattern=folder.path.absolute() / "*.pth",
        found=_found(folder),
        cache=_cache(folder.path.parent / _CACHE),
        next=_next(folder),
    )


def no_such_file(path: Path) -> NothingToResumeError:
    """The error for a checkpoint that is not there."""
    folder = CheckpointFolder(path.parent)
    names = [found.name for found in folder.checkpoints()] if folder.path.is_dir() else []
    if not names:
        return NothingToResumeError("cli_no_file_alone", path=path.absolute(), found=_found(folder), next=_next(folder))
    return NothingToResumeError(
        "cli_no_file", path=path.absolute(), found=_listed(names), next=command("list", folder.path)
    )


def existing_file(path: Path) -> Path:
    """``path``, if it is no folder and something is there. Raises UsageError, NothingToResumeError."""
    if path.is_dir():
        raise UsageError("cli_not_a_file", path=path, next=command("list", path))
    if not os.path.lexists(path):
        raise no_such_file(path)
    return path


def _found(folder: CheckpointFolder) -> str:
    try:
        names = sorted(entry.name for entry in folder.path.iterdir() if not entry.name.startswith("."))
    except FileNotFoundError:
        return text("cli_found_no_folder")
    except OSError as error:
        return text("cli_found_unreadable", reason=error.strerror)
    return text("cli_found_only", names=_listed(names)) if names else text("cli_found_empty")


def _cache(path: Path) -> str:
    try:
        return text("cli_cache_there", path=path.absolute(), size=human(path.stat().st_size))
    except OSError:
        return text("cli_cache_missing", path=path.absolute())


def _next(folder: CheckpointFolder) -> str:
    elsewhere = archived_runs(folder) or _neighbours(folder)
    if elsewhere:
        return text("cli_next_elsewhere", command=command("list", elsewhere[0].path), count=len(elsewhere))
    if Path(_TRAINING).is_file():
        return text("cli_next_training", command=f"python {_TRAINING}")
    return text("cli_next_script")


def _neighbours(folder: CheckpointFolder) -> list[CheckpointFolder]:
    """Checkpoint folders beside or above ``folder``: somebody may have named the wrong one."""
    above = folder.path.parent
    try:
        paths = [above, *sorted(path for path in above.iterdir() if path.is_dir())]
    except OSError:
        return []
    found = [neighbour for neighbour in map(CheckpointFolder, paths) if neighbour.latest.is_file()]
    return sorted(found, key=lambda neighbour: neighbour.latest.stat().st_mtime, reverse=True)


def command(name: str, path: Path) -> str:
    """What to type to run ``name`` on ``path``."""
    return f"unbroken {name} {shlex.quote(str(path))}"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
