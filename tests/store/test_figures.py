"""Figures of the saves: right, of bounded size, and read only if they are whole."""

import json
import statistics
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.store.states import state
from unbroken.errors import DiskError
from unbroken.store.figures import Figures, SaveFigures, read_figures
from unbroken.store.folder import CheckpointFolder
from unbroken.store.save import SaveJob, SaveReport


@pytest.fixture
def folder(tmp_path: Path) -> CheckpointFolder:
    folder = CheckpointFolder(tmp_path)
    folder.prepare()
    return folder


def note(
    figures: SaveFigures, folder: CheckpointFolder, batch: int, *, run: str = "run-a", fails: bool = False
) -> None:
    error = DiskError("disk_write_failed", path=folder.latest, reason="full") if fails else None
    report = SaveReport((folder.latest,) if not fails else (), 1000 + batch, 0.5, error)
    figures.note(SaveJob(state(1, batch, run=run), (folder.latest,), stalled=0.01), report)


def test_what_was_noted_is_read_back(folder: CheckpointFolder) -> None:
    figures = SaveFigures(folder)
    for batch in (1, 2, 3):
        note(figures, folder, batch, fails=batch == 2)
    found = read_figures(folder)
    assert found is not None
    assert (found.run_id, found.count, found.failed) == ("run-a", 3, 1)
    assert [(point.first_step, point.failed, point.size) for point in found.points] == [
        (11, 0, 1001),
        (12, 1, 1002),
        (13, 0, 1003),
    ]
    assert found.stalled.longest == 0.01 and found.seconds.longest == 0.5
    assert found.seconds.median == pytest.approx(0.5, rel=0.06)


def test_the_next_process_counts_on_and_another_run_begins_anew(folder: CheckpointFolder) -> None:
    for run, counts in (("run-a", 1), ("run-a", 2), ("run-b", 1)):
        figures = SaveFigures(folder)
        note(figures, folder, 1, run=run)
        found = read_figures(folder)
        assert found is not None and (found.run_id, found.count) == (run, counts)


def test_however_many_there_are_they_take_little_room_and_lose_no_extreme(folder: CheckpointFolder) -> None:
    figures = Figures("run-a")
    durations = [0.001 * (1 + n % 100) for n in range(20_000)]
    durations[777] = 33.0
    for step, seconds in enumerate(durations):
        figures.add(step, 10 * step, seconds, 2 * seconds, failed=step == 4711)
    assert len(figures.points) <= 128
    assert len(json.dumps(figures.as_json())) < 16_000
    assert sum(point.saves for point in figures.points) == figures.count == 20_000
    assert sum(point.failed for point in figures.points) == figures.failed == 1
    assert figures.points[0].first_step == 0 and figures.points[-1].last_step == 19_999
    assert all(a.last_step + 1 == b.first_step for a, b in zip(figures.points, figures.points[1:], strict=False))
    assert max(point.stalled for point in figures.points) == figures.stalled.longest == 33.0
    assert max(point.size for point in figures.points) == 199_990
    assert figures.stalled.median == pytest.approx(statistics.median(durations), rel=0.06)


def test_each_save_is_in_the_file_at_once(folder: CheckpointFolder) -> None:
    figures = SaveFigures(folder)
    for batch in range(1, 10):
        note(figures, folder, batch)
        found = read_figures(folder)
        assert found is not None and found.count == batch


def _torn(line: bytes) -> bytes:
    return line[: len(line) // 2] + bytes(len(line) // 2)


def _with(**changes: object) -> Callable[[bytes], bytes]:
    def change(line: bytes) -> bytes:
        row = json.dumps({**json.loads(line[8:]), **changes}).encode()
        return b"%08x" % zlib.crc32(row) + row + b"\n"

    return change


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "torn": _torn,
    "empty": lambda line: b"",
    "changed": lambda line: line.replace(b"run-a", b"run-b"),
    "newer": _with(format=2),
    "no run": _with(run_id=None),
    "negative": _with(count=-1),
    "a point of texts": _with(points=[["0", 1, 1, 0, 1, 0.1, 0.1]]),
    "a short point": _with(points=[[0, 1]]),
    "too many points": _with(points=[[0, 1, 1, 0, 1, 0.1, 0.1]] * 1000),
    "an endless save": _with(seconds=[float("inf"), []]),
    "a class beyond all": _with(stalled=[1.0, [[10**9, 1]]]),
    "deep": lambda line: (lambda row: b"%08x" % zlib.crc32(row) + row)(b"[" * 100_000),
}


@pytest.mark.parametrize("how", BROKEN)
def test_what_is_broken_is_none_and_is_written_anew(folder: CheckpointFolder, how: str) -> None:
    figures = SaveFigures(folder)
    note(figures, folder, 1)
    whole = folder.saves.read_bytes()
    assert read_figures(folder) is not None
    folder.saves.write_bytes(BROKEN[how](whole))
    assert read_figures(folder) is None
    note(SaveFigures(folder), folder, 2)
    found = read_figures(folder)
    assert found is not None and found.count == 1


def test_a_longer_line_of_before_does_not_show_through(folder: CheckpointFolder) -> None:
    folder.saves.write_bytes(b"x" * 50_000)
    note(SaveFigures(folder), folder, 1)
    assert read_figures(folder) is not None


def test_a_link_or_a_folder_in_its_place_is_left_alone(folder: CheckpointFolder, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    folder.saves.symlink_to(precious)
    note(figures := SaveFigures(folder), folder, 1)
    assert precious.read_text() == "mine"
    folder.saves.unlink()
    folder.saves.mkdir()
    note(figures, folder, 2)
    assert folder.saves.is_dir()
