"""A backup killed at random moments, again and again, and a listing of very many checkpoints."""

import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.store.crash import killed_before
from tests.store.states import folder_in_memory, put_with_manifest, state
from unbroken.cli.backup import back_up
from unbroken.cli.restore import restore
from unbroken.store import lineage, torchfile
from unbroken.store.folder import CheckpointFolder

BIG = 500_000  # floats: 2 MB


def killed_after(seconds: float, work: "object") -> bool:
    """Do ``work`` in a child that is killed after so long; whether it was killed before its end."""
    assert callable(work)
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:
            sys.stderr.write(repr(error))
            os._exit(1)
        os._exit(0)
    timer = threading.Timer(seconds, os.kill, (child, signal.SIGKILL))
    timer.start()
    _, status = os.waitpid(child, 0)
    timer.cancel()
    if os.WIFEXITED(status):
        assert os.WEXITSTATUS(status) == 0, "the work failed"
    return os.WIFSIGNALED(status)


def all_good(folder: CheckpointFolder) -> int:
    for path in [*folder.checkpoints(), *folder.path.glob("archive/*/*.pth")]:
        torchfile.verify(path)
    return len(folder.checkpoints())


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_backup_killed_50_times_never_leaves_a_bad_file_under_a_name(tmp_path: Path) -> None:
    run, backup = CheckpointFolder(tmp_path / "run"), CheckpointFolder(tmp_path / "backup")
    run.prepare()
    dice, kills, rounds = random.Random(1), 0, 0
    for epoch in range(1, 7):
        put_with_manifest(run, run.epoch(epoch), state(epoch, size=BIG))
    started = time.monotonic()
    back_up(run, CheckpointFolder(tmp_path / "timed"))
    whole = time.monotonic() - started
    while kills < 50:
        rounds += 1
        put_with_manifest(run, run.latest, state(6, rounds % 9 + 1, size=BIG))
        put_with_manifest(run, run.epoch(dice.randint(1, 6)), state(6, rounds % 9 + 1, size=BIG))
        kills += killed_after(dice.uniform(0, whole), lambda: back_up(run, backup))
        all_good(backup)
    back_up(run, backup)
    assert {p.name: p.read_bytes() for p in backup.checkpoints()} == {p.name: p.read_bytes() for p in run.checkpoints()}
    assert not list(backup.path.rglob("*.tmp"))
    print(f"\n{kills} kills in {rounds} backups: every file under its name verified, the last backup equal")


@pytest.mark.parametrize("command", [back_up, restore])
def test_killed_before_any_change_a_copy_is_good_or_not_there(tmp_path: Path, command: "object") -> None:
    assert callable(command)
    source, copy = CheckpointFolder(tmp_path / "source"), CheckpointFolder(tmp_path / "copy")
    for folder, older in ((source, 0), (copy, 1)):
        folder.prepare()
        for epoch in (1, 2):
            put_with_manifest(folder, folder.epoch(epoch), state(epoch))
        put_with_manifest(folder, folder.latest, state(2, 5 - older))
    change = 1
    while killed_before(change, lambda: command(source, copy)):
        assert all_good(copy) == 3
        point = lineage.find_resume_point(copy)
        assert point is not None and point.manifest.progress.step >= 24
        change += 1
    assert change > 3 and copy.latest.read_bytes() == source.latest.read_bytes()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_listing_1000_checkpoints_takes_four_times_as_long_as_importing_rich_at_most() -> None:
    """Processor time, both in turn: what the machine does meanwhile hits both."""
    listing = "import sys; from unbroken.cli import main; main(['list', sys.argv[1]]); sys.exit('torch' in sys.modules)"
    programs = {"rich": "import rich.console, rich.table, rich.progress", "list": listing}
    costs: dict[str, list[float]] = {name: [] for name in programs}
    with folder_in_memory() as folder:
        for epoch in range(1000):
            put_with_manifest(folder, folder.epoch(epoch), state(epoch % 50, run="run-a"))
        for name, program in 7 * [*programs.items()]:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            done = subprocess.run([sys.executable, "-c", program, str(folder.path)], capture_output=True, text=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            costs[name].append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
            assert done.returncode == 0 and done.stdout.count("checkpoint_epoch_") == 1000 * (name == "list")
    print(f"\n1000 checkpoints listed in {min(costs['list']):.3f} s of processor time, rich {min(costs['rich']):.3f} s")
    assert min(costs["list"]) <= 4 * min(costs["rich"])
