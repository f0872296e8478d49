"""From a file to a model and an optimizer that are as they were, in a process just begun, as after a crash.

``python -m benchmarks.loading HOW MEGABYTES FOLDER`` is one such process; importing torch is not counted.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import torch

from benchmarks.ours import Ours
from benchmarks.state import training
from benchmarks.table import Table
from unbroken.state.tracked import Tracked
from unbroken.store import lineage
from unbroken.store.folder import CheckpointFolder

COLUMN = "load and apply, ms"
HOW = {
    "ours": "unbroken",
    "whole": "torch.load, unverified",
    "mapped": "torch.load(mmap=True), unverified",
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
    fresh = training(megabytes, stepped=False)
    start = time.perf_counter()
    if how == "ours":
        tracked = Tracked()
        tracked.add("model", fresh.model)
        tracked.add("optimizer", fresh.optimizer)
        start = time.perf_counter()
        point = lineage.find_resume_point(folder)
        assert point is not None
        found = time.perf_counter() - start
        own = point.payload["unbroken"]
        states = {name: point.payload[f"{name}_state_dict"] for name in ("model", "optimizer")}
        tracked.restore(states, own["optimizer_parameters"], own["extras"])
        return {"": time.perf_counter() - start, ": of which finding, verifying and mapping": found}
    payload = torch.load(folder.latest, weights_only=True, mmap=how == "mapped")
    fresh.model.load_state_dict(payload["model_state_dict"])
    fresh.optimizer.load_state_dict(payload["optimizer_state_dict"])
    return {"": time.perf_counter() - start}


if __name__ == "__main__":
    print(json.dumps(_measured(sys.argv[1], float(sys.argv[2]), CheckpointFolder(Path(sys.argv[3])))))
