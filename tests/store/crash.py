"""Real kills at exact places: a child process is sent SIGKILL just before its n-th change of the file system."""

import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

_CHANGES = {"os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.symlink"}


def killed_before(change: int, work: Callable[[], object]) -> bool:
    """Do ``work`` in a child that is killed before its ``change``-th change; False if it made fewer, and ended."""
    child = os.fork()
    if child == 0:
        _work_until(change, work)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, "the work failed in the child"
    return False


def every_kill(folder: Path, work: Callable[[], object]) -> Iterator[int]:
    """Yield once for each place ``work`` can be killed at, ``folder`` being as the kill left it; then once whole.

    ``folder`` is as it was before each time ``work`` starts.
    """
    before = folder.with_name(folder.name + "-before")
    shutil.copytree(folder, before, symlinks=True)
    change = 1
    while True:
        killed = killed_before(change, work)
        yield change
        if not killed:
            shutil.rmtree(before)
            return
        shutil.rmtree(folder)
        shutil.copytree(before, folder, symlinks=True)
        change += 1


def _work_until(change: int, work: Callable[[], object]) -> None:
    seen = 0

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        creates = event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT
        if event in _CHANGES or creates:
            seen += 1
            if seen == change:
                os.kill(os.getpid(), signal.SIGKILL)

    try:
        sys.addaudithook(watch)
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
