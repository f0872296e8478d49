"""Started again when all is done, a run names the variables that code behind its loop reads as built."""

from pathlib import Path

import pytest
from torch import nn

import unbroken
from tests.run.loop import Lines, listening


def trained(folder: Path, *, kept: bool) -> tuple[int, list[int], float]:
    model = nn.Linear(2, 1)
    run = unbroken.Run(folder, every=None)
    run.track(model=model)
    labelled, unread, seen = 8, 0, list[int]()
    local = run.local(labelled=labelled, seen=seen) if kept else None
    rate = 0.1
    with run:
        for epoch in run.epochs(3):
            unread += 1
            if local is not None:
                local.labelled += 10
                local.seen.append(epoch)
            else:
                labelled += 10
                seen.append(epoch)
    rate = 0.2
    return (labelled, seen, rate) if local is None else (local.labelled, local.seen, rate)


def warnings_of(log: Lines) -> list[str]:
    return [line for line in log.lines if "not what they were at the save" in line]


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNBROKEN_LANG", "en")


def test_what_code_behind_the_loop_reads_is_named(tmp_path: Path) -> None:
    assert trained(tmp_path, kept=False) == (38, [1, 2, 3], 0.2)
    with listening(30) as log:
        assert trained(tmp_path, kept=False) == (8, [], 0.2)
    (said,) = warnings_of(log)
    assert "labelled, seen (" in said


def test_what_is_kept_is_not(tmp_path: Path) -> None:
    assert trained(tmp_path, kept=True) == (38, [1, 2, 3], 0.2)
    with listening(30) as log:
        assert trained(tmp_path, kept=True) == (38, [1, 2, 3], 0.2)
    assert warnings_of(log) == []
