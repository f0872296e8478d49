"""From a file to a model and an optimizer that are as they were; importing torch is not counted."""

import time
from pathlib import Path

import torch

from benchmarks.ours import Ours
from benchmarks.state import training
from benchmarks.table import Table
from unbroken.state.tracked import Tracked
from unbroken.store import lineage

COLUMN = "load and apply, ms"


def table(megabytes: float, rounds: int, folder: Path) -> Table:
    state = training(megabytes)
    ours = Ours(state, folder)
    ours.save()
    ours.finish()
    shown = Table(
        f"Resuming from {state.bytes / 1e6:.0f} MB (cached by the system) into a model and an optimizer just built",
        [COLUMN],
        note="Ours finds the newest state, verifies every byte, loads, applies, and compares every bit of the result.",
        ratio_to=("unbroken", COLUMN),
    )
    for _ in range(rounds):
        fresh = training(megabytes, stepped=False)
        tracked = Tracked()
        tracked.add("model", fresh.model)
        tracked.add("optimizer", fresh.optimizer)
        start = time.perf_counter()
        point = lineage.find_resume_point(ours.folder)
        assert point is not None
        found = time.perf_counter()
        own = point.payload["unbroken"]
        states = {name: point.payload[f"{name}_state_dict"] for name in ("model", "optimizer")}
        tracked.restore(states, own["optimizer_parameters"], own["extras"])
        ended = time.perf_counter()
        shown.add("unbroken", **{COLUMN: (ended - start) * 1e3})
        shown.add("unbroken: of which finding, verifying and mapping", **{COLUMN: (found - start) * 1e3})
        del point, states, own, tracked
        for name, mapped in (("torch.load, unverified", False), ("torch.load(mmap=True), unverified", True)):
            fresh = training(megabytes, stepped=False)
            start = time.perf_counter()
            payload = torch.load(ours.folder.latest, weights_only=True, mmap=mapped)
            fresh.model.load_state_dict(payload["model_state_dict"])
            fresh.optimizer.load_state_dict(payload["optimizer_state_dict"])
            shown.add(name, **{COLUMN: (time.perf_counter() - start) * 1e3})
            del payload, fresh
    shown.note += " With mmap the optimizer's state stays in the file: the first step pays for it."
    ours.close()
    return shown
