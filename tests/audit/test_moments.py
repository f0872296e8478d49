"""The plan of the kills."""

import random

from hypothesis import given
from hypothesis import strategies as st

from unbroken.audit import moments
from unbroken.audit.moments import Course, Kill
from unbroken.audit.trace import Moment
from unbroken.loop.trace import Kind


def course(epochs: int, batches: int, *, pace: float = 0.01, validation: float = 0.0) -> Course:
    """A run that begins after 3 seconds; every epoch is saved at its end."""
    told = [(3.0, Moment("checkpoints", Kind.BEGIN, 0, 0, 0))]
    now, step = 3.0, 0
    for epoch in range(1, epochs + 1):
        for batch in range(1, batches + 1):
            now, step = now + pace, step + 1
            told.append((now, Moment("checkpoints", Kind.STEP, step, epoch, batch)))
        now += validation
        told.append((now, Moment("checkpoints", Kind.EPOCH, step, epoch, 0)))
        told.append((now, Moment("checkpoints", Kind.SAVE, step, epoch, 0)))
    told.append((now, Moment("checkpoints", Kind.END, step, epochs, 0)))
    return Course(told, now)


@given(epochs=st.integers(1, 5), batches=st.integers(1, 6), kills=st.integers(1, 20), seed=st.integers(0, 99))
def test_as_many_kills_as_asked_for_in_few_runs(epochs: int, batches: int, kills: int, seed: int) -> None:
    taken = course(epochs, batches)
    planned = moments.plan(taken, kills, random.Random(seed))
    assert sum(map(len, planned)) == kills
    assert all(1 <= len(run) <= 4 for run in planned)
    last = epochs * batches
    for interruption in (one for run in planned for one in run):
        assert interruption.delay >= 0
        if interruption.place is not None and interruption.kill is not Kill.AGAIN:
            assert interruption.place.number <= last + 1


@given(seed=st.integers(0, 99))
def test_the_first_seven_are_one_of_each_kind(seed: int) -> None:
    planned = moments.plan(course(4, 5), 7, random.Random(seed))
    assert sorted(one.kill for run in planned for one in run) == sorted(Kill)
    first = planned[0][0]
    assert first.kill is Kill.STOP and first.stop and first.place is not None
    # Inside an epoch: neither behind its first batch nor behind its last.
    assert first.place.number % 5 not in (0, 1)
    assert planned[0][1].place is not None and planned[0][1].place.number > first.place.number


def test_the_same_seed_draws_the_same_moments() -> None:
    one, other = (moments.plan(course(4, 5), 12, random.Random(3)) for _ in range(2))
    assert one == other != moments.plan(course(4, 5), 12, random.Random(4))


@given(seed=st.integers(0, 99))
def test_an_epochs_end_is_within_its_validation_where_that_takes_time(seed: int) -> None:
    def end(validation: float) -> moments.Interruption:
        planned = moments.plan(course(4, 5, validation=validation), 7, random.Random(seed))
        return next(one for run in planned for one in run if one.kill is Kill.EPOCH_END)

    assert end(0.0).hold and end(0.0).place is not None
    assert not end(2.0).hold
    assert 0 < end(2.0).delay < 2.0
    place = end(2.0).place
    assert place is not None and place.number % 5 == 0


@given(seed=st.integers(0, 99), kills=st.integers(1, 12))
def test_of_a_script_that_tells_nothing_by_the_clock(seed: int, kills: int) -> None:
    planned = moments.plan(Course([], 60.0), kills, random.Random(seed))
    every = [one for run in planned for one in run]
    assert len(every) == kills
    assert all(one.place is None and not one.stop and 0 <= one.delay <= 60 for one in every)
    assert every[0].at_change and every[0].settled
    # Where its checkpoints are not known, by the clock only.
    blind = moments.plan(Course([], 60.0, watched=False), kills, random.Random(seed))
    assert sum(map(len, blind)) == kills
    assert not any(one.at_change or one.settled for run in blind for one in run)
