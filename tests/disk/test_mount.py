"""What a mount is, and what it does when it is asked."""

import os
from pathlib import Path

import pytest

from tests.disk.conftest import Mount, Program
from unbroken.disk.mount import mount_of, try_out


@pytest.mark.mounts
def test_a_mount_is_told_by_its_kind_and_place(mount: Mount, tmp_path: Path) -> None:
    disk = mount("size=1m")
    (disk / "a folder").mkdir()
    (tmp_path / "link").symlink_to(disk / "a folder")
    for place in (disk, disk / "a folder", tmp_path / "link"):
        found = mount_of(place)
        assert (found.kind, found.point, found.memory, found.network) == ("tmpfs", str(disk), True, False)
    assert mount_of(tmp_path).point != str(disk)


def test_what_is_tried_out_leaves_nothing_behind(tmp_path: Path) -> None:
    found = try_out(tmp_path)
    assert found.replaces and found.links and found.locks and found.folder_sync
    assert list(tmp_path.iterdir()) == []


@pytest.mark.mounts
def test_where_nothing_can_be_written_nothing_is_tried(mount: Mount) -> None:
    with pytest.raises(OSError, match=os.strerror(30)):
        try_out(mount("ro"))


@pytest.mark.strace
@pytest.mark.parametrize(
    ("fault", "without"),
    [
        ("fsync:error=EINVAL:when=2", "folder_sync"),
        ("*link:error=EPERM", "links"),
    ],
)
def test_what_a_file_system_refuses_is_told(program: Program, fault: str, without: str) -> None:
    source = "from unbroken.disk.mount import try_out; print([k for k, v in vars(try_out(Path('.'))).items() if not v])"
    plain = program(source).stdout
    assert without not in plain
    assert without in program(source, fault).stdout
