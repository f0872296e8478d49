"""The loops that a user writes: over epochs, and over the batches of steps; a few lines each on top of the course."""

from collections.abc import Iterator
from typing import Any

from unbroken import messages
from unbroken.course.batches import BatchLoops
from unbroken.course.course import Course
from unbroken.errors import UsageError
from unbroken.loop.loaders import ResumableLoader


def epochs(course: Course, batches: BatchLoops, count: int) -> Iterator[int]:
    """The numbers of the epochs still to be trained."""
    course.require_between_epochs()
    course.begin(count)
    course.plan(count)
    cursor = course.cursor
    course.enter_loop()
    try:
        while cursor.epoch < count and course.has_more:
            course.open_epoch()
            course.stopping.enter_user_code()
            yield cursor.epoch + 1
            course.require_open()
            batches.end_all()
            course.close_epoch(more=cursor.epoch + 1 < count)
        course.end(messages.text("ended", epoch=cursor.epoch, count=count))
    finally:
        course.leave_loop()


def begin_steps(course: Course) -> None:
    """Begin, so that the number of steps still to be done is known. Raises UsageError inside a loop over epochs."""
    if course.under_loop:
        raise UsageError("steps_inside_epochs")
    course.require_between_epochs()
    course.begin()


def steps(course: Course, batches: BatchLoops, loader: ResumableLoader, goal: int) -> Iterator[Any]:
    """The batches of pass after pass over ``loader``, each an epoch, until ``goal`` steps are done in all."""
    begin_steps(course)
    cursor = course.cursor
    course.enter_loop()
    try:
        if cursor.step >= goal:
            # Killed behind its last save, or started again when all is done: what follows goes on from there.
            course.take_up()
        while cursor.step < goal and course.has_more:
            before = cursor.step
            course.open_epoch()
            yield from batches.iterate(loader, goal)
            if cursor.step >= goal:
                break
            if cursor.step == before and cursor.batch == 0:
                raise UsageError("loader_gives_nothing")
            course.close_epoch(more=True)
        course.end_in_epoch()
        course.end(messages.text("ended_steps", step=cursor.step, goal=goal))
    finally:
        course.leave_loop()
