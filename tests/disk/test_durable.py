"""Whole or not at all: checked against failing system calls, kills, full and read-only disks, and a lying one."""

import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unbroken.disk.digest import bytes_digest, file_digest
from unbroken.disk.durable import (
    Written,
    copy_durably,
    make_folder,
    move_durably,
    remove_durably,
    write_durably,
)
from unbroken.errors import DiskError, UsageError

Mount = Callable[[str], Path]
Program = Callable[..., "subprocess.CompletedProcess[str]"]


def _content(data: bytes) -> Callable[[BinaryIO], None]:
    def write(file: BinaryIO) -> None:
        file.write(data)

    return write


def _names(folder: Path) -> dict[str, str]:
    """Every name in the folder with what it holds; no two of them may be one file."""
    paths = [path for path in folder.iterdir() if path.is_file()]
    assert len({path.stat().st_ino for path in paths}) == len(paths)
    return {path.name: path.read_text() for path in paths}


def test_what_was_written_is_there_and_described(tmp_path: Path) -> None:
    data = os.urandom(3 << 20)

    def write(file: BinaryIO) -> None:
        file.write(data[:5])
        file.write(memoryview(data)[5:])

    written = write_durably(tmp_path / "x", write)
    assert (tmp_path / "x").read_bytes() == data
    assert written == Written(len(data), bytes_digest(data)) == Written(3 << 20, file_digest(tmp_path / "x"))
    write_durably(tmp_path / "x", _content(b""))
    assert _names(tmp_path) == {"x": ""}


def test_a_relative_path_is_where_the_process_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_durably(Path("x"), _content(b"1"))
    write_durably(Path("x"), _content(b"2"), keep_previous_as=Path("y"))
    assert _names(tmp_path) == {"x": "2", "y": "1"}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["a", "b", "c", None])), max_size=8))
def test_any_order_of_saves_keeps_what_it_says_and_no_two_names_are_one_file(
    tmp_path_factory: pytest.TempPathFactory, saves: list[tuple[str, str | None]]
) -> None:
    folder = tmp_path_factory.mktemp("saves")
    expected: dict[str, str] = {}
    for number, (name, keep_as) in enumerate(saves):
        if keep_as == name:
            keep_as = None
        write_durably(
            folder / name,
            _content(str(number).encode()),
            keep_previous_as=None if keep_as is None else folder / keep_as,
        )
        if keep_as is not None and name in expected:
            expected[keep_as] = expected[name]
        expected[name] = str(number)
        assert _names(folder) == expected


def test_names_that_somebody_made_one_file_are_parted(tmp_path: Path) -> None:
    (tmp_path / "latest").write_text("old")
    os.link(tmp_path / "latest", tmp_path / "previous")
    write_durably(tmp_path / "latest", _content(b"new"), keep_previous_as=tmp_path / "previous")
    assert _names(tmp_path) == {"latest": "new", "previous": "old"}


def test_the_previous_may_go_to_another_folder_and_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "target").write_text("not ours")
    (tmp_path / "x").symlink_to("target")
    write_durably(tmp_path / "x", _content(b"1"), keep_previous_as=tmp_path / "elsewhere" / "y")
    assert _names(tmp_path) == {"x": "1", "target": "not ours"}
    assert list((tmp_path / "elsewhere").iterdir()) == []
    write_durably(tmp_path / "x", _content(b"2"), keep_previous_as=tmp_path / "elsewhere" / "y")
    assert _names(tmp_path / "elsewhere") == {"y": "1"}


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_modes_follow_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_durably(tmp_path / "x", _content(b"x"))
        copy_durably(tmp_path / "x", tmp_path / "y")
        make_folder(tmp_path / "z")
    finally:
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o666 & ~umask
    assert (tmp_path / "y").stat().st_mode & 0o777 == 0o666 & ~umask
    assert (tmp_path / "z").stat().st_mode & 0o777 == 0o777 & ~umask


_SAVE = "write_durably(Path('latest'), lambda f: f.write(b'newest') and None, keep_previous_as=Path('previous'))"


@pytest.mark.strace
@pytest.mark.parametrize(
    ("fault", "latest", "previous", "said"),
    [
        ("openat(latest):error=EACCES", "old", "older", "disk_write_failed"),
        ("write(newest):error=EIO", "old", "older", "disk_write_failed"),
        ("write(newest):error=ENOSPC", "old", "older", "disk_full"),
        ("write(newest):error=EINTR", "newest", "old", ""),
        ("fsync:error=EIO:when=1", "old", "older", "disk_write_failed"),
        ("fsync:error=ENOSPC:when=1", "old", "older", "disk_full"),
        ("fsync:error=EDQUOT:when=1", "old", "older", "disk_write_failed"),
        ("*link:error=EIO", "old", "older", "disk_write_failed"),
        ("*link:error=EPERM", "newest", "old", ""),  # a file system without hard links
        ("*rename:error=EIO:when=1", "old", "older", "disk_write_failed"),
        ("*rename:error=EIO:when=2", "newest", "older", "disk_keep_failed"),
        ("fsync:error=EIO:when=2", "newest", "old", "disk_sync_failed"),
        ("fsync:error=EINVAL:when=2", "newest", "old", ""),  # a file system that syncs names by itself
        ("fcntl(F_SETLK):error=ENOLCK", "newest", "old", ""),
    ],
)
def test_a_failing_call_leaves_whole_files_and_is_said(
    tmp_path: Path, program: Program, fault: str, latest: str, previous: str, said: str
) -> None:
    (tmp_path / "latest").write_text("old")
    (tmp_path / "previous").write_text("older")
    done = program(_SAVE, fault)
    assert done.stderr == ""
    assert done.stdout.partition("\n")[0] == said
    assert said == "" or "latest" in done.stdout.partition("\n")[2]
    assert _names(tmp_path) == {"latest": latest, "previous": previous}


@pytest.mark.strace
@pytest.mark.parametrize(
    ("moment", "latest", "previous", "left"),
    [
        ("write(newest)", "old", "older", 1),
        ("fsync:when=1", "old", "older", 1),
        ("*link", "old", "older", 1),
        ("*rename:when=1", "old", "older", 2),
        ("*rename:when=2", "newest", "older", 1),
        ("fsync:when=2", "newest", "old", 0),
    ],
)
def test_a_kill_at_any_step_leaves_whole_files_and_the_next_save_works(
    tmp_path: Path, program: Program, moment: str, latest: str, previous: str, left: int
) -> None:
    (tmp_path / "latest").write_text("old")
    (tmp_path / "previous").write_text("older")
    call, _, when = moment.partition(":")
    assert program(_SAVE, f"{call}:signal=KILL{when and ':' + when}").returncode == -9
    visible = [path for path in tmp_path.iterdir() if not path.name.startswith(".")]
    assert {path.name: path.read_text() for path in visible} == {"latest": latest, "previous": previous}
    assert len({path.stat().st_ino for path in visible}) == 2

    after = program(_SAVE + "; print(len(remove_temporaries(Path('.'))))")
    assert after.stdout.strip() == str(left)
    assert _names(tmp_path) == {"latest": "newest", "previous": latest}


@pytest.mark.mounts
def test_a_full_disk_harms_nothing_and_says_how_full(mount: Mount) -> None:
    disk = mount("size=1m")
    write_durably(disk / "x", _content(b"old"))
    for keep in (None, disk / "y"):
        with pytest.raises(DiskError) as full:
            write_durably(disk / "x", _content(bytes(2 << 20)), keep_previous_as=keep)
        assert full.value.key == "disk_full"
        assert full.value.exit_code == 74
        assert full.value.values == {"path": disk / "x", "free": "1.0 MB"}  # our own half file is gone again
        assert _names(disk) == {"x": "old"}
    source = disk.parent / "large"
    source.write_bytes(bytes(2 << 20))
    with pytest.raises(DiskError) as full:
        copy_durably(source, disk / "x")
    assert full.value.key == "disk_full"
    assert _names(disk) == {"x": "old"}
    write_durably(disk / "x", _content(b"new"))
    assert _names(disk) == {"x": "new"}


@pytest.mark.mounts
def test_a_full_disk_is_recognised_through_torch_which_hides_it(mount: Mount) -> None:
    import torch

    disk = mount("size=1m")
    state = {"weight": torch.zeros(1 << 20)}
    with pytest.raises(DiskError) as full:
        write_durably(disk / "x", lambda file: torch.save(state, file))
    assert full.value.key == "disk_full"
    assert _names(disk) == {}


_SWALLOW = """def write(file):
        try:
            file.write(b'newest' * 4_000_000)
        except OSError:
            pass
    write_durably(Path('x'), write)"""


@pytest.mark.strace
def test_an_error_of_the_disk_that_the_writer_swallowed_is_an_error(tmp_path: Path, program: Program) -> None:
    done = program(_SWALLOW, "write(newest):error=EIO")  # what comes after it is written well
    assert done.stdout.partition("\n")[0] == "disk_write_failed"
    assert _names(tmp_path) == {}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_writer_that_fails_leaves_nothing_and_its_error_is_its_own(
    tmp_path: Path, error: type[BaseException]
) -> None:
    (tmp_path / "x").write_text("old")

    def write(file: BinaryIO) -> None:
        file.write(b"half")
        raise error

    with pytest.raises(error):
        write_durably(tmp_path / "x", write, keep_previous_as=tmp_path / "y")
    assert _names(tmp_path) == {"x": "old"}


@pytest.mark.mounts
def test_a_read_only_disk_and_a_missing_folder_are_said(mount: Mount) -> None:
    disk = mount("ro")
    for path in (disk / "x", disk.parent / "none" / "x"):
        with pytest.raises(DiskError) as refused:
            write_durably(path, _content(b"x"))
        assert refused.value.key == "disk_write_failed"
        assert str(path) in str(refused.value)
    with pytest.raises(DiskError, match="Read-only") as refused:
        make_folder(disk / "a" / "b")
    assert refused.value.key == "disk_folder_failed"


def test_writers_of_one_name_never_mix(tmp_path: Path) -> None:
    def save(letter: bytes) -> None:
        for _ in range(15):
            write_durably(tmp_path / "x", _content(letter * 200_000))

    threads = [threading.Thread(target=save, args=(letter,)) for letter in (b"a", b"b")]
    for thread in threads:
        thread.start()
    seen = set()
    while any(thread.is_alive() for thread in threads):
        if (tmp_path / "x").exists():
            seen.add((tmp_path / "x").read_bytes())
    for thread in threads:
        thread.join()
    assert seen <= {b"a" * 200_000, b"b" * 200_000}
    assert set(_names(tmp_path)) == {"x"}


def test_a_copy_is_a_file_of_its_own(tmp_path: Path) -> None:
    data = os.urandom((2 << 20) + 3)
    (tmp_path / "x").write_bytes(data)
    (tmp_path / "y").write_bytes(b"old")
    assert copy_durably(tmp_path / "x", tmp_path / "y") == Written(len(data), bytes_digest(data))
    assert (tmp_path / "y").read_bytes() == data
    (tmp_path / "x").write_bytes(b"changed in place")
    assert (tmp_path / "y").read_bytes() == data
    assert len(list(tmp_path.iterdir())) == 2


_COPY = "copy_durably(Path('x'), Path('y'))"


@pytest.mark.strace
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("write(original):retval=8", "disk_copy_differs"),  # a disk that says it wrote, and did not
        ("ioctl(FICLONE):retval=0", "disk_copy_differs"),  # a file system that says it cloned, and did not
        ("read(original):error=EIO", "disk_read_failed"),
        ("write(original):error=EIO", "disk_write_failed"),
        ("fsync:error=EIO:when=1", "disk_write_failed"),
        ("*rename:error=EIO", "disk_write_failed"),
    ],
)
def test_a_copy_that_fails_or_differs_is_not_kept(tmp_path: Path, program: Program, fault: str, said: str) -> None:
    (tmp_path / "x").write_text("original")
    (tmp_path / "y").write_text("old")
    assert program(_COPY, fault).stdout.partition("\n")[0] == said
    assert _names(tmp_path) == {"x": "original", "y": "old"}


@pytest.mark.strace
def test_a_clone_needs_no_second_write(tmp_path: Path, program: Program) -> None:
    (tmp_path / "x").touch()  # empty: the one content for which a pretended clone is a right one
    done = program(f"print({_COPY}.size)", "ioctl(FICLONE):retval=0")
    assert done.stdout == "0\n"
    assert _names(tmp_path) == {"x": "", "y": ""}


def test_only_files_are_copied(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(DiskError) as refused:
            copy_durably(tmp_path / name, tmp_path / "y")
        assert refused.value.key == "disk_not_a_file"
    with pytest.raises(DiskError, match="No such file"):
        copy_durably(tmp_path / "none", tmp_path / "y")
    assert _names(tmp_path) == {}


def test_a_move_makes_the_folder_and_never_overwrites(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("1")
    move_durably(tmp_path / "x", tmp_path / "archive" / "run" / "x")
    assert _names(tmp_path / "archive" / "run") == {"x": "1"}
    assert _names(tmp_path) == {}
    move_durably(tmp_path / "archive" / "run", tmp_path / "back")  # a whole folder
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "y").write_text("2")
    for taken in ("y", "dangling", "archive"):
        with pytest.raises(DiskError) as refused:
            move_durably(tmp_path / "back" / "x", tmp_path / taken)
        assert refused.value.key == "disk_exists"
    assert _names(tmp_path / "back") == {"x": "1"}


@pytest.mark.mounts
def test_a_move_to_another_disk_is_refused_and_the_file_stays(mount: Mount, tmp_path: Path) -> None:
    disk = mount("size=1m")
    (tmp_path / "x").write_text("1")
    with pytest.raises(DiskError) as refused:
        move_durably(tmp_path / "x", disk / "x")
    assert refused.value.key == "disk_move_failed"
    assert _names(tmp_path) == {"x": "1"}


@pytest.mark.strace
@pytest.mark.parametrize("which", [1, 2, 3])
def test_a_move_is_confirmed_by_both_folders_and_that_of_the_new_one(
    tmp_path: Path, program: Program, which: int
) -> None:
    (tmp_path / "x").write_text("1")
    move = "move_durably(Path('x'), Path('new/x')); print('moved')"
    done = program(move, f"fsync:error=EIO:when={which}")
    assert done.stdout.partition("\n")[0] == "disk_sync_failed"
    assert _names(tmp_path) == ({"x": "1"} if which == 1 else {})


@pytest.mark.strace
def test_removing_is_confirmed_by_the_folder(tmp_path: Path, program: Program) -> None:
    (tmp_path / "x").touch()
    remove_durably(tmp_path / "x")
    remove_durably(tmp_path / "x")
    remove_durably(tmp_path / "none" / "x")
    (tmp_path / "y").touch()
    assert program("remove_durably(Path('y'))", "fsync:error=EIO").stdout.startswith("disk_sync_failed")
    (tmp_path / "y").touch()
    assert program("remove_durably(Path('y'))", "*unlink:error=EIO").stdout.startswith("disk_remove_failed")
    assert _names(tmp_path) == {"y": ""}


def test_folders_are_made_and_files_in_the_way_are_named(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b" / "c")
    make_folder(tmp_path / "a" / "b" / "c")
    (tmp_path / "link").symlink_to("a")
    make_folder(tmp_path / "link" / "b" / "d")
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == ["c", "d"]
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    for path, in_the_way in [
        (tmp_path / "file", "file"),
        (tmp_path / "file" / "x" / "y", "file"),
        (tmp_path / "dangling", "dangling"),
    ]:
        with pytest.raises(UsageError) as refused:
            make_folder(path)
        assert refused.value.exit_code == 2
        assert refused.value.values == {"path": tmp_path / in_the_way}


@pytest.mark.strace
def test_each_new_folder_is_confirmed_by_the_one_above(tmp_path: Path, program: Program) -> None:
    make = "make_folder(Path('a/b')); print('made')"
    for which, outcome in [(1, "disk_sync_failed"), (2, "disk_sync_failed"), (3, "made")]:
        assert program(make, f"fsync:error=EIO:when={which}").stdout.partition("\n")[0] == outcome
        if (tmp_path / "a" / "b").exists():
            (tmp_path / "a" / "b").rmdir()
        (tmp_path / "a").rmdir()
