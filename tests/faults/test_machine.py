"""What the machine does to a training: its file system turns read-only, the kernel takes its memory back."""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from tests.run.loop import Trial
from unbroken.state.snapshot import equal_bits
from unbroken.store.folder import CheckpointFolder

ROOT = Path(__file__).parents[2]
LIMIT = 1 << 30

PROGRAM = """
import sys
from pathlib import Path
import torch
from tests.run.loop import Trial

def visit(here):
    hog = []
    while here == "batch 2 3" and sys.argv[2] == "hungry":
        hog.append(bytearray(b"x" * (4 << 20)))

trial = Trial(Path(sys.argv[1]), every_steps=1)
trial.train(4, visit)
torch.save(trial.result(), Path(sys.argv[1]) / "result.pt")
"""


def train_to_the_end(path: Path, visit: Callable[[str], None]) -> None:
    failure = Trial(path).train(4, visit).run.failure
    assert failure is not None and "Read-only file system" in str(failure)
    sys.exit(failure.exit_code)


@pytest.mark.loop_device
@pytest.mark.slow
def test_a_file_system_that_turns_read_only_under_a_run(tmp_path: Path) -> None:
    """As ext4 does after an error of its device; here it is told that there was one."""
    image, disk = tmp_path / "image", tmp_path / "disk"
    disk.mkdir()
    with image.open("wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    subprocess.run(["mount", "-o", "loop,errors=remount-ro", str(image), str(disk)], check=True)
    folder = CheckpointFolder(disk / "checkpoints")

    def visit(here: str) -> None:
        if here == "batch 2 2":
            found = subprocess.run(["findmnt", "-no", "SOURCE", str(disk)], check=True, capture_output=True, text=True)
            Path(f"/sys/fs/ext4/{Path(found.stdout.strip()).name}/trigger_fs_error").write_text("planted")

    try:
        # In a child: a process with a last state that is not safe ends with 74, and this one goes on testing.
        child = multiprocessing.get_context("fork").Process(target=train_to_the_end, args=(folder.path, visit))
        child.start()
        child.join()
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert child.exitcode == 74
    subprocess.run(["e2fsck", "-fy", str(image)], check=False, capture_output=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(disk)], check=True)
    try:
        resumed = Trial(folder.path).train(4)
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert resumed.trained[0] == (2, 1)
    assert equal_bits(resumed.result(), Trial(tmp_path / "whole").train(4).result()) is None


@pytest.fixture
def little_memory() -> Iterator[Path]:
    """A control group (version 1) whose processes may take no more than ``LIMIT``."""
    group = Path(f"/sys/fs/cgroup/memory/unbroken-{os.getpid()}")
    group.mkdir()
    (group / "memory.limit_in_bytes").write_text(str(LIMIT))
    yield group
    group.rmdir()


@pytest.mark.memory_group
@pytest.mark.slow
def test_a_run_that_the_kernel_kills_for_its_memory_goes_on_exactly(tmp_path: Path, little_memory: Path) -> None:
    def start(folder: Path, appetite: str) -> int:
        command = f"echo $$ > {little_memory}/tasks; exec {sys.executable} -c '{PROGRAM}' {folder} {appetite}"
        return subprocess.run(["sh", "-c", command], cwd=ROOT).returncode

    assert start(tmp_path / "killed", "hungry") == -9
    assert "oom_kill 1" in (little_memory / "memory.oom_control").read_text()
    assert start(tmp_path / "killed", "modest") == 0
    assert start(tmp_path / "whole", "modest") == 0
    results = [torch.load(tmp_path / name / "result.pt") for name in ("killed", "whole")]
    assert equal_bits(*results) is None
