"""A real notebook, interrupted and run again in every way there is: it ends as the one left alone does."""

import threading
from pathlib import Path

import pytest

from tests.notebook.notebook import Notebook
from tests.run.scripts import ROOT

BUILD, MAKE, LOOP, SHOW = range(4)
EVERYTHING = (BUILD, MAKE, LOOP, SHOW)

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    monkeypatch.setenv("UNBROKEN_LANG", "en")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("STEP_SECONDS", "0.03")


@pytest.fixture(scope="module")
def left_alone(tmp_path_factory: pytest.TempPathFactory) -> str:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
        monkeypatch.setenv("STEP_SECONDS", "0")
        with Notebook(tmp_path_factory.mktemp("left alone")) as notebook:
            assert [notebook.run(number) for number in EVERYTHING] == ["", "", "", ""]
            return notebook.said


def interrupted(notebook: Notebook, step: int) -> str:
    thread = threading.Thread(target=notebook.interrupt_when, args=(step,))
    thread.start()
    error = notebook.run(LOOP)
    thread.join()
    return error


@pytest.mark.parametrize("again", [(), (MAKE,), (BUILD, MAKE), "restart"], ids=["loop", "run", "build", "restart"])
def test_a_notebook_interrupted_and_run_again_ends_as_one_left_alone(
    tmp_path: Path, left_alone: str, again: tuple[int, ...] | str
) -> None:
    with Notebook(tmp_path / "notebook") as notebook:
        assert [notebook.run(number) for number in (BUILD, MAKE)] == ["", ""]
        for step in (4, 15):
            assert interrupted(notebook, step) == "KeyboardInterrupt"
            assert "the state is safe in checkpoints/checkpoint_latest.pth. Run the cell again" in notebook.said
            if again == "restart":
                notebook.restart()
            for number in (BUILD, MAKE) if again == "restart" else again:
                assert notebook.run(int(number)) == ""
        assert notebook.run(LOOP) == ""
        assert "unbroken: Resumed from" in notebook.said and "bit for bit as before" in notebook.said
        assert notebook.run(SHOW) == ""
    assert notebook.said == left_alone
