import json
import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from unbroken.disk.lock import FolderLock
from unbroken.errors import DiskError, FolderLockedError

Second = Callable[[str], "subprocess.Popen[str]"]

_HOLD = "lock = FolderLock.acquire(Path('lock')); print('held', flush=True); sys.stdin.read()"


def _started(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _outcome(process: "subprocess.Popen[str]") -> str:
    return process.communicate()[0].strip()


def test_a_second_process_is_refused_and_told_who_holds_it(tmp_path: Path, second_process: Second) -> None:
    holder = second_process(_HOLD)
    assert _started(holder) == "held"
    with pytest.raises(FolderLockedError) as refused:
        FolderLock.acquire(tmp_path / "lock")
    said = json.loads((tmp_path / "lock").read_text())
    assert (said["pid"], said["host"]) == (holder.pid, socket.gethostname())
    assert refused.value.values == {"path": tmp_path, **{k: said[k] for k in ("pid", "host", "started")}}
    assert str(holder.pid) in str(refused.value)
    with pytest.raises(FolderLockedError) as refused:
        FolderLock.acquire(tmp_path / "lock", Path("checkpoints"))
    assert refused.value.values["path"] == Path("checkpoints")
    holder.communicate()  # its end gives the lock back
    FolderLock.acquire(tmp_path / "lock").release()


def test_a_holder_in_the_act_of_writing_who_it_is(tmp_path: Path, second_process: Second) -> None:
    holder = second_process(_HOLD)
    assert _started(holder) == "held"
    for content in ("", '{"pid": 1', "[]"):
        (tmp_path / "lock").write_text(content)
        with pytest.raises(FolderLockedError) as refused:
            FolderLock.acquire(tmp_path / "lock")
        assert refused.value.values["pid"] == "?"


def test_what_a_dead_holder_left_in_the_file_means_nothing(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text(json.dumps({"pid": 1, "host": socket.gethostname(), "command": "x" * 999}))
    lock = FolderLock.acquire(tmp_path / "lock")
    assert json.loads((tmp_path / "lock").read_text())["pid"] == os.getpid()
    lock.release()


def test_the_same_process_is_refused_too_by_whatever_path(tmp_path: Path, second_process: Second) -> None:
    (tmp_path / "alias").symlink_to(tmp_path)
    os.link(_touched(tmp_path / "lock"), tmp_path / "other-name")
    lock = FolderLock.acquire(tmp_path / "lock")
    for path in (tmp_path / "lock", tmp_path / "alias" / "lock", tmp_path / "other-name"):
        with pytest.raises(FolderLockedError) as refused:
            FolderLock.acquire(path)
        assert refused.value.key == "folder_locked_here"
    # and being refused has not opened and closed the file, which would have ended the lock
    assert _outcome(second_process(_TRY)) == "folder_locked"
    lock.release()
    lock.release()
    assert _outcome(second_process(_TRY)) == "taken"
    FolderLock.acquire(tmp_path / "lock").release()


_TRY = """
try:
    FolderLock.acquire(Path('lock'))
    print('taken', flush=True)
except UnbrokenError as error:
    print(error.key, flush=True)
"""


def _touched(path: Path) -> Path:
    path.touch()
    return path


def test_an_orphan_that_outlives_a_killed_holder_does_not_keep_it(tmp_path: Path, second_process: Second) -> None:
    holder = second_process(
        "lock = FolderLock.acquire(Path('lock'))\n"
        "ends = os.pipe()\n"
        "orphan = os.fork()\n"
        "if orphan == 0:\n"
        "    os.write(ends[1], b'up')\n"
        "    signal.alarm(60)\n"
        "    signal.pause()\n"
        "os.read(ends[0], 2)\n"
        "print(orphan, flush=True)\n"
        "sys.stdin.read()\n"
    )
    orphan = int(_started(holder))
    with pytest.raises(FolderLockedError):
        FolderLock.acquire(tmp_path / "lock")
    holder.kill()
    holder.wait()
    os.kill(orphan, 0)  # it lives, and has closed the file
    assert str(tmp_path / "lock") not in [str(fd.readlink()) for fd in Path(f"/proc/{orphan}/fd").iterdir()]
    FolderLock.acquire(tmp_path / "lock").release()
    os.kill(orphan, 9)


def test_a_forked_child_neither_holds_it_nor_can_give_it_back(tmp_path: Path, second_process: Second) -> None:
    parent = second_process(
        "lock = FolderLock.acquire(Path('lock'))\n"
        "if os.fork() == 0:\n"
        "    lock.release()\n"
        "    try:\n"
        "        FolderLock.acquire(Path('lock'))\n"
        "    except Exception as error:\n"
        "        os._exit(7 if error.key == 'folder_locked' and error.values['pid'] == os.getppid() else 1)\n"
        "    os._exit(2)\n"
        "print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)\n"
        "sys.stdin.read()\n"
    )
    assert _started(parent) == "7"
    with pytest.raises(FolderLockedError):
        FolderLock.acquire(tmp_path / "lock")


def test_a_reader_in_the_own_process_does_not_end_it(tmp_path: Path, second_process: Second) -> None:
    lock = FolderLock.acquire(tmp_path / "lock")
    (tmp_path / "lock").read_bytes()  # closing it ends a POSIX lock
    assert _outcome(second_process(_TRY)) == "folder_locked"
    lock.renew()
    lock.release()


def test_a_link_is_not_followed_and_a_missing_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for path in (tmp_path / "link", tmp_path / "none" / "lock"):
        with pytest.raises(DiskError) as refused:
            FolderLock.acquire(path)
        assert refused.value.key == "disk_lock_failed"
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.strace
def test_a_file_system_without_locks_is_said_and_does_not_stop_training(
    tmp_path: Path, program: Callable[..., "subprocess.CompletedProcess[str]"]
) -> None:
    done = program("FolderLock.acquire(Path('lock')); print('training')", "fcntl(F_OFD_SETLK):error=ENOLCK")
    assert done.stdout == "training\n"
    assert "does not support locks" in done.stderr


@pytest.mark.mounts
def test_a_full_disk_does_not_keep_the_lock_from_being_held(
    mount: Callable[[str], Path], second_process: Second
) -> None:
    disk = mount("size=64k")
    (disk / "fill").write_bytes(bytes(64 << 10))
    lock = FolderLock.acquire(disk / "lock")
    assert _outcome(second_process(_TRY.replace("'lock'", f"{str(disk / 'lock')!r}"))) == "folder_locked"
    lock.release()


def test_a_lock_file_deleted_while_held_is_made_again(tmp_path: Path, second_process: Second) -> None:
    lock = FolderLock.acquire(tmp_path / "lock")
    (tmp_path / "lock").unlink()
    lock.renew()
    other = second_process("try:\n    FolderLock.acquire(Path('lock'))\nexcept UnbrokenError as e:\n    print(e.key)\n")
    assert other.communicate()[0] == "folder_locked\n"
    lock.release()
    FolderLock.acquire(tmp_path / "lock").release()


def test_who_lost_the_folder_to_another_trainer_with_its_lock_file_is_told(
    tmp_path: Path, second_process: Second
) -> None:
    lock = FolderLock.acquire(tmp_path / "lock")
    (tmp_path / "lock").unlink()
    other = second_process("lock = FolderLock.acquire(Path('lock'))\nprint('held', flush=True)\nsys.stdin.read()\n")
    assert other.stdout is not None and other.stdout.readline() == "held\n"
    with pytest.raises(FolderLockedError) as refused:
        lock.renew()
    assert str(other.pid) in str(refused.value)
    lock.release()
