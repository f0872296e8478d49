"""``python -m benchmarks [--quick] [--only NAME …]``: every figure that the pages quote, in one interleaved run."""

import argparse
import importlib.metadata
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks import breakdown, loading, loops, memory, ranks, reading, restarts, saving, tensors, training
from benchmarks.table import Table

PACKAGES = ["torch", "numpy", "lightning", "accelerate", "ravex", "torch-checkpointing", "safetensors", "efficio"]


def tables(quick: bool, folder: Path) -> dict[str, list[Callable[[], Table]]]:
    rounds = 3
    made: dict[str, list[Callable[[], Table]]] = {
        "saving": [lambda: saving.table(100, rounds + 2, folder)],
        "training": [
            lambda: training.table(100, 1, 0.5, 4, rounds, folder),
            lambda: training.table(100, torch.get_num_threads(), 0.3, 4, rounds, folder),
            lambda: training.every_step(100, rounds, folder),
        ],
        "loading": [lambda: loading.table(100 if quick else 1000, rounds, folder)],
        "loops": [
            lambda: loops.per_batch(2_000, rounds if quick else rounds + 4, folder),
            lambda: loops.per_step(rounds, folder),
            lambda: loops.journal(rounds, folder),
            lambda: loops.position(1 if quick else rounds),
        ],
        "reading": [
            lambda: reading.listing(1000, rounds, folder),
            lambda: reading.cache(100 if quick else 1000, rounds, folder),
        ],
        "tensors": [lambda: tensors.table([12_000] if quick else [12_000, 120_000], rounds, folder)],
        "ranks": [lambda: ranks.table(rounds, folder), lambda: restarts.table(rounds, folder)],
        "memory": [lambda: memory.table(100 if quick else 1000, folder)],
    }
    if not quick:
        made["saving"].append(lambda: saving.table(1000, rounds, folder))
        made["training"].append(lambda: training.table(1000, 1, 2.4, 2, rounds, folder))
    return made


def main() -> None:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed is compiled, and so are the peers here
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="states of 100 MB only: minutes")
    parser.add_argument("--only", nargs="+", help="saving training loading loops reading tensors ranks memory")
    parser.add_argument("--folder", type=Path, default=Path.cwd(), help="where to write: the disk that is measured")
    parser.add_argument("--breakdown", action="store_true", help="only the stages of one save and one resume")
    options = parser.parse_args()
    if not options.folder.is_dir():
        parser.error(f"--folder: there is no folder {options.folder}")
    started = time.monotonic()
    print(_machine())
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="benchmarks-") as place:
        if options.breakdown:
            for megabytes in (100,) if options.quick else (100, 1000):
                for table in breakdown.tables(megabytes, Path(place)):
                    print(table.text(), flush=True, end="\n\n")
            return
        for name, makes in tables(options.quick, Path(place)).items():
            if options.only is None or name in options.only:
                for make in makes:
                    print(make().text(), flush=True, end="\n\n")
    print(f"In {time.monotonic() - started:.0f} s; load at the end {os.getloadavg()[0]:.1f}.")


def _machine() -> str:
    versions = []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"{name}: not installed")
    load = os.getloadavg()[0]
    return (
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"load at the start {load:.1f}\n{', '.join(versions)}\n`{' '.join(['python -m benchmarks', *sys.argv[1:]])}`\n"
    )


if __name__ == "__main__":
    main()
