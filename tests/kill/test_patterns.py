"""SIGKILL in training programs of every kind: what people do with optimizers, modules, streams, loaders and loops."""

import random
from pathlib import Path

import pytest

from tests.kill.conftest import Reference
from tests.kill.matrix import PROGRAMS, drawn, schedules
from tests.kill.patterns.program import PATTERNS
from tests.kill.test_kills import must_be_equal
from tests.kill.toolkit import Nursery, moments, run_to_its_end

KILLS = 5
MOST_RUNS = 5

SAMPLE = {
    "schedules": [moments.TRAINING, moments.SAVE_NAMED],
    "steps, endless iterable": [moments.TRAINING, moments.SAVE_BEGUN],
}


@pytest.mark.parametrize("name", SAMPLE)
@pytest.mark.one_in(2)
def test_a_few_kills(nursery: Nursery, reference: Reference, tmp_path: Path, name: str) -> None:
    program, kinds = PROGRAMS[name], SAMPLE[name]
    kills = drawn(kinds, reference(program), random.Random())
    outcome = run_to_its_end(nursery, program, tmp_path / "run", kills)
    must_be_equal(outcome, reference(program))
    assert outcome.delivered, outcome.story()


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", PATTERNS)
def test_every_pattern_ends_as_if_never_killed(
    nursery: Nursery, reference: Reference, tmp_path: Path, name: str
) -> None:
    program = PROGRAMS[name]
    delivered = 0
    for number, kills in enumerate(schedules(MOST_RUNS, reference(program), random.Random())):
        outcome = run_to_its_end(nursery, program, tmp_path / str(number), kills)
        must_be_equal(outcome, reference(program))
        delivered += len(outcome.delivered)
        if delivered >= KILLS:
            return
    raise AssertionError(f"{delivered} kills in {MOST_RUNS} runs")
