"""``unbroken prune``: shows before it deletes, and no damage or flag makes it delete what a resume needs."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cli.conftest import Command
from tests.cli.damage import cut, rot
from tests.store.states import folder_in_memory, put_with_manifest, state
from unbroken.cli import prune
from unbroken.store import lineage
from unbroken.store.folder import CheckpointFolder, is_numbered
from unbroken.store.payload import ForkPoint
from unbroken.store.retention import Policy


def numbered(folder: CheckpointFolder) -> list[int]:
    return sorted(int(path.stem.rpartition("_")[2]) for path in folder.checkpoints() if is_numbered(path.name))


def test_a_dry_run_only_shows(run: CheckpointFolder, unbroken: Command) -> None:
    size = run.epoch(5).stat().st_size
    said = unbroken("prune", "--keep", "2", "--dry-run")
    assert said.code == 0
    assert said.row("checkpoint_epoch_5.pth")[1:4] == ["5", "-", "50"]
    assert "checkpoint_epoch_10.pth  " not in said.out
    assert f"Would delete 1 file and free {size / 1000:.1f} kB; nothing was deleted." in said.out
    assert numbered(run) == [5, 10, 15]


def test_yes_deletes_what_was_shown_and_nothing_else(run: CheckpointFolder, unbroken: Command) -> None:
    before = {path.name for path in run.checkpoints()}
    said = unbroken("prune", "--keep", "1", "--yes")
    assert said.code == 0
    assert said.out.index("checkpoint_epoch_5.pth") < said.out.index("Deleted 2 files")
    gone = {"checkpoint_epoch_5.pth", "checkpoint_epoch_10.pth"}
    assert {path.name for path in run.checkpoints()} == before - gone
    assert not any(run.manifest(name).exists() for name in gone)
    assert unbroken("prune", "--keep", "1", "--yes").out == "Nothing to delete.\n"


def test_nobody_to_ask(run: CheckpointFolder, unbroken: Command) -> None:
    for options in ([], ["--json"]):
        said = unbroken("prune", "--keep", "1", *options)
        assert said.code == 2
        assert "add --yes to delete them, or --dry-run to see which" in said.err
    assert numbered(run) == [5, 10, 15]


@pytest.mark.parametrize(
    ("answer", "left"), [("y", [15]), ("是", [15]), ("n", [5, 10, 15]), ("", [5, 10, 15]), ("\x04", [5, 10, 15])]
)
def test_on_a_terminal_it_asks(run: CheckpointFolder, here: Path, answer: str, left: list[int]) -> None:
    keyboard, terminal = pty.openpty()
    command = [sys.executable, "-m", "unbroken", "prune", "--keep", "1"]
    with subprocess.Popen(command, cwd=here, stdin=terminal, stdout=terminal, stderr=terminal) as process:
        os.close(terminal)
        shown = b""
        while b"[y/N]" not in shown:
            shown += os.read(keyboard, 4096)
        os.write(keyboard, answer.encode() + (b"" if answer == "\x04" else b"\n"))
        try:
            while chunk := os.read(keyboard, 4096):
                shown += chunk
        except OSError:  # the other end is closed
            pass
        assert process.wait() == 0
    os.close(keyboard)
    assert shown.index(b"checkpoint_epoch_5.pth") < shown.index(b"Delete these 2 files")
    assert (b"Nothing was deleted" in shown) == (left != [15])
    assert numbered(run) == left


def test_json(run: CheckpointFolder, unbroken: Command) -> None:
    shown = unbroken("prune", "--keep", "2", "--dry-run", "--json").json
    size = run.epoch(5).stat().st_size
    assert shown == {
        "folder": "checkpoints",
        "keep": 2,
        "keep_best": None,
        "keep_every": None,
        "keep_every_steps": None,
        "keep_space": None,
        "dry_run": True,
        "delete": [{"file": "checkpoint_epoch_5.pth", "size": size, "epoch": 5, "step": 50, "branch": 0}],
        "deleted": [],
        "kept": [
            "checkpoint_latest.pth",
            "checkpoint_previous.pth",
            "checkpoint_epoch_15.pth",
            "checkpoint_best.pth",
            "checkpoint_epoch_10.pth",
        ],
        "damaged": [],
    }
    done = unbroken("prune", "--keep", "2", "--yes", "--json").json
    assert done == {**shown, "dry_run": False, "deleted": ["checkpoint_epoch_5.pth"]}


def test_damage_that_a_glance_does_not_see_counts_for_nothing(run: CheckpointFolder, unbroken: Command) -> None:
    rot(run.epoch(15), 150.0)
    said = unbroken("prune", "--keep", "1", "--yes")
    assert "checkpoint_epoch_15.pth was not loaded" in said.out
    assert numbered(run) == [10, 15]


def test_damage_seen_at_a_glance_is_named_and_left(run: CheckpointFolder, unbroken: Command) -> None:
    cut(run.epoch(5))
    done = unbroken("prune", "--keep", "1", "--yes", "--json").json
    assert (done["deleted"], [entry["file"] for entry in done["damaged"]]) == (
        ["checkpoint_epoch_10.pth"],
        ["checkpoint_epoch_5.pth"],
    )
    assert numbered(run) == [5, 15]


def test_the_best_and_the_one_a_branch_began_from_stay(folder: CheckpointFolder, unbroken: Command) -> None:
    curve = [0.1, 0.9, 0.2, 0.2, 0.2, 0.2]
    for epoch in (1, 2, 3):
        put_with_manifest(folder, folder.epoch(epoch), state(epoch, aucs=curve[:epoch]))
    for epoch in (4, 5, 6):
        branch = state(epoch, branch=1, parent=ForkPoint("run-a", 0, 3, 0, 30), aucs=curve[:epoch])
        put_with_manifest(folder, folder.epoch(epoch), branch)
    assert unbroken("prune", "--keep", "1", "--yes").code == 0
    assert numbered(folder) == [2, 3, 6]


def test_other_runs_are_left_alone(run: CheckpointFolder, unbroken: Command) -> None:
    put_with_manifest(run, run.epoch(1), state(1, run="run-b"))
    assert unbroken("prune", "--keep", "1", "--yes").code == 0
    assert numbered(run) == [1, 15]


def test_a_file_replaced_since_it_was_shown_stays(run: CheckpointFolder) -> None:
    plan = prune.make_plan(run, Policy(1))
    put_with_manifest(run, run.epoch(5), state(5, branch=1, parent=ForkPoint("run-a", 0, 3, 0, 30)))
    run.epoch(10).unlink()
    assert prune.carry_out(run, plan) == []
    assert numbered(run) == [5, 15]


def test_nothing_good_nothing_deleted(run: CheckpointFolder, unbroken: Command) -> None:
    for path in run.checkpoints():
        cut(path)
    assert unbroken("prune", "--keep", "1", "--yes").code == 5
    assert numbered(run) == [5, 10, 15]
    assert unbroken("prune", "elsewhere", "--keep", "1", "--yes").code == 3


@settings(deadline=None, max_examples=40)
@given(
    epochs=st.dictionaries(st.integers(1, 9), st.sampled_from(["good", "cut", "rotten"]), min_size=1),
    latest=st.sampled_from(["good", "cut", "missing"]),
    keep=st.integers(1, 4),
)
def test_after_it_a_resume_takes_what_it_would_have(epochs: dict[int, str], latest: str, keep: int) -> None:
    """Whatever is damaged: the same resume point, ``keep`` good files if there were so many, all newer damage kept."""
    with folder_in_memory() as folder:
        for epoch, health in epochs.items():
            path = put_with_manifest(folder, folder.epoch(epoch), state(epoch, aucs=[0.5] * epoch))
            if health == "cut":
                cut(path)
            elif health == "rotten":
                rot(path, epoch * 10.0)
        if latest != "missing":
            put_with_manifest(folder, folder.latest, state(max(epochs), 5, aucs=[0.5] * max(epochs)))
            if latest == "cut":
                cut(folder.latest)
        before = lineage.explain(folder).chosen
        if before is None:
            return
        prune.carry_out(folder, prune.make_plan(folder, Policy(keep)))
        assert lineage.explain(folder).chosen == before
        good = {epoch for epoch, health in epochs.items() if health == "good"}
        left = set(numbered(folder))
        newest_good = sorted(good)[-keep:]
        assert {epoch for epoch, health in epochs.items() if health == "cut"} <= left
        assert {epoch for epoch in epochs if epoch >= min(newest_good, default=0)} <= left
        assert left & good == {*newest_good, *(good & {1})}  # of equal values the first epoch is the best


def test_a_bound_of_space_deletes_the_oldest_until_all_fit(run: CheckpointFolder, unbroken: Command) -> None:
    taken = sum(path.stat().st_size for path in run.checkpoints())
    shown = unbroken("prune", "--keep-space", str(taken - 1), "--dry-run", "--json").json
    assert [doomed["epoch"] for doomed in shown["delete"]] == [5] and shown["keep"] is None
    assert unbroken("prune", "--keep", "3", "--keep-space", "1kB", "--yes").code == 0
    assert numbered(run) == [15]


@pytest.mark.parametrize("words", [["--keep-space", "much"], ["--keep-space", "0"], ["--keep-space", "-1GB"], []])
def test_what_to_keep_must_be_said(run: CheckpointFolder, unbroken: Command, words: list[str]) -> None:
    said = unbroken("prune", *words)
    assert said.code == 2 and len(said.err.splitlines()) <= 5
    assert numbered(run) == [5, 10, 15]


def test_a_bound_of_space_that_what_stays_exceeds_is_said(run: CheckpointFolder, unbroken: Command) -> None:
    assert "stay, more than 1 B" in unbroken("prune", "--keep-space", "1B", "--yes").out
    assert "more than" not in unbroken("prune", "--keep-space", "1GB", "--yes").out
