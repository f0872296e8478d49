"""Messages and progress bars on one terminal, read as a user sees it."""

import io
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import page
from tests.run.scripts import ROOT
from unbroken.console import Console

# Step 14 is killed in the first process; the second one shows where it is, says something there, and stands still.
INTERRUPTED = """
import logging, os, signal, time
from pathlib import Path
plain_step = train_step

def train_step(inputs, targets):
    run.flush()  # or the save of step 14 waits until that of the epoch's end is written
    if run.step == 15 and not run.resumed_from:
        os.kill(os.getpid(), signal.SIGKILL)
    if run.resumed_from and run.step == 15:
        logging.getLogger("unbroken").warning("SAID BESIDE A BAR")
        time.sleep(1)
        Path("there").touch()
        time.sleep(100)
    return plain_step(inputs, targets)
"""


class Terminal:
    def __init__(self, folder: Path) -> None:
        self._server = ["tmux", "-L", f"unbroken-{os.getpid()}", "-f", "/dev/null"]
        self._folder = folder

    def start(self, command: str) -> None:
        size = ("-x", "100", "-y", "40")
        subprocess.run([*self._server, "new-session", "-d", *size, command], cwd=self._folder, check=True)

    def screen(self) -> list[str]:
        shown = subprocess.run([*self._server, "capture-pane", "-p"], capture_output=True, text=True, check=True)
        return [line.rstrip() for line in shown.stdout.splitlines() if line.strip()]

    def end(self) -> None:
        subprocess.run([*self._server, "kill-server"], capture_output=True)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path)
    yield terminal
    terminal.end()


@pytest.mark.slow
@pytest.mark.parametrize("bar", ["tqdm", "rich"])
def test_a_bar_goes_on_where_the_run_does_and_no_message_tears_it(tmp_path: Path, terminal: Terminal, bar: str) -> None:
    recipes = page("docs/recipes.md")
    script = recipes.block("beginning").text + INTERRUPTED + recipes.block(bar).text
    (tmp_path / "train.py").write_text(script, encoding="utf-8")
    variables = {"PYTHONPATH": str(ROOT / "src"), "UNBROKEN_LANG": "en", "OMP_NUM_THREADS": "1", "TERM": "xterm"}
    command = [sys.executable, "train.py"]
    killed = subprocess.run(command, cwd=tmp_path, env={**os.environ, **variables}, capture_output=True)
    assert killed.returncode == -9, killed.stderr
    terminal.start(f"env {' '.join(f'{name}={value}' for name, value in variables.items())} {' '.join(command)}")
    deadline = time.monotonic() + 120
    while not (tmp_path / "there").exists():
        assert time.monotonic() < deadline, terminal.screen()
        time.sleep(0.1)
    screen = terminal.screen()
    said = [line for line in screen if "SAID BESIDE" in line or "Resumed from" in line]
    assert said[-1] == "unbroken: SAID BESIDE A BAR" and said[0].startswith("unbroken: Resumed from")
    if bar == "tqdm":
        assert [
            line.split("|")[0].strip() + line.rpartition("|")[2][:5].rstrip() for line in screen if "|" in line
        ] == [
            "33% 1/3",
            "40% 4/10",
        ]
    else:
        (shown,) = [line for line in screen if line.startswith("epoch 2")]
        assert " 40% " in shown


def test_the_console_is_the_standard_error_of_the_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console()
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    record = logging.LogRecord("unbroken", logging.INFO, "", 0, "said", None, None)
    for stream in (io.StringIO(), io.StringIO()):
        monkeypatch.setattr(sys, "stderr", stream)
        console.handle(record)
        assert stream.getvalue() == "unbroken: said\n"
    monkeypatch.setattr(sys, "stderr", None)
    console.handle(record)
