"""SIGTERM, SIGUSR1 and SIGINT: remembered, and acted on at the next moment at which the state is whole."""

import multiprocessing
import multiprocessing.forkserver
import multiprocessing.resource_tracker
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.context import BaseContext
from types import FrameType
from typing import Any

STOP_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGUSR1", "SIGINT") if hasattr(signal, name))


class StopSignals:
    """Holds the handlers of one run, from ``install`` to ``remove``.

    ``on_signal`` is called in the handler, in the main thread, between two bytecodes of whatever runs; it may
    raise. A second SIGINT raises KeyboardInterrupt at once: whoever presses Ctrl-C twice means it. Once
    ``state_is_kept``, the second one is left to ``on_signal``, and the third raises. ``received`` is the first signal.
    """

    def __init__(self, on_signal: Callable[[], None]) -> None:
        self._on_signal = on_signal
        self._previous: dict[int, Any] = {}
        self._owner = 0
        self._interrupts = 0
        self.received: signal.Signals | None = None
        self.state_is_kept = False

    def install(self) -> bool:
        """False where handlers can't be had: Python allows them in the main thread only."""
        if threading.current_thread() is not threading.main_thread():
            return False
        self._owner = os.getpid()
        for number in STOP_SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # a script's background jobs are begun without Ctrl-C
                self._previous[number] = signal.signal(number, self._handle)
        _in_force.add(self)
        return True

    @property
    def reaching(self) -> signal.Signals | None:
        """A signal that would reach the handler, if there is one."""
        return next((signal.Signals(n) for n in STOP_SIGNALS if signal.getsignal(n) == self._handle), None)

    def leave_child(self) -> bool:
        """In a forked child: SIGTERM is how its parent ends it (a pool, at the end of its block), and waits for it.

        Whether it was ours, and now is as it was before.
        """
        if os.getpid() == self._owner or signal.getsignal(signal.SIGTERM) != self._handle:
            return False
        former = self._previous.get(signal.SIGTERM)
        signal.signal(signal.SIGTERM, signal.SIG_DFL if former is None else former)
        return True

    def remove(self) -> None:
        """Put the former handlers back, where ours are still the ones in force."""
        if threading.current_thread() is threading.main_thread():
            for number, handler in self._previous.items():
                if signal.getsignal(number) == self._handle:
                    signal.signal(number, signal.SIG_DFL if handler is None else handler)
                for other in _in_force:  # one installed over ours must not bring ours back
                    if other._previous.get(number) == self._handle:
                        other._previous[number] = handler
        self._previous.clear()
        _in_force.discard(self)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if os.getpid() != self._owner:
            return  # a forked child got the group's signal: its parent decides
        self._interrupts += number == signal.SIGINT
        if number == signal.SIGINT and self._interrupts > (2 if self.state_is_kept else 1):
            raise KeyboardInterrupt
        # The group's signal also kills the workers of loaders that the user iterates without us. torch's handler
        # would raise for each, here or in the midst of the save; from now on this process is about to end.
        if hasattr(signal, "SIGCHLD"):
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if self.received is None:
            self.received = signal.Signals(number)
        self._on_signal()


_in_force: set[StopSignals] = set()
_at_fork = threading.local()


def _before_fork() -> None:
    # Python drops a signal that reaches a child before its own first step: it is made to wait.
    if _in_force:
        _at_fork.mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def _after_fork() -> None:
    mask = _at_fork.__dict__.pop("mask", None)
    if mask is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _after_fork_in_child() -> None:
    while any(signals.leave_child() for signals in _in_force):
        pass  # below the handler of one run may lie that of another
    _after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)


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
