"""What several processes pay for agreeing: at each boundary, and in a save; beside one process, in turn."""

import json
import logging
import os
import subprocess
import sys
import time
import traceback
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import unbroken
from benchmarks.table import Table

CPU, WALL, STALL = "processor time per boundary, µs", "median wait per boundary, µs", "stall of a save, ms"
_STEP = 0.001  # seconds
_STEPS, _EVERY = 2_000, 100


def table(rounds: int, folder: Path) -> Table:
    shown = Table(
        "Several processes beside one",
        [CPU, WALL, STALL],
        note=f"`run.steps` with steps that sleep for 1 ms, a state of 4 MB saved every {_EVERY} steps; of rank 0. One "
        "thread each; more processes than cores wait for one another's turn.",
        digits=1,
    )
    for number in range(rounds):
        for size in (1, 2, 4):
            place = folder / f"ranks-{size}-{number}"
            costs = _measured(size, place)
            shown.add(f"{size} process{'es' * (size > 1)}", **costs)
    return shown


def _measured(size: int, place: Path) -> dict[str, float]:
    """Of a process that begins anew: in this one a peer may have begun threads and groups that no fork survives."""
    place.mkdir()
    subprocess.run([sys.executable, "-m", "benchmarks.ranks", str(size), str(place)], check=True)
    return json.loads((place / "costs.json").read_text())  # type: ignore[no-any-return]


def _together(size: int, place: Path) -> None:
    children = []
    for rank in range(size):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                _train(rank, size, place)
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


def _train(rank: int, size: int, place: Path) -> None:
    logging.getLogger("unbroken").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(size))
    meeting = f"file://{place / 'meeting'}"
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=size, timeout=timedelta(seconds=60))
    torch.manual_seed(1)
    model = DistributedDataParallel(nn.Linear(1000, 1000))
    run = unbroken.Run(place / "checkpoints", every=None, every_steps=_EVERY)
    run.track(model=model)
    steps = iter(run.steps(_STEPS))
    next(steps)
    # Not lists: each save looks at the variables of the loop, and would write out a thousand floats.
    cpu, wall = torch.full((2, _STEPS + 1), torch.nan, dtype=torch.float64)
    saves = []
    for number in range(2, _STEPS + 1):
        time.sleep(_STEP)
        before, processor = time.perf_counter(), time.thread_time()
        next(steps, None)
        took, used = time.perf_counter() - before, time.thread_time() - processor
        if number % _EVERY == 1:
            saves.append(took)
        else:
            cpu[number], wall[number] = used, took
    run.close()
    if rank == 0:
        costs = {
            CPU: float(np.nanmean(cpu)) * 1e6,
            WALL: float(np.nanmedian(wall)) * 1e6,
            STALL: float(np.median(saves)) * 1e3,
        }
        (place / "costs.json").write_text(json.dumps(costs))
    dist.destroy_process_group()


if __name__ == "__main__":
    _together(int(sys.argv[1]), Path(sys.argv[2]))
