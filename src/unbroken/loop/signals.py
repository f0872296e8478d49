"""SIGTERM, SIGUSR1 and SIGINT: remembered, and acted on at the next moment at which the state is whole."""

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

STOP_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGUSR1", "SIGINT") if hasattr(signal, name))


class StopSignals:
    """Holds the handlers of one run, from ``install`` to ``remove``.

    ``on_signal`` is called in the handler, in the main thread, between two bytecodes of whatever runs; it may
    raise. A second SIGINT raises KeyboardInterrupt at once: whoever presses Ctrl-C twice means it.
    """

    def __init__(self, on_signal: Callable[[], None]) -> None:
        self._on_signal = on_signal
        self._previous: dict[int, Any] = {}
        self._owner = os.getpid()
        self.received: signal.Signals | None = None

    def install(self) -> bool:
        """False where handlers can't be had: Python allows them in the main thread only."""
        if threading.current_thread() is not threading.main_thread():
            return False
        for number in STOP_SIGNALS:
            self._previous[number] = signal.signal(number, self._handle)
        return True

    def remove(self) -> None:
        """Put the former handlers back, where ours are still the ones in force."""
        if threading.current_thread() is threading.main_thread():
            for number, handler in self._previous.items():
                if signal.getsignal(number) == self._handle:
                    signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._previous.clear()

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if os.getpid() != self._owner:
            return  # a forked worker got the group's signal: its parent decides
        if number == signal.SIGINT and self.received == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = signal.Signals(number)
        self._on_signal()


def ignore_stop_signals() -> None:
    """For worker processes: a signal to the process group must not kill them before the boundary is reached."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
