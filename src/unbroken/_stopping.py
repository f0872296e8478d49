"""Stopping: from the save of a stop's state to the end of the process, while training goes on.

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


class Stopping:
    """A stop whose state, that after ``step`` steps, was handed to the writer.

    After ``LONGEST`` seconds the signal handler is called once more (where ``by_signal``), to break off what is waited
    for; ``expired`` tells that it is time.
    """

    def __init__(self, step: int, writer: Writer, *, by_signal: bool) -> None:
        self._step = step
        self._writer = writer
        self._until = time.monotonic() + LONGEST
        self._timer = threading.Timer(LONGEST, _knock, (os.getpid(), threading.get_ident()))
        self._timer.daemon = True
        if by_signal:
            self._timer.start()

    @property
    def expired(self) -> bool:
        return time.monotonic() >= self._until

    def has_trained(self, step: int) -> bool:
        """Whether there is a step, with ``step`` steps done in all, that a resume will train again."""
        return step > self._step

    def is_over(self, step: int) -> bool:
        """Whether to end now, at a boundary."""
        return self.expired or (self.has_trained(step) and not self._writer.busy)

    def end(self) -> None:
        self._timer.cancel()


def _knock(process: int, thread: int) -> None:
    if os.getpid() == process and threading.main_thread().ident == thread:
        signal.pthread_kill(thread, signal.SIGUSR1)
