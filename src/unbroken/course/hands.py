"""Hands: whether a loop of a run is still in somebody's, or was broken off, as in a notebook whose process lives on."""

import logging
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import TYPE_CHECKING
from weakref import WeakSet, ref

from unbroken.errors import UsageError
from unbroken.state.origins import users_frames

if TYPE_CHECKING:
    from unbroken.course.course import Course

_log = logging.getLogger("unbroken")

# Two runs over one folder know of each other by nothing but the process. None is kept alive by being in here.
_begun: "WeakSet[Course]" = WeakSet()


class Hands:
    """The outermost function of the user's that was running when a loop last gave something: a script, or a cell."""

    def __init__(self) -> None:
        # Not the frame itself: it would keep alive all that is in it, this run too. The number of one that is gone may
        # come again, but not in the same thread for the same code: each cell that is run is compiled anew.
        self._outermost: tuple[int, CodeType] | None = None
        self._noted_in: ref[threading.Thread] = ref(threading.current_thread())
        self._refused: UsageError | None = None

    def are_elsewhere(self) -> bool:
        """Whether batches are asked for in another thread than the loop's, as a prefetcher does; then it is said.

        There is no good in raising it here: nobody may hear it in this thread, and the other would wait for ever.
        """
        if self._noted_in() is threading.current_thread():
            return False
        self._refused = UsageError("batches_in_a_thread")
        _log.error(str(self._refused))
        return True

    def require_here(self) -> None:
        """Raise what ``are_elsewhere`` has found, in the thread of the loop."""
        refused, self._refused = self._refused, None
        if refused is not None:
            raise refused

    def note(self) -> None:
        """It is the one that runs now, and the loop is that of this thread, which will train."""
        frames = list(users_frames())
        self._outermost = (id(frames[-1]), frames[-1].f_code) if frames else None
        self._noted_in = ref(threading.current_thread())

    @property
    def are_there(self) -> bool:
        """Whether it still runs; also where nothing of the user's was running, so nobody knows."""
        if self._outermost is None:
            return True
        number, code = self._outermost
        thread = self._noted_in()
        return thread is not None and any(id(one) == number and one.f_code is code for one in _running(thread))


def _running(thread: threading.Thread) -> Iterator[FrameType]:
    frame = sys._current_frames().get(thread.ident) if thread.is_alive() and thread.ident is not None else None
    while frame is not None:
        yield frame
        frame = frame.f_back


def register(course: "Course") -> None:
    """``course`` has begun."""
    _begun.add(course)


def make_room(place: Path) -> "list[Course]":
    """Release the folder ``place`` where a run of this process has it that nobody will go on with.

    Returns the runs over that folder that were left, the ones released just now included.
    """
    there = os.path.realpath(place)
    here = [course for course in list(_begun) if os.path.realpath(course.place) == there]
    for course in here:
        if course.was_left or (not course.under_loop and not course.hands.are_there):
            course.give_up()
    return [course for course in here if course.keeper is None]
