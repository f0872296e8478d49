"""run.log_csv: each row once, whatever the loop writes where, and however it was broken off."""

from pathlib import Path

import pytest

import unbroken
from tests.run.loop import BrokenOffError, Lines, Trial


def train(folder: Path, at: str = "", **options: int | str) -> list[str]:
    """A loop that logs before, in and behind its batches, and is broken off at a place if one is named."""
    trial = Trial(folder / "checkpoints", **options)
    log = trial.run.log_csv(folder / "log.csv")

    def visit(place: str) -> None:
        kind, epoch = place.split()[:2]
        if kind == "prologue":
            log(before=int(epoch))
        elif kind == "batch":
            log(loss=trial.run.step / 3)
        if place == at:
            raise BrokenOffError

    def behind(place: str) -> None:
        visit(place)
        if place.startswith("batch") and trial.run.batch == 5:
            log(loss=1.0, second=trial.model[0].weight.sum())

    if at:
        with pytest.raises(BrokenOffError):
            trial.train(3, behind)
    else:
        trial.train(3, behind)
    return (folder / "log.csv").read_text().splitlines()


PLACES = ["prologue 1", "batch 1 1", "batch 1 3", "batch 1 5", "prologue 2", "batch 2 4", "validation 2", "prologue 3"]


@pytest.mark.parametrize("steps", [2, 3])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.one_in(4)
def test_each_row_is_there_once(tmp_path: Path, log: Lines, place: str, steps: int) -> None:
    for name in ("whole", "broken"):
        (tmp_path / name).mkdir()
    whole = train(tmp_path / "whole", every_steps=steps)
    assert len(whole) == 1 + 3 * (1 + 5 + 1)
    train(tmp_path / "broken", place, every_steps=steps)
    assert train(tmp_path / "broken", every_steps=steps) == whole


def test_a_row_cut_in_two_by_a_power_cut_is_written_again(tmp_path: Path, log: Lines) -> None:
    whole = train(tmp_path, "batch 2 4", every_steps=3)
    path = tmp_path / "log.csv"
    path.write_text(path.read_text()[:-4])
    assert train(tmp_path, every_steps=3)[: len(whole)] == whole


def test_a_run_begun_anew_leaves_the_file_of_the_former_one(tmp_path: Path, log: Lines) -> None:
    former = train(tmp_path)
    assert train(tmp_path, resume="never") == former
    assert (tmp_path / "log.former-1.csv").read_text().splitlines() == former


def test_rows_behind_an_older_checkpoint_that_is_asked_for_stay_in_a_copy(tmp_path: Path, log: Lines) -> None:
    whole = train(tmp_path, every_epochs=1)
    older = str(tmp_path / "checkpoints" / "checkpoint_epoch_1.pth")
    train(tmp_path, "batch 2 3", every_steps=2, resume=older)
    assert (tmp_path / "log.former-1.csv").read_text().splitlines() == whole
    # Started again it goes on with what came of it, and these rows are only written again.
    assert train(tmp_path, every_steps=2, resume=older) == whole
    assert not (tmp_path / "log.former-2.csv").exists()


def test_another_file_is_left_as_it_is(tmp_path: Path, log: Lines) -> None:
    path = tmp_path / "log.csv"
    path.write_text("a,b\n1,2\n")
    run = Trial(tmp_path / "checkpoints").run
    with pytest.raises(unbroken.UsageError, match="its first column is not step"):
        run.log_csv(path)
    with pytest.raises(unbroken.UsageError, match="step itself"):
        run.log_csv(tmp_path / "other.csv")(step=3)
    assert path.read_text() == "a,b\n1,2\n"
