"""Listing a folder of 1,000 checkpoints, as a whole process; the first array of a cache of preprocessed data."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import unbroken
from benchmarks.ours import Ours
from benchmarks.state import training
from benchmarks.table import Table
from unbroken.disk.digest import file_digest
from unbroken.store import manifest as manifests

COLUMN = "ms"


def fill(ours: Ours, count: int) -> None:
    """A newest state and ``count - 1`` numbered ones, as a run leaves them, without the fsyncs of so many saves."""
    ours.save()
    ours.finish()
    content = ours.folder.latest.read_bytes()
    known = manifests.describe(ours.folder, ours.folder.latest)
    for epoch in range(1, count):
        path = ours.folder.epoch(epoch)
        path.write_bytes(content)
        text = manifests._to_json(manifests.renamed(known, path))
        ours.folder.manifest(path.name).write_text(text, encoding="utf-8")


def listing(count: int, rounds: int, folder: Path) -> Table:
    ours = Ours(training(0.01), folder)
    fill(ours, count)
    shown = Table(f"`unbroken list` of {count} checkpoints, the whole process", [COLUMN])
    command = [sys.executable, "-m", "unbroken", "list", str(ours.folder.path), "--json"]
    for _ in range(rounds):
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
        shown.add("unbroken list --json", **{COLUMN: (time.perf_counter() - start) * 1e3})
        assert done.stdout.count("checkpoint_") >= count
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import rich.table, rich.console"], check=True)
        shown.add("limit: Python begins and imports rich", **{COLUMN: (time.perf_counter() - start) * 1e3})
    ours.close()
    return shown


def cache(megabytes: int, rounds: int, folder: Path) -> Table:
    path = folder / "processed_data.npz"
    arrays = {"windows": np.zeros((megabytes * 250, 1000), np.float32)}
    unbroken.cached(path, lambda: arrays, key={"benchmark": 1})
    shown = Table(f"Preprocessed data of {megabytes} MB, until the first array", [COLUMN], digits=1)
    for _ in range(rounds):
        start = time.perf_counter()
        unbroken.cached(path, lambda: arrays, key={"benchmark": 1}).arrays["windows"][0].sum()
        shown.add("unbroken.cached: verified and mapped", **{COLUMN: (time.perf_counter() - start) * 1e3})
        start = time.perf_counter()
        file_digest(path)
        shown.add("limit: a digest of the file's bytes", **{COLUMN: (time.perf_counter() - start) * 1e3})
        start = time.perf_counter()
        with np.load(path) as plain:
            plain["windows"][0].sum()
        shown.add("numpy.load", **{COLUMN: (time.perf_counter() - start) * 1e3})
    path.unlink()
    return shown
