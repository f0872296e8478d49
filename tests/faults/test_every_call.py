"""Every call of a save to the disk fails in turn: the state before it stays good, and the failure is told."""

import errno
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import needs
from tests.store.states import put_with_manifest, same, state
from unbroken.store import lineage
from unbroken.store.folder import CheckpointFolder

_SAVE = """
import sys
from pathlib import Path
from tests.store.states import state
from unbroken.store.folder import CheckpointFolder
from unbroken.store.retention import Policy
from unbroken.store.save import SaveJob, save
folder = CheckpointFolder(Path(sys.argv[1]))
job = SaveJob(state(3), (folder.latest, folder.epoch(3), folder.best), Policy(1))
report = save(folder, job, set())
print(report.safe, report.error is None, report.error or "")
"""
CALLS = {"write": "write,pwrite64,writev,pwritev", "fsync": "fsync,fdatasync", "rename": "rename,renameat,renameat2"}
CALLS |= {"link": "link,linkat", "unlink": "unlink,unlinkat"}


@pytest.fixture
def before(tmp_path: Path) -> CheckpointFolder:
    """A folder with two epochs saved."""
    folder = CheckpointFolder(tmp_path / "before")
    folder.prepare()
    for epoch in (1, 2):
        put_with_manifest(folder, folder.epoch(epoch), state(epoch))
    put_with_manifest(folder, folder.previous, state(1))
    put_with_manifest(folder, folder.latest, state(2))
    return folder


def saving(folder: Path, *injected: str) -> str:
    """Save epoch 3 in a process of its own, with faults injected by strace in calls on ``folder``; what it says."""
    if injected:
        needs.require("strace")
    strace = ["strace", "-f", "-qq", "-o", str(folder.parent / "trace"), "-y", *injected] if injected else []
    environment = {**os.environ, "UNBROKEN_LANG": "en"}
    ended = subprocess.run(
        [*strace, sys.executable, "-B", "-c", _SAVE, str(folder)],
        cwd=Path(__file__).parents[2], env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-2000:]
    return ended.stdout.strip()


def places(before: CheckpointFolder, calls: str) -> Iterator[int]:
    """The numbers of the calls of this family, counted over the whole process, that touch the folder."""
    dry = before.path.with_name("dry")
    shutil.copytree(before.path, dry)
    assert saving(dry, "-e", f"trace={calls}").startswith("True True")
    lines = (before.path.parent / "trace").read_text(errors="replace").splitlines()
    counted = [line for line in lines if re.match(rf"\d+ +({calls.replace(',', '|')})\(", line)]
    yield from (number for number, line in enumerate(counted, 1) if str(dry) in line)
    shutil.rmtree(dry)


@pytest.mark.strace
@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("family", "error"),
    [("write", "EIO"), ("write", "ENOSPC"), ("write", "EDQUOT"), ("fsync", "EIO"), ("rename", "EIO"), ("link", "EIO"),
     ("unlink", "EIO"), ("rename", "EROFS")],
)  # fmt: skip
def test_a_save_whose_nth_call_fails_harms_nothing_and_tells(before: CheckpointFolder, family: str, error: str) -> None:
    folder, failed, passed = CheckpointFolder(before.path.with_name("checkpoints")), 0, 0
    for number in places(before, CALLS[family]):
        shutil.copytree(before.path, folder.path)
        inject = f"inject={CALLS[family]}:error={error}:when={number}"
        said = saving(folder.path, "-e", f"trace={CALLS[family]}", "-e", inject)
        safe, whole, reason = said.split(" ", 2) if said.count(" ") > 1 else (*said.split(" "), "")
        point = lineage.find_resume_point(folder)
        assert point is not None and not point.rejected, said
        if safe == "True":
            assert same(point.payload, state(3)), said
        else:
            assert point.manifest.progress.epoch in (2, 3), said
        if whole != "True":
            assert os.strerror(getattr(errno, error)) in reason or "No space left" in reason, said
            failed += 1
        else:
            assert {path.name for path in folder.checkpoints()} >= {"checkpoint_epoch_3.pth", "checkpoint_best.pth"}
            passed += 1
        lineage.clean(folder)
        assert not list(folder.path.rglob("*.tmp")), said
        shutil.rmtree(folder.path)
    print(f"\n{error} at every {family}: {failed} told, {passed} got over")
    assert failed + passed > 0
