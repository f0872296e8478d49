"""The recipes of docs/recipes.md, killed and gone on with: every point is there once, as in the whole run."""

import csv
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import page
from tests.run.scripts import ROOT

STEPS = 30
# Kills the process behind a step; what was handed over is on disk by then, so that a resume is inside an epoch.
KILLED = """
import os, signal
plain_step = train_step

def train_step(inputs, targets):
    if run.step == int(os.environ["KILL_AT"]):
        run.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    return plain_step(inputs, targets)
"""

pytestmark = pytest.mark.slow


def trained(folder: Path, recipe: str, *kills: int) -> Path:
    """The folder of a recipe's run, killed in these steps."""
    folder.mkdir()
    text = page("docs/recipes.md")
    script = text.block("beginning").text + KILLED + text.block(recipe).text
    (folder / "train.py").write_text(script, encoding="utf-8")
    for kill in (*kills, 0):
        variables = {"KILL_AT": str(kill), "WANDB_MODE": "offline", "WANDB_SILENT": "true", "OMP_NUM_THREADS": "1"}
        variables |= {"MLFLOW_ALLOW_FILE_STORE": "true"}
        with (folder / "said").open("w") as said:  # not a pipe: a logger's own process keeps it open behind the kill
            code = subprocess.run(
                [sys.executable, "train.py"],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "UNBROKEN_LANG": "en", **variables},
                stdout=said,
                stderr=said,
            ).returncode
        assert code == (-9 if kill else 0), (folder / "said").read_text()
    return folder


def points_of_csv(folder: Path) -> Any:
    with (folder / "losses.csv").open() as file:
        return [tuple(row) for row in csv.reader(file)]


def points_of_tensorboard(folder: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "runs"), size_guidance={"scalars": 0})
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars("loss")]


def points_of_mlflow(folder: Path) -> Any:
    (path,) = (folder / "mlruns").rglob("metrics/loss")
    return [(int(line.split()[2]), float(line.split()[1])) for line in path.read_text().splitlines()]


def records(log: bytes) -> Iterator[bytes]:
    """The records of a log of LevelDB's format, with a header of 7 bytes: blocks of 32 KiB, in them pieces."""
    place, whole = 7, b""
    while place + 7 <= len(log):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        length, kind = int.from_bytes(log[place + 4 : place + 6], "little"), log[place + 6]
        whole += log[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last piece
            yield whole
            whole = b""


def points_of_wandb(folder: Path) -> Any:
    """As the server joins what several processes of one run have sent: of a step the first counts."""
    from wandb.proto import wandb_internal_pb2

    found: dict[int, float] = {}
    for path in sorted(folder.rglob("run-*.wandb"), key=lambda path: path.stat().st_mtime):
        for content in records(path.read_bytes()):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(content)
            values = {".".join(item.nested_key) or item.key: item.value_json for item in record.history.item}
            if "loss" in values:
                step, loss = record.history.step.num, float(values["loss"])
                assert found.setdefault(step, loss) == loss
    return sorted(found.items())


@pytest.mark.parametrize("logger", ["csv", "tensorboard", "mlflow", "wandb"])
def test_a_logger_has_every_point_once_however_often_the_run_was_killed(tmp_path: Path, logger: str) -> None:
    if logger != "csv" and find_spec(logger) is None:
        pytest.skip(f"{logger} is not installed here: pip install {logger}")
    points = globals()[f"points_of_{logger}"]
    whole = points(trained(tmp_path / "whole", logger))
    killed = points(trained(tmp_path / "killed", logger, 5, 10, 19, 26))
    if logger == "csv":
        assert whole[0] == ("step", "loss", "weight") and whole[11][:2] == ("10", "") and whole[11][2]
        assert len(whole) == 1 + STEPS + 3
    else:
        assert [step for step, _ in whole] == list(range(1, STEPS + 1))
    assert killed == whole
    assert set(Counter(killed).values()) == {1}
