"""Training on: from the save of a stop's state to the end of the process.

The writer needs a moment to make that state durable, in which the process has nothing to do. It trains on: the resume
trains these steps again and compares them, so that a stop is proven as a kill is.
"""

import signal
import time

from unbroken.course.knock import Knock
from unbroken.keep.following import NoWriter
from unbroken.store.writer import Writer

LONGEST = 1.0  # seconds that training goes on; a scheduler's grace period is for the state, not for this
LONGEST_STEP = 0.7  # a step that takes longer would be broken off in its middle


class TrainOn:
    """A stop whose state, that after ``step`` steps, was handed to the writer; a ``group`` of steps belongs together.

    After ``LONGEST`` seconds the handler of the signal ``knock`` is called once more, to break off what is waited for;
    ``expired`` tells that it is time.
    """

    def __init__(self, step: int, writer: Writer | NoWriter, *, group: int, knock: signal.Signals | None) -> None:
        self._step = step
        self._group = group
        self._writer = writer
        self._until = time.monotonic() + LONGEST
        self._knock = Knock(knock, LONGEST)

    @property
    def expired(self) -> bool:
        return time.monotonic() >= self._until

    def has_trained(self, step: int) -> bool:
        """Whether there is a step, with ``step`` steps done in all, that a resume will train again."""
        return step >= self._step + self._group

    def is_over(self, step: int, seconds: float) -> bool:
        """Whether to end now, at a boundary, where a step takes so many seconds."""
        late = time.monotonic() + seconds >= self._until
        return self.expired or (self.has_trained(step) and (late or not self._writer.busy))

    def end(self) -> None:
        """No signal is sent any more: its handler is about to go."""
        self._knock.cancel()
