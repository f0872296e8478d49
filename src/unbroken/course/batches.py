"""The loops over loaders within the epochs of a run: the first that asks for a batch leads, others run beside it."""

import logging
import time
from collections.abc import Generator, Iterator
from typing import Any
from weakref import WeakSet

from unbroken import messages
from unbroken.course.counting import counted_anew, counters, zipped_anew
from unbroken.course.course import Course
from unbroken.course.passes import OpenPass
from unbroken.course.stopping import LIBRARY, OUTSIDE, WaitBrokenOffError
from unbroken.errors import LoaderRefusedError, UsageError
from unbroken.loop.accelerate import require_groups
from unbroken.loop.batches import Pass
from unbroken.loop.loaders import Loaders, ResumableLoader
from unbroken.loop.numbers import StepNumbers
from unbroken.loop.positioned import PositionedLoader
from unbroken.loop.ranks import At
from unbroken.store.runstate import Reason

_log = logging.getLogger("unbroken")


class BatchLoops:
    """Hands out the batches of loaders, and tells the course of each."""

    def __init__(self, course: Course, loaders: Loaders) -> None:
        self._course = course
        self._loaders = loaders
        self._rescaled = False
        self._given_out: WeakSet[Generator[Any, None, None]] = WeakSet()

    def iterate(self, loader: ResumableLoader, goal: int | None = None, group: int = 1) -> Iterator[Any]:
        """The batches of one loop over ``loader`` in the epoch in hand, to its end or to ``goal`` steps in all.

        Saves and stops fall between groups of ``group`` batches.
        """
        course, stopping = self._course, self._course.stopping
        self.require_epoch()
        before, stopping.phase = stopping.phase, LIBRARY
        with course.refusals():
            opened, batches = self._open(loader)
        # One of unknown length had given its last batch, and the loop in its place is the one that was begun after it.
        while opened.reopened and loader.length is None and not batches.has_more():
            opened.exhausted = True
            opened, batches = self._open(loader)
        stopping.under_way.add(batches)
        given_out = self._pass(opened, loader, batches, goal, group)
        self._given_out.add(given_out)
        if before is OUTSIDE:
            course.stopping.enter_user_code()
        stopping.phase = before
        return given_out

    def require_epoch(self) -> None:
        """Raises UsageError outside a loop over the epochs."""
        if self._course.keeper is None or not self._course.in_epoch or self._course.was_left:
            raise UsageError("batches_outside_epochs")

    def end_all(self) -> None:
        """An iterator kept by the user has a batch in hand that is done, and must not go on in the next epoch."""
        for given_out in list(self._given_out):
            given_out.close()

    def _open(self, loader: ResumableLoader) -> tuple[OpenPass, Pass]:
        if isinstance(loader, PositionedLoader):
            self._rescaled = self._rescaled or loader.fits_rescaled(self._course.passes.before.get("batch", 0))
            if self._rescaled:
                loader.rescale()
            if self._course.ranks.several:
                self._require_alike(loader)
        opened = self._course.ranks.together(At.LOADER, lambda: self._course.passes.open(loader.facts))
        order = opened.order if opened.given else None
        epoch = self._course.cursor.epoch + 1
        batches = loader.iterate(epoch=epoch, loop=opened.index, start=opened.given, order=order, ahead=opened.ahead)
        opened.remaining = batches.remaining
        return opened, batches

    def _require_alike(self, loader: PositionedLoader) -> None:
        """Raise LoaderRefusedError unless the loader is that of the other ranks too."""
        ranks = self._course.ranks
        told = ranks.all(At.LOADER, (loader.facts, loader.distribution, loader.trial))
        for key, of_all in (("loader_unlike", [one[0] for one in told]), ("sampler_unlike", [one[1] for one in told])):
            for rank, facts in enumerate(of_all):
                for fact, value in facts.items():
                    if value != (first := of_all[0].get(fact)):
                        raise LoaderRefusedError(key, fact=fact, rank=rank, here=value, first=first)
        ranks.together(At.LOADER, lambda: loader.divide(alike=len({trial for *_, trial in told}) == 1))

    def _require_same_samples(self, batches: Pass) -> None:
        """Raise LoaderRefusedError where a sample is not the same on all ranks: each has been given data of its own."""
        ranks = self._course.ranks
        if not ranks.several:
            return
        told = ranks.all(At.LOADER, batches.common)
        for rank, digest in enumerate(told):
            if None not in told and digest != told[0]:
                raise LoaderRefusedError("samples_unlike", rank=rank)

    def _pass(
        self, opened: OpenPass, loader: ResumableLoader, batches: Pass, goal: int | None, group: int
    ) -> Generator[Any, None, None]:
        with self._course.refusals():
            yield from self._batches_of(opened, loader, batches, goal, group)

    def _batches_of(
        self, opened: OpenPass, loader: ResumableLoader, batches: Pass, goal: int | None, group: int
    ) -> Generator[Any, None, None]:
        course, passes = self._course, self._course.passes
        if course.hands.are_elsewhere():
            return
        if passes.lead is None:
            course.stopping.phase = LIBRARY
            passes.take_lead(opened)
            course.begin_batches(loader.length)
        try:
            if passes.lead is opened:
                yield from self._leading(opened, loader, batches, goal, group)
                return
            for batch in batches:
                if opened.given == 0:
                    self._require_same_samples(batches)
                    self._loaders.say_promise(loader, resumed=course.resumed_from is not None)
                opened.given += 1
                opened.order = batches.order
                for listener in course.listeners:
                    listener.given(opened.index, batch)
                yield batch
        finally:
            opened.exhausted = True  # also one left by a break: nobody goes on with it

    def _leading(
        self, opened: OpenPass, loader: ResumableLoader, batches: Pass, goal: int | None, group: int
    ) -> Generator[Any, None, None]:
        course, cursor, stopping = self._course, self._course.cursor, self._course.stopping
        cursor.order = batches.order
        course.order_is_common = loader.divided if isinstance(loader, PositionedLoader) else True
        stopping.group = group
        require_groups(group)
        most: int | None = None
        # A dataset that is loaded from in this process may draw from a generator that is tracked.
        counts = isinstance(loader, StepNumbers)
        draws = loader.workers == 0 and not counts and course.parts.tracked.has_generators
        first = True
        # No call that can be spared in here: beside workers each runs from cold caches, and takes microseconds.
        while goal is None or cursor.step < goal:
            course.require_open()
            stopping.phase = LIBRARY
            began = time.monotonic()
            stopping.at_boundary()
            if goal is not None and counts and course.asking.ends:
                break  # there is no end of an epoch to wait for
            boundary = group == 1 or (cursor.batch if goal is None else cursor.step) % group == 0
            if most is not None and cursor.batch >= most:
                said = {"epoch": cursor.epoch + 1, "batches": most, "length": loader.length}
                _log.warning(messages.text("epoch_ends_as_before", **said))
                break
            if draws:
                course.generators = course.parts.tracked.generators()
            try:
                batch = self._fetch(loader, batches, boundary=boundary)
            except StopIteration:
                break
            if first:
                first = False
                self._require_same_samples(batches)
                self._loaders.say_promise(loader, resumed=course.resumed_from is not None)
                course.check_batch(batch, batches.order)
                most = self._end_of_counting(resumed_after=cursor.batch, goal=goal)
            ends = goal is None and boundary and loader.length is not None and cursor.batch + group >= loader.length
            if ends and stopping.train_on is None and not course.ranks.several:
                # For a stop after the batches. Not the state after the last one: a resume from there would give
                # the loop no batch at all, and code behind a loop reads the variables that its body sets.
                stopping.kept = course.snapshot(Reason.SIGNAL, batch=batch, order=batches.order)
            course.before_batch(batch, batches.order, boundary=boundary)
            course.hand_over(opened.index, batch)
            stepped = False
            try:
                yield batch
                stepped = True
            finally:
                # Also when the loop is left by a break: the batch was in hand, and the epoch is at its end.
                course.after_batch(batches.order, time.monotonic() - began, stepped=stepped)
        stopping.after_steps()
        stopping.enter_user_code()

    def _end_of_counting(self, *, resumed_after: int, goal: int | None) -> int | None:
        """The number of batches at which a loop that counts anew, in an epoch resumed inside, would have ended it."""
        if resumed_after == 0:
            return None
        cursor = self._course.cursor
        done = resumed_after if goal is None else cursor.step
        found = counters()
        kind = counted_anew(found, done)
        most = self._course.lengths.most(resumed_after, kind)
        if kind is not None and most is None:
            said = {"kind": kind, "epoch": cursor.epoch + 1, "done": done}
            _log.warning(messages.text("counted_anew", **said))
        if (beside := zipped_anew(found)) is not None:
            said = {"kind": beside, "epoch": cursor.epoch + 1, "done": done}
            _log.warning(messages.text("zipped_anew", **said))
        return most

    def _fetch(self, loader: ResumableLoader, batches: Pass, *, boundary: bool) -> Any:
        """The next batch; while it is loaded at a boundary the state is whole, so a failure here still saves it."""
        course, stopping = self._course, self._course.stopping
        try:
            # Where there may be none the end of the pass is awaited, also with a signal: see ``_leading``.
            if boundary and loader.workers and loader.length is not None and course.cursor.batch < loader.length:
                stopping.enter_waiting(batches)
            try:
                return next(batches)
            finally:
                stopping.phase = LIBRARY
        except StopIteration:
            raise
        except WaitBrokenOffError:
            course.stop_in_wait()
        except Exception:
            if boundary:
                course.save_after_error()
            raise
