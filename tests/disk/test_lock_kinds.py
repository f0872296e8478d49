"""The two kinds of lock: the one that belongs to the open file, and the POSIX one where there is no other."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from unbroken.disk.lock import FolderLock
from unbroken.errors import FolderLockedError

Second = Callable[[str], "subprocess.Popen[str]"]
Program = Callable[..., "subprocess.CompletedProcess[str]"]

TIMES = 100

# A trainer as 0.1.0 locks: POSIX.
_OLD_HOLD = "import fcntl\nfile = open('lock', 'w')\nfcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)\nprint('held')\n"
_OLD_TRY = """
import fcntl
try:
    fcntl.lockf(open('lock', 'a'), fcntl.LOCK_EX | fcntl.LOCK_NB)
    print('taken')
except OSError:
    print('refused')
"""
_TRY_AGAIN_AND_AGAIN = """
for line in sys.stdin:
    try:
        FolderLock.acquire(Path('folder/.unbroken/lock')).release()
        print('taken', flush=True)
    except UnbrokenError as error:
        print(error.key, flush=True)
"""
# Children that outlive the trainer, each begun in another way.
_ORPHANS = {
    "fork": (
        "ends = os.pipe()\n"
        "child = os.fork()\n"
        "if child == 0:\n    os.write(ends[1], b'up')\n    signal.alarm(60)\n    signal.pause()\n"
        "os.read(ends[0], 2)\n"
    ),
    "program": "import subprocess\nchild = subprocess.Popen(['sleep', '60'], close_fds=False).pid\n",
    "spawned": "child = os.posix_spawn('/bin/sleep', ['sleep', '60'], os.environ)\n",
    "multiprocessing": (
        "import multiprocessing, time\n"
        "context = multiprocessing.get_context('fork')\n"
        "up = context.Event()\n"
        "process = context.Process(target=lambda: (up.set(), time.sleep(60)))\n"
        "process.start()\nchild = process.pid\nup.wait()\n"
    ),
    "grandchild": (
        "ends = os.pipe()\n"
        "if os.fork() == 0:\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        os.write(ends[1], b'%d' % os.getpid())\n        signal.alarm(60)\n        signal.pause()\n"
        "    os._exit(0)\n"
        "os.wait()\nchild = int(os.read(ends[0], 20))\n"
    ),
}


def test_copies_of_the_folder_inside_the_trainer_let_nobody_in(tmp_path: Path, second_process: Second) -> None:
    (tmp_path / "folder/.unbroken").mkdir(parents=True)
    holder = second_process(
        "import shutil\n"
        "lock = FolderLock.acquire(Path('folder/.unbroken/lock'))\n"
        "for number, line in enumerate(sys.stdin):\n"
        "    shutil.copytree('folder', f'copy-{number}')\n"
        "    print('copied', flush=True)\n"
    )
    second = second_process(_TRY_AGAIN_AND_AGAIN)
    refused = 0
    for _ in range(TIMES):
        assert _asked(holder) == "copied"
        refused += _asked(second) == "folder_locked"
    assert refused == TIMES
    holder.communicate()
    assert _asked(second) == "taken"  # the end of the process is the end of its lock


def test_a_trainer_of_an_older_version_and_one_of_this_exclude_each_other(
    tmp_path: Path, second_process: Second
) -> None:
    lock = FolderLock.acquire(tmp_path / "lock")
    assert second_process(_OLD_TRY).communicate()[0] == "refused\n"
    lock.release()
    older = second_process(_OLD_HOLD + "sys.stdout.flush()\nsys.stdin.read()\n")
    assert older.stdout is not None and older.stdout.readline() == "held\n"
    with pytest.raises(FolderLockedError):
        FolderLock.acquire(tmp_path / "lock")


@pytest.mark.parametrize("kind", _ORPHANS)
def test_orphans_of_a_killed_trainer_keep_nobody_out(tmp_path: Path, second_process: Second, kind: str) -> None:
    hold = f"lock = FolderLock.acquire(Path('lock'))\n{_ORPHANS[kind]}print(child, flush=True)\nsys.stdin.read()\n"
    trainer = second_process(hold)
    assert trainer.stdout is not None
    orphan = int(trainer.stdout.readline())
    with pytest.raises(FolderLockedError):
        FolderLock.acquire(tmp_path / "lock")
    trainer.kill()
    trainer.wait()
    try:
        os.kill(orphan, 0)
        FolderLock.acquire(tmp_path / "lock").release()
    finally:
        os.kill(orphan, 9)


def test_a_child_that_is_forked_while_another_thread_takes_a_lock_does_not_hold_it(tmp_path: Path) -> None:
    source = """
import os, signal, sys, threading
from pathlib import Path
from unbroken.disk.lock import FolderLock

def take_and_give_back():
    for _ in range(300):
        FolderLock.acquire(Path("lock")).release()

thread = threading.Thread(target=take_and_give_back)
thread.start()
children = []
for _ in range(60):
    child = os.fork()
    if child == 0:
        links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
        os._exit(any(os.readlink(link).endswith("/lock") for link in links if os.path.exists(link)))
    children.append(child)
thread.join()
print(sum(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""
    done = subprocess.run([sys.executable, "-c", source], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("0\n", 0), done.stderr


def test_the_lock_in_a_forked_child_touches_nobodys_files(tmp_path: Path) -> None:
    lock = FolderLock.acquire(tmp_path / "lock")
    child = os.fork()
    if child == 0:
        other = os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT)  # gets the number that the lock's file had
        lock.release()
        try:
            lock.renew()
            os._exit(3)
        except FolderLockedError:
            os.write(other, b"still open")
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (tmp_path / "other").read_text() == "still open"
    lock.renew()
    lock.release()


@pytest.mark.strace
def test_where_there_are_posix_locks_only_it_is_one_of_these(tmp_path: Path, program: Program) -> None:
    # Files of other file systems may have the same number.
    of = "f'{os.major(at.st_dev):02x}:{os.minor(at.st_dev):02x}:{at.st_ino}'"
    kinds = f"[line.split()[1] for line in open('/proc/locks') if {of} in line.split()]"
    source = f"FolderLock.acquire(Path('lock')); at = os.stat('lock'); print({kinds})"
    assert program(source).stdout == "['OFDLCK']\n"
    assert program(source, "fcntl(F_OFD_SETLK):error=EINVAL").stdout == "['POSIX']\n"


def _asked(process: "subprocess.Popen[str]") -> str:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return process.stdout.readline().strip()
