from pathlib import Path

import pytest

from tests.forecaster.panels import make_table


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNBROKEN_LANG", "en")


@pytest.fixture
def panel_file(tmp_path: Path) -> Path:
    path = tmp_path / "panel.csv"
    make_table().to_csv(path, index=False)
    return path


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that the command runs in."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder
