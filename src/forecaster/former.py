"""What a former run left behind: the parameters it was started with, or a helpful answer where there is nothing."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import unbroken
from forecaster.errors import NothingFoundError
from forecaster.messages import text

_log = logging.getLogger("forecaster")


def saved_parameters(checkpoint: Path) -> Mapping[str, Any]:
    """The parameters stored in one checkpoint; none in a file that a plain script wrote.

    Raises:
        NothingToResumeError: there is no such file.
        CheckpointDamagedError: it is damaged.
    """
    own = unbroken.load(checkpoint).get("unbroken")
    config = own.get("config") if isinstance(own, Mapping) else None
    return dict(config) if isinstance(config, Mapping) else {}


def newest_parameters(folder: Path, cache: Path) -> Mapping[str, Any]:
    """The parameters of the run in ``folder``, from the newest file that can be read.

    Which checkpoint is resumed from is not decided here; if it was started otherwise, that is logged then.

    Raises:
        NothingFoundError: there is no checkpoint; the message says where was looked, what was found, what to run.
    """
    checkpoints = [path for path in folder.glob("*.pth") if path.is_file() and not path.is_symlink()]
    if not checkpoints:
        raise NothingFoundError("nothing_found", folder=folder, found=_found(folder), cache=_cache(cache))
    for path in sorted(checkpoints, key=lambda path: path.stat().st_mtime_ns, reverse=True):
        try:
            return saved_parameters(path)
        except unbroken.CheckpointDamagedError as damaged:
            _log.debug("%s", damaged)  # the resume itself says so, and what it does about it
    return {}


def _found(folder: Path) -> str:
    if not folder.is_dir():
        return text("found_no_folder")
    archived = sorted(folder.glob("archive/*/checkpoint_latest.pth"), key=lambda path: path.stat().st_mtime_ns)
    if archived:
        names = ", ".join(path.parent.name for path in archived)
        return text("found_archive", names=names, example=archived[-1])
    others = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    return text("found_others", names=", ".join(others[:5])) if others else text("found_nothing")


def _cache(path: Path) -> str:
    return text("found_cache" if path.is_file() else "found_no_cache", path=path)
