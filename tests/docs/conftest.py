"""A reader who has just cloned the repository: a copy of it, an environment of its own, and commands typed in turn."""

import gzip
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, TYPED, Block, page
from tests.kill.toolkit import Nursery

_LEFT_OUT = shutil.ignore_patterns(".git", ".venv*", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis", "*.png")
_DATA = Path("src", "forecaster", "data", "stocks.csv.gz")
_HEARD = (
    "LC_ALL",
    "LC_MESSAGES",
    "LANG",
    "PYTHONPATH",
    "PYTHONHOME",
    "SLURM_RESTART_COUNT",
    "TORCHELASTIC_RESTART_COUNT",
)

# A run of the whole suite from inside itself would never end: the reader of the quick suite runs one module of it.
_ONE_MODULE = {"PYTEST_ADDOPTS": "tests/disk/test_space.py -p no:cacheprovider"}


def typed_blocks() -> list[Block]:
    """Every block of commands for a user, in the order of the pages."""
    return [block for name in TYPED for block in page(name).blocks_in("bash")]


@dataclass
class Typed:
    """A block of commands that was typed: how it ended, and all it said."""

    code: int
    said: str


@dataclass
class Reader:
    """Types the bash blocks of README and pages in their order, each at most once, in a clone of the repository."""

    clone: Path
    environment: Mapping[str, str]
    _typed: dict[str, Typed] = field(default_factory=dict)

    def type(self, label: str) -> Typed:
        """Type every block up to the one of this label, and tell how that one ended."""
        for block in typed_blocks():
            if block.label not in self._typed:
                self._typed[block.label] = self.run(block.text)
            if block.label == label:
                break
        return self._typed[label]

    def run(self, commands: str) -> Typed:
        ended = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=self.clone,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        return Typed(ended.returncode, ended.stdout)

    @property
    def log(self) -> str:
        return (self.clone / "training.log").read_text(encoding="utf-8")

    def checkpoints(self) -> set[str]:
        return {path.name for path in (self.clone / "checkpoints").glob("*.pth")}


@pytest.fixture(scope="session")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """A reader whose bundled data are 13 months of two stocks: commands run as they are printed, and soon end."""
    reader = _reader(tmp_path_factory.mktemp("reader"))
    data = reader.clone / _DATA
    data.write_bytes(gzip.compress(_excerpt("2009-06-01", "2010-06-30").encode()))
    (reader.clone / "prices.csv").write_text(_excerpt("2011-01-01", "2011-12-31"), encoding="utf-8")
    return reader


@pytest.fixture(scope="session")
def patient_reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """A reader with the data as they are."""
    return _reader(tmp_path_factory.mktemp("patient"))


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    with Nursery() as nursery:
        yield nursery


def _reader(folder: Path) -> Reader:
    clone = folder / "unbroken"
    shutil.copytree(ROOT, clone, ignore=_LEFT_OUT)
    for made in ("checkpoints", "processed_data.npz", "training.log", "results.json"):
        path = clone / made
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    binaries = _layered_environment(folder / "environment")
    kept = {name: value for name, value in os.environ.items() if name not in _HEARD}
    environment = {
        **kept,
        **_ONE_MODULE,
        "PATH": f"{binaries}:{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
        "UNBROKEN_LANG": "en",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_CACHE_DIR": str(folder / "pip-cache") if _builds_here() else os.environ.get("PIP_CACHE_DIR", ""),
    }
    if _builds_here():
        environment["PIP_NO_BUILD_ISOLATION"] = "0"  # pip's own way to say no isolation: nothing need be fetched
    return Reader(clone, environment)


def _layered_environment(folder: Path) -> Path:
    """A virtual environment on top of this one: what is installed here counts as installed there."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = folder / "lib" / version / "site-packages"
    (site / "layer.pth").write_text(sysconfig.get_path("purelib") + "\n")
    for command in ("pip", "pytest"):
        script = folder / "bin" / command
        script.write_text(f'#!/bin/sh\nexec "{folder}/bin/python" -m {command} "$@"\n')
        script.chmod(0o755)
    return folder / "bin"


def _builds_here() -> bool:
    """Whether what builds the package is installed, so that pip need not fetch it."""
    return find_spec("hatchling") is not None


def _excerpt(first: str, last: str) -> str:
    with gzip.open(ROOT / _DATA, "rt", encoding="utf-8") as file:
        header, *rows = file.read().splitlines()
    return "\n".join(
        [header, *(row for row in rows if row[:4] in ("AAPL", "IBM,") and first <= row.split(",")[1] <= last), ""]
    )
