"""The parameters of a training run, and which of them a resumed run takes over from the run it continues."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from pathlib import Path
from typing import Any, get_type_hints

from forecaster.errors import OtherTaskError

BUNDLED = "bundled"
SPLIT_DAY = "split_day"
"""The key of a run's parameters under which the last day of its training part stands, however it was chosen."""

COLUMN_FLAGS = tuple(
    f"{role}_column" for role in ("stock", "date", "open", "high", "low", "close", "volume", "adjusted")
)
# What a run learns, from what: a history that mixes two of these means nothing.
_TASK = ("target", "train_end", "train_fraction", "drop_bad_rows", *COLUMN_FLAGS)
# Of this process, not of the run.
_OWN_TO_A_PROCESS = ("checkpoint_dir", "resume", "stop_after", "allow_changed_data")
# Unknown to runs that were begun before there were these: where they are not used, nothing has changed.
_LATER = ("split_kept", "checkpoint_freq_steps", "keep_best", "keep_every", "keep_every_steps")


@dataclass(frozen=True)
class Options:
    """One field per flag; the defaults are those of ``python Training.py``."""

    data: str = BUNDLED
    target: str = "volatility"
    train_end: str | None = None
    train_fraction: float | None = None
    drop_bad_rows: bool = False
    stock_column: str | None = None
    date_column: str | None = None
    open_column: str | None = None
    high_column: str | None = None
    low_column: str | None = None
    close_column: str | None = None
    volume_column: str | None = None
    adjusted_column: str | None = None

    epochs: int = 25
    batch_size: int = 64
    lr: float = 3e-4
    weight_decay: float = 1e-2
    seed: int = 1
    device: str = "auto"
    threads: int = 1
    num_workers: int = 0
    amp: bool = False

    checkpoint_freq: int = 5
    checkpoint_every_steps: int | None = None
    checkpoint_every: str = "10min"
    checkpoint_freq_steps: int | None = None
    keep: int | None = None
    keep_best: int | None = None
    keep_every: int | None = None
    keep_every_steps: int | None = None
    checkpoint_dir: str = "checkpoints"
    resume: str = "never"
    stop_after: str | None = None
    allow_changed_data: bool = False

    split_kept: str | None = None
    """No flag: the last day of the training part of a run that goes on with other data."""

    def parameters(self) -> dict[str, Any]:
        """What describes the run: logged at its start, stored in every checkpoint, compared on a resume."""
        named = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in _OWN_TO_A_PROCESS}
        return {name: value for name, value in named.items() if value is not None or name not in _LATER}

    def split_day(self) -> date | None:
        """The last day of the training part, where it is given or known."""
        day = self.train_end or self.split_kept
        if day is not None:
            return date.fromisoformat(day)
        return date(2009, 12, 31) if self.data == BUNDLED and self.train_fraction is None else None


def continued(given: Mapping[str, Any], saved: Mapping[str, Any], source: Path) -> Options:
    """The options of a resumed run: flags given now win, the others are as the run in ``source`` was started.

    Raises:
        OtherTaskError: a flag given now would make the run learn something else.
    """
    for name in _TASK:
        changed = name in given and name in saved and given[name] != saved[name]
        if changed and (name == "target" or not given.get("allow_changed_data")):
            flag = "--" + name.replace("_", "-")
            raise OtherTaskError("other_task", path=source, name=name, old=saved[name], new=given[name], flag=flag)
    taken = {name: value for name, value in saved.items() if name not in given and _is_ours(name, value)}
    return replace(Options(), **{**taken, **given, "split_kept": _split_kept(given, saved)})


def _split_kept(given: Mapping[str, Any], saved: Mapping[str, Any]) -> str | None:
    """The day of the split, where other data may stand before it than a fraction of them: unless another is asked for.

    By the fraction alone, days that the run has been validated on would be trained on once the file has grown.
    """
    if any(name in given and given[name] != saved.get(name) for name in ("train_end", "train_fraction")):
        return None
    day = saved.get(SPLIT_DAY if given.get("allow_changed_data") else "split_kept")
    try:
        return date.fromisoformat(day).isoformat() if isinstance(day, str) else None
    except ValueError:
        return None


def _is_ours(name: str, value: object) -> bool:
    """Whether a stored parameter is one of ours: the folder may hold the run of another script."""
    kind = get_type_hints(Options).get(name)
    if kind is None or name in _OWN_TO_A_PROCESS:
        return False
    return isinstance(value, kind) and isinstance(value, bool) == (kind is bool)
