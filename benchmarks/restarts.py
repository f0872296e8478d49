"""From the kill of two processes until they train the step that they were killed in again, to the same bits."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.restarted import METHODS, steps_in
from benchmarks.table import Table

FIRST, EXACT, AGAIN, SAME = "first step, s", "first exact new step, s", "steps trained again", "same bits at the end"
_SIZE, _KILLED_AT = 2, 180
_PATIENCE = 120.0  # seconds


def table(rounds: int, folder: Path) -> Table:
    shown = Table(
        "Two processes, killed and started again",
        [FIRST, EXACT, AGAIN, SAME],
        note=f"DDP, gloo; a save every 50 steps, SIGKILL to both in step {_KILLED_AT} of 400, started again at once. "
        "A step is exact if the weights after it are those of a run that nobody killed; 1 = yes.",
        digits=2,
    )
    for number in range(rounds):
        for method in METHODS:
            try:
                shown.add(method, **_killed(method, folder / f"restart-{method}-{number}"))
            except (RuntimeError, ValueError) as error:
                shown.missing[method] = str(error)[-200:]
    return shown


def _killed(method: str, place: Path) -> dict[str, float]:
    whole, killed = place / "whole", place / "killed"
    for folder in (whole, killed):
        folder.mkdir(parents=True)
    _wait(_started(method, whole))
    expected = {digest: number for number, (_, digest) in enumerate(steps_in(whole), 1)}
    processes = _started(method, killed)
    began = time.monotonic()
    while len(list(steps_in(killed))) < _KILLED_AT:
        if time.monotonic() - began > _PATIENCE or any(one.poll() is not None for one in processes):
            raise RuntimeError("it did not come to the step to be killed in")
        time.sleep(0.002)
    for process in processes:
        process.send_signal(signal.SIGKILL)
    at = time.time()
    reached = len(list(steps_in(killed)))
    for process in processes:
        process.wait()
    _wait(_started(method, killed))
    steps = list(steps_in(killed))
    costs = {FIRST: steps[0][0] - at, SAME: float(expected.get(steps[-1][1]) == len(expected))}
    numbers = [expected.get(digest) for _, digest in steps]
    if numbers[0] is not None:
        costs[AGAIN] = reached + 1 - numbers[0]
    if reached + 1 in numbers:
        costs[EXACT] = steps[numbers.index(reached + 1)][0] - at
    return costs


def _started(method: str, folder: Path) -> list[subprocess.Popen[bytes]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = []
    for rank in range(_SIZE):
        of_all = {"WORLD_SIZE": str(_SIZE), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        environment = {**os.environ, **of_all, "RANK": str(rank), "LOCAL_RANK": str(rank)}
        command = [sys.executable, "-m", "benchmarks.restarted", method, str(folder)]
        with (folder / f"said-{rank}").open("ab") as said:
            processes.append(subprocess.Popen(command, env=environment, stdout=said, stderr=said))
    return processes


def _wait(processes: list[subprocess.Popen[bytes]]) -> None:
    codes = [process.wait(_PATIENCE) for process in processes]
    if any(codes):
        raise RuntimeError(f"it ended with {codes}")
