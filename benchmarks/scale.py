"""How cost grows with the size of a state, the number of its tensors and that of checkpoints in its folder.

``python -m benchmarks.scale PICTURE``: one process per point, so that the memory is its own. The points are printed.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.memory import held
from benchmarks.ours import Ours, resume
from benchmarks.reading import fill
from benchmarks.state import training

# MB, parameters (each of 3 tensors and a step count), checkpoints in the folder
POINTS = {
    "MB": [(10, 24, 1), (100, 24, 1), (1000, 24, 1), (4000, 24, 1)],
    "tensors, in 100 MB": [(100, 10, 1), (100, 1000, 1), (100, 30_000, 1)],
    "checkpoints of 10 kB": [(0.01, 1, 10), (0.01, 1, 100), (0.01, 1, 1000), (0.01, 1, 10_000)],
}
STEP, DURABLE, RESUME, LIST = "until the optimizer may step, s", "durable, s", "resume, s", "unbroken list --json, s"
ROUNDS = 3


def measure(megabytes: float, parameters: int, checkpoints: int, folder: Path) -> dict[str, float]:
    state = training(megabytes, tensors=parameters)
    before = held()
    ours = Ours(state, folder)
    if checkpoints > 1:
        fill(ours, checkpoints)
        ours.begin_anew()  # writes the index
    blocked, durable = [], []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        ours.save()
        blocked.append(time.perf_counter() - start)
        ours.finish()
        durable.append(blocked[-1] + ours.durable_after)
    memory = held() - before
    size = state.bytes
    del state
    fresh = training(megabytes, tensors=parameters, stepped=False)
    _, resumed = resume(fresh, ours.folder)
    point = {
        "MB": size / 1e6, "tensors": 4 * parameters, "checkpoints": checkpoints, STEP: sorted(blocked)[1],
        DURABLE: sorted(durable)[1], RESUME: resumed,
    }  # fmt: skip
    if checkpoints == 1:
        point["memory / state"] = memory / size
    else:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "unbroken", "list", str(ours.folder.path), "--json"],
                       check=True, stdout=subprocess.DEVNULL)  # fmt: skip
        point[LIST] = time.perf_counter() - start
    ours.close()
    return point


def plot(points: dict[str, list[dict[str, float]]], picture: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(points), figsize=(5 * len(points), 4), constrained_layout=True)
    for axis, (by, measured) in zip(axes, points.items(), strict=True):
        for what in (STEP, DURABLE, RESUME, LIST):
            if what in measured[0]:
                axis.loglog([at[by.split(",")[0].split(" ")[0]] for at in measured], [at[what] for at in measured],
                            "o-", label=what)  # fmt: skip
        axis.set_xlabel(by)
        axis.grid(True, which="both", alpha=0.3)
        axis.legend()
    figure.savefig(picture)


def main() -> None:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed is compiled
    if sys.argv[1] == "point":
        megabytes, parameters, checkpoints, place = sys.argv[2:]
        print(json.dumps(measure(float(megabytes), int(parameters), int(checkpoints), Path(place))))
        return
    points: dict[str, list[dict[str, float]]] = {by: [] for by in POINTS}
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix="benchmarks-") as folder:
        for by, plan in POINTS.items():
            for number, point in enumerate(plan):
                place = Path(folder, f"{by.split(',')[0]}{number}".replace(" ", "-"))
                place.mkdir()
                command = [sys.executable, "-m", "benchmarks.scale", "point", *map(str, point), str(place)]
                got = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                points[by].append(got)
                print(" | ".join(f"{name} {value:.4g}" for name, value in got.items()), flush=True)
    plot(points, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
