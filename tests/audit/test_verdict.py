"""What a difference is said to mean."""

import pytest

from tests.audit.told import COUNT, EMA, LOSS, ORDER, PYTHON, RATE, TORCH, VAL_LOSS, WEIGHT, line
from unbroken.audit import suspects, verdict
from unbroken.audit.compare import Parting, Seen
from unbroken.loop.trace import Group, Kind, Mark, Name
from unbroken.messages import FALLBACK, sentences, text

DATA = Name(Group.DATA, "loop 1")
CALLS = Name(Group.DATA, "main:loader.dataset.calls", Mark.HINT)
LIST = Name(Group.VARIABLE, "main:files", Mark.HINT)
TENSOR = Name(Group.VARIABLE, "main:shadow['weight']", Mark.HINT)
LOCAL_LOSS = Name(Group.VARIABLE, "main:loss", Mark.HINT)
SEED = Name(Group.SEED, "seed", Mark.HINT)
IN_ORDER = Name(Group.OPTIMIZER, "optimizer.param_groups", Mark.HINT)
DICE = Name(Group.STREAM, "main:dice", Mark.UNTRACKED)
DIGESTS = ("0123456789abcdef", "fedcba9876543210")


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNBROKEN_LANG", "en")


def seen(name: Name, expected: str = "7", got: str = "1") -> Seen:
    return Seen(name, expected, got)


def parting(*differing: Seen, hints: tuple[Seen, ...] = (), resumed: bool = True) -> Parting:
    began = line(Kind.BEGIN, 5, {}).moment
    return Parting(line(Kind.STEP, 7, {}).moment, differing, hints, 1, began, resumed)


def test_where_it_begins() -> None:
    found = verdict.of_resume(parting(seen(LOSS), seen(WEIGHT)))
    assert (found.group, found.names, found.also) == (Group.AVERAGE, ("train_losses",), (Group.MODEL,))
    assert (found.steps_after, found.at_resume, found.expected, found.got) == (2, True, "7", "1")


def test_an_object_that_is_not_tracked_is_named_with_what_to_write() -> None:
    found = verdict.of_resume(parting(seen(EMA, "AveragedModel 12", "AveragedModel 34"), seen(VAL_LOSS)))
    assert str(found.cause).startswith("ema (AveragedModel, in main()) is not tracked")
    assert str(found.remedy) == "Track it: run.track(ema=ema)"


def test_an_object_that_is_not_tracked_explains_what_else_differs() -> None:
    hint = seen(EMA, "AveragedModel 12", "AveragedModel 34")
    found = verdict.of_resume(parting(seen(VAL_LOSS), hints=(hint,)))
    assert (found.group, found.cause.key) == (Group.HISTORY, "audit_cause_untracked")


def test_a_counter_is_suspected_before_what_was_computed_with_it() -> None:
    hints = (seen(LOCAL_LOSS, "0.25", "0.5"), seen(TENSOR, *DIGESTS), seen(COUNT))
    found = verdict.of_resume(parting(seen(LOSS, "0.1", "0.2"), seen(WEIGHT), hints=hints))
    assert found.cause.key == "audit_cause_variable"
    assert "count in main() is 1, not 7; loss in main() is 0.5, not 0.25" in str(found.cause)
    assert 'run.state["count"]' in str(found.remedy)


def test_tensors_are_suspected_of_a_metric_but_not_of_the_weights() -> None:
    hints = (seen(TENSOR, *DIGESTS),)
    assert [one.name.path for one in verdict.suspects(parting(seen(VAL_LOSS), hints=hints))] == ["main:shadow"]
    assert verdict.suspects(parting(seen(WEIGHT), hints=hints)) == []


def test_a_dataset_with_a_memory() -> None:
    held = verdict.of_resume(parting(seen(DATA, *DIGESTS), hints=(seen(CALLS), seen(COUNT))))
    assert (held.group, held.cause.key) == (Group.DATA, "audit_cause_data_held")
    assert "loader.dataset.calls" in str(held.cause) and "count" not in str(held.cause).split(":")[-1]
    assert verdict.of_resume(parting(seen(DATA, *DIGESTS))).cause.key == "audit_cause_data"
    # Where the batches were the same, what the dataset holds is not to blame.
    assert verdict.suspects(parting(seen(LOSS), hints=(seen(CALLS), seen(COUNT)))) == [seen(COUNT)]


def test_a_state_that_does_not_come_back_whole() -> None:
    at_once = Parting(line(Kind.BEGIN, 5, {}).moment, (seen(WEIGHT),), (), 1, line(Kind.BEGIN, 5, {}).moment, True)
    assert verdict.of_resume(at_once).cause.key == "audit_cause_not_restored"


@pytest.mark.parametrize("name", [ORDER, TORCH, RATE, WEIGHT, VAL_LOSS, LOSS])
def test_every_group_has_a_cause_and_a_remedy(name: Name) -> None:
    found = verdict.of_resume(parting(seen(name)))
    assert str(found.cause) and str(found.remedy)


def test_every_group_has_its_sentences_in_both_languages() -> None:
    known = sentences(FALLBACK).keys()
    for group in Group:
        assert f"audit_group_{group}" in known
        if group not in (Group.SEED, Group.VARIABLE, Group.DATA):
            assert {f"audit_cause_{group}", f"audit_remedy_{group}"} <= known


def test_what_differs_before_any_resume_is_the_scripts_own() -> None:
    found = verdict.of_resume(parting(seen(WEIGHT), resumed=False))
    assert not found.at_resume and found.steps_after is None
    assert found.cause.key == "audit_cause_kernels"


def test_why_whole_runs_differ() -> None:
    def cause(*hints: Seen, hash_order: bool = False) -> str:
        at = parting(seen(WEIGHT), hints=hints, resumed=False)
        return verdict.of_itself(at, hash_order=hash_order).cause.key

    files = seen(LIST, f"40 {DIGESTS[0]}", f"40 {DIGESTS[1]}")
    assert cause(files, seen(PYTHON), hash_order=True) == "audit_cause_hash_held"
    assert cause(seen(IN_ORDER, *DIGESTS), files, hash_order=True) == "audit_cause_optimizer_set"
    assert cause(hash_order=True) == "audit_cause_hash"
    assert cause(seen(SEED)) == cause(seen(TORCH)) == "audit_cause_seed"
    assert cause(seen(DICE, "Generator 1", "Generator 2"), seen(PYTHON)) == "audit_cause_generator"
    assert cause(seen(PYTHON)) == "audit_cause_unseeded"
    assert cause() == "audit_cause_kernels"


def test_digests_are_not_shown_to_people() -> None:
    assert suspects.shown("0.5") == "0.5"
    assert suspects.shown(f"40 {DIGESTS[0]}") == "40 items"
    assert suspects.shown(f"StepLR {DIGESTS[0]}") == "StepLR"
    assert suspects.shown(DIGESTS[0]) == ""
    assert suspects.shown(None) == text("audit_absent")


def test_findings_of_one_defect_are_one() -> None:
    one, other = (verdict.of_resume(parting(seen(LOSS, "0.1", got), hints=(seen(COUNT),))) for got in ("0.2", "0.3"))
    assert one != other and one.signature == other.signature
    assert one.signature != verdict.of_resume(parting(seen(LOSS))).signature
