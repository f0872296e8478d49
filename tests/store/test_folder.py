"""Names in a checkpoint folder, and moving things aside in it."""

import os
from pathlib import Path

import pytest

from tests.store.states import plain_state, put, put_with_manifest, state
from unbroken.errors import UsageError
from unbroken.store import lineage
from unbroken.store.folder import CheckpointFolder, is_numbered, is_own_name, name_rank


def test_the_names_are_the_contract_s() -> None:
    folder = CheckpointFolder("checkpoints")
    assert str(folder.latest) == "checkpoints/checkpoint_latest.pth"
    assert str(folder.epoch(5)) == "checkpoints/checkpoint_epoch_5.pth"
    assert str(folder.best) == "checkpoints/checkpoint_best.pth"
    assert str(folder.previous) == "checkpoints/checkpoint_previous.pth"
    assert str(folder.run_json) == "checkpoints/.unbroken/run.json"
    assert str(folder.manifest("a.pth")) == "checkpoints/.unbroken/manifests/a.pth.json"


def test_only_our_names_are_ours() -> None:
    assert is_numbered("checkpoint_epoch_12.pth")
    names = ["checkpoint_latest.pth", "checkpoint_previous.pth", "checkpoint_epoch_0.pth", "checkpoint_best.pth"]
    assert sorted(names, key=name_rank) == names
    assert all(map(is_own_name, names))
    for name in (
        "checkpoint_epoch_012.pth",
        "checkpoint_epoch_-1.pth",
        "checkpoint_epoch_1.pth.old",
        "x.pth",
        "checkpoint_epoch_١.pth",
    ):
        assert not is_numbered(name)
        assert not is_own_name(name)
        assert name_rank(name) > 3


def test_checkpoints_are_the_regular_files_and_links_directly_inside(folder: CheckpointFolder) -> None:
    put(folder.epoch(1), plain_state(1))
    put(folder.path / "x.pth", plain_state(1))
    (folder.path / "link.pth").symlink_to("x.pth")
    (folder.path / "dir.pth").mkdir()
    os.mkfifo(folder.path / "pipe.pth")
    (folder.path / "notes.txt").write_text("")
    assert folder.checkpoints() == [folder.epoch(1), folder.path / "link.pth", folder.path / "x.pth"]
    assert CheckpointFolder(folder.path / "none").checkpoints() == []
    with pytest.raises(UsageError, match="is a file, not a folder"):
        CheckpointFolder(folder.path / "x.pth").checkpoints()
    with pytest.raises(UsageError, match="is a file, not a folder"):
        CheckpointFolder(folder.path / "x.pth").prepare()


def test_what_is_set_aside_is_no_checkpoint_any_more_and_overwrites_nothing(folder: CheckpointFolder) -> None:
    aside = []
    for epoch in (1, 2, 3):
        put(folder.latest, state(epoch))
        aside.append(folder.set_aside(folder.latest, "damaged / badly"))
    names = [path.name for path in aside]
    assert names == [
        "checkpoint_latest.pth.damaged-badly",
        "checkpoint_latest.pth.damaged-badly-2",
        "checkpoint_latest.pth.damaged-badly-3",
    ]
    assert folder.checkpoints() == []
    assert folder.set_aside_files() == aside


def test_archived_runs_get_a_folder_each_and_can_be_resumed_from_there(folder: CheckpointFolder) -> None:
    for epoch in (1, 2):
        put_with_manifest(folder, folder.latest, state(epoch))
        put(folder.path / "mine.pth", state(epoch))
        put(folder.path / "weights.pth", plain_state(9))
        (folder.path / "notes.txt").write_text("mine")
        assert lineage.archive_run(folder, "my run!") == folder.archive / ("my-run" if epoch == 1 else "my-run-2")
        assert folder.checkpoints() == [folder.path / "weights.pth"]  # neither our name nor our file
        assert (folder.path / "notes.txt").exists()
    point = lineage.find_resume_point(CheckpointFolder(folder.archive / "my-run"))
    assert point is not None and point.manifest.progress.epoch == 1
    point = lineage.find_resume_point(CheckpointFolder(folder.archive / "my-run-2"))
    assert point is not None and point.manifest.progress.epoch == 2


def test_a_plain_script_s_files_under_our_names_are_archived_too(folder: CheckpointFolder) -> None:
    put(folder.epoch(5), plain_state(5))
    folder.latest.write_bytes(b"")
    archive = lineage.archive_run(folder, "old")
    assert sorted(path.name for path in archive.iterdir() if path.is_file()) == [
        "checkpoint_epoch_5.pth",
        "checkpoint_latest.pth",
    ]


def test_cleaning_removes_litter_and_nothing_else(folder: CheckpointFolder, tmp_path: Path) -> None:
    put_with_manifest(folder, folder.latest, state(1))
    put_with_manifest(folder, folder.best, state(1))
    folder.best.unlink()
    litter = folder.path / ".checkpoint_latest.pth.123-0123abcd.tmp"
    litter.write_bytes(b"half")
    (folder.path / "notes.tmp").write_bytes(b"mine")
    lineage.clean(folder)
    assert not litter.exists()
    assert (folder.path / "notes.tmp").exists()
    assert [path.name for path in folder.manifests.iterdir()] == ["checkpoint_latest.pth.json"]
    lineage.clean(CheckpointFolder(tmp_path / "none"))


def test_cleaning_finishes_a_swap_only_with_a_newer_whole_state(folder: CheckpointFolder) -> None:
    put(folder.latest, state(3))
    left = folder.path / ".checkpoint_previous.pth.123-0123abcd.tmp"
    for before, there, after in ((1, 2, 2), (2, 1, 2), (2, None, 2)):
        folder.previous.unlink(missing_ok=True)
        if there is not None:
            put(folder.previous, state(there))
        put(left, state(before))
        lineage.clean(folder)
        assert not left.exists()
        found = [info.progress.epoch for info in lineage.candidates(folder)]
        assert found == [3, after]
    left.write_bytes(b"half")
    lineage.clean(folder)
    assert not left.exists()
    assert [info.progress.epoch for info in lineage.candidates(folder)] == [3, 2]
    os.link(folder.latest, left)  # killed before latest was replaced
    lineage.clean(folder)
    assert [info.progress.epoch for info in lineage.candidates(folder)] == [3, 2]
    assert not left.exists() and folder.latest.stat().st_nlink == 1
