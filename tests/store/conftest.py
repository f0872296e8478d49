from pathlib import Path

import pytest

from unbroken.store.folder import CheckpointFolder


@pytest.fixture
def folder(tmp_path: Path) -> CheckpointFolder:
    """An empty checkpoint folder, ready to be written to."""
    folder = CheckpointFolder(tmp_path / "checkpoints")
    folder.prepare()
    return folder


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNBROKEN_LANG", "en")
