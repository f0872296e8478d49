"""Somebody deletes the checkpoint folder, or a part of it, while a training runs."""

import shutil
from pathlib import Path

import pytest

import unbroken
from tests.run.loop import Lines, Trial
from unbroken.disk.lock import FolderLock
from unbroken.errors import FolderLockedError
from unbroken.store.folder import CheckpointFolder


@pytest.mark.parametrize("part", [".", ".unbroken", ".unbroken/manifests"])
@pytest.mark.parametrize("place", ["batch 2 2", "validation 2"])
def test_the_training_goes_on_and_every_later_save_is_there(tmp_path: Path, log: Lines, part: str, place: str) -> None:
    folder = CheckpointFolder(tmp_path / "checkpoints")

    def delete(here: str) -> None:
        if here == place:
            shutil.rmtree(folder.path / part)

    trial = Trial(folder.path, every_epochs=1)
    trial.train(4, delete)
    assert unbroken.load(folder.latest)["epoch"] == 4
    assert folder.epoch(4).is_file() and folder.previous.is_file()
    assert sum("was deleted or moved during the training" in line for line in log.text.splitlines()) == 1
    assert "FAILED" not in log.text


def test_a_folder_deleted_is_still_locked_after_the_next_save(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "checkpoints")

    def visit(place: str) -> None:
        if place == "batch 2 2":
            shutil.rmtree(folder.path)
        if place == "batch 4 1":
            with pytest.raises(FolderLockedError):
                FolderLock.acquire(folder.lock_path)

    Trial(folder.path).train(4, visit)


def test_a_copy_that_cannot_be_written_is_loud_and_the_run_ends_well(tmp_path: Path, log: Lines) -> None:
    folder = CheckpointFolder(tmp_path / "checkpoints")
    folder.epoch(2).mkdir(parents=True)
    Trial(folder.path, every_epochs=2).train(2)
    safe = "The state is safe in checkpoint_latest.pth, checkpoint_best.pth"
    assert f"{safe}, but checkpoint_epoch_2.pth COULD NOT BE WRITTEN" in log.text
    assert unbroken.load(folder.latest)["epoch"] == 2


def test_a_latest_that_cannot_be_written_is_tried_again_until_the_run_is_closed(tmp_path: Path, log: Lines) -> None:
    folder = CheckpointFolder(tmp_path / "checkpoints")

    def block(place: str) -> None:
        if place == "batch 2 2":
            folder.latest.unlink()
            folder.latest.mkdir()

    trial = Trial(folder.path)
    with trial.run:
        trial.train(2, block, close=False)
        assert trial.run.failure is not None and trial.run.failure.exit_code == 74
        assert "SAVING FAILED for checkpoint_latest.pth" in log.text and "THE LAST STATE IS NOT SAFE" in log.text
        folder.latest.rmdir()
    assert trial.run.failure is None and "safe after all" in log.text
    assert unbroken.load(folder.latest)["epoch"] == 2
