"""The handlers of the signals that ``loop/signals`` names: remembered, and acted on when the state is whole next."""

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from unbroken.loop.signals import STOP_SIGNALS, workers_may_die


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

    @property
    def given_up(self) -> bool:
        """Whether a Ctrl-C has ended what was to be saved first."""
        return self._interrupts > (2 if self.state_is_kept else 1)

    def leave_child(self) -> bool:
        """In a forked child: SIGTERM is how its parent ends it (a pool, at the end of its block), and waits for it.

        Whether it was ours, and now is as it was before.
        """
        if os.getpid() == self._owner or signal.getsignal(signal.SIGTERM) != self._handle:
            return False
        former = self._previous.get(signal.SIGTERM)
        signal.signal(signal.SIGTERM, signal.SIG_DFL if former is None else former)
        return True

    def remove(self, *, deaf: bool = False) -> None:
        """Put the former handlers back, where ours are still the ones in force.

        ``deaf``: SIGTERM does nothing from now on, in a process that ends because of it.
        """
        if threading.current_thread() is threading.main_thread():
            for number, handler in self._previous.items():
                if signal.getsignal(number) == self._handle:
                    signal.signal(number, signal.SIG_DFL if handler is None else handler)
                for other in _in_force:  # one installed over ours must not bring ours back
                    if other._previous.get(number) == self._handle:
                        other._previous[number] = handler
            if deaf and signal.SIGTERM in self._previous:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self._previous.clear()
        _in_force.discard(self)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if os.getpid() != self._owner:
            return  # a forked child got the group's signal: its parent decides
        self._interrupts += number == signal.SIGINT
        if number == signal.SIGINT and self.given_up:
            raise KeyboardInterrupt
        workers_may_die()  # the group's signal also kills those of loaders that the user iterates without us
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
