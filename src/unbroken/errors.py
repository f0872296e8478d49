"""Every error the library raises: what the caller can do about it is in the class and its exit code."""

import errno
from typing import Any

from unbroken import messages

EXIT_STOPPED = 75  # EX_TEMPFAIL of sysexits.h: stopped with the state saved, run me again


class UnbrokenError(Exception):
    """Base of all errors here. ``str()`` is one line for the user: what, where, what to do next.

    Examples:
        >>> import unbroken
        >>> try:
        ...     unbroken.Run("checkpoints", every="soon")
        ... except unbroken.UnbrokenError as error:
        ...     print(error.exit_code, error)
        2 every='soon' is not a duration above zero; write for example '90s', '10min' or '1.5h'.
    """

    exit_code = 1

    def __init__(self, key: str, /, **values: object) -> None:
        super().__init__(key, values)
        self.key = key
        self.values: dict[str, object] = values

    def __str__(self) -> str:
        return messages.text(self.key, **self.values)

    def __reduce__(self) -> tuple[Any, ...]:
        return _made_again, (type(self), self.key, self.values)


def _made_again(kind: type[UnbrokenError], key: str, values: dict[str, object]) -> UnbrokenError:
    return kind(key, **values)


class UsageError(UnbrokenError):
    """An argument or an input file is wrong; nothing was touched."""

    exit_code = 2


class UnsavableStateError(UsageError):
    """A value was handed over that no safe checkpoint can hold; the message has its path.

    Examples:
        >>> import unbroken
        >>> with unbroken.Run("checkpoints") as run:
        ...     run.state["log"] = open("training.log", "w")
        ...     for epoch in run.epochs(1):
        ...         pass
        Traceback (most recent call last):
        unbroken.errors.UnsavableStateError: ...log...
    """


class NothingToResumeError(UnbrokenError):
    """No checkpoint was found where one was asked for.

    Examples:
        >>> import unbroken
        >>> unbroken.load("nothing.pth")
        Traceback (most recent call last):
        unbroken.errors.NothingToResumeError: Nothing to resume from: ...nothing.pth does not exist...
    """

    exit_code = 3


class GuardError(UnbrokenError):
    """Going on would not be the run that was lost; refused, and the way on is named."""

    exit_code = 4


class DataChangedError(GuardError):
    """The data differ from those the run was trained on.

    Examples:
        >>> import pathlib, torch, unbroken
        >>> data = pathlib.Path("prices.csv")
        >>> def train(epochs):
        ...     with unbroken.Run("checkpoints", data=data) as run:
        ...         run.track(model=torch.nn.Linear(1, 1))
        ...         for epoch in run.epochs(epochs):
        ...             pass
        >>> _ = data.write_text("1,2,3")
        >>> train(epochs=1)
        >>> _ = data.write_text("1,2,4")
        >>> train(epochs=2)
        Traceback (most recent call last):
        unbroken.errors.DataChangedError: ...prices.csv...
    """


class ArchitectureChangedError(GuardError):
    """A tracked object does not fit the state saved for it.

    Examples:
        >>> import torch, unbroken
        >>> def train(model, epochs):
        ...     with unbroken.Run("checkpoints") as run:
        ...         run.track(model=model)
        ...         for epoch in run.epochs(epochs):
        ...             pass
        >>> train(torch.nn.Linear(1, 1), epochs=1)
        >>> train(torch.nn.Linear(2, 1), epochs=2)
        Traceback (most recent call last):
        unbroken.errors.ArchitectureChangedError: ...model.weight...
    """


class LoaderRefusedError(GuardError):
    """A loader whose position cannot be restored exactly."""


class FolderLockedError(GuardError):
    """Another trainer holds the checkpoint folder."""


class RanksError(UnbrokenError):
    """Of the processes that train together another one has failed, or is gone."""


class CheckpointDamagedError(UnbrokenError):
    """A checkpoint file is damaged, foreign or hostile; it was not loaded.

    Examples:
        >>> import pathlib, unbroken
        >>> pathlib.Path("empty.pth").touch()
        >>> unbroken.load("empty.pth")
        Traceback (most recent call last):
        unbroken.errors.CheckpointDamagedError: empty.pth was not loaded: the file is empty (0 bytes)...
    """

    exit_code = 5


class ResourcesError(UnbrokenError):
    """This process was refused memory or open files (EX_OSERR); no file is at fault, and none was touched."""

    exit_code = 71


class DiskError(UnbrokenError):
    """The state is not safe on disk: no space, no permission, or an I/O error (EX_IOERR)."""

    exit_code = 74


class Stopped(SystemExit):
    """The run stopped on a signal or its time budget, with its state saved; ``code`` is 75, or 74 if unsaved.

    Examples:
        >>> import torch, unbroken
        >>> try:
        ...     with unbroken.Run("checkpoints", stop_after=1e-6) as run:
        ...         run.track(model=torch.nn.Linear(1, 1))
        ...         for epoch in run.epochs(100):
        ...             pass
        ... except unbroken.Stopped as stopped:
        ...     print(stopped.code)
        75
    """


_REFUSALS = {errno.ENOMEM, errno.EMFILE, errno.ENFILE}
_TORCHS_REFUSALS = ("can't allocate memory", "Cannot allocate memory", "out of memory")


def is_refusal(error: BaseException) -> bool:
    """Whether ``error`` says no more than that the system had no memory, or no open file, to give.

    Torch's allocators raise a RuntimeError, known by its text alone.
    """
    if isinstance(error, OSError):
        return error.errno in _REFUSALS
    if isinstance(error, RuntimeError):
        return any(text in str(error) for text in _TORCHS_REFUSALS)
    return isinstance(error, MemoryError)


def reason_of(error: BaseException) -> str:
    """What a refusal says, in one line."""
    return str(error).partition("\n")[0][:200] or type(error).__name__
