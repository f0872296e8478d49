"""What the training program refuses, as members of the library's tree of errors, with sentences of its own."""

import unbroken
from forecaster.messages import text


class InputError(unbroken.UsageError):
    """The data file or a flag is unusable; nothing was touched. ``str()`` is one line: what, where, what to do."""

    def __str__(self) -> str:
        return text(self.key, **self.values)


class AccessError(unbroken.DiskError):
    """A file that the program must read or write is refused by its permissions or its disk."""

    def __str__(self) -> str:
        return text(self.key, **self.values)


class NothingFoundError(unbroken.NothingToResumeError):
    """No checkpoint is where one was looked for."""

    def __str__(self) -> str:
        return text(self.key, **self.values)


class OtherTaskError(unbroken.GuardError):
    """The run to be resumed was learning something else."""

    def __str__(self) -> str:
        return text(self.key, **self.values)
