"""The exit status of a process whose last state is not safe on disk: 74, whatever else its script has done well.

The script goes on when the loop is over, and ends as it likes; the status that Python has by then is 0. Nobody but
``os._exit`` can change it, and called in an ``atexit`` handler that would cut off the handlers that were registered
before (worker pools, temporary folders, uploads) and the files that are still open. So the last word is an object kept
where the interpreter looks last: ``sys``, whose names are cleared when all handlers have run and all other modules,
with the files and buffers in them, are gone. Nothing is left to be cut off then. Should an interpreter not come that
far, the status stays as it is; the error is in the log all the same. (A ``sys.exit(3)`` of the script's own ends with
74 too: nobody can see it from here.)
"""

import atexit
import os
import sys
from collections.abc import Callable
from typing import TextIO

from unbroken.errors import DiskError

_NAME = "unbroken_last_word"


def end_with(status: int = DiskError.exit_code) -> None:
    """Have this process, not a child of it, end with ``status``, unless an exception that nobody handled ends it."""
    if not hasattr(sys, _NAME):
        atexit.register(_leave_to_exception)  # for one that comes later than this call
        setattr(sys, _NAME, _LastWord(status))
    _leave_to_exception()


def _leave_to_exception() -> None:
    """An exception that ends the script has a status of its own; Python leaves a note of one that nobody handled."""
    word = getattr(sys, _NAME, None)
    if isinstance(word, _LastWord) and getattr(sys, "last_value", None) is not None:
        word.take_back()


class _LastWord:
    """Speaks when it is destroyed. What it needs then it holds itself: module globals are gone by that time."""

    def __init__(self, status: int) -> None:
        self._status = status
        self._process = os.getpid()
        self._streams: tuple[TextIO, ...] = (sys.stdout, sys.stderr)
        self._current_process: Callable[[], int] = os.getpid
        self._end: Callable[[int], object] = os._exit
        self._taken_back = False

    def take_back(self) -> None:
        self._taken_back = True

    def __del__(self) -> None:
        if self._taken_back or self._current_process() != self._process:
            return
        for stream in self._streams:
            try:
                stream.flush()
            except (OSError, ValueError, AttributeError):
                continue
        self._end(self._status)
