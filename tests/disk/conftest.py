"""Real faults: a disk that is full or read-only (tmpfs), system calls that fail or kill (strace)."""

import contextlib
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import needs
from tests.small_disk import mounted

Mount = Callable[[str], Path]
Program = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """``mount("size=1m")`` gives a file system of its own with these options; it goes when the test ends."""
    with contextlib.ExitStack() as disks:
        numbers = itertools.count()
        yield lambda options: disks.enter_context(mounted(tmp_path / f"disk{next(numbers)}", options))


@pytest.fixture
def program(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """``program(source, *faults)`` runs a line of Python in ``tmp_path`` with faults given in strace's language.

    A fault such as ``"fsync:error=EIO:when=1"`` is injected at the system call itself: the library sees what it
    would see on a failing disk. ``"ioctl(FICLONE):retval=0"`` means the first such call with FICLONE in its
    arguments, found in a dry run on a copy of the folder. ``"*"`` in front of a name stands for its whole family.
    A library error is printed: its key, then the sentence. ``returncode`` is -9 after a kill.
    """

    def program(source: str, *faults: str) -> "subprocess.CompletedProcess[str]":
        script = _PREAMBLE + (f"try:\n    {source}\nexcept UnbrokenError as error:\n    say(error.key, str(error))\n")
        command = [sys.executable, "-B", "-c", script]
        trace = []
        for fault in faults:
            calls, effect = fault.split(":", 1)
            if found := re.fullmatch(r"(\w+)\((\w+)\)", calls):
                calls = found[1]
                dry = tmp_path_factory.mktemp("dry") / "copy"
                shutil.copytree(tmp_path, dry)
                effect += f":when={_first_with(found[2], calls, command, dry)}"
            calls = _FAMILIES.get(calls, calls)
            trace += ["-e", f"trace={calls}", "-e", f"inject={calls}:{effect}"]
        if trace:
            needs.require("strace")
            command = ["strace", "-f", "-qq", "-o", "/dev/null", *trace, *command]
        environment = {**os.environ, "UNBROKEN_LANG": "en"}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    return program


_PREAMBLE = """
import os, sys, signal
from pathlib import Path
from unbroken.disk.durable import *
from unbroken.disk.lock import FolderLock
from unbroken.errors import UnbrokenError


def say(*lines):  # not by the call that faults are injected into
    os.writev(1, [b"".join(line.encode() + b"\\n" for line in lines)])


"""

_FAMILIES = {"*rename": "?rename,?renameat,?renameat2", "*link": "?link,?linkat", "*unlink": "?unlink,?unlinkat"}


def _first_with(argument: str, call: str, command: list[str], folder: Path) -> int:
    trace = folder.with_name("trace.txt")
    subprocess.run(
        ["strace", "-f", "-qq", "-e", f"trace={call}", "-o", str(trace), *command],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    earlier: Counter[str] = Counter()  # each thread's calls are counted by themselves when a fault is injected
    for thread, _, line in (line.partition(" ") for line in trace.read_text().splitlines() if f"{call}(" in line):
        earlier[thread] += 1
        if argument in line:
            return earlier[thread]
    raise LookupError(argument)


@pytest.fixture
def second_process(tmp_path: Path) -> Iterator[Callable[[str], "subprocess.Popen[str]"]]:
    """``second_process(source)`` starts Python source that runs beside the test; it is killed when the test ends."""
    started: list[subprocess.Popen[str]] = []

    def second_process(source: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-B", "-c", _PREAMBLE + source],
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield second_process
    for process in started:
        process.send_signal(signal.SIGKILL)
        process.communicate()
