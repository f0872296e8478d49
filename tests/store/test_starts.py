"""What a run record says of the starts of its run: kept in full, bounded, and never more than it was."""

import json
from dataclasses import replace
from typing import Any

import pytest

from unbroken.store.folder import CheckpointFolder
from unbroken.store.forecast import Plan
from unbroken.store.record import RunRecord, read_run_record, write_run_record
from unbroken.store.starts import Change, Start, Starts, bounded, changes_of, starts_of

FIRST = Start(
    generation=1,
    at="2026-01-02 03:04:05",
    host="here",
    version="0.1.0",
    file="",
    saved="",
    branch=0,
    epoch=0,
    batch=0,
    batches=None,
    step=0,
    ended="begun",
    reached=None,
    processes=1,
    keeping=Plan(5, None, 2**40, best=3),
    changes=(Change("config", "lr", "0.1", "0.2"),),
)
RECORD = RunRecord("run-a", 0, "2026-01-02 03:04:05", "python train.py")


@pytest.fixture
def folder(tmp_path: Any) -> CheckpointFolder:
    folder = CheckpointFolder(tmp_path)
    folder.prepare()
    return folder


def test_it_comes_back_as_it_was_written(folder: CheckpointFolder) -> None:
    record = replace(RECORD, starts=Starts.none().with_another(FIRST))
    write_run_record(folder, record)
    assert read_run_record(folder) == record


def test_a_record_without_it_says_so(folder: CheckpointFolder) -> None:
    write_run_record(folder, RECORD)
    found = json.loads(folder.run_json.read_text())
    del found["starts"]
    folder.run_json.write_text(json.dumps(found))
    assert read_run_record(folder) == RECORD and RECORD.starts is None


def test_the_last_are_kept_and_all_are_counted() -> None:
    starts = Starts.none()
    for generation in range(1, 1001):
        starts = starts.with_another(replace(FIRST, generation=generation))
    assert starts.count == 1000
    assert [start.generation for start in starts.last] == list(range(801, 1001))
    assert starts_of(json.loads(json.dumps(starts.as_json()))) == starts


def test_what_is_lost_is_what_was_trained_behind_the_state() -> None:
    assert FIRST.lost is None
    assert replace(FIRST, step=10, reached=37).lost == 27
    assert replace(FIRST, step=10, reached=4).lost == 0


def test_of_a_complete_run_that_trained_on_nothing_is_said_to_be_complete() -> None:
    """All was done that had been planned; then one process trained further, and died before it saved."""
    done = replace(FIRST, step=10, ended="complete", reached=None)
    starts = Starts.none().with_another(done)
    assert starts.with_another(replace(done, reached=12)).last[-1].ended == "broken_off"
    assert starts.with_another(done).last[-1].ended == "complete"


def test_changes_are_bounded_in_number_and_length() -> None:
    changes = changes_of("config", [(f"n{n}", "x" * 10_000, n) for n in range(1000)])
    assert len(bounded(changes)) == 40
    assert len(changes[0].old) == 200 and changes[0].old.endswith("…")


BROKEN: list[tuple[str, Any]] = [
    ("generation", -1),
    ("generation", True),
    ("step", 2**63),
    ("step", "1"),
    ("at", None),
    ("at", 5),
    ("reached", 1.5),
    ("batches", "x"),
    ("changes", None),
    ("changes", [{"kind": "config"}]),
    ("changes", [{"kind": "config", "name": "lr", "old": 1, "new": "2"}]),
]


@pytest.mark.parametrize(("key", "value"), BROKEN)
def test_what_makes_no_sense_is_none(folder: CheckpointFolder, key: str, value: Any) -> None:
    written = json.loads(json.dumps(Starts.none().with_another(FIRST).as_json()))
    assert starts_of(written) is not None
    written["last"][0][key] = value
    assert starts_of(written) is None
    write_run_record(folder, RECORD)
    found = json.loads(folder.run_json.read_text())
    folder.run_json.write_text(json.dumps({**found, "starts": written}))
    assert read_run_record(folder) == RECORD  # the rest of the record is as good as before


ELSE: list[object] = [None, 1, [], {}, {"format": 2, "count": 0, "last": []}, {"format": 1, "count": 0, "last": [{}]}]
ELSE += [{"format": 1, "count": "1", "last": []}, {"format": 1, "count": 1, "last": [{}]}, {"format": 1, "count": 1}]


@pytest.mark.parametrize("found", ELSE)
def test_anything_else_is_none(found: object) -> None:
    assert starts_of(found) is None
