"""From a file to a model and an optimizer that are as they were, in a process just begun, as after a crash.

``python -m benchmarks.loading HOW MEGABYTES FOLDER`` is one such process; importing torch is not counted.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import torch

from benchmarks.ours import Ours, resume
from benchmarks.state import training
from benchmarks.table import Table
from unbroken.store.folder import CheckpointFolder

COLUMN = "load and apply, ms"
HOW = {
    "ours": "unbroken",
    "whole": "torch.load, unverified",
    "mapped": "torch.load(mmap=True), unverified",
    "limit": "limit: copying the two moments into memory that the process does not have yet",
}


def table(megabytes: float, rounds: int, folder: Path) -> Table:
    state = training(megabytes)
    ours = Ours(state, folder)
    ours.save()
    ours.finish()
    shown = Table(
        f"Resuming from {state.bytes / 1e6:.0f} MB (cached by the system) into a model and an optimizer just built",
        [COLUMN],
        note=(
            "Each in a process of its own. Ours finds the newest state, verifies every byte, loads, applies, and "
            "compares every bit of the result. With mmap the optimizer's state stays in the file: the first step pays."
        ),
        ratio_to=("unbroken", COLUMN),
    )
    for _ in range(rounds):
        for how, name in HOW.items():
            command = [sys.executable, "-m", "benchmarks.loading", how, str(megabytes), str(ours.folder.path)]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            for part, seconds in json.loads(said).items():
                shown.add(name + part, **{COLUMN: seconds * 1e3})
    ours.close()
    return shown


def _measured(how: str, megabytes: float, folder: CheckpointFolder) -> dict[str, float]:
    if how == "limit":
        return _copied_into_fresh_memory(int(megabytes * 1e6 * 2 / 3))
    fresh = training(megabytes, stepped=False)
    if how == "ours":
        found, done = resume(fresh, folder)
        return {"": done, ": of which finding, verifying and mapping": found}
    start = time.perf_counter()
    payload = torch.load(folder.latest, weights_only=True, mmap=how == "mapped")
    fresh.model.load_state_dict(payload["model_state_dict"])
    fresh.optimizer.load_state_dict(payload["optimizer_state_dict"])
    return {"": time.perf_counter() - start}


def _copied_into_fresh_memory(size: int) -> dict[str, float]:
    source = torch.ones(size, dtype=torch.uint8)
    start = time.perf_counter()
    target = torch.empty_like(source).copy_(source)
    first = time.perf_counter()
    target.copy_(source)
    return {"": first - start, ", and again, now that it has it": time.perf_counter() - first}


if __name__ == "__main__":
    print(json.dumps(_measured(sys.argv[1], float(sys.argv[2]), CheckpointFolder(Path(sys.argv[3])))))
