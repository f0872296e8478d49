"""Origin: the arguments of ``Run`` about its folder; of those on what is kept it makes ``retention``'s ``Policy``.

Beginning and keeper have it whole, so that another argument reaches them by itself.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unbroken.disk.space import parse_size
from unbroken.errors import UsageError
from unbroken.keep.arguments import whole_number
from unbroken.store.retention import Policy

# Set by the scheduler when it starts the same job again; a job that started over then would lose its run.
_REQUEUE_COUNTERS = ("SLURM_RESTART_COUNT", "TORCHELASTIC_RESTART_COUNT")


@dataclass(frozen=True)
class Origin:
    """What the user said about where the run comes from and what it is made of."""

    folder: str | os.PathLike[str]
    resume: str | os.PathLike[str]
    config: Mapping[str, Any]
    data: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None
    allow_changed_data: bool
    policy: Policy | None
    """Which numbered checkpoints to keep; None keeps all."""
    seed: int | None = None
    goes_on_with: str | None = None
    """The run of this process, by its name, that was broken off and goes on in the objects it has trained."""
    working_folder: Path = field(default_factory=lambda: _working_folder())

    def __post_init__(self) -> None:
        data = self.data if isinstance(self.data, Sequence) and not isinstance(self.data, str) else [self.data]
        if not isinstance(self.resume, str | os.PathLike) or _is_mere_word(self.resume):
            raise UsageError("bad_resume", value=self.resume)
        paths = [("folder", self.folder), *(("data", one) for one in data if one is not None)]
        for option, path in paths:
            if not isinstance(path, str | os.PathLike):
                raise UsageError("bad_path", option=option, value=path)
        if not isinstance(self.config, Mapping):
            raise UsageError("bad_config", kind=type(self.config).__name__)

    @property
    def keep_best(self) -> int | None:
        """Of how many best epochs a numbered checkpoint is kept, and made."""
        return None if self.policy is None else self.policy.best

    @property
    def starts_over(self) -> bool:
        """Whether the same command, run again, would not go on with this run."""
        return os.fspath(self.resume) == "never"

    @property
    def path(self) -> str | None:
        """The file to resume from, as it was written; None where none was named."""
        resume = os.fspath(self.resume)
        return None if resume in ("auto", "never") else resume

    @property
    def place(self) -> Path:
        """The checkpoint folder: wherever the program goes by ``os.chdir``, the one meant when the Run was made."""
        return self.working_folder / self.folder

    @property
    def data_paths(self) -> list[Path]:
        """The data files, likewise."""
        if self.data is None:
            return []
        several = [self.data] if isinstance(self.data, str | os.PathLike) else self.data
        return [self.working_folder / one for one in several]


def policy(
    keep: int | None,
    keep_space: str | int | None,
    keep_best: int | None,
    keep_every: int | None,
    keep_every_steps: int | None,
    *,
    metric: str | None,
) -> Policy | None:
    """The policy of these arguments of ``Run``, with the ``metric`` that decides about the best; None keeps all.

    Raises UsageError where one is out of range, or there is nothing by which the best is known.
    """
    counts = {"keep": keep, "keep_best": keep_best, "keep_every": keep_every, "keep_every_steps": keep_every_steps}
    for option, count in counts.items():
        if count is not None:
            whole_number(count, option)
    if keep_best is not None and metric is None:
        raise UsageError("keep_best_of_what")
    space = None if keep_space is None else parse_size(keep_space)
    chosen = Policy(newest=keep, space=space, best=keep_best, every=keep_every, every_steps=keep_every_steps)
    return None if chosen == Policy() else chosen


def requeue_counter() -> str | None:
    """The variable by which a scheduler tells that it has started this job again; None if it has not."""
    return next((name for name in _REQUEUE_COUNTERS if _is_positive(os.environ.get(name))), None)


def _working_folder() -> Path:
    """Where the program is; relative paths stay relative where that folder was deleted."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path()


def _is_mere_word(resume: str | os.PathLike[str]) -> bool:
    """Whether somebody has guessed at a word, as ``"latest"``, that is none of ours and no file."""
    word = os.fspath(resume)
    return word not in ("auto", "never") and word.isidentifier() and not Path(word).exists()


def _is_positive(count: str | None) -> bool:
    return count is not None and count.isdigit() and int(count) > 0
