"""SIGKILL at any moment, again and again: the run ends bit for bit as the one that was left alone."""

import random
from collections import Counter
from pathlib import Path

import pytest

from tests.kill.conftest import Reference
from tests.kill.matrix import IN_PROCESS, ONE_PROGRAM, PERSISTENT, WORKERS, drawn, schedules
from tests.kill.toolkit import KINDS, Interruption, Kind, Moment, Nursery, Outcome, Program, moments, run_to_its_end


def must_be_equal(outcome: Outcome, reference: Outcome) -> None:
    """Fails with the story of the kills, every broken promise and the first names that differ."""
    parted = outcome.differences(reference)
    lines = [*outcome.problems, *map(str, parted[:5])]
    assert not lines, f"{len(parted)} names differ\n{outcome.story()}\n" + "\n".join(lines)
    assert outcome.unproven == [], f"steps trained again and not said to be equal\n{outcome.story()}"


def steps_trained(outcome: Outcome) -> Counter[str]:
    """How often each step was trained, over all attempts."""
    lines = [line for attempt in outcome.attempts for line in attempt.lines if line.startswith("trained ")]
    return Counter(line.partition(" = ")[0] for line in lines)


@pytest.mark.parametrize("program", [WORKERS, PERSISTENT], ids=["workers", "persistent workers"])
@pytest.mark.one_in(2)
def test_who_loads_the_data_changes_no_bit(reference: Reference, program: Program) -> None:
    must_be_equal(reference(program), reference(IN_PROCESS))


SAMPLE = [
    (IN_PROCESS, [moments.PROLOGUE, moments.SAVE_COPIED, moments.ANYWHERE]),
    (WORKERS, [moments.BEFORE_FIRST_SAVE, moments.VALIDATION, moments.SAVE_BEGUN]),
]


@pytest.mark.parametrize(("program", "kinds"), SAMPLE, ids=["in process", "workers"])
def test_a_few_kills(
    nursery: Nursery, reference: Reference, tmp_path: Path, program: Program, kinds: list[Kind]
) -> None:
    kills = drawn(kinds, reference(program), random.Random())
    outcome = run_to_its_end(nursery, program, tmp_path / "run", kills)
    must_be_equal(outcome, reference(program))
    assert len(outcome.delivered) >= 2, outcome.story()


def test_the_steps_done_again_are_proven_equal_in_the_log(
    nursery: Nursery, reference: Reference, tmp_path: Path
) -> None:
    line = "batch 2 7"
    kill = Interruption(Moment(line, f"{line} "), hold=line)
    outcome = run_to_its_end(nursery, IN_PROCESS, tmp_path / "run", [kill])
    again = sum(times == 2 for times in steps_trained(outcome).values())
    assert again >= 2
    must_be_equal(outcome, reference(IN_PROCESS))
    assert f"已重放 {again} 步，与中断前逐位一致" in outcome.attempts[1].log


@pytest.mark.parametrize(
    "event", [r"create checkpoints/\.checkpoint_epoch_2", r"rename checkpoints/checkpoint_epoch_2"]
)
def test_a_kill_between_the_names_of_one_save_costs_none_of_them(
    nursery: Nursery, reference: Reference, tmp_path: Path, event: str
) -> None:
    """Latest is durable and its copies are not: the numbered file and the best of that epoch are made up for."""
    outcome = run_to_its_end(nursery, IN_PROCESS, tmp_path / "run", [Interruption(Moment(event, event))])
    assert len(outcome.delivered) == 1
    must_be_equal(outcome, reference(IN_PROCESS))


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", ONE_PROGRAM)
def test_many_kills(nursery: Nursery, reference: Reference, tmp_path: Path, name: str) -> None:
    program = ONE_PROGRAM[name]
    killed: Counter[str] = Counter()
    for number, kills in enumerate(schedules(6, reference(program), random.Random())):
        outcome = run_to_its_end(nursery, program, tmp_path / str(number), kills)
        must_be_equal(outcome, reference(program))
        killed.update(interruption.moment.label for interruption, _ in outcome.delivered)
    assert killed.total() >= 16, killed
    assert len(killed) >= len(KINDS) - 1, killed
