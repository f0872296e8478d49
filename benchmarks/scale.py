"""How cost grows with the size of a state and with the number of its tensors: ``python -m benchmarks.scale PICTURE``.

One process per point, so that the memory is its own. The points are printed as well.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.memory import held
from benchmarks.ours import Ours, resume
from benchmarks.state import training

SIZES = [10, 100, 1000, 4000]  # MB, in 24 parameters
COUNTS = [10, 1000, 30_000]  # parameters: of 3 tensors and a step count each, in 100 MB


def measure(megabytes: float, parameters: int, folder: Path) -> dict[str, float]:
    state = training(megabytes, tensors=parameters)
    before = held()
    ours = Ours(state, folder)
    blocked, durable = [], []
    for _ in range(3):
        start = time.perf_counter()
        ours.save()
        blocked.append(time.perf_counter() - start)
        ours.finish()
        durable.append(time.perf_counter() - start)
    memory = held() - before
    size = state.bytes
    del state
    fresh = training(megabytes, tensors=parameters, stepped=False)
    _, resumed = resume(fresh, ours.folder)
    ours.close()
    return {
        "MB": size / 1e6, "tensors": 4 * parameters, "until the optimizer may step, s": sorted(blocked)[1],
        "durable, s": sorted(durable)[1], "resume, s": resumed, "memory / state": memory / size,
    }  # fmt: skip


def plot(points: dict[str, list[dict[str, float]]], picture: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4), constrained_layout=True)
    for axis, (by, measured) in zip(axes, points.items(), strict=True):
        for what in ("until the optimizer may step, s", "durable, s", "resume, s"):
            axis.loglog([point[by] for point in measured], [point[what] for point in measured], "o-", label=what)
        axis.set_xlabel(by if by == "MB" else "tensors, in 100 MB")
        axis.grid(True, which="both", alpha=0.3)
        axis.legend()
    figure.savefig(picture)


def main() -> None:
    if sys.argv[1] == "point":
        print(json.dumps(measure(float(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))))
        return
    points: dict[str, list[dict[str, float]]] = {"MB": [], "tensors": []}
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix="benchmarks-") as folder:
        for by, plan in (("MB", [(size, 24) for size in SIZES]), ("tensors", [(100, count) for count in COUNTS])):
            for number, (size, count) in enumerate(plan):
                place = Path(folder, f"{by}{number}")
                place.mkdir()
                command = [sys.executable, "-m", "benchmarks.scale", "point", str(size), str(count), str(place)]
                point = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                points[by].append(point)
                print(" | ".join(f"{name} {value:.4g}" for name, value in point.items()), flush=True)
    plot(points, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
