"""Copies of the working folder: everything a run needs, nothing of the user's within its reach."""

from pathlib import Path

import pytest

from unbroken.audit import copies
from unbroken.audit.copies import Copies
from unbroken.errors import DiskError, UsageError


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    for name in ("train.py", "lib/model.py", "lib/__pycache__/model.pyc", ".git/config", "data/small.csv"):
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (project / "checkpoints/.unbroken").mkdir(parents=True)
    (project / "checkpoints/checkpoint_latest.pth").write_text("old")
    (project / "venv").mkdir()
    (project / "venv/pyvenv.cfg").write_text("")
    (project / "ckpt").mkdir()
    (project / "ckpt/old.pt").write_text("old")
    return project


def seen(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() or path.is_symlink()}


def test_what_is_copied_and_what_is_left_out(project: Path, tmp_path: Path) -> None:
    made = tmp_path / "scratch/run/folder"
    Copies(project, tmp_path / "scratch", {Path("ckpt")}).make(made)
    assert seen(made) == {"train.py", "lib/model.py", "data/small.csv", "venv"}
    assert (made / "train.py").read_text() == "train.py"
    assert (made / "venv").readlink() == project / "venv"
    assert (made / "train.py").stat().st_ino != (project / "train.py").stat().st_ino


def test_a_change_in_a_copy_stays_there(project: Path, tmp_path: Path) -> None:
    source = Copies(project, tmp_path / "scratch", set())
    source.make(tmp_path / "scratch/one")
    (tmp_path / "scratch/one/train.py").write_text("changed")
    (tmp_path / "scratch/one/new").write_text("new")
    source.make(tmp_path / "scratch/other")
    assert (tmp_path / "scratch/other/train.py").read_text() == "train.py"
    assert (project / "train.py").read_text() == "train.py"
    assert not (project / "new").exists() and not (tmp_path / "scratch/other/new").exists()


def test_large_files_are_copied_once_and_never_the_users_own(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "_LARGE", 100)
    (project / "data/large.bin").write_bytes(b"x" * 101)
    source = Copies(project, tmp_path / "scratch", set())
    for name in ("one", "other"):
        source.make(tmp_path / "scratch" / name)
    links = [tmp_path / "scratch" / name / "data/large.bin" for name in ("one", "other")]
    assert links[0].is_symlink() and links[0].resolve() == links[1].resolve()
    assert links[0].resolve().stat().st_ino != (project / "data/large.bin").stat().st_ino
    assert links[0].resolve().stat().st_mode & 0o222 == 0
    # Whoever may write all the same (root may) has reached the copy only, and is found out.
    links[0].resolve().chmod(0o600)
    links[0].write_bytes(b"y")
    assert (project / "data/large.bin").read_bytes() == b"x" * 101
    with pytest.raises(UsageError) as changed:
        source.make(tmp_path / "scratch/third")
    assert changed.value.key == "audit_shared_changed"


def test_links_inside_lead_into_the_copy_and_links_outside_where_they_led(project: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (project / "outside").symlink_to(tmp_path / "elsewhere")
    (project / "relative").symlink_to("train.py")
    (project / "lib/absolute").symlink_to(project / "train.py")
    made = tmp_path / "scratch/run"
    Copies(project, tmp_path / "scratch", set()).make(made)
    assert (made / "outside").resolve() == tmp_path / "elsewhere"
    for link in ("relative", "lib/absolute"):
        assert (made / link).resolve() == made / "train.py"


def test_a_folder_that_cannot_be_meant_is_refused(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "_MOST_FILES", 3)
    with pytest.raises(UsageError) as refused:
        Copies(project, tmp_path / "scratch", set())
    assert refused.value.key == "audit_folder_large"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DiskError):
        Copies(tmp_path / "none", tmp_path / "scratch", set())
