"""Starts one process of a script, listens to it, interrupts it at a moment, and tells how it ended."""

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import unbroken
from tests.kill.toolkit import script
from tests.kill.toolkit.moments import LAUNCHED, Interruption
from tests.kill.toolkit.watch import FolderWatch
from tests.patience import Patience

ROOT = Path(__file__).resolve().parents[3]
# The processes under test get the tests and the library that this process has.
_PATH = os.pathsep.join([str(ROOT), str(Path(unbroken.__file__).parents[1])])

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_LONGEST_MESSAGE = 1 << 16


@dataclass(frozen=True)
class Program:
    """A training script and its arguments. ``fresh``: a new interpreter, not a fork that has torch imported."""

    path: Path
    arguments: tuple[str, ...] = ()
    fresh: bool = False

    @property
    def argv(self) -> list[str]:
        return [str(self.path), *self.arguments]


@dataclass
class Attempt:
    """One process from its start to its end: its exit code (minus the signal that killed it) and its events."""

    code: int
    events: list[tuple[float, str]]
    log: str
    signalled_at: float | None
    ended_at: float
    signals_sent: int = 0

    @property
    def lines(self) -> list[str]:
        return [text for _, text in self.events]

    def last_line(self) -> str:
        """The last thing the script said, for reports."""
        said = [text for text in self.lines if not text.startswith(("create ", "rename ", "delete "))]
        return said[-1] if said else "-"


class StuckError(Exception):
    """A process had to be killed because its time was up."""


class Nursery:
    """The toolkit's end of the nursery process; one process under test at a time."""

    def __init__(self) -> None:
        # For what killed processes leave behind; with a short name, as sockets are made in it.
        self._temporary = tempfile.TemporaryDirectory(prefix="kill-")
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = {**os.environ, **_ONE_THREAD, "PYTHONPATH": _PATH}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.kill.toolkit.nursery", str(theirs.fileno())],
            cwd=ROOT,
            env=environment,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        theirs.close()

    def attempt(
        self,
        program: Program,
        folder: Path,
        interruption: Interruption | None = None,
        *,
        number: int = 1,
        time_limit: float = 90.0,
    ) -> Attempt:
        """Run the program in ``folder`` until it ends, interrupting it if its moment comes.

        Raises:
            StuckError: it computed for ``time_limit`` seconds or did nothing for as long; it is dead now.
        """
        channels = _Channels(folder, number, interruption)
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("KILL_")},
            **_ONE_THREAD,
            "PYTHONPATH": _PATH,
            "TMPDIR": self._temporary.name,
            "UNBROKEN_LANG": "zh",
            script.PROGRESS: str(channels.progress_path),
            script.GATE: str(channels.gate_path),
        }
        if interruption is not None and interruption.hold is not None:
            environment[script.HOLD] = interruption.hold
        with channels:
            started = self._ask(
                {
                    "do": "start",
                    "argv": program.argv,
                    "fresh": program.fresh,
                    "folder": str(folder),
                    "log": str(channels.log_path),
                    "environment": environment,
                }
            )
            course = _Course(started["started"], interruption, time.monotonic())
            for event in channels.events(self._control, course, Patience(course.pid, time_limit)):
                course.see(event)
            if course.code is None:
                os.killpg(course.pid, signal.SIGKILL)
                self._receive()
                log = channels.log_path.read_text(errors="replace")[-3000:]
                raise StuckError(f"computed or did nothing for {time_limit:.0f} s, last: {course.events[-1]}\n{log}")
            return Attempt(
                code=course.code,
                events=course.events,
                log=channels.log_path.read_text(errors="replace"),
                signalled_at=course.signalled_at,
                ended_at=course.now(),
                signals_sent=course.signals_sent,
            )

    def clear(self) -> None:
        """End every process that is left of earlier attempts, such as workers that outlived their parent."""
        self._ask({"do": "clear"})

    def close(self) -> None:
        self._control.shutdown(socket.SHUT_RDWR)  # closing it is not enough: a process forked here may have it, too
        self._control.close()
        self._process.wait(timeout=30)
        self._temporary.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, message: Mapping[str, Any]) -> dict[str, Any]:
        self._control.send(json.dumps(message).encode())
        return self._receive()

    def _receive(self) -> dict[str, Any]:
        answer = self._control.recv(_LONGEST_MESSAGE)
        if not answer:
            raise RuntimeError("the nursery process has died")
        parsed: dict[str, Any] = json.loads(answer)
        return parsed


@dataclass
class _Course:
    """What has happened to one process so far, and when the next signal is to be sent."""

    pid: int
    interruption: Interruption | None
    started: float
    events: list[tuple[float, str]] = field(default_factory=list)
    code: int | None = None
    due: float | None = None
    signalled_at: float | None = None
    signals_sent: int = 0
    _matched: int = 0

    def __post_init__(self) -> None:
        self.see(LAUNCHED)

    def now(self) -> float:
        return time.monotonic() - self.started

    def see(self, text: str) -> None:
        now = self.now()
        self.events.append((now, text))
        if self.interruption is None or self.signals_sent or self.due is not None:
            return
        moment = self.interruption.moment
        if moment.matches(text):
            self._matched += 1
            if self._matched == moment.nth:
                self.due = now + moment.delay

    def interrupt(self) -> None:
        """Send the signal; never to a process whose end was already told, nor, being a zombie, to another."""
        assert self.interruption is not None
        send = os.killpg if self.interruption.target == "group" else os.kill
        send(self.pid, self.interruption.signal)
        self.signals_sent += 1
        self.signalled_at = self.signalled_at or self.now()
        insist, enough = self.interruption.insist, self.signals_sent == self.interruption.most
        self.due = None if insist is None or enough else self.now() + insist


class _Channels:
    """The FIFOs, the log and the watch of one attempt; closed, the FIFOs are gone."""

    def __init__(self, folder: Path, number: int, interruption: Interruption | None) -> None:
        self.folder = folder.parent / f"{folder.name}-attempts" / str(number)
        self.folder.mkdir(parents=True)
        self.progress_path = self.folder / "progress"
        self.gate_path = self.folder / "gate"
        self.log_path = self.folder / "log"
        os.mkfifo(self.progress_path)
        os.mkfifo(self.gate_path)
        # Without waiting for the script's end; and never at an end of file before the script has opened it.
        self._progress = os.open(self.progress_path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._gate: int | None = None
        self._watch = FolderWatch(folder)
        self._rest = b""

    def events(self, control: socket.socket, course: _Course, patience: Patience) -> Iterator[str]:
        """What happens, as it happens, until the process has ended or patience with it; interrupts when due."""
        with selectors.DefaultSelector() as selector:
            for source in (control, self._progress, self._watch.descriptor):
                selector.register(source, selectors.EVENT_READ)
            while course.code is None:
                rest = patience.until_next_look if course.due is None else course.due - course.now()
                ready = {key.fileobj for key, _ in selector.select(max(0.0, rest))}
                if patience.spent:
                    break
                yield from self._take()
                if control in ready:
                    course.code = json.loads(control.recv(_LONGEST_MESSAGE))["code"]
                elif course.due is not None and course.now() >= course.due:
                    course.interrupt()
                    if course.interruption is not None and course.interruption.release:
                        self._open_gate()
        yield from self._take()

    def _take(self) -> Iterator[str]:
        # The folder first: the script says "begun" after its first save is in place.
        yield from self._watch.take()
        while True:
            try:
                raw = os.read(self._progress, 1 << 16)
            except BlockingIOError:
                return
            *lines, self._rest = (self._rest + raw).split(b"\n")
            for line in lines:
                yield line.decode()

    def _open_gate(self) -> None:
        if self._gate is None:  # held open for both ends, so that the script passes now and ever after
            self._gate = os.open(self.gate_path, os.O_RDWR | os.O_CLOEXEC)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._watch.close()
        os.close(self._progress)
        if self._gate is not None:
            os.close(self._gate)
        self.progress_path.unlink()
        self.gate_path.unlink()
