"""A knock: the handler of a stop signal is called once more after some time, to break off what is waited for."""

import os
import signal
import threading
import time


class Knock:
    """Sends ``number`` to the main thread after so many seconds, unless ``cancel`` comes first; None sends nothing."""

    def __init__(self, number: signal.Signals | None, seconds: float) -> None:
        self._number = number
        self._until = time.monotonic() + seconds
        self._handler = None if number is None else signal.getsignal(number)
        self._lock = threading.RLock()  # the handler may run, and cancel it, where the main thread holds it
        self._timer = threading.Timer(seconds, self._send, (os.getpid(),))
        self._timer.daemon = True
        if number is not None:
            self._timer.start()

    @property
    def is_over(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() >= self._until

    def cancel(self) -> None:
        """No signal is sent any more: its handler is about to go."""
        self._timer.cancel()
        with self._lock:
            self._number = None

    def _send(self, process: int) -> None:
        main = threading.main_thread().ident
        with self._lock:
            # Where the user's code has taken the handler away, the signal would end the process.
            still_ours = self._number is not None and signal.getsignal(self._number) == self._handler
            if self._number is not None and still_ours and main is not None and os.getpid() == process:
                signal.pthread_kill(main, self._number)
