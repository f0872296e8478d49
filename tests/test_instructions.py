"""The guard of instruction counts: what it lets pass, and what not. The counting itself is in ``.ci/run``."""

import json

import pytest
from benchmarks import callgrind
from benchmarks.instructions import RECORDED, grown, recorded, with_record

OF = {"machine": "x86_64", "python": "3.11", "torch": "2.13.0"}


def test_more_than_a_tenth_above_is_named_with_both_figures() -> None:
    before = {"a boundary": 1000, "a step": 500}
    assert grown(before, {"a boundary": 1100, "a step": 100}) == []
    (line,) = grown(before, {"a boundary": 1101, "a step": 500})
    assert line == "a boundary: 1,101 instructions, 10% above 1,000"


def test_what_has_no_figure_is_not_let_pass() -> None:
    assert grown({}, {"a step": 5}) == ["a step: 5 instructions, and none recorded"]


def test_figures_hold_for_the_versions_that_they_name_and_no_others() -> None:
    text = with_record("[]", OF, {"a step": 5})
    assert recorded(text, OF) == {"a step": 5}
    assert recorded(text, {**OF, "torch": "2.14.0"}) is None
    both = with_record(text, {**OF, "torch": "2.14.0"}, {"a step": 6})
    assert recorded(with_record(both, OF, {"a step": 7}), OF) == {"a step": 7}
    assert recorded(both, {**OF, "torch": "2.14.0"}) == {"a step": 6}


def test_there_are_figures_of_everything_that_is_counted() -> None:
    records = json.loads(RECORDED.read_text())
    names = {"run.batches, a batch", "run.steps, a step", "a boundary", "the witness of a step"}
    names |= {"a save of four tensors", "a save of 400 tensors"}
    assert records
    assert all(record["instructions"].keys() == names for record in records)


def test_programs_that_are_not_there_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/no/such/folder")
    assert callgrind.missing() == ["valgrind", "cc"]
