"""What a former run left behind: the parameters it was started with, or a helpful answer where there is nothing."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import unbroken
from forecaster.errors import AccessError, InputError, NothingFoundError
from forecaster.messages import text

_log = logging.getLogger("forecaster")


def saved_parameters(checkpoint: Path) -> Mapping[str, Any]:
    """The parameters stored in one checkpoint; none in a file that a plain script wrote.

    Raises:
        NothingToResumeError: there is no such file.
        CheckpointDamagedError: it is damaged.
    """
    return _parameters(unbroken.load(checkpoint))


def newest_parameters(folder: Path, cache: Path) -> Mapping[str, Any]:
    """The parameters of the run in ``folder``, from the most advanced state that can be read, whatever its name or age.

    Which checkpoint is resumed from is not decided here; if it was started otherwise, that is logged then.

    Raises:
        InputError: it is a file.
        AccessError: it can't be looked into.
        NothingFoundError: there is no checkpoint; the message says where was looked, what was found, what to run.
    """
    checkpoints = [path for path in _entries(folder) if path.suffix == ".pth" and (path.is_file() or path.is_symlink())]
    if not checkpoints:
        raise NothingFoundError("nothing_found", folder=folder, found=_found(folder), cache=_cache(cache))
    found: list[tuple[tuple[int, ...], Mapping[str, Any]]] = []
    for path in checkpoints:
        try:
            payload = unbroken.load(path)
        except (unbroken.CheckpointDamagedError, unbroken.NothingToResumeError) as damaged:
            _log.debug("%s", damaged)  # the resume itself says so, and what it does about it
            continue
        if parameters := _parameters(payload):
            found.append((_progress(payload["unbroken"]), parameters))
    return max(found, key=lambda state: state[0])[1] if found else {}


def _parameters(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    own = payload.get("unbroken")
    config = own.get("config") if isinstance(own, Mapping) else None
    return dict(config) if isinstance(config, Mapping) else {}


def _progress(own: Mapping[str, Any]) -> tuple[int, ...]:
    """By branch, then by step: no clock, which a copied folder has lost."""
    return tuple(own[key] if isinstance(own.get(key), int) else -1 for key in ("branch", "step"))


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []
    except NotADirectoryError as error:
        raise InputError("folder_is_file", path=folder) from error
    except OSError as error:
        raise AccessError("folder_unreadable", path=folder, reason=error.strerror) from error


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
