"""Tests whose needs are not met are left out and told, with what would bring them; or that is an error."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

_UNMARKED = """
def test_it(tmp_path):
    from tests.small_disk import mounted
    with mounted(tmp_path / "disk", "size=64k"):
        pass
"""


def run(*words: str, path: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """Pytest in a process of its own, which finds the commands in ``path`` only."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment = {**kept, **({} if path is None else {"PATH": str(path)})}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n0", *words]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def test_without_strace_and_mounts_it_passes_and_says_what_was_left_out(tmp_path: Path) -> None:
    ended = run("tests/disk/test_temporaries.py", "tests/disk/test_space.py", path=tmp_path)
    assert ended.returncode == 0, ended.stdout
    assert re.search(r"^2 tests left out, which need system calls .*: install strace", ended.stdout, re.MULTILINE)
    assert re.search(r"^2 tests left out, which need a file system .*: run as root", ended.stdout, re.MULTILINE)
    assert re.search(r"[1-9]\d* passed, 4 skipped", ended.stdout)


def test_where_nothing_may_be_left_out_it_fails(tmp_path: Path) -> None:
    ended = run("tests/disk/test_temporaries.py", "--nothing-left-out", path=tmp_path)
    assert ended.returncode == 1 and "2 tests left out" in ended.stdout
    assert run("tests/disk/test_digest.py", "--nothing-left-out", path=tmp_path).returncode == 0


@pytest.mark.mounts
def test_what_needs_nothing_else_is_left_out_by_nobody() -> None:
    ended = run("tests/disk/test_space.py", "--nothing-left-out")
    assert ended.returncode == 0 and "left out" not in ended.stdout, ended.stdout


def test_a_need_that_is_not_marked_is_an_error_everywhere(tmp_path: Path) -> None:
    test = tmp_path / "test_unmarked.py"
    test.write_text(_UNMARKED)
    ended = run(str(test), "-c", str(ROOT / "pyproject.toml"), "-p", "tests.conftest")
    assert ended.returncode == 1 and "has to be marked: @pytest.mark.mounts" in ended.stdout
