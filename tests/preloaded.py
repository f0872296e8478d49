"""Commands typed often: forked from a process that has imported what all of them import, torch before all.

A command started so is set up as a fresh one is: its own folder, environment, arguments and streams; of this project
nothing is imported yet. The tests of the pages start theirs for real.
"""

import array
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from tests.patience import Patience

_LONGEST_MESSAGE = 1 << 17
_STREAMS = 3  # input, output, errors
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}  # none is left by a fork


class Command:
    """A command that was started: as much of ``subprocess.Popen`` as the tests use.

    Until its end was asked for it stays a zombie, so that no signal can reach another process.
    """

    def __init__(self, pid: int, control: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._control = control
        self._ending = os.pidfd_open(pid)

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._ending], [], [], 0)[0]:
            self._control.send(b"{}")
            self.returncode = json.loads(self._control.recv(_LONGEST_MESSAGE))["code"]
            self._control.close()
            os.close(self._ending)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises TimeoutExpired if it has not ended after ``timeout`` seconds."""
        if self.returncode is None and not select.select([self._ending], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        code = self.poll()
        assert code is not None
        return code

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            signal.pidfd_send_signal(self._ending, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Preloaded:
    """The process that commands are forked from."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        root = Path(__file__).resolve().parents[1]
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.preloaded", str(theirs.fileno())],
                cwd=root,
                env={**os.environ, "PYTHONPATH": str(root), **_ONE_THREAD},
                pass_fds=[theirs.fileno()],
            )

    def start(
        self, argv: Sequence[str], folder: Path, environment: Mapping[str, str], out: int, errors: int
    ) -> Command:
        """``python argv…`` in ``folder``, which writes to the descriptors ``out`` and ``errors``."""
        with Path(os.devnull).open() as nothing:
            mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                job = {"argv": list(argv), "folder": str(folder), "environment": dict(environment)}
                descriptors = array.array("i", [nothing.fileno(), out, errors, theirs.fileno()])
                socket.send_fds(self._control, [json.dumps(job).encode()], descriptors)
        pid = json.loads(mine.recv(_LONGEST_MESSAGE))["pid"]
        return Command(pid, mine)

    def run(
        self, argv: Sequence[str], folder: Path, environment: Mapping[str, str], patience: float
    ) -> tuple[int, str, str]:
        """The same to its end: its exit code, its output and its errors.

        Raises:
            AssertionError: it computed for ``patience`` seconds, or did nothing for as long; it is dead now.
        """
        with TemporaryFile("w+", encoding="utf-8") as out, TemporaryFile("w+", encoding="utf-8") as errors:
            command = self.start(argv, folder, environment, out.fileno(), errors.fileno())
            with_it = Patience(command.pid, patience)
            while command.poll() is None and not with_it.spent:
                with suppress(subprocess.TimeoutExpired):
                    command.wait(with_it.until_next_look)
            spent = command.poll() is None
            command.kill()
            code = command.wait()
            for stream in (out, errors):
                stream.seek(0)
            assert not spent, f"computed or did nothing for {patience:.0f} s: {out.read()[-2000:]}"
            return code, out.read(), errors.read()


@cache
def preloaded() -> Preloaded:
    """One for all tests of a process, with which it ends."""
    return Preloaded()


def _serve(control: socket.socket) -> dict[str, Any] | None:
    """The job to become, in a child; None when nobody is there any more."""
    running: dict[int, int] = {}  # who asks for the end, and whose
    gc.freeze()
    while True:
        ready, _, _ = select.select([control, *running], [], [])
        for asking in [one for one in ready if isinstance(one, int)]:
            pid = running.pop(asking)
            with socket.socket(fileno=asking) as answer:
                if answer.recv(_LONGEST_MESSAGE):
                    _, status = os.waitpid(pid, 0)
                    answer.send(json.dumps({"code": os.waitstatus_to_exitcode(status)}).encode())
                else:
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
        if control in ready:
            message, descriptors, _, _ = socket.recv_fds(control, _LONGEST_MESSAGE, _STREAMS + 1)
            if not message:
                return None
            *streams, asking = descriptors
            pid = os.fork()
            if pid == 0:
                control.detach()
                for number, descriptor in enumerate(streams):
                    os.dup2(descriptor, number)
                os.closerange(_STREAMS, max([*descriptors, *running]) + 1)
                job: dict[str, Any] = json.loads(message)
                return job
            for descriptor in streams:
                os.close(descriptor)
            running[asking] = pid
            os.write(asking, json.dumps({"pid": pid}).encode())


def _become(job: dict[str, Any]) -> None:
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["environment"])
    # Those there were opened on the server's streams, and know what these were.
    sys.stdin = sys.__stdin__ = os.fdopen(0, "r", closefd=False)
    sys.stdout = sys.__stdout__ = os.fdopen(1, "w", errors=sys.stdout.errors, closefd=False)
    sys.stderr = sys.__stderr__ = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    sys.argv = job["argv"]
    sys.path[0] = str(Path(sys.argv[0]).parent)
    sys.path[1:1] = [path for path in job["environment"].get("PYTHONPATH", "").split(os.pathsep) if path]
    runpy.run_path(sys.argv[0], run_name="__main__")


def main() -> None:
    import torch
    import torch._dynamo
    import torch.utils.data

    torch.set_num_threads(1)
    own = str(Path(__file__).resolve().parents[1])
    sys.path[:] = [path for path in sys.path if path != own]
    job = _serve(socket.socket(fileno=int(sys.argv[1])))
    if job is not None:
        _become(job)


if __name__ == "__main__":
    main()
