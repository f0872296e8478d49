"""Where two runs part, from traces made by hand."""

import pytest

from tests.audit.told import (
    COUNT,
    EMA,
    LOSS,
    ORDER,
    PYTHON,
    RATE,
    TORCH,
    WEIGHT,
    Told,
    killed,
    line,
    resumed,
    whole,
)
from unbroken.audit import compare
from unbroken.audit.compare import STEPS, Parting
from unbroken.loop.trace import Group, Kind, Mark, Name

NOTHING: frozenset[Name] = frozenset()
SECONDS = Name(Group.AVERAGE, "seconds")


def names(parting: Parting | None) -> list[Name]:
    assert parting is not None
    return [seen.name for seen in parting.differing]


def test_equal_runs_do_not_part() -> None:
    assert compare.part(whole(5), whole(5)) is None
    assert compare.noise(whole(5), whole(5)) == NOTHING
    assert compare.follow(whole(5), [killed(whole(5), 3), resumed(2, 5)], NOTHING) is None


def test_whole_runs_part_where_the_training_does_and_the_cause_stands_first() -> None:
    other = whole(5, step={2: {ORDER: "x"}, 3: {WEIGHT: 0, ORDER: "y", LOSS: 9, TORCH: "z"}})
    parting = compare.part(whole(5), other)
    assert parting is not None
    assert parting.moment.step == 3
    # The order differed before, without the training differing: whatever that was, it is not this.
    assert names(parting) == [TORCH, LOSS, WEIGHT]


def test_what_is_only_recorded_does_not_part_whole_runs_and_is_noise() -> None:
    one, other = (whole(4, step={step: {SECONDS: step + run} for step in range(1, 5)}) for run in (0.1, 0.2))
    assert compare.part(one, other) is None
    assert compare.noise(one, other) == {SECONDS}
    later = whole(4, step={n: {SECONDS: n + 0.2, **({WEIGHT: 7} if n == 3 else {})} for n in range(1, 5)})
    assert names(compare.part(one, later)) == [WEIGHT]


def test_the_stream_of_torch_stands_before_those_that_nothing_may_draw_from() -> None:
    one, other = (whole(2, step={0: {PYTHON: run, TORCH: run, WEIGHT: run}}) for run in (1, 2))
    parting = compare.part(one, other)
    assert names(parting) == [TORCH, PYTHON, WEIGHT]
    assert parting is not None and parting.moment.kind is Kind.BEGIN
    assert names(compare.part(one, other, frozenset({TORCH, PYTHON}))) == [WEIGHT]


def test_a_run_that_is_shorter_or_longer_parts() -> None:
    assert names(compare.part(whole(5), whole(4))) == [STEPS]
    assert names(compare.part(whole(4), whole(5)))[0] == STEPS
    parting = compare.follow(whole(4), [killed(whole(4), 3), resumed(2, 5)], NOTHING)
    assert names(parting) == [STEPS]
    assert parting is not None and (parting.moment.step, parting.resumed) == (5, True)
    # What decided to go on was another already where the other run ended.
    patient = whole(4, step={4: {COUNT: 2}})
    parting = compare.follow(patient, [killed(patient, 3), resumed(2, 5, step={4: {COUNT: 1}})], NOTHING)
    assert parting is not None and [hint.name for hint in parting.hints] == [COUNT]
    assert names(compare.follow(whole(5), [killed(whole(5), 3), resumed(2, 4)], NOTHING))[0] == STEPS
    cut_short = Told(resumed(2, 5).told[:-3])
    assert names(compare.follow(whole(5), [killed(whole(5), 3), cut_short], NOTHING)) == [STEPS]


def test_a_resumed_run_parts_where_it_first_differs() -> None:
    second = resumed(2, 5, step={4: {LOSS: 99, COUNT: 1}, 5: {WEIGHT: 1}})
    parting = compare.follow(whole(5, step={4: {COUNT: 4}}), [killed(whole(5), 3), second], NOTHING)
    assert parting is not None
    assert names(parting) == [LOSS]
    assert [(hint.name, hint.expected, hint.got) for hint in parting.hints] == [(COUNT, "4", "1")]
    assert parting.began is not None
    assert (parting.attempt, parting.resumed, parting.began.step, parting.moment.step) == (1, True, 2, 4)


def test_what_is_noise_parts_nothing() -> None:
    second = resumed(2, 5, step={4: {LOSS: 99}})
    assert compare.follow(whole(5), [killed(whole(5), 3), second], frozenset({LOSS})) is None


def test_a_difference_before_the_first_resume_is_not_the_resumes() -> None:
    parting = compare.follow(whole(5), [killed(whole(5, step={2: {WEIGHT: 0}}), 3), resumed(3, 5)], NOTHING)
    assert parting is not None and not parting.resumed


@pytest.mark.parametrize(("name", "told"), [(WEIGHT, True), (RATE, True), (TORCH, False), (ORDER, False)])
def test_the_state_restored_is_that_of_the_moment_it_was_saved_at(name: Name, told: bool) -> None:
    second = resumed(2, 5, begin={2: {name: "other"}})
    parting = compare.follow(whole(5), [killed(whole(5), 3), second], NOTHING)
    # Streams come back later, with the first batch: at the beginning they may be anything.
    assert (parting is not None) == told
    if parting is not None:
        assert (names(parting), parting.moment.kind, parting.began) == ([name], Kind.BEGIN, parting.moment)


def test_a_state_of_an_epochs_end_is_compared_with_that() -> None:
    reference = whole(5, epoch={5: {RATE: 0.05}})

    def restored(rate: float) -> Told:
        begin = line(Kind.BEGIN, 5, {WEIGHT: 50, RATE: rate}, batch=0, resumed_from="latest")
        return Told([begin, reference.told[-1]])

    assert compare.follow(reference, [restored(0.05)], NOTHING) is None
    assert names(compare.follow(reference, [restored(0.1)], NOTHING)) == [RATE]


def test_an_untracked_object_counts_only_if_it_is_not_the_same_at_the_end() -> None:
    reference = whole(5, step={n: {EMA: f"Average {n}"} for n in range(1, 6)}, epoch={5: {EMA: "Average 5"}})
    meanwhile = resumed(2, 5, step={3: {EMA: "Average 0"}}, epoch={5: {EMA: "Average 5"}})
    lost = resumed(2, 5, step={3: {EMA: "Average 0"}}, epoch={5: {EMA: "Average 1"}})
    before = killed(reference, 3)
    assert compare.forgotten(reference, [before, meanwhile], NOTHING) == NOTHING
    assert compare.forgotten(reference, [before, lost], NOTHING) == {EMA}
    assert compare.follow(reference, [before, lost], NOTHING) is None
    parting = compare.follow(reference, [before, lost], NOTHING, frozenset({EMA}))
    assert names(parting) == [EMA]
    assert parting is not None and parting.moment.step == 3


def test_an_untracked_object_stands_before_what_it_leads_to() -> None:
    reference = whole(3, step={3: {EMA: "Average 3"}})
    second = resumed(2, 3, step={3: {EMA: "Average 1", LOSS: 0}})
    assert names(compare.follow(reference, [second], NOTHING, frozenset({EMA}))) == [EMA, LOSS]


def test_a_variable_is_only_a_hint_also_where_it_is_not_there_yet() -> None:
    reference = whole(3, step={3: {COUNT: 3}}, epoch={3: {COUNT: 3}})
    assert compare.follow(reference, [resumed(2, 3)], NOTHING) is None
    assert compare.left_over(reference, [resumed(2, 3)], NOTHING) == []
    left = compare.left_over(reference, [resumed(2, 3, epoch={3: {COUNT: 1}})], NOTHING)
    assert [(seen.name.mark, seen.got) for seen in left] == [(Mark.HINT, "1")]


def test_replayed_steps_are_counted_and_compared_with_the_first_time() -> None:
    assert compare.replayed([killed(whole(5), 4), resumed(2, 5)]) == (2, None)
    steps, parting = compare.replayed([killed(whole(5), 4), resumed(2, 5, step={4: {WEIGHT: 0}})])
    assert (steps, names(parting)) == (2, [WEIGHT])
