"""Real runs on a little real data, made once per session; a test that goes on from one works on a copy."""

import gzip
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import unbroken
from tests.contract.commands import ROOT, Ended, Running, run

# The flags of the runs that are compared with each other: 12 epochs of 25 batches.
EPOCHS = 12
TASK = ("--data", "panel.csv", "--epochs", str(EPOCHS), "--batch-size", "8")

Copy = Callable[["Trained"], Path]
Site = Callable[[str], dict[str, str]]


@dataclass(frozen=True)
class Trained:
    """A folder in which a command has run, how it ended, and how often it replaced the newest state."""

    folder: Path
    ended: Ended
    saves: int = 0

    def checkpoint(self, name: str) -> Path:
        return self.folder / "checkpoints" / f"checkpoint_{name}.pth"

    def payload(self, name: str) -> dict[str, Any]:
        return unbroken.load(self.checkpoint(name))

    @property
    def log(self) -> str:
        return (self.folder / "training.log").read_text(encoding="utf-8")


def real_panel(stocks: tuple[str, ...] = ("AAPL", "IBM"), days: int = 180) -> str:
    """The last days of some stocks of the bundled data, as CSV."""
    with gzip.open(ROOT / "src" / "forecaster" / "data" / "stocks.csv.gz", "rt", encoding="utf-8") as file:
        header, *rows = file.read().splitlines()
    chosen = [row for stock in stocks for row in [row for row in rows if row.startswith(f"{stock},")][-days:]]
    return "\n".join([header, *chosen, ""])


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A folder with nothing in it but the data."""
    return _fresh(tmp_path)


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    """``copy(trained)`` is a folder with all that the command left there."""

    def copy(trained: Trained) -> Path:
        folder = tmp_path / "copy"
        shutil.copytree(trained.folder, folder)
        return folder

    return copy


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """``site(version)``: the variables of an environment in which one more package is installed, in that version."""

    def site(version: str) -> dict[str, str]:
        folder = tmp_path_factory.mktemp("site")
        package = folder / f"market_calendar-{version}.dist-info"
        package.mkdir()
        (package / "METADATA").write_text(f"Metadata-Version: 2.1\nName: market-calendar\nVersion: {version}\n")
        return {"PYTHONPATH": str(folder)}

    return site


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """``python Training.py`` from the start to its end, never interrupted."""
    folder = _fresh(tmp_path_factory.mktemp("finished"))
    with Running(folder, "Training.py", *TASK) as trainer:
        ended = trainer.end()
        saves = trainer.saves()
    assert ended.code == 0, ended.said
    return Trained(folder, ended, saves)


@pytest.fixture(scope="session")
def interrupted(tmp_path_factory: pytest.TempPathFactory, site: Site) -> Trained:
    """The same of a user who reads Chinese, saved every 5 steps too, ended by a SIGTERM among an epoch's batches."""
    for _ in range(3):  # the few moments between two epochs are no place inside one
        folder = _fresh(tmp_path_factory.mktemp("interrupted"))
        steps = ("--checkpoint-every-steps", "5")
        variables = {**site("1.0"), "UNBROKEN_LANG": "zh"}
        with Running(folder, "Training.py", *TASK, *steps, variables=variables) as trainer:
            trainer.wait_until_said(f"第 6/{EPOCHS} 轮")
            trainer.wait_until_computed(0.03)  # some ten of its batches
            trainer.send(signal.SIGTERM)
            trained = Trained(folder, trainer.end(), trainer.saves())
        assert trained.ended.code == 75, trained.ended.said
        if trained.payload("latest")["unbroken"]["batch"]:
            return trained
    raise AssertionError("three signals, and none came inside an epoch")


@pytest.fixture(scope="session")
def resumed(tmp_path_factory: pytest.TempPathFactory, interrupted: Trained, site: Site) -> Trained:
    """``python resume_training.py`` after that, to the end."""
    folder = tmp_path_factory.mktemp("resumed") / "work"
    shutil.copytree(interrupted.folder, folder)
    ended = run(folder, "resume_training.py", variables=site("1.0"))
    assert ended.code == 0, ended.said
    return Trained(folder, ended)


@pytest.fixture(scope="session")
def by_hand(tmp_path_factory: pytest.TempPathFactory, interrupted: Trained, site: Site) -> Trained:
    """Instead of that, ``python Training.py --resume ./checkpoints/checkpoint_latest.pth`` for one epoch.

    With another learning rate, in an environment that has changed, by a user who reads Chinese.
    """
    folder = tmp_path_factory.mktemp("by_hand") / "work"
    shutil.copytree(interrupted.folder, folder)
    next_epoch = interrupted.payload("latest")["epoch"] + 1
    resume = ("--resume", "./checkpoints/checkpoint_latest.pth")
    changed = ("--epochs", str(next_epoch), "--lr", "0.001", "--threads", "2")
    variables = {**site("2.0"), "UNBROKEN_LANG": "zh"}
    ended = run(folder, "Training.py", *resume, *changed, variables=variables)
    assert ended.code == 0, ended.said
    return Trained(folder, ended)


@pytest.fixture(scope="session")
def from_epoch_10(tmp_path_factory: pytest.TempPathFactory, finished: Trained) -> Trained:
    """``python Training.py --resume ./checkpoints/checkpoint_epoch_10.pth`` in the folder of the finished run."""
    folder = tmp_path_factory.mktemp("from_epoch_10") / "work"
    shutil.copytree(finished.folder, folder)
    ended = run(folder, "Training.py", "--resume", "./checkpoints/checkpoint_epoch_10.pth")
    assert ended.code == 0, ended.said
    return Trained(folder, ended)


@pytest.fixture(scope="session")
def barely_begun(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A run whose time budget was over before its first batch."""
    folder = _fresh(tmp_path_factory.mktemp("barely"))
    ended = run(folder, "Training.py", *TASK, "--stop-after", "0.001s")
    assert ended.code == 75, ended.said
    return Trained(folder, ended)


@pytest.fixture(scope="session")
def requeued(tmp_path_factory: pytest.TempPathFactory, barely_begun: Trained) -> Trained:
    """The command that starts a run, started again by a scheduler in the folder of that run."""
    folder = tmp_path_factory.mktemp("requeued") / "work"
    shutil.copytree(barely_begun.folder, folder)
    ended = run(folder, "Training.py", *TASK, "--epochs", "1", variables={"SLURM_RESTART_COUNT": "1"})
    assert ended.code == 0, ended.said
    return Trained(folder, ended)


def _fresh(parent: Path) -> Path:
    folder = parent / "work"
    folder.mkdir()
    (folder / "panel.csv").write_text(real_panel(), encoding="utf-8")
    return folder
