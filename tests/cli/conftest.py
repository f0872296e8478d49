import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.store.states import put_with_manifest, state
from unbroken.cli import main
from unbroken.store.folder import CheckpointFolder
from unbroken.store.record import RunRecord, write_run_record


@dataclass(frozen=True)
class Said:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def row(self, name: str) -> list[str]:
        """The cells of the table row that begins with ``name``."""
        return next(line.split() for line in self.out.splitlines() if line.startswith(name))


Command = Callable[..., Said]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in, and English."""
    monkeypatch.setenv("UNBROKEN_LANG", "en")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def unbroken(capsys: pytest.CaptureFixture[str]) -> Command:
    """``unbroken("list", path)`` runs the command in this process."""

    def run(*words: object) -> Said:
        capsys.readouterr()
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return run


@pytest.fixture
def process(here: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """``process(["-m", "unbroken", "list"])`` runs a Python of its own."""

    def run(words: list[str], environ: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
        env = {**os.environ, **(environ or {})}
        return subprocess.run(
            [sys.executable, *words], cwd=here, env=env, capture_output=True, text=True, encoding="utf-8"
        )

    return run


@pytest.fixture
def folder() -> CheckpointFolder:
    """``checkpoints``, ready to be written to."""
    folder = CheckpointFolder("checkpoints")
    folder.prepare()
    return folder


@pytest.fixture
def run(folder: CheckpointFolder) -> CheckpointFolder:
    """A run that saved epochs 5, 10 and 15 and stands 4 batches further."""
    write_run_record(folder, RunRecord("run-a", 0, "2026-01-01 00:00:00", "python train.py"))
    for epoch in (5, 10, 15):
        put_with_manifest(folder, folder.epoch(epoch), state(epoch))
    put_with_manifest(folder, folder.previous, state(15))
    put_with_manifest(folder, folder.best, state(15))
    put_with_manifest(folder, folder.latest, state(15, 4))
    return folder
