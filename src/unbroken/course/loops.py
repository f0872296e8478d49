"""The loops that a user writes: over epochs, over steps, and over batches; a few lines each on top of the course."""

from collections.abc import Iterator
from typing import Any

from unbroken import messages
from unbroken.course import leaving
from unbroken.course.batches import BatchLoops
from unbroken.course.course import Course
from unbroken.course.stopping import STEP
from unbroken.errors import UsageError
from unbroken.loop.loaders import ResumableLoader
from unbroken.loop.numbers import StepNumbers


def epochs(course: Course, batches: BatchLoops, count: int, start: int) -> Iterator[int]:
    """The numbers of the epochs still to be trained; the first of a run is ``start``."""
    begin_epochs(course, count)
    cursor = course.cursor
    course.asking.agree_on_reason(course.ranks)
    course.enter_loop()
    done_before = cursor.epoch >= count
    nothing_left = done_before or not course.has_more  # it was ended on purpose, before all epochs
    try:
        while cursor.epoch < count and course.has_more:
            course.open_epoch()
            course.hands.note()
            course.stopping.enter_user_code()
            try:
                yield cursor.epoch + start
            except GeneratorExit:
                if leaving.by_break() and not course.stopping.stopped and not course.is_closed:
                    leaving.finish(course, lambda: _end_by_break(course, batches, count))
                raise
            _close_epoch(course, batches, count)
        said = {"done": cursor.epoch, "count": count, "latest": course.kept_by.newest(course.resumed_from)}
        course.end(messages.text("complete" if done_before else "ended", **said))
        if nothing_left:
            course.say_what_code_behind_misses()
    finally:
        course.leave_loop()


def _end_by_break(course: Course, batches: BatchLoops, count: int) -> None:
    course.asking.stop_reason = course.asking.stop_reason or "break"
    _close_epoch(course, batches, count)
    course.end("")


def _close_epoch(course: Course, batches: BatchLoops, count: int) -> None:
    course.require_open()
    course.hands.require_here()
    batches.end_all()
    course.close_epoch(more=course.cursor.epoch + 1 < count)


def begin_epochs(course: Course, count: int) -> None:
    """Begin a run of so many epochs, so that it is known where it goes on."""
    course.require_between_epochs()
    course.begin(count)
    course.plan(count)


def begin_steps(course: Course, goal: int) -> None:
    """Begin, so that the number of steps still to be done is known. Raises UsageError inside a loop over epochs."""
    _require_no_epochs(course)
    course.begin()
    course.hands.note()
    course.look_ahead(None)
    if course.cursor.step >= goal:
        # Killed behind its last save, or started again when all is done: what follows goes on from there.
        course.take_up()


def _require_no_epochs(course: Course) -> None:
    if course.under_loop:
        raise UsageError("steps_inside_epochs")
    course.require_between_epochs()


def steps(course: Course, batches: BatchLoops, loader: ResumableLoader, goal: int, group: int) -> Iterator[Any]:
    """The batches of pass after pass over ``loader``, each an epoch, until ``goal`` steps are done in all.

    ``begin_steps`` has been called. Steps without a loader are all of one epoch.
    """
    _require_no_epochs(course)
    if course.hands.are_elsewhere():
        return
    cursor, asking = course.cursor, course.asking
    counts = asking.among_steps = isinstance(loader, StepNumbers)
    done_before = False

    def is_done() -> bool:
        return cursor.step >= goal or (counts and asking.ends)

    def finish() -> None:
        course.at_close = None
        course.end_in_epoch()
        said = {"done": cursor.step, "goal": goal, "latest": course.kept_by.newest(course.resumed_from)}
        course.end(messages.text("complete_steps" if done_before else "ended_steps", **said))
        if done_before:
            course.say_what_code_behind_misses()

    def finish_at_close() -> None:
        if course.stopping.phase is STEP and cursor.step + 1 == goal:
            batches.end_all()
            finish()

    asking.agree_on_reason(course.ranks)
    course.enter_loop()
    try:
        done_before = is_done()
        if done_before and cursor.step < goal:  # else ``begin_steps`` has done it
            course.take_up()
        course.at_close = finish_at_close
        while not is_done() and course.has_more:
            before = cursor.step
            course.hands.note()
            course.open_epoch()
            try:
                yield from batches.iterate(loader, goal, group)
            except GeneratorExit:
                if not course.is_closed and is_done() and leaving.by_break():  # the loop counts for itself
                    leaving.finish(course, finish)
                raise
            if is_done():
                break
            if cursor.step == before and cursor.batch == 0:
                raise UsageError("loader_gives_nothing")
            course.close_epoch(more=True, boundary=cursor.step % group == 0)
        finish()
    finally:
        course.leave_loop()
