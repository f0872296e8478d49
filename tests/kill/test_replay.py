"""The replay proof after real kills: every resume says that its steps went as before, and how many there were."""

import random
from pathlib import Path

import pytest

from tests.kill.conftest import Reference
from tests.kill.matrix import SCRIPT, drawn
from tests.kill.test_kills import must_be_equal
from tests.kill.toolkit import Nursery, Program, moments, run_to_its_end
from unbroken.cli.contents import open_contents

# Saved at the ends of epochs only, so that there is something to train again.
RARELY = Program(SCRIPT, ("--every-steps", "1000"))

PROOFS = 50
MOST_RUNS = 160  # not every kill leaves steps to train again


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_fifty_kills_are_each_proven_to_be_replayed(nursery: Nursery, reference: Reference, tmp_path: Path) -> None:
    dice = random.Random()
    kinds = [moments.TRAINING, moments.VALIDATION, moments.ANYWHERE]
    proofs, steps = 0, 0
    for number in range(MOST_RUNS):
        kills = drawn([dice.choice(kinds)], reference(RARELY), dice)
        outcome = run_to_its_end(nursery, RARELY, tmp_path / str(number), kills)
        must_be_equal(outcome, reference(RARELY))
        kept = open_contents(tmp_path / str(number) / "checkpoints" / "checkpoint_latest.pth").replays
        assert [replay.steps for replay in kept] == outcome.replayed
        assert all(replay.step is None for replay in kept)
        proofs += len(outcome.replayed)
        steps += sum(outcome.replayed)
        if proofs == PROOFS:
            break
    assert proofs == PROOFS
    print(f"{proofs} kills, each replayed exactly: {steps} steps")
    assert steps > 3 * PROOFS
