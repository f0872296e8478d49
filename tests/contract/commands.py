"""The user's commands as the user runs them: real processes in a folder of their own, and how they end."""

import hashlib
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.kill.toolkit.watch import FolderWatch
from tests.patience import Patience, ended
from tests.preloaded import preloaded

ROOT = Path(__file__).resolve().parents[2]

DONE, USAGE, NOTHING_TO_RESUME, REFUSED, DAMAGED, NOT_ON_DISK, STOPPED = 0, 2, 3, 4, 5, 74, 75

# What a shell or a scheduler may have set, and what the commands listen to.
_HEARD = ("LC_ALL", "LC_MESSAGES", "LANG", "SLURM_RESTART_COUNT", "TORCHELASTIC_RESTART_COUNT", "COLUMNS")
_PATIENCE = 120.0


@dataclass(frozen=True)
class Ended:
    """One command that has ended: its exit code and what it said."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err


def run(folder: Path, *words: str, variables: Mapping[str, str] | None = None, before: tuple[str, ...] = ()) -> Ended:
    """Run ``python Training.py …``, ``python resume_training.py …`` or ``unbroken …`` in ``folder`` to its end.

    ``before`` are words in front of the command, such as those of setpriv: it is started by them.
    """
    if before:
        return _to_its_end(folder, [*before, sys.executable, *_argv(words)], variables)
    return Ended(*preloaded().run(_argv(words), folder, _environment(variables), _PATIENCE))


def run_python(folder: Path, source: str, *arguments: str) -> Ended:
    """A script of somebody who does not have this project: importing it fails, as if it were not installed."""
    return _to_its_end(folder, [sys.executable, "-c", _WITHOUT_THE_PROJECT + source, *arguments], None)


def _to_its_end(folder: Path, command: list[str], variables: Mapping[str, str] | None) -> Ended:
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=_environment(variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    out, err = ended(process, _PATIENCE)
    return Ended(process.returncode, out, err)


_WITHOUT_THE_PROJECT = """
import sys

class _NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("unbroken", "forecaster"):
            raise ModuleNotFoundError(f"No module named {name!r}")

sys.meta_path.insert(0, _NotInstalled())
try:
    import unbroken
    raise SystemExit("unbroken is there after all")
except ModuleNotFoundError:
    pass
"""


class Running:
    """A command that is still running: wait for what it says or writes, send it signals, see how it ends.

    Killed at the end of its ``with`` block if it is still there.
    """

    def __init__(self, folder: Path, *words: str, variables: Mapping[str, str] | None = None) -> None:
        self._watch = FolderWatch(folder)
        self._errors = (folder.parent / f"{folder.name}-errors").open("w+", encoding="utf-8")
        read, written = os.pipe()
        self._pipe = os.fdopen(read, "rb", buffering=0)
        with os.fdopen(written, "wb") as out:
            streams = (out.fileno(), self._errors.fileno())
            self._process = preloaded().start(_argv(words), folder, _environment(variables), *streams)
        os.set_blocking(self._pipe.fileno(), False)
        self._heard = b""
        self._renamed: list[str] = []
        self._patience = Patience(self._process.pid, _PATIENCE)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def out(self) -> str:
        return self._heard.decode("utf-8")

    def wait_until_said(self, text: str) -> None:
        """Until ``text`` stands on its standard output."""
        self._wait(lambda: text in self.out, f"never said {text!r}")

    def wait_for_saves(self, count: int, name: str = "checkpoint_latest.pth") -> None:
        """Until ``name`` has been replaced ``count`` more times."""
        wanted = self.saves(name) + count
        self._wait(lambda: self._renamed.count(name) >= wanted, f"did not save {name} {count} times")

    def wait_until_computed(self, seconds: float) -> None:
        """Until its main thread has used so much more processor time: so far it has come, however busy the machine."""
        used = Path(f"/proc/{self.pid}/task/{self.pid}/schedstat")
        wanted = int(used.read_text().split()[0]) + seconds * 1e9
        while int(used.read_text().split()[0]) < wanted:
            assert self._process.poll() is None, f"ended: {self.out[-2000:]}"

    def saves(self, name: str = "checkpoint_latest.pth") -> int:
        """How often ``name`` has been replaced so far."""
        self._take()
        return self._renamed.count(name)

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def hold(self) -> None:
        """Stop it, until it is sent SIGCONT: every thread of it, also the one that writes, stands still."""
        self.send(signal.SIGSTOP)
        threads = Path(f"/proc/{self.pid}/task")
        while any(not _stands(thread) for thread in threads.iterdir()):
            assert self._process.poll() is None, f"ended: {self.out[-2000:]}"

    def end(self) -> Ended:
        """Wait for its end."""
        self._wait(lambda: False, "")
        code = self._process.wait()
        self._errors.seek(0)
        return Ended(code, self.out, self._errors.read())

    def _wait(self, reached: Callable[[], bool], otherwise: str) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._pipe, selectors.EVENT_READ)
            selector.register(self._watch.descriptor, selectors.EVENT_READ)
            while not reached():
                selector.select(self._patience.until_next_look)
                assert not self._patience.spent, f"still running, {otherwise}: {self.out[-2000:]}"
                if not self._take() and not reached():
                    assert not otherwise, f"ended and {otherwise}: {self.out[-2000:]}"
                    return

    def _take(self) -> bool:
        """Read what there is; False at the end of its output."""
        renamed = (line for line in self._watch.take() if line.startswith("rename "))
        self._renamed += [Path(line).name for line in renamed]
        while (block := self._pipe.read(1 << 16)) is not None:
            if not block:
                return False
            self._heard += block
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._pipe.close()
        self._errors.close()
        self._watch.close()


def _stands(thread: Path) -> bool:
    return (thread / "stat").read_text().rpartition(")")[2].split()[0] == "T"


def digests(folder: Path, *but: str) -> dict[str, str]:
    """Every file below ``folder`` by a digest of its content; the log may grow, and the lock names its last holder.

    ``but`` names files to leave out too.
    """
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("training.log", "lock", *but)
    }


def assert_refused(ended: Ended, code: int, *fragments: str) -> None:
    """It ended with ``code`` and one line on standard error that says all of ``fragments``: what, where, what next."""
    assert ended.code == code, ended.said
    lines = ended.err.splitlines()
    assert len(lines) == 1 and len(lines[0]) < 1000, ended.err[:3000]
    missing = [fragment for fragment in fragments if fragment not in lines[0]]
    assert not missing, f"{missing} not in: {lines[0]}"
    assert "Traceback" not in ended.said


def _argv(words: tuple[str, ...]) -> list[str]:
    program, *rest = words
    if program == "unbroken":
        return [str(Path(sys.executable).with_name("unbroken")), *rest]
    return [str(ROOT / program), *rest]


def _environment(variables: Mapping[str, str] | None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _HEARD}
    path = os.pathsep.join(filter(None, [(variables or {}).get("PYTHONPATH"), kept.get("PYTHONPATH")]))
    given = {**(variables or {}), **({"PYTHONPATH": path} if path else {})}
    return {**kept, "UNBROKEN_LANG": "en", "OMP_NUM_THREADS": "1", **given}
