"""A bound of space for a run's checkpoints, kept all along."""

from pathlib import Path

import pytest

import unbroken
from tests.run.loop import Trial
from unbroken.store.folder import CheckpointFolder


def taken(folder: CheckpointFolder) -> int:
    return sum(path.stat().st_size for path in folder.checkpoints())


@pytest.mark.parametrize("keep", [None, 4])
def test_the_checkpoints_of_a_run_never_take_more_than_they_may(tmp_path: Path, keep: int | None) -> None:
    folder = CheckpointFolder(tmp_path / "checkpoints")
    Trial(tmp_path / "first", every_epochs=1).train(1)
    each = max(path.stat().st_size for path in CheckpointFolder(tmp_path / "first").checkpoints())
    limit = 8 * each
    seen = []

    def visit(place: str) -> None:
        if place.startswith("batch"):  # the save of the epoch before is done by then
            seen.append(taken(folder))

    Trial(folder.path, every_epochs=1, keep=keep, keep_space=limit).train(12, visit)
    assert 0 < max(seen) <= limit and taken(folder) <= limit
    assert folder.epoch(12).is_file() and folder.epoch(11).is_file() and not folder.epoch(2).is_file()


def test_a_size_is_read_as_people_write_it(tmp_path: Path) -> None:
    for size in ("20GB", "1.5 tb", "512MiB", "9k", 1000):
        unbroken.Run(tmp_path, keep_space=size)
    for wrong in ("much", "", "0", "-3GB", 0, -1, True, "20 XB"):
        with pytest.raises(unbroken.UsageError, match="is no size"):
            unbroken.Run(tmp_path, keep_space=wrong)
