"""Scripts of several processes as their users start them: by torchrun, or each forked with what torchrun would set."""

import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import torch

import unbroken
from tests.patience import Patience
from tests.ranks.program import speak_to
from tests.ranks.toolkit import forked

_PATH = os.pathsep.join([str(Path(__file__).resolve().parents[2]), str(Path(unbroken.__file__).parents[1])])
_LAUNCHER = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1", "OMP_NUM_THREADS": "1"}


def environment() -> dict[str, str]:
    """That of a shell from which a user starts a script."""
    kept = {name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE", "LOCAL_RANK")}
    return {**kept, **_LAUNCHER, "PYTHONPATH": _PATH, "UNBROKEN_LANG": "en", "PYTHONUNBUFFERED": "1"}


class Launched:
    """A command and all that it starts; ``log`` has what they say."""

    def __init__(self, command: Sequence[str], folder: Path, *, log: str = "log", **more: str) -> None:
        self.log = folder / log
        self._mark = f"UNBROKEN_LAUNCHED={folder}-{time.monotonic_ns()}"
        name, _, value = self._mark.partition("=")
        with self.log.open("w") as file:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env={**environment(), **more, name: value},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self, seconds: float = 150) -> int:
        """Its exit code. Raises AssertionError, and ends it, when it has computed or done nothing for so long."""
        patience = Patience(self.process.pid, seconds)
        while self.process.poll() is None:
            if patience.spent:
                self.kill()
                raise AssertionError(f"did not end: {self.said[-3000:]}")
            time.sleep(0.02)
        return self.process.returncode

    def wait_for(self, line: str, seconds: float = 150) -> None:
        """Until it has said so. Raises AssertionError where it ends before."""
        patience = Patience(self.process.pid, seconds)
        while line not in self.said:
            if self.process.poll() is not None or patience.spent:
                self.kill()
                raise AssertionError(f"never said {line!r}: {self.said[-3000:]}")
            time.sleep(0.02)

    def kill(self) -> None:
        """All of it by SIGKILL, and each rank: torchrun starts them in sessions of their own."""
        for pid in [self.process.pid, *self.below()]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        while any(True for _ in self.below()):
            time.sleep(0.01)

    def below(self) -> Iterator[int]:
        """What it has started, at any depth, and what outlives it."""
        for found in Path("/proc").glob("[0-9]*/environ"):
            try:
                marked = self._mark.encode() in found.read_bytes().split(b"\0")
            except OSError:
                continue
            if marked and int(found.parent.name) != self.process.pid:
                yield int(found.parent.name)

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")


def torchrun(size: int, *script: str) -> list[str]:
    """The command that starts a script ``size`` times."""
    return [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(size), *script]


class Forked:
    """The processes of one script, forked from this one with torch imported: as torchrun starts them, and sooner."""

    def __init__(self, size: int, script: Path, arguments: Sequence[str], folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        shared = {"WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        self.log = folder / "log"
        self.log.write_text("")
        self._running = [
            forked(lambda r=rank: _become(script, arguments, folder, self.log, {**shared, "RANK": str(r)}))
            for rank in range(size)
        ]

    def wait(self, seconds: float = 150) -> list[int]:
        """Their exit codes. Raises AssertionError, and ends them, when they have done nothing for so long."""
        codes: list[int] = []
        for pid in self._running:
            patience = Patience(pid, seconds)
            while not (ended := os.waitpid(pid, os.WNOHANG))[0]:
                if patience.spent:
                    self.kill()
                    raise AssertionError(f"did not end: {self.said[-3000:]}")
                time.sleep(0.01)
            codes.append(os.waitstatus_to_exitcode(ended[1]))
        return codes

    def wait_for(self, line: str, seconds: float = 150) -> None:
        """Until one has said so."""
        self.wait_until(lambda: line in self.said, line, seconds)

    def wait_until(self, done: Callable[[], bool], what: str, seconds: float = 150) -> None:
        """Raises AssertionError, and ends them, where it does not come to that."""
        patience = Patience(self._running[0], seconds)
        while not done():
            if patience.spent:
                self.kill()
                raise AssertionError(f"never: {what!r}; {self.said[-3000:]}")
            time.sleep(0.01)

    def kill(self) -> None:
        for pid in self._running:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")


def _become(script: Path, arguments: Sequence[str], folder: Path, log: Path, more: Mapping[str, str]) -> int:
    speak_to(log)
    os.environ.update({**environment(), **more, "LOCAL_RANK": more["RANK"]})
    os.chdir(folder)
    sys.argv = [str(script), *arguments]
    torch.set_num_threads(1)  # as torchrun has it; and threads that the parent had are gone after a fork
    try:
        runpy.run_path(str(script), run_name="__main__")
    except SystemExit as stopped:
        return int(stopped.code or 0)
    return 0
