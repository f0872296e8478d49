"""The toolkit itself, against a loop that resumes exactly and against the usual ones that do not."""

import signal
from pathlib import Path

import pytest
import torch

from tests.kill import plain_loop
from tests.kill.conftest import Reference
from tests.kill.toolkit import Interruption, Moment, Nursery, Outcome, Program, StuckError, digest, run_to_its_end
from tests.kill.toolkit.digests import differences

SCRIPT = Path(plain_loop.__file__)
EXACT = Program(SCRIPT)

IN_SAVE = Moment("save", r"create checkpoints/\.checkpoint_latest\.pth\.")
SAVED = r"rename checkpoints/checkpoint_latest\.pth"


def after(pattern: str, nth: int = 1, delay: float = 0.0) -> Interruption:
    return Interruption(Moment(pattern, pattern, nth, delay))


def killed(nursery: Nursery, folder: Path, *interruptions: Interruption, defect: str | None = None) -> Outcome:
    program = EXACT if defect is None else Program(SCRIPT, ("--defect", defect))
    return run_to_its_end(nursery, program, folder / "run", interruptions)


def test_an_exact_loop_ends_as_if_never_killed(nursery: Nursery, reference: Reference, tmp_path: Path) -> None:
    kills = [
        after("started"),
        after("prologue 1"),
        after("batch 1 7", delay=0.001),
        Interruption(IN_SAVE, target="main"),
        after("batch 3 2"),
    ]
    outcome = killed(nursery, tmp_path, *kills)
    assert outcome.problems == []
    assert [attempt.code for attempt in outcome.attempts] == [-signal.SIGKILL] * 5 + [0]
    assert outcome.differences(reference(EXACT)) == []


@pytest.mark.slow
def test_a_new_interpreter_does_what_a_forked_one_does(nursery: Nursery, reference: Reference, tmp_path: Path) -> None:
    outcome = run_to_its_end(nursery, Program(SCRIPT, fresh=True), tmp_path / "run", [after("batch 2 3")])
    assert outcome.starts == 2
    assert outcome.problems == []
    assert outcome.differences(reference(EXACT)) == []


@pytest.mark.parametrize(
    ("defect", "name"),
    [
        ("optimizer", "trained 2 "),
        ("python", "trained 2 "),
        ("gauss", "trained 2 "),
        ("order", "batch 2 "),
    ],
)
def test_an_inexact_loop_is_caught_at_the_step_where_it_parts(
    nursery: Nursery, reference: Reference, tmp_path: Path, defect: str, name: str
) -> None:
    # Goes on from step 15, where after so many single draws numpy's legacy generator has one in hand.
    outcome = killed(nursery, tmp_path, after("batch 2 5"), defect=defect)
    parted = outcome.differences(reference(EXACT))
    assert parted
    assert parted[0].name.startswith(name)
    assert any(difference.name.startswith("model.") for difference in parted)


def test_a_script_that_differs_by_itself_is_seen_to_differ(
    nursery: Nursery, reference: Reference, tmp_path: Path
) -> None:
    outcome = killed(nursery, tmp_path, defect="unstable")
    assert outcome.differences(reference(EXACT))[0].name == "trained 1 1 1"


def test_a_torn_file_is_reported_although_the_kill_left_a_name(nursery: Nursery, tmp_path: Path) -> None:
    in_write = Interruption(Moment("torn", "half written 10"), hold="half written 10")
    outcome = killed(nursery, tmp_path, in_write, defect="torn")
    assert "attempt 1: checkpoint_latest.pth does not open" in outcome.problems[0]


def test_going_back_further_than_the_newest_state_is_reported(nursery: Nursery, tmp_path: Path) -> None:
    outcome = killed(nursery, tmp_path, after("batch 1 7"), defect="old")
    assert outcome.problems[0] == "attempt 2: step 5 was saved, and the run went on with step 5"


def test_a_checkpoint_that_a_kill_prevented_for_ever_is_missed(
    nursery: Nursery, reference: Reference, tmp_path: Path
) -> None:
    outcome = killed(nursery, tmp_path, Interruption(Moment("named", "to be named"), hold="to be named"))
    names = {difference.name.partition("/")[0] for difference in outcome.differences(reference(EXACT))}
    assert names == {"checkpoint_epoch_2.pth"}


def test_a_held_script_stands_still_until_the_signal(nursery: Nursery, tmp_path: Path) -> None:
    held = Interruption(Moment("held", "batch 2 5", delay=0.2), hold="batch 2 5")
    attempt = killed(nursery, tmp_path, held).attempts[0]
    assert attempt.last_line().startswith("batch 2 5 ")


def test_a_process_that_does_not_end_is_ended_and_named(nursery: Nursery, tmp_path: Path) -> None:
    never = Interruption(Moment("never", "no such line"), hold="batch 1 1")
    with pytest.raises(StuckError, match="batch 1 1"):
        run_to_its_end(nursery, EXACT, tmp_path / "run", [never], time_limit=3)


def test_digests_tell_what_equality_hides() -> None:
    pairs = [
        (0.0, -0.0),
        (1, 1.0),
        (1, True),
        ([1], (1,)),
        ({"1": 0}, {1: 0}),
        (torch.zeros(2), torch.zeros(2, dtype=torch.float64)),
        (torch.zeros(2, 3), torch.zeros(3, 2)),
        (torch.tensor([0.0]), torch.tensor([-0.0])),
        (torch.tensor([0.0, 1.0]).to_sparse(), torch.tensor([0.0, 1.0])),
        (torch.tensor([0.0, 1.0]).to_sparse(), torch.tensor([1.0, 0.0]).to_sparse()),
        ({}, []),
    ]
    for one, other in pairs:
        assert differences(digest(one, "value"), digest(other, "value")), (one, other)


def test_digests_see_no_difference_where_there_is_none() -> None:
    nan = torch.tensor([float("nan"), 1.0])
    state = {"a": nan, "b": [1.5, {"c": nan.expand(3, 2).t()}]}
    other = {"b": [1.5, {"c": nan.expand(3, 2).t().contiguous()}], "a": nan.clone()}
    assert differences(digest(state, "state"), digest(other, "state")) == []
