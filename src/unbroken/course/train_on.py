"""Training on: from the save of a stop's state to the end of the process.

The writer needs a moment to make that state durable, in which the process has nothing to do. It trains on: the resume
trains these steps again and compares them, so that a stop is proven as a kill is.
"""

import os
import signal
import threading
import time

from unbroken.store.writer import Writer

LONGEST = 1.0  # seconds that training goes on; a scheduler's grace period is for the state, not for this
LONGEST_STEP = 0.7  # a step that takes longer would be broken off in its middle


class TrainOn:
    """A stop whose state, that after ``step`` steps, was handed to the writer.

    After ``LONGEST`` seconds the handler of the signal ``knock`` is called once more, to break off what is waited for;
    ``expired`` tells that it is time.
    """

    def __init__(self, step: int, writer: Writer, *, knock: signal.Signals | None) -> None:
        self._step = step
        self._writer = writer
        self._until = time.monotonic() + LONGEST
        self._knock = knock
        self._handler = None if knock is None else signal.getsignal(knock)
        self._lock = threading.RLock()  # the handler may run, and end it, where the main thread holds it
        self._timer = threading.Timer(LONGEST, self._break_off, (os.getpid(),))
        self._timer.daemon = True
        if knock is not None:
            self._timer.start()

    @property
    def expired(self) -> bool:
        return time.monotonic() >= self._until

    def has_trained(self, step: int) -> bool:
        """Whether there is a step, with ``step`` steps done in all, that a resume will train again."""
        return step > self._step

    def is_over(self, step: int, seconds: float) -> bool:
        """Whether to end now, at a boundary, where a step takes so many seconds."""
        late = time.monotonic() + seconds >= self._until
        return self.expired or (self.has_trained(step) and (late or not self._writer.busy))

    def end(self) -> None:
        """No signal is sent any more: its handler is about to go."""
        self._timer.cancel()
        with self._lock:
            self._knock = None

    def _break_off(self, process: int) -> None:
        main = threading.main_thread().ident
        with self._lock:
            # Where the user's code has taken the handler away, the signal would end the process.
            still_ours = self._knock is not None and signal.getsignal(self._knock) == self._handler
            if self._knock is not None and still_ours and main is not None and os.getpid() == process:
                signal.pthread_kill(main, self._knock)
