"""Many tensors: processor time of each, of a whole ``run.save()`` and ``run.begin()``; in a process just begun."""

import gc
import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.table import Table

STEP, DURABLE, RESUME = "until the optimizer may step", "from there until durable", "resume"


def table(counts: list[int], rounds: int, folder: Path) -> Table:
    shown = Table(
        "Many tensors",
        [STEP, DURABLE, RESUME],
        note="Microseconds of processor time per tensor of a model and its AdamW, 10 MB in all, one thread; of the "
        "second save, and of a resume that finds, verifies, restores and compares.",
        digits=1,
    )
    for number in range(rounds):
        for count in counts:
            place = folder / f"tensors-{count}-{number}"
            for what in ("save", "resume"):
                command = [sys.executable, "-m", "benchmarks.tensors", what, str(count), str(place)]
                said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
                shown.add(f"{count:,}", **json.loads(said.splitlines()[-1]))
    return shown


def main() -> None:
    import torch

    import unbroken
    from benchmarks.state import training

    logging.getLogger("unbroken").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    what, count, place = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    costs = {}

    def timed(work: Callable[[], object]) -> float:
        gc.collect()
        before = time.process_time()
        work()
        return (time.process_time() - before) / count * 1e6

    state = training(10, tensors=count // 4, stepped=what == "save")
    with unbroken.Run(place, every=None) as run:
        run.track(model=state.model, optimizer=state.optimizer)
        begun = timed(run.begin)
        if what == "resume":
            costs[RESUME] = begun
        else:
            for _ in range(2):
                costs[STEP], costs[DURABLE] = timed(run.save), timed(run.flush)
    print(json.dumps(costs))


if __name__ == "__main__":
    main()
