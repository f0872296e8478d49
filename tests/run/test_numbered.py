"""Numbered checkpoints, by epoch and by step: which are made, which stay, and that each of them is resumed exactly."""

from pathlib import Path
from typing import Any

import pytest

import unbroken
from tests.run.loop import BrokenOffError, Lines, Trial, break_off_at
from unbroken.state.snapshot import copy_to_host, equal_bits
from unbroken.store.runstate import scores

EPOCHS = 6  # of five batches


def names(folder: Path) -> list[str]:
    left = [path.stem.removeprefix("checkpoint_") for path in folder.glob("checkpoint_*_*.pth")]
    return sorted(left, key=lambda name: (name.split("_")[0], int(name.split("_")[1])))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return copy_to_host(Trial(tmp_path_factory.mktemp("whole")).train(EPOCHS).result())


def test_steps_are_numbered_inside_epochs_and_at_their_ends(tmp_path: Path) -> None:
    Trial(tmp_path, number_steps=5).train(2)
    assert names(tmp_path) == ["step_5", "step_10"]
    Trial(tmp_path / "b", number_steps=3).train(EPOCHS)
    assert names(tmp_path / "b") == [f"step_{step}" for step in range(3, 31, 3)]
    payload = unbroken.load(tmp_path / "b" / "checkpoint_step_12.pth")
    assert (payload["epoch"], payload["unbroken"]["batch"], payload["unbroken"]["step"]) == (2, 2, 12)


@pytest.mark.parametrize("step", [3, 10, 12, 15, 29])
@pytest.mark.one_in(5)
def test_a_resume_from_a_numbered_step_is_exact(tmp_path: Path, whole: Any, step: int) -> None:
    Trial(tmp_path, number_steps=step).train(EPOCHS)
    resumed = Trial(tmp_path, resume=tmp_path / f"checkpoint_step_{step}.pth").train(EPOCHS)
    assert equal_bits(copy_to_host(resumed.result()), whole) is None
    assert resumed.trained[0] == (step // 5 + 1, step % 5 + 1)


@pytest.mark.parametrize("place", ["batch 1 4", "batch 2 2", "batch 3 1", "validation 2", "prologue 4"])
@pytest.mark.one_in(5)
def test_broken_off_anywhere_the_same_steps_are_numbered(tmp_path: Path, whole: Any, place: str) -> None:
    with pytest.raises(BrokenOffError):
        Trial(tmp_path, number_steps=4, every_steps=3).train(EPOCHS, break_off_at(place))
    resumed = Trial(tmp_path, number_steps=4, every_steps=3).train(EPOCHS)
    assert names(tmp_path) == [f"step_{step}" for step in range(4, 31, 4)]
    assert equal_bits(copy_to_host(resumed.result()), whole) is None


@pytest.mark.parametrize("step", [4, 5])
def test_a_name_that_a_kill_has_cost_is_made_up_for(tmp_path: Path, step: int) -> None:
    with pytest.raises(BrokenOffError):
        Trial(tmp_path, number_steps=step).train(EPOCHS, break_off_at("batch 1 5" if step == 4 else "prologue 2"))
    (tmp_path / f"checkpoint_step_{step}.pth").unlink()
    Trial(tmp_path, number_steps=step).train(1)
    assert f"step_{step}" in names(tmp_path)


def test_the_newest_the_best_and_every_so_manieth_stay(tmp_path: Path, log: Lines) -> None:
    trial = Trial(tmp_path, every_epochs=1, keep=2, keep_best=2, keep_every=3).train(12)
    aucs = trial.run.history["aucs"]
    best = sorted(range(1, 13), key=lambda epoch: (-aucs[epoch - 1], epoch))[:2]
    expected = sorted({*best, 3, 6, 9, 12, 11})
    assert names(tmp_path) == [f"epoch_{epoch}" for epoch in expected]
    assert any("Deleted by the retention policy" in line for line in log.lines)


def test_the_best_epochs_and_every_so_manieth_are_numbered_unasked(tmp_path: Path) -> None:
    trial = Trial(tmp_path, keep_best=2, keep_every=5, best_mode="min", best="val_losses").train(12)
    losses = trial.run.history["val_losses"]
    best = sorted(range(1, 13), key=lambda epoch: (losses[epoch - 1], epoch))[:2]
    newest = max(epoch for epoch in range(1, 13) if epoch % 5 == 0 or epoch in best)
    assert set(names(tmp_path)) >= {f"epoch_{epoch}" for epoch in {*best, 5, 10, newest}}
    assert len(names(tmp_path)) <= 5


def test_steps_kept_for_good_beside_a_window_of_steps(tmp_path: Path) -> None:
    Trial(tmp_path, number_steps=2, keep=2, keep_every_steps=10).train(EPOCHS)
    assert names(tmp_path) == ["step_10", "step_20", "step_28", "step_30"]


def test_the_best_of_other_data_are_none_of_the_best(tmp_path: Path) -> None:
    folder, first, second = tmp_path / "run", tmp_path / "a", tmp_path / "b"
    first.write_text("1")
    second.write_text("2")
    Trial(folder, data=first, keep_best=1).train(3)
    later = Trial(folder, data=second, allow_changed_data=True, keep_best=1).train(6).run
    assert later.best.epoch > 3
    assert f"epoch_{later.best.epoch}" in names(folder)
    assert len(names(folder)) == 1 + (names(folder)[-1] != f"epoch_{later.best.epoch}")
    assert set(scores(unbroken.load(folder / "checkpoint_latest.pth"))) == {4, 5, 6}


def test_a_branch_with_other_data_begins_without_a_best(tmp_path: Path) -> None:
    folder, first, second = tmp_path / "run", tmp_path / "a", tmp_path / "b"
    first.write_text("1")
    second.write_text("2")
    Trial(folder, data=first, every_epochs=1).train(3)
    Trial(folder, data=second, allow_changed_data=True, resume=folder / "checkpoint_epoch_2.pth").train(2)
    state = unbroken.load(folder / "checkpoint_latest.pth")
    assert (state["best_epoch"], state["unbroken"]["best"]["since"], scores(state)) == (0, 2, {})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"keep_best": 3, "best": None}, "needs best="),
        ({"keep_best": 0}, "keep_best=0"),
        ({"keep_every": 2.5}, "keep_every=2.5"),
        ({"keep_every_steps": True}, "keep_every_steps=True"),
        ({"number_steps": -1}, "number_steps=-1"),
    ],
)
def test_what_makes_no_rule_is_refused(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(unbroken.UsageError, match=said):
        Trial(tmp_path, **options)
