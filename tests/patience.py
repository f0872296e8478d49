"""Waiting for a process by what it has computed: on a busy machine the clock tells nothing about it."""

import os
import subprocess
import time
from pathlib import Path

_LOOK = 1.0


class Patience:
    """Spent when a process and its children have computed for ``seconds``, or have done nothing for as long."""

    def __init__(self, pid: int, seconds: float) -> None:
        self._pid = pid
        self._seconds = seconds
        self._used = 0.0
        self._moved = self._looked = time.monotonic()

    @property
    def spent(self) -> bool:
        """Asked as often as one likes: it looks once in a while."""
        now = time.monotonic()
        if now - self._looked < self.until_next_look:
            return False
        self._looked, used = now, processor_time(self._pid)
        if used > self._used:
            self._used, self._moved = used, now
        return self._used >= self._seconds or now - self._moved >= self._seconds

    @property
    def until_next_look(self) -> float:
        """How long to wait for something else meanwhile."""
        return min(_LOOK, self._seconds)


def ended(process: "subprocess.Popen[str]", seconds: float) -> tuple[str, str]:
    """What it said on its two streams, when it has ended; it is killed if the patience with it is spent.

    Raises:
        AssertionError: that was so.
    """
    patience = Patience(process.pid, seconds)
    with process:
        while True:
            try:
                return process.communicate(timeout=patience.until_next_look)
            except subprocess.TimeoutExpired as running:
                if patience.spent:
                    process.kill()
                    said = (running.stdout or b"")[-2000:].decode(errors="replace")
                    raise AssertionError(f"computed or did nothing for {seconds:.0f} s: {said}") from running
            except BaseException:
                process.kill()
                raise


def processor_time(pid: int) -> float:
    """Seconds used so far by a process, by those it has waited for and by all below it that live."""
    ticks, below = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            below.setdefault(int(fields[1]), []).append(int(entry.name))
            ticks[int(entry.name)] = sum(map(int, fields[11:15]))
    total, family = 0, [pid]
    while family:
        member = family.pop()
        total += ticks.get(member, 0)
        family += below.get(member, [])
    return total / os.sysconf("SC_CLK_TCK")
