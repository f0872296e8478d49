"""Lineage: the newest good state is found by what the files say, whatever their names, times and neighbours."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.states import folder_in_memory, plain_state, put, put_with_manifest, same, state
from unbroken.errors import CheckpointDamagedError, GuardError, NothingToResumeError, UsageError
from unbroken.store import lineage
from unbroken.store.ancestry import is_ancestor, newest_first
from unbroken.store.folder import CheckpointFolder
from unbroken.store.lineage import RunRecord
from unbroken.store.manifest import Manifest
from unbroken.store.payload import ForkPoint, Progress

Step = tuple[int, int]  # branch, position


@dataclass
class History:
    """A run as it happened: states written, branches started from earlier ones. The truth to compare with."""

    written: list[Step] = field(default_factory=lambda: [(0, 0)])
    forks: dict[int, Step] = field(default_factory=dict)

    def path_to(self, branch: int) -> set[Step]:
        """Every state on the way to the end of ``branch``."""
        here = {step for step in self.written if step[0] == branch}
        if branch in self.forks:
            parent, at = self.forks[branch]
            here |= {step for step in self.path_to(parent) if step[1] <= at}
        return here

    def manifests(self) -> list[Manifest]:
        return [self.manifest(step) for step in self.written]

    def manifest(self, step: Step) -> Manifest:
        branch, position = step
        fork = self.forks.get(branch)
        parent = ForkPoint("a", fork[0], *divided(fork[1]), fork[1]) if fork else None
        progress = Progress("a", branch, *divided(position), 4, position, "steps", None, parent)
        return Manifest(f"{branch}-{position}.pth", 1, 1, "", progress, {}, 0.0, 0, "", {}, "")


def divided(position: int) -> tuple[int, int]:
    return divmod(position, 4)


def name(step: Step) -> str:
    return f"{step[0]}-{step[1]}.pth"


@st.composite
def histories(draw: st.DrawFn) -> History:
    history = History()
    branch, position = 0, 0
    for _ in range(draw(st.integers(1, 25))):
        if draw(st.integers(0, 4)):
            position += draw(st.integers(1, 3))
        else:
            fork = draw(st.sampled_from(sorted(set(history.written))))
            branch, position = branch + 1, fork[1]
            history.forks[branch] = fork
        history.written.append((branch, position))
    return history


@given(histories(), st.randoms(use_true_random=False))
def test_the_newest_is_the_last_one_written_however_they_are_listed(history: History, random: "st.DrawFn") -> None:
    found = history.manifests()
    random.shuffle(found)  # type: ignore[attr-defined]
    assert newest_first(found)[0].name == name(history.written[-1])


@given(histories(), st.data())
def test_what_falls_back_stays_on_the_way_to_the_newest_branch(history: History, data: st.DataObject) -> None:
    tip = history.written[-1][0]
    keep_one_each = {step[0]: step for step in history.written}.values()
    lost = data.draw(st.sets(st.sampled_from(history.written))) - set(keep_one_each)
    left = [step for step in history.written if step not in lost]
    truth = history.path_to(tip)
    ranked = [info.name for info in newest_first([history.manifest(step) for step in left])]
    on_the_way = sorted((step for step in left if step in truth), reverse=True)
    assert ranked[: len(on_the_way)] == [name(step) for step in on_the_way]
    rest = sorted((step for step in left if step not in truth), reverse=True)
    assert ranked[len(on_the_way) :] == [name(step) for step in rest]


@given(histories(), st.data())
def test_with_forks_forgotten_no_state_of_the_past_is_ever_said_to_lie_off_the_way(
    history: History, data: st.DataObject
) -> None:
    tip = history.written[-1][0]
    known = data.draw(st.sets(st.sampled_from(sorted(history.forks) or [0])))
    forks = {
        branch: parent
        for branch in known
        if branch in history.forks and (parent := history.manifest((branch, 0)).progress.parent)
    }
    for step in history.path_to(tip):
        assert is_ancestor(history.manifest(step).progress, tip, forks)


def test_forks_that_lead_in_circles_or_to_another_run_end(folder: CheckpointFolder) -> None:
    here = Progress("a", 0, 1, 0, None, 1, "x", None)
    circle = {1: ForkPoint("a", 1, 0, 0, 0), 2: ForkPoint("a", 5, 0, 0, 0)}
    assert is_ancestor(here, 1, circle) and is_ancestor(here, 2, circle)
    assert not is_ancestor(here, 1, {1: ForkPoint("b", 0, 9, 0, 0)})


def test_equal_states_are_named_by_what_they_are_for_and_the_finished_one_first(folder: CheckpointFolder) -> None:
    for path in (folder.path / "a.pth", folder.epoch(2), folder.previous, folder.best):
        put(path, state(2))
    assert [info.name for info in lineage.candidates(folder)] == [
        "checkpoint_previous.pth",
        "checkpoint_epoch_2.pth",
        "checkpoint_best.pth",
        "a.pth",
    ]
    put(folder.path / "z.pth", state(2, finished="completed"))
    assert lineage.candidates(folder)[0].name == "z.pth"


def test_names_and_times_decide_nothing(folder: CheckpointFolder) -> None:
    put(folder.latest, state(3))
    put(folder.epoch(99), state(4))
    put(folder.path / "copy.pth", state(4, 2))
    put(folder.best, state(1))
    for age, path in enumerate(folder.checkpoints()):
        os.utime(path, (age, age))
    assert [info.name for info in lineage.candidates(folder)] == [
        "copy.pth",
        "checkpoint_epoch_99.pth",
        "checkpoint_latest.pth",
        "checkpoint_best.pth",
    ]


def record(folder: CheckpointFolder, run: str) -> None:
    lineage.write_run_record(folder, RunRecord(run, 0, "2026-01-02", "python train.py", {"lr": 0.1}))


def test_the_run_record_comes_back(folder: CheckpointFolder) -> None:
    assert lineage.read_run_record(folder) is None
    record(folder, "run-a")
    assert lineage.read_run_record(folder) == RunRecord("run-a", 0, "2026-01-02", "python train.py", {"lr": 0.1})
    for broken in ('{"run_id": "", "branch": 0, "created": "", "command": ""}', '{"run_id": 1}', "[]", "{"):
        folder.run_json.write_text(broken)
        assert lineage.read_run_record(folder) is None


def test_files_of_other_runs_are_never_taken_for_this_one_s(folder: CheckpointFolder) -> None:
    put(folder.epoch(3), state(3, run="run-a"))
    put(folder.latest, state(30, run="run-b"))
    put(folder.best, plain_state(40))
    with pytest.raises(GuardError) as caught:
        lineage.candidates(folder)
    said = str(caught.value)
    assert "run-a (checkpoint_epoch_3.pth)" in said and "run-b (checkpoint_latest.pth)" in said and "\n" not in said
    record(folder, "run-a")
    point = lineage.find_resume_point(folder)
    assert point is not None and point.path == folder.epoch(3)
    assert [info.name for info in point.others] == ["checkpoint_best.pth", "checkpoint_latest.pth"]
    record(folder, "run-gone")
    with pytest.raises(GuardError):
        lineage.candidates(folder)
    folder.latest.unlink()
    assert [info.name for info in lineage.candidates(folder)] == ["checkpoint_epoch_3.pth"]


def test_plain_files_go_by_their_epoch(folder: CheckpointFolder) -> None:
    for epoch in (9, 10, 2):
        torch.save(plain_state(epoch), folder.epoch(epoch))
    assert [info.progress.epoch for info in lineage.candidates(folder)] == [10, 9, 2]
    point = lineage.find_resume_point(folder)
    assert point is not None and same(point.payload, plain_state(10))


def test_nothing_there_is_no_resume_point_and_files_of_others_are_not_ours(folder: CheckpointFolder) -> None:
    assert lineage.find_resume_point(CheckpointFolder(folder.path / "none")) is None
    assert lineage.find_resume_point(folder) is None
    torch.save({"weight": torch.ones(1)}, folder.path / "pretrained.pth")
    torch.save(torch.nn.Linear(1, 1), folder.path / "whole_model.pth")
    torch.save({}, folder.path / "old.pth", _use_new_zipfile_serialization=False)
    (folder.path / "site-packages.pth").write_text("/usr/lib/python3\n")
    assert lineage.find_resume_point(folder) is None
    assert len(lineage.survey(folder).foreign) == 4


def spoil(path: Path) -> None:
    """Rot one bit of a tensor, leaving size and time as they were."""
    status = path.stat()
    raw = bytearray(path.read_bytes())
    raw[raw.index(torch.ones(2).numpy().tobytes())] ^= 1
    path.write_bytes(raw)
    os.utime(path, ns=(status.st_mtime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("writing", [put_with_manifest, lambda _, path, payload: put(path, payload)])
@pytest.mark.parametrize(
    "harm",
    [
        spoil,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(bytes(path.stat().st_size)),
        lambda path: path.write_bytes(path.read_bytes()[:700]),
        lambda path: torch.save({"epoch": 1}, path),
    ],
    ids=["rotten", "empty", "zeros", "cut off", "foreign"],
)
def test_a_damaged_newest_falls_back_to_the_next_and_says_so(folder: CheckpointFolder, writing, harm) -> None:  # type: ignore[no-untyped-def]
    for path, epoch in ((folder.epoch(2), 2), (folder.epoch(4), 4), (folder.previous, 5), (folder.latest, 6)):
        writing(folder, path, state(epoch))
    harm(folder.latest)
    point = lineage.find_resume_point(folder)
    assert point is not None and point.path == folder.previous
    assert same(point.payload, state(5))
    assert [rejected.path for rejected in point.rejected] == [folder.latest]
    assert str(folder.latest) in point.rejected[0].reason
    explained = lineage.explain(folder)
    assert explained.chosen is not None and explained.chosen.name == "checkpoint_previous.pth"
    assert [(said.path, said.reason) for said in explained.rejected] == [
        (said.path, said.reason) for said in point.rejected
    ]
    if writing is put_with_manifest:
        assert point.rejected[0].progress is not None and point.rejected[0].progress.step == 60
    harm(folder.previous)
    point = lineage.find_resume_point(folder)
    assert point is not None and point.path == folder.epoch(4) and len(point.rejected) == 2


def test_if_all_are_damaged_it_never_starts_afresh(folder: CheckpointFolder) -> None:
    for path, epoch in ((folder.epoch(2), 2), (folder.latest, 3)):
        put(path, state(epoch))
        path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(CheckpointDamagedError) as caught:
        lineage.find_resume_point(folder)
    assert caught.value.exit_code == 5
    assert "2 tried" in str(caught.value)
    assert lineage.explain(folder).chosen is None
    assert len(lineage.explain(folder).rejected) == 2
    folder.latest.rename(folder.path / "renamed.pth")  # still no reason to forget it
    folder.epoch(2).unlink()
    with pytest.raises(CheckpointDamagedError):
        lineage.find_resume_point(folder)


def test_damaged_files_that_are_known_to_be_older_are_not_worth_a_word(folder: CheckpointFolder) -> None:
    put_with_manifest(folder, folder.epoch(2), state(2))
    put_with_manifest(folder, folder.epoch(3), state(3, run="run-b"))
    put_with_manifest(folder, folder.latest, state(6))
    record(folder, "run-a")
    folder.epoch(2).write_bytes(b"")
    folder.epoch(3).write_bytes(b"")
    point = lineage.find_resume_point(folder)
    assert point is not None and not point.rejected
    folder.epoch(4).write_bytes(b"")  # nobody knows what this was
    point = lineage.find_resume_point(folder)
    assert point is not None and [said.path for said in point.rejected] == [folder.epoch(4)]


def test_a_manifest_that_promises_more_than_its_file_holds_does_not_win(folder: CheckpointFolder) -> None:
    put_with_manifest(folder, folder.latest, state(8))
    put_with_manifest(folder, folder.epoch(5), state(5))
    put_with_manifest(folder, folder.epoch(3), state(3))
    seal = folder.manifest("checkpoint_epoch_3.pth")
    seal.write_text(seal.read_text().replace('"epoch": 3', '"epoch": 9'))
    assert lineage.candidates(folder)[0].name == "checkpoint_epoch_3.pth"
    point = lineage.find_resume_point(folder)
    assert point is not None and point.path == folder.latest and point.manifest.progress.epoch == 8
    folder.latest.unlink()
    folder.epoch(5).unlink()
    point = lineage.find_resume_point(folder)
    assert point is not None and point.path == folder.epoch(3) and point.manifest.progress.epoch == 3


def test_an_explicit_path_is_that_file_or_an_error(folder: CheckpointFolder) -> None:
    put_with_manifest(folder, folder.epoch(2), state(2))
    put(folder.latest, state(9))
    point = lineage.open_checkpoint(folder.epoch(2))
    assert point.path == folder.epoch(2) and point.manifest.digest and same(point.payload, state(2))
    rebuilt = lineage.open_checkpoint(folder.latest)
    assert rebuilt.manifest.progress.epoch == 9 and rebuilt.manifest.digest == ""
    spoil(folder.epoch(2))
    with pytest.raises(CheckpointDamagedError):
        lineage.open_checkpoint(folder.epoch(2))
    with pytest.raises(NothingToResumeError, match=r"checkpoint_epoch_2\.pth, checkpoint_latest\.pth"):
        lineage.open_checkpoint(folder.epoch(7))
    with pytest.raises(UsageError):
        lineage.open_checkpoint(folder.path)
    shutil.copy(folder.latest, folder.epoch(2))  # a stale manifest beside a sound file
    assert lineage.open_checkpoint(folder.epoch(2)).manifest.progress.epoch == 9


@settings(max_examples=40, deadline=None)
@given(histories(), st.data())
def test_retiring_a_branch_moves_exactly_what_it_left_behind(history: History, data: st.DataObject) -> None:
    with folder_in_memory() as folder:
        retire(folder, history, data)


def retire(folder: CheckpointFolder, history: History, data: st.DataObject) -> None:
    steps = sorted(set(history.written))[-12:]
    tip = history.written[-1][0]
    written = {step for step in steps if data.draw(st.booleans()) or step[0] == tip}
    for step in written:
        fork = history.forks.get(step[0])
        parent = ForkPoint("run-a", fork[0], *divided(fork[1]), fork[1]) if fork else None
        payload = state(*divided(step[1]), branch=step[0], parent=parent)
        payload["unbroken"]["step"] = step[1]
        put(folder.path / name(step), payload)
    put(folder.path / "other.pth", state(1, run="run-b"))
    if tip == 0:
        return
    fork = history.forks[tip]
    after = ForkPoint("run-a", fork[0], *divided(fork[1]), fork[1])
    moved = lineage.retire_branch(folder, "run-a", tip, after)
    left = {path.name for path in folder.checkpoints()}
    truth = {name(step) for step in history.path_to(tip)}
    known = {step[0] for step in written} >= set(range(1, tip))
    gone = {path.name for path in moved}
    assert left | gone == {name(step) for step in written} | {"other.pth"}
    assert not gone & truth and "other.pth" in left
    if known:
        assert left == {name(step) for step in written if name(step) in truth} | {"other.pth"}
    assert lineage.retire_branch(folder, "run-a", tip, after) == []


def test_nothing_is_retired_before_the_new_branch_has_a_file(folder: CheckpointFolder) -> None:
    put(folder.latest, state(9))
    assert lineage.retire_branch(folder, "run-a", 1, ForkPoint("run-a", 0, 4, 0, 40)) == []
    assert folder.latest.exists()
