"""Which pairs of Python and torch are tried, and what is said where one is left out."""

import sys
from pathlib import Path

import pytest

from tests import versions
from tests.versions import Interpreter, Result

LISTING = "torch (2.15.0)\nAvailable versions: 2.15.0, 2.14.1, 2.10.0, 2.6.0, 2.5.1\n  INSTALLED: 2.13.0\n"


def test_what_is_promised_is_what_pyproject_says() -> None:
    assert versions.supported() == ((3, 11), (2, 6))


def test_the_newest_of_every_minor_version_is_taken() -> None:
    found = [Interpreter(Path(str(v)), v) for v in [(3, 12, 1), (3, 9, 18), (3, 12, 10), (3, 13, 0), (3, 12, 4)]]
    assert [one.version for one in versions.newest_of_each(found, (3, 11))] == [(3, 12, 10), (3, 13, 0)]


def test_this_interpreter_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    (tmp_path / name).symlink_to(Path(sys.executable).resolve())
    (tmp_path / "python3.99").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "python3.99").chmod(0o755)
    monkeypatch.setattr(versions, "_PLACES", ())
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin/nothing")
    (found,) = versions.interpreters((3, 11))
    assert found.version == sys.version_info[:3]


def test_the_oldest_release_that_is_promised() -> None:
    assert versions.oldest_release(LISTING, (2, 6)) == "2.6.0"
    assert versions.oldest_release(LISTING, (2, 7)) == "2.10.0"
    assert versions.oldest_release("", (2, 6)) is None


def test_a_build_with_cuda_is_known_by_what_it_requires() -> None:
    assert versions.brings_cuda({"requires_dist": ["filelock", "nvidia-nccl-cu12 (==2.21.5)"]})
    assert versions.brings_cuda({"requires_dist": ["cuda-bindings<14,>=13.0.3; platform_system == 'Linux'"]})
    assert not versions.brings_cuda({"requires_dist": ["filelock", "optree>=0.13.0; extra == 'optree'"]})
    assert not versions.brings_cuda({})


def test_a_pair_that_is_left_out_is_said_and_is_no_failure() -> None:
    python = Interpreter(Path("/nowhere/python3.12"), (3, 12, 1))
    (result,) = versions.results([(python, "2.6.0", True)], [], cuda=False)
    assert result == Result((3, 12, 1), "2.6.0", result.said) and result.said.startswith(
        "left out: only a build with CUDA"
    )


def test_what_fails_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(versions, "ROOT", tmp_path)
    monkeypatch.setattr(versions, "_IMPORTS", "import sys")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)  # its options are of this suite's own
    (tmp_path / "test_bad.py").write_text("def test_bad():\n    assert False\n")
    (tmp_path / "test_good.py").write_text("def test_good():\n    pass\n")
    said, failed = versions.tried(Path(sys.executable), ["test_bad.py"])
    assert failed and "1 failed" in said
    said, failed = versions.tried(Path(sys.executable), ["test_good.py"])
    assert not failed and "1 passed" in said
    monkeypatch.setattr(versions, "_IMPORTS", "import no_such_module")
    said, failed = versions.tried(Path(sys.executable), ["test_good.py"])
    assert failed and "no_such_module" in said
