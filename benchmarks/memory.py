"""The memory that a saver adds to a training process, each measured in a process of its own."""

import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from benchmarks.peers import SAVERS
from benchmarks.state import training
from benchmarks.table import Table

COLUMN = "most extra memory / state"
_PATIENCE = 120  # seconds


def table(megabytes: float, folder: Path) -> Table:
    shown = Table(
        f"Memory beside a state of {megabytes:g} MB, at the most, in three saves",
        [COLUMN],
        note="Anonymous and shared memory of the process and its children, without the page cache.",
        digits=2,
    )
    for kind in SAVERS:
        name: str = kind.name  # type: ignore[attr-defined]
        command = [sys.executable, "-m", "benchmarks.memory", name, str(megabytes), str(folder)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            shown.missing[name] = f"not at its end after {_PATIENCE} s"
            continue
        if done.returncode == 0:
            shown.add(name, **{COLUMN: float(done.stdout.split()[-1])})
        else:
            shown.missing[name] = (done.stderr.strip().splitlines() or ["?"])[-1][:120]
    return shown


def _measure(name: str, megabytes: float, folder: Path) -> float:
    kind = next(kind for kind in SAVERS if kind.name == name)  # type: ignore[attr-defined]
    state = training(megabytes)
    small = kind(training(0.1), folder / "warm")  # what it needs once, whatever the size
    small.save()
    small.finish()
    before, most, ended = held(), 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not ended.wait(0.004):
            most = max(most, held())

    thread = threading.Thread(target=watch)
    thread.start()
    saver = kind(state, folder)
    for _ in range(3):
        saver.save()
        saver.finish()
    ended.set()
    thread.join()
    saver.close()
    small.close()
    return (most - before) / state.bytes


def held() -> int:
    """Anonymous and shared memory of this process and its children, in bytes."""
    held = 0
    for task in [Path("/proc/self"), *_children()]:
        try:
            fields = dict(line.split(":", 1) for line in (task / "status").read_text().splitlines())
            held += sum(int(fields[name].split()[0]) * 1024 for name in ("RssAnon", "RssShmem"))
        except (OSError, KeyError):
            pass
    return held


def _children() -> list[Path]:
    pids = [pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]
    return [Path("/proc", pid) for pid in pids]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[3]) as place:
        (Path(place) / "warm").mkdir()
        print(_measure(sys.argv[1], float(sys.argv[2]), Path(place)))
