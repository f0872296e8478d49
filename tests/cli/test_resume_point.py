"""``unbroken resume-point`` says what a resume then does."""

from pathlib import Path

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cli.conftest import Command
from tests.cli.damage import cut, rot
from tests.store.states import folder_in_memory, put_with_manifest, state
from unbroken.cli import resume_point
from unbroken.errors import CheckpointDamagedError
from unbroken.store import lineage
from unbroken.store.folder import CheckpointFolder
from unbroken.store.payload import ForkPoint
from unbroken.store.record import RunRecord, write_run_record

HEALTH = st.sampled_from(["good", "cut", "rotten"])


def test_the_newest(run: CheckpointFolder, unbroken: Command) -> None:
    said = unbroken("resume-point")
    assert said.code == 0
    assert said.out.startswith(
        "The next resume takes checkpoints/checkpoint_latest.pth and goes on in epoch 16, 4/10 batches of it done "
        "(step 154 done, saved 2026-01-02 03:04:05).\n"
    )
    assert said.row("checkpoint_epoch_5.pth") == ["checkpoint_epoch_5.pth", "5", "-", "50", "older"]


def test_at_the_end_of_an_epoch(folder: CheckpointFolder, unbroken: Command) -> None:
    put_with_manifest(folder, folder.latest, state(5))
    put_with_manifest(folder, folder.epoch(5), state(5))
    said = unbroken("resume-point").out
    assert "takes checkpoints/checkpoint_latest.pth and starts epoch 6 (step 50 done" in said
    assert "the same state as checkpoint_latest.pth" in said


def test_a_loop_without_epochs_is_told_by_its_steps(folder: CheckpointFolder, unbroken: Command) -> None:
    payload = state(0, 7)
    payload["unbroken"]["batches"] = None
    put_with_manifest(folder, folder.latest, payload)
    put_with_manifest(folder, folder.best, payload)
    said = unbroken("resume-point")
    assert "takes checkpoints/checkpoint_latest.pth and goes on after step 7 (saved 2026-01-02 03:04:05)." in said.out
    assert said.row("checkpoint_best.pth")[:4] == ["checkpoint_best.pth", "-", "-", "7"]
    assert unbroken("list").row("checkpoint_latest.pth")[:4] == ["checkpoint_latest.pth", "-", "-", "7"]


def test_a_run_that_was_ended(folder: CheckpointFolder, unbroken: Command) -> None:
    put_with_manifest(folder, folder.latest, state(5, finished="no progress"))
    assert "ended on purpose (no progress)" in unbroken("resume-point").out


def test_every_reason(run: CheckpointFolder, unbroken: Command) -> None:
    cut(run.previous)
    cut(run.latest)
    write_run_record(run, RunRecord("run-a", 1, "", ""))
    put_with_manifest(run, run.best, state(16, branch=1, parent=ForkPoint("run-a", 0, 10, 0, 100)))
    put_with_manifest(run, run.path / "copy.pth", state(16, branch=1, parent=ForkPoint("run-a", 0, 10, 0, 100)))
    put_with_manifest(run, run.path / "stranger.pth", state(2, run="run-b"))
    torch.save({"weight": torch.ones(3)}, run.path / "weights.pth")
    found = unbroken("resume-point", "--json").json
    assert found["chosen"]["file"] == "checkpoint_best.pth"
    assert (found["chosen"]["epoch"], found["chosen"]["next_epoch"], found["chosen"]["branch"]) == (16, 17, 1)
    assert {other["file"]: other["why"] for other in found["not_taken"]} == {
        "checkpoint_latest.pth": "damaged",
        "checkpoint_previous.pth": "damaged",
        "copy.pth": "same",
        "checkpoint_epoch_15.pth": "left_behind",
        "checkpoint_epoch_10.pth": "older",
        "checkpoint_epoch_5.pth": "older",
        "stranger.pth": "other_run",
        "weights.pth": "foreign",
    }
    said = unbroken("resume-point")
    assert said.row("checkpoint_latest.pth")[1:4] == ["15", "4/10", "154"]
    assert "the file is cut off" in said.out
    assert "the run went on from an older state (branch 1)" in said.out
    assert "of another run: run-b" in said.out


def test_all_damaged(run: CheckpointFolder, unbroken: Command) -> None:
    for path in run.checkpoints():
        cut(path)
    said = unbroken("resume-point")
    assert said.code == 5
    assert "No checkpoint in checkpoints can be loaded (6 tried)" in said.err
    assert len(said.err.splitlines()) == 1
    assert said.out.count("the file is cut off") == 6
    found = unbroken("resume-point", "--json")
    assert found.code == 5
    assert (found.json["chosen"], found.json["exit_code"], len(found.json["not_taken"])) == (None, 5, 6)


def test_an_unclear_run_is_put_to_the_user(folder: CheckpointFolder, unbroken: Command) -> None:
    put_with_manifest(folder, folder.latest, state(4))
    put_with_manifest(folder, folder.best, state(2, run="run-b"))
    said = unbroken("resume-point")
    assert said.code == 4
    assert "run-a (checkpoint_latest.pth), run-b (checkpoint_best.pth)" in said.err


def test_nothing_but_other_weights(folder: CheckpointFolder, unbroken: Command, here: Path) -> None:
    torch.save({"weight": torch.ones(3)}, folder.path / "weights.pth")
    said = unbroken("resume-point")
    assert said.code == 3
    assert "holds only weights.pth" in said.err


@settings(deadline=None, max_examples=40)
@given(
    st.dictionaries(st.integers(1, 6), st.tuples(st.integers(0, 9), st.integers(0, 1), HEALTH), min_size=1),
)
def test_it_is_what_a_resume_takes(files: dict[int, tuple[int, int, str]]) -> None:
    """For any files, branches and damage: the choice is that of the resume, and every file has one verdict."""
    with folder_in_memory() as folder:
        for number, (batch, branch, health) in files.items():
            parent = ForkPoint("run-a", 0, 3, 0, 30) if branch else None
            path = put_with_manifest(folder, folder.epoch(number), state(number, batch, branch=branch, parent=parent))
            if health == "cut":
                cut(path)
            elif health == "rotten":
                rot(path, branch * 1000.0 + number * 10 + batch)
        found = lineage.explain(folder)
        others = [other.name for other in resume_point.not_taken(found)]
        chosen = [found.chosen.name] if found.chosen else []
        assert sorted(others + chosen) == sorted(path.name for path in folder.checkpoints())
        try:
            point = lineage.find_resume_point(folder)
        except CheckpointDamagedError:
            assert not chosen
        else:
            assert point is not None
            assert chosen == [point.path.name]
