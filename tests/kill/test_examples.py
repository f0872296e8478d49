"""The examples, as they are: killed at random, each ends with the files of the run that was left alone."""

import dataclasses
import random
import re
from pathlib import Path

import pytest

from tests.audit.test_examples import EXAMPLES, SMALL
from tests.kill.conftest import Reference
from tests.kill.matrix import drawn
from tests.kill.test_kills import must_be_equal
from tests.kill.toolkit import Digest, Nursery, Program, moments, run_to_its_end

KILLS = 20
MOST_RUNS = 15

# They say nothing to the toolkit: where they stand is seen in their folders only.
KINDS = [
    moments.ANYWHERE,
    moments.ANYWHERE,
    moments.SAVE_BEGUN,
    moments.SAVE_NAMED,
    moments.SAVE_COPIED,
    moments.MANIFEST,
]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", SMALL)
def test_an_example_ends_as_if_never_killed(nursery: Nursery, reference: Reference, tmp_path: Path, name: str) -> None:
    program = Program(EXAMPLES / f"{name}.py", SMALL[name])
    whole = dataclasses.replace(reference(program), digest=_seeded(reference(program).digest))
    dice, delivered, runs = random.Random(), 0, 0
    while delivered < KILLS and runs < MOST_RUNS:
        kills = drawn(dice.sample(KINDS, 4), reference(program), dice)
        outcome = run_to_its_end(nursery, program, tmp_path / str(runs), kills)
        outcome.digest = _seeded(outcome.digest)
        must_be_equal(outcome, whole)
        runs, delivered = runs + 1, delivered + len(outcome.delivered)
    print(f"{name}: {delivered} kills in {runs} runs, each equal")
    assert delivered >= KILLS


def _seeded(digest: Digest) -> Digest:
    """Without the streams that the examples neither seed nor draw from: no two starts of them are the same."""
    return {
        name: bits for name, bits in digest.items() if not re.search(r"/unbroken\.streams\.\w+\.(python|numpy)\b", name)
    }
