"""The nursery: a process that has torch imported once and forks the processes under test from itself.

A child is set up as a fresh process would be: a session of its own, default signal handling, its own
environment, folder, output and temporary folder. ``fresh`` jobs are executed anew, with nothing imported.

It is the sub-reaper of all its descendants, so it knows every process a killed one leaves behind, and a process
that has ended stays a zombie until the toolkit has said that it will send it no more signals: no signal from
here can reach a stranger that inherited the number.
"""

import contextlib
import ctypes
import gc
import json
import os
import runpy
import select
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any, NoReturn

import torch
import torch._dynamo
import torch.utils.data

_PR_SET_CHILD_SUBREAPER = 36
_LONGEST_MESSAGE = 1 << 16


def main() -> None:
    """Serve until the toolkit's end of the socket is closed; in a forked child, become the script."""
    control = socket.socket(fileno=int(sys.argv[1]))
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    torch.set_num_threads(1)
    job = _serve(control)
    if job is not None:
        _become(job)


def _serve(control: socket.socket) -> dict[str, Any] | None:
    """The job to become, in a child; None when the toolkit is gone and all descendants are dead."""
    wake, woken = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    gc.freeze()
    watched: int | None = None
    groups: set[int] = set()
    while True:
        ready, _, _ = select.select([control.fileno(), wake], [], [])
        if wake in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(wake, 4096)
            watched = _report_exit(control, watched)
        if control.fileno() in ready:
            request = control.recv(_LONGEST_MESSAGE)
            if not request:
                _end_groups(groups)
                return None
            message = json.loads(request)
            if message["do"] == "start":
                set_up, in_session = os.pipe2(os.O_CLOEXEC)
                pid = os.fork()
                if pid == 0:
                    os.setsid()
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    for descriptor in (control.detach(), wake, woken, set_up, in_session):
                        os.close(descriptor)
                    job: dict[str, Any] = message
                    return job
                os.close(in_session)
                os.read(set_up, 1)  # its end: the child leads its group, and the group can be signalled
                os.close(set_up)
                watched = pid
                groups.add(pid)
                control.send(json.dumps({"started": pid}).encode())
                watched = _report_exit(control, watched)
            else:
                _end_groups(groups)
                control.send(b"{}")


def _report_exit(control: socket.socket, pid: int | None) -> int | None:
    """Tell of the watched child's end, once, leaving it a zombie; the child still to be watched, if any."""
    if pid is None:
        return None
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
    if ended is None:
        return pid
    code = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
    control.send(json.dumps({"exited": pid, "code": code}).encode())
    return None


def _end_groups(groups: set[int]) -> None:
    """Kill and reap whatever is left of every group started here; a group lives while it has a member."""
    for group in groups:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, _ = os.waitpid(-group, os.WNOHANG)
                if pid == 0:
                    os.killpg(group, signal.SIGKILL)
                    os.waitpid(-group, 0)
    groups.clear()


def _become(job: dict[str, Any]) -> None:
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["environment"])
    output = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    os.close(nothing)
    argv: list[str] = job["argv"]
    if job["fresh"]:
        _execute(argv)
    tempfile.tempdir = None
    sys.argv = argv
    sys.path[0] = str(Path(argv[0]).parent)
    sys.path.extend(path for path in job["environment"].get("PYTHONPATH", "").split(os.pathsep) if path)
    runpy.run_path(argv[0], run_name="__main__")


def _execute(argv: list[str]) -> NoReturn:
    os.execve(sys.executable, [sys.executable, *argv], dict(os.environ))


if __name__ == "__main__":
    main()
