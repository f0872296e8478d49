"""The benchmarks' command line; their figures are nobody's test."""

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks import against, breakdown
from benchmarks.__main__ import main
from benchmarks.stages import Stages


def test_a_folder_that_is_not_there_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--only", "none", "--folder", "/no/such/folder"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith("no folder /no/such/folder")


def test_the_breakdown_counts_each_call_of_a_stage_by_both_clocks(tmp_path: Path) -> None:
    def writes() -> None:
        file = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT)
        os.write(file, bytes(1000))
        os.fsync(file)
        os.close(file)

    def work() -> None:
        writes()
        thread = threading.Thread(target=writes)
        thread.start()
        thread.join()

    stages = Stages({"posix.write": "write", "posix.fsync": "fsync", "posix.unlink": "remove"})
    whole = stages.measure(work)
    assert {stage: spent.calls for stage, spent in stages.spent.items()} == {"write": 2, "fsync": 2}
    assert all(0 < spent.seconds <= whole.seconds for spent in stages.spent.values())
    assert sys.getprofile() is None


def test_the_breakdown_finds_all_stages_of_a_save_and_a_resume(tmp_path: Path) -> None:
    saving, resuming = breakdown.tables(8, tmp_path)
    for table in (saving, resuming):
        rows = {row: columns[breakdown.CALLS] for row, columns in table.samples.items()}
        assert [row for row, (calls,) in rows.items() if not calls] == []
        assert "limit" in table.text()


@pytest.mark.parametrize(
    "group", [against.starting, *(pytest.param(one, marks=pytest.mark.slow) for one in against.GROUPS[1:])]
)
def test_a_version_is_measured_in_a_process_that_has_its_source(
    group: Callable[[Path], dict[str, float]], tmp_path: Path
) -> None:
    source = Path(against.__file__).resolve().parents[1] / "src"
    figures = against.measured(source, group, tmp_path / "place")
    assert figures and all(value > 0 for value in figures.values())


def test_a_version_that_is_not_there_is_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        against.main(["/no/such/src"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith("no folder /no/such/src/unbroken")
