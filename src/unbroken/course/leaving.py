"""Whether a loop was left by ``break``, as code does that stops early, or by an error that somebody may handle later.

Both close the generator behind the loop, and neither tells it why. But at a ``break`` the frame of the loop stands at
the instruction that throws the iterator away, and at an error at the one that raised it. What is neither, for sure, is
no ``break``: the epoch in hand then is not at its end.
"""

import dis
import inspect
import sys
from types import FrameType

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
