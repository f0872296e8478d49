"""The training program without the packages of its extra: one line with the command that brings them."""

import subprocess
import sys
from pathlib import Path

import pytest

# As where it is not installed: an import of it fails, and it is not found.
BLOCKED = "import sys; sys.modules.update(dict.fromkeys({names!r})); "
TRAINS = "from forecaster.cli import training; sys.exit(training([]))"
COMPARES = "from forecaster.compare import main; sys.exit(main([]))"


def ended(script: str, folder: Path, *names: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", BLOCKED.format(names=names) + script]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize("script", [TRAINS, COMPARES])
@pytest.mark.parametrize("names", [("pandas",), ("matplotlib", "pandas", "pyarrow")])
def test_what_is_missing_is_said_before_anything_is_done(script: str, names: tuple[str, ...], tmp_path: Path) -> None:
    done = ended(script, tmp_path, *names)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1 and "pip install 'unbroken[forecaster]'" in done.stderr
    assert ", ".join(names[:2]) in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "module", ["unbroken", "unbroken.cache", "unbroken._run", "unbroken.cli", "unbroken.audit.runner"]
)
@pytest.mark.one_in(5)
def test_the_library_needs_none_of_them(module: str, tmp_path: Path) -> None:
    done = ended(f"import {module}", tmp_path, "matplotlib", "pandas", "pyarrow")
    assert done.returncode == 0, done.stderr


def test_a_cache_is_made_without_them(tmp_path: Path) -> None:
    script = (
        "import numpy, unbroken;"
        "made = [unbroken.cached('data.npz', lambda: {'x': numpy.arange(3)}, key={'a': 1}) for _ in range(2)];"
        "print(made[1].reused, made[1].arrays['x'].sum())"
    )
    done = ended(script, tmp_path, "matplotlib", "pandas", "pyarrow")
    assert done.stdout == "True 3\n", done.stderr
