"""Which signals reach a run (handlers: ``course/signals``), and how they are kept from the workers of loaders."""

import multiprocessing
import multiprocessing.forkserver
import multiprocessing.resource_tracker
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import BaseContext

STOP_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGUSR1", "SIGINT") if hasattr(signal, name))


@contextmanager
def stop_signals_held_back(workers: BaseContext | None = None) -> Iterator[None]:
    """Within the block a stop signal waits, for this thread and for the workers started from it: these are born deaf.

    ``workers`` is the context that they are started in, if it is not Python's default.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    _start_servers((workers or multiprocessing).get_start_method())
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_servers(method: str) -> None:
    # Python starts these once and keeps them: born deaf, they and all that comes of them would be so for ever.
    if method != "fork":
        multiprocessing.resource_tracker.ensure_running()
    if method == "forkserver":
        multiprocessing.forkserver.ensure_running()


def workers_may_die() -> bool:
    """For a process about to end: a worker's death by a signal raises nothing any more. False in another thread.

    torch's handler would raise for each, wherever the process is: in the midst of a save, too.
    """
    if threading.current_thread() is not threading.main_thread():
        return False
    if hasattr(signal, "SIGCHLD"):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    return True


def heed_parent_only() -> None:
    """For worker processes: deaf to stop signals, but for the SIGTERM by which the parent ends them.

    A signal to the process group must not kill them before the boundary is reached. But multiprocessing ends a
    worker by SIGTERM and then waits for it: for ever, if it is deaf to that as well.
    """
    for number in STOP_SIGNALS:
        if number != signal.SIGTERM:
            signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "sigwaitinfo"):  # the one call that tells who sent a signal, of those that are blocked
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_end_at_parents_word, name="unbroken-worker-end", daemon=True).start()


def _end_at_parents_word() -> None:
    # Not getppid(): that of a process from a fork server is the server.
    parent = multiprocessing.parent_process()
    assert parent is not None
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent.pid:
        pass
    os._exit(0)
