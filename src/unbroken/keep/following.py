"""Following: what stands in the place of writer and lock in a process that trains along and writes nothing."""

from unbroken.errors import DiskError
from unbroken.store.save import SaveJob, SaveReport


class NoWriter:
    """Takes what it is given and does nothing; ``failure`` is what the first rank has told of its own."""

    busy = False
    failure: DiskError | None = None

    def __init__(self) -> None:
        self.reports: list[SaveReport] = []

    def submit(self, job: SaveJob) -> None: ...

    def insist(self) -> None: ...

    def wait(self, seconds: float | None = None) -> bool:
        return True

    def close(self) -> None: ...

    def take_reports(self) -> list[SaveReport]:
        return []


class NoLock:
    """The folder is held by the first rank."""

    def renew(self) -> None: ...

    def release(self) -> None: ...
