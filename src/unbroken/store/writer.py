"""The background writer: has one snapshot at a time saved while training goes on; the first to know how a save went."""

import contextlib
import os
import sys
import threading

from unbroken.errors import DiskError
from unbroken.store import index
from unbroken.store.aside import clean
from unbroken.store.figures import SaveFigures
from unbroken.store.folder import CheckpointFolder
from unbroken.store.save import Branch, save
from unbroken.store.save import SaveJob as SaveJob
from unbroken.store.save import SaveReport as SaveReport

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0  # seconds between two tries of a lost job
_NICE = 5  # below training's; at the lowest it starves, and a save under way for longer costs training more


class Writer:
    """Saves jobs one after the other in one background thread that no failure ends. Needs the folder's lock held.

    Nothing is called back: the owner asks (``busy``, ``failure``, ``take_reports``) when it suits it.
    ``reports`` are of the saves finished of which none was taken. ``lost`` is a job that was the last of
    its run, if its state is not safe.
    """

    def __init__(self, folder: CheckpointFolder) -> None:
        self.folder = folder
        self.failure: DiskError | None = None
        self._retired: set[Branch] = set()
        self._figures = SaveFigures(folder)
        self._changed = threading.Condition()
        self._job: SaveJob | None = None
        self._closed = False
        self._insists = False
        self.lost: SaveJob | None = None
        self.reports: list[SaveReport] = []
        self._thread = threading.Thread(target=self._work, name="unbroken-writer", daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether a job is being saved."""
        return self._job is not None

    def submit(self, job: SaveJob) -> None:
        """Hand ``job`` over; waits until the writer is free, not until the job is done."""
        with self._changed:
            if self._closed:
                raise RuntimeError("the writer is closed")
            self._changed.wait_for(lambda: self._job is None)
            self.lost, self._insists = None, False
            self._job = job
            self._changed.notify_all()

    def insist(self) -> None:
        """Try the lost job again, again and again, until it is safe, another is handed over, or ``close`` is called.

        Only that it went well is reported then.
        """
        with self._changed:
            self._insists = self.lost is not None
            self._changed.notify_all()

    def wait(self, seconds: float | None = None) -> bool:
        """Return when everything handed over is durable or has failed, or after ``seconds``; whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._job is None, seconds)

    def close(self) -> None:
        """Finish the job in hand, try the one insisted on a last time, end the thread; again, it does nothing."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def take_reports(self) -> list[SaveReport]:
        """The reports of the saves finished since the last call, in order."""
        with self._changed:
            reports, self.reports = self.reports, []
            return reports

    def _work(self) -> None:
        _lower_priority()
        with contextlib.suppress(DiskError):  # litter is in nobody's way
            clean(self.folder)
            index.mend(self.folder)
        pause = _FIRST_PAUSE
        while True:
            with self._changed:
                self._wait_for_work(pause)
                job = self._job
                again = job is None and self._insists and self.lost is not None
                if again:
                    job = self.lost
                    pause = min(2 * pause, _LONGEST_PAUSE)
                closing = self._closed and self._job is None
            if job is None:
                if closing:
                    return
                continue
            report = save(self.folder, job, self._retired)
            self._figures.note(job, report)
            with self._changed:
                if self.lost is job or not again:  # else another was handed over meanwhile
                    self.failure = None if report.safe else report.error
                    self.lost = job if job.last and not report.safe else None
                    self._insists = again and not report.safe
                if report.safe or not again:
                    self.reports.append(report)
                if not again:
                    self._job, pause = None, _FIRST_PAUSE
                job = None
                self._changed.notify_all()
                if closing:
                    return

    def _wait_for_work(self, pause: float) -> None:
        """Until there is a job, or the end, or a word to insist; for ``pause`` seconds at most where that was given."""
        insists = self._insists
        self._changed.wait_for(
            lambda: self._job is not None or self._closed or self._insists != insists, pause if insists else None
        )


def _lower_priority() -> None:
    """On Linux a thread has a niceness of its own: training comes before saving."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            thread = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _NICE)
