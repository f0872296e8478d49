"""Processes: runs the user's command in a copy of its folder, kills it at a moment, and tells how it ended."""

import contextlib
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from unbroken.audit import opens
from unbroken.audit.candidates import can_be, files_in
from unbroken.audit.moments import Interruption
from unbroken.audit.opens import Accesses, Opened
from unbroken.audit.trace import Moment, Tail, Trace
from unbroken.errors import UsageError
from unbroken.loop import trace

_ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
_LOOK_EVERY = 0.005
_QUIET = 0.02
_LONGEST_SETTLING = 1.0
_LONGEST_STOP = 60.0
_TAIL = 1 << 14
_SAID_LINES = 3
_TRACEBACK = "Traceback (most recent call last)"


@dataclass(frozen=True)
class Start:
    """What is started, and where. ``checkpoints``: the folder to watch; of a traced script it is found out, and until
    then it is all of ``folder``, unless that is large.

    ``there``: files of ``folder`` of which is told whether they are read; ``opens``: the file to report that in.
    """

    command: Sequence[str]
    folder: Path
    environment: Mapping[str, str]
    trace: Path
    log: Path
    checkpoints: Path | None
    limit: float
    opens: Path
    there: frozenset[str] = frozenset()
    large: bool = False


@dataclass
class Attempt:
    """One process from its start to its end. ``saves``: how often its folder of checkpoints was another one.

    ``seconds`` are those of the clock, ``work`` those of the processor, of all its processes.
    """

    trace: Trace
    interruption: Interruption | None
    code: int = 0
    seconds: float = 0.0
    work: float = 0.0
    told: list[tuple[float, Moment]] = field(default_factory=list)
    signalled_at: float | None = None
    timed_out: bool = False
    said: str = ""
    opened: Opened = field(default_factory=Opened)
    saves: int = 0

    @property
    def last(self) -> Moment | None:
        """The last thing it told."""
        return self.told[-1][1] if self.told else None


def run(start: Start, interruption: Interruption | None, look: Callable[[Moment | None], None]) -> Attempt:
    """Start the command and see it to its end, interrupting it when its moment comes; ``look`` is told how far it is.

    Everything it started in its process group is dead on return.

    Raises:
        UsageError: there is no such command.
    """
    environment = opens.environment(start.environment, start.opens)
    environment |= {trace.FILE: str(start.trace), trace.ROOT: str(start.folder)}
    if interruption is not None and interruption.hold and interruption.place is not None:
        environment[trace.HOLD] = str(interruption.place)
    worked = _work_of_children()
    with start.log.open("wb") as log, _HeldBack() as signals:
        try:
            process = subprocess.Popen(
                start.command,
                cwd=start.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise UsageError("audit_no_command", command=start.command[0], reason=error.strerror) from error
        watch = _Watch(process.pid, start, interruption)
        try:
            signals.let_go()
            while not _has_ended(process.pid):
                look(watch.see())
                time.sleep(_LOOK_EVERY)
        finally:
            # Before it is reaped: until then no stranger can have got its number.
            _kill(process.pid, start.trace)
            code = process.wait()
            watch.see()
            watch.close()
    attempt = watch.attempt
    attempt.code, attempt.seconds, attempt.said = code, watch.now(), _said(start.log)
    attempt.work = _work_of_children() - worked
    attempt.opened = opens.reported(start.opens)
    attempt.opened = replace(attempt.opened, inside=attempt.opened.inside | watch.read)
    return attempt


def _work_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class _HeldBack:
    """Puts off the signals that end this process: one that comes while a script is started would leave it running.

    Not by a mask, which the script would be born with.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._came: list[int] = []

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _ENDING:
                self._before[number] = signal.signal(number, lambda came, _frame: self._came.append(came))
        return self

    def let_go(self) -> None:
        """From here on they do what they did; those that came do it now."""
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        while self._came:
            signal.raise_signal(self._came.pop())

    def __exit__(self, *_: object) -> None:
        self.let_go()


class _Watch:
    """Looks at one process, again and again, and sends the signals that are due."""

    def __init__(self, pid: int, start: Start, interruption: Interruption | None) -> None:
        self._pid = pid
        self._told_in = start.trace
        self._limit = start.limit
        self._started = time.monotonic()
        self._tail = Tail(start.trace)
        self._found_out = start.checkpoints is not None
        self._folder = start.folder if start.checkpoints is None and not start.large else start.checkpoints
        self._cwd = start.folder
        self._files: object = None
        self._changed_at: float | None = None
        self._saved = False  # a change that is not counted yet
        self._accesses = Accesses(start.folder)
        self._accesses.begin(start.there)
        self._due: float | None = None
        self.attempt = Attempt(Trace(start.trace), interruption)
        if interruption is not None and interruption.place is None:
            self._due = interruption.delay

    def now(self) -> float:
        return time.monotonic() - self._started

    @property
    def read(self) -> frozenset[str]:
        return frozenset(self._accesses.read)

    def see(self) -> Moment | None:
        for moment in self._tail.new():
            self._take(moment)
        self._accesses.look()
        self._look_into_folder()
        if self.attempt.signalled_at is None:
            if self._is_due():
                self._interrupt()
        elif self.now() > self.attempt.signalled_at + _LONGEST_STOP:
            _kill(self._pid, self._told_in)
        if self.now() > self._limit:
            self.attempt.timed_out = True
            _kill(self._pid, self._told_in)
        return self.attempt.last

    def close(self) -> None:
        self._tail.close()
        self.attempt.saves += self._saved

    def _take(self, moment: Moment) -> None:
        self.attempt.told.append((self.now(), moment))
        if not self._found_out:
            self._found_out, self._folder, self._files = True, self._cwd / trace.folder_of(moment.run), None
        interruption = self.attempt.interruption
        if interruption is None or interruption.place is None or self._due is not None:
            return
        if interruption.place.holds(moment.kind, moment.step, moment.epoch):
            self._due = self.now() + interruption.delay

    def _look_into_folder(self) -> None:
        if self._folder is None:
            return
        # Written to all the time by many a script: a log, a curve. Nobody's state is in them.
        files = sorted((name, at.st_size, at.st_mtime_ns) for name, at in files_in(self._folder) if can_be(name))
        if files != self._files:
            self._saved = self._files is not None
            self._changed_at = None if self._files is None and not files else self.now()
            self._files = files
        elif self._saved and self._changed_at is not None and self.now() - self._changed_at > _QUIET:
            self._saved = False
            self.attempt.saves += 1

    def _is_due(self) -> bool:
        interruption = self.attempt.interruption
        if interruption is None or self._due is None or self.now() < self._due:
            return False
        changed = self._changed_at if self._changed_at is not None else 0.0
        if interruption.at_change and changed < self._due:
            return False
        if interruption.settled:
            waited = self.now() - max(self._due, changed)
            return waited > _QUIET or self.now() > self._due + _LONGEST_SETTLING + interruption.delay
        return True

    def _interrupt(self) -> None:
        assert self.attempt.interruption is not None
        self.attempt.signalled_at = self.now()
        if self.attempt.interruption.stop:
            _signal(self._pid, signal.SIGTERM)
        else:
            _kill(self._pid, self._told_in)


def _has_ended(pid: int) -> bool:
    """Without reaping it: its number stays its own, and its group can still be signalled."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _kill(group: int, told_in: Path) -> None:
    """A process group and, on Linux, whatever it has started in groups of their own, as torchrun does its ranks."""
    _signal(group, signal.SIGKILL)
    mark = f"{trace.FILE}={told_in}".encode()
    for found in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # another's, or gone
            if mark in found.read_bytes().split(b"\0") and int(found.parent.name) != os.getpid():
                os.kill(int(found.parent.name), signal.SIGKILL)


def _signal(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return


def _said(log: Path) -> str:
    """The last lines of its output: what it says of why it ended. Of a traceback, its end."""
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL))
        text = file.read().decode(errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " / ".join(lines[-1 if _TRACEBACK in text else -_SAID_LINES :])
