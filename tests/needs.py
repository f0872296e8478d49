"""What some tests need of the machine: each need is a marker, tried out where a test has it.

Where it is not met its tests are left out, counted, and told at the end with what would bring it.
"""

import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

_ASKED = "UNBROKEN_TEST_NEEDS"


@dataclass(frozen=True)
class Need:
    """``what`` its tests need, what they are ``brought_by``, and whether it is ``met`` here, tried out."""

    what: str
    brought_by: str
    met: Callable[[], bool]


def _mounts() -> bool:
    with tempfile.TemporaryDirectory() as place:
        if not _works("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place):
            return False
        return _works("umount", place)


def _loop_device() -> bool:
    with tempfile.TemporaryDirectory() as place:
        image, disk = Path(place, "image"), Path(place, "disk")
        image.write_bytes(bytes(1 << 20))
        disk.mkdir()
        if not _works("mkfs.ext4", "-q", str(image)) or not _works("mount", "-o", "loop", str(image), str(disk)):
            return False
        device = subprocess.run(["findmnt", "-no", "SOURCE", str(disk)], capture_output=True, text=True).stdout
        fault = Path("/sys/fs/ext4", Path(device.strip()).name, "trigger_fs_error")
        return os.access(fault, os.W_OK) & _works("umount", str(disk))


def _memory_group() -> bool:
    group = Path("/sys/fs/cgroup/memory", f"unbroken-tried-{os.getpid()}")
    try:
        group.mkdir()
    except OSError:
        return False
    limited = (group / "memory.limit_in_bytes").exists()
    group.rmdir()
    return limited


def _strace() -> bool:
    return _works("strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=fsync:error=EIO:when=9", "true")


def _chromium() -> bool:
    if importlib.util.find_spec("selenium") is None or shutil.which("chromedriver") is None:
        return False
    return shutil.which("chromium") is not None and _works("chromium", "--version")


def _gpus(count: int) -> bool:
    import torch

    return torch.cuda.is_available() and torch.cuda.device_count() >= count


def _works(*command: str) -> bool:
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL).returncode == 0


NEEDS = {
    "mounts": Need(
        "a file system of their own to mount", "run as root, or by `unshare --map-root-user --mount pytest`", _mounts
    ),
    "loop_device": Need("an image of a disk to mount and to break", "run as root", _loop_device),
    "memory_group": Need(
        "a limit to a process's memory", "run as root, with version 1 of control groups", _memory_group
    ),
    "gpu": Need("a GPU", "run on a machine with one, by `pytest -m gpu`", lambda: _gpus(1)),
    "two_gpus": Need("two GPUs", "run on a machine with two", lambda: _gpus(2)),
    "four_gpus": Need("four GPUs", "run on a machine with four", lambda: _gpus(4)),
    "chromium": Need(
        "a browser that is driven",
        "install Chromium and its driver (`apt-get install chromium chromium-driver`), and selenium",
        _chromium,
    ),
    "strace": Need("system calls that fail when told to", "install strace (`apt-get install strace`)", _strace),
}


def unmet(names: Iterable[str]) -> list[str]:
    """Those of ``names`` that are needs and not met here, each tried once."""
    return [name for name in dict.fromkeys(names) if name in NEEDS and not NEEDS[name].met()]


def announce(names: Iterable[str]) -> None:
    """A test with these markers runs from now on."""
    os.environ[_ASKED] = " ".join(name for name in names if name in NEEDS)


def require(name: str) -> None:
    """Fails where the running test uses what it is not marked to need: elsewhere it would fail, not be left out."""
    assert name in os.environ.get(_ASKED, "").split(), f"this test has to be marked: @pytest.mark.{name}"
