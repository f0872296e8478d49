"""Whether a loop was left by ``break``, as code does that stops early, or by an error that somebody may handle later.

Both close the generator behind the loop, and neither tells it why. But at a ``break`` the frame of the loop stands at
the instruction that throws the iterator away, and at an error at the one that raised it. What is neither, for sure, is
no ``break``: the epoch in hand then is not at its end.
"""

import dis
import inspect
import logging
import sys
from collections.abc import Callable
from types import FrameType

from unbroken.course.epoch import EpochCourse
from unbroken.errors import UnbrokenError
from unbroken.keep.status import end_with

_log = logging.getLogger("unbroken")

_THROWS_AWAY = frozenset({"POP_TOP", "POP_ITER", "END_FOR"})


def by_break() -> bool:
    """To be called in a generator, in hand of ``GeneratorExit``: whether its loop, or one around it, was broken off."""
    frame: FrameType | None = sys._getframe(2)
    # A progress bar around the epochs is a generator too, which is closed first.
    while frame is not None and frame.f_code.co_flags & inspect.CO_GENERATOR:
        frame = frame.f_back
    if frame is None or frame.f_lasti < 0:
        return False
    return dis.opname[frame.f_code.co_code[frame.f_lasti]] in _THROWS_AWAY


def finish(course: EpochCourse, ends: Callable[[], None]) -> None:
    """A loop that is left, by a ``break`` or at the end of Python, ``ends``; what is refused then is said.

    Nobody can catch it there: Python prints and drops what a generator raises when it is thrown away. The exit status
    tells, which would be 0.
    """
    try:
        ends()
    except UnbrokenError as error:
        course.tell_lost_variables()
        if course.ranks.says(error):
            _log.error("%s", error)
        end_with(error.exit_code)
