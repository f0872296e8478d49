"""``unbroken watch``: a run as it goes on, on a terminal and in a pipe."""

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import pytest

from tests.cli.conftest import Command
from tests.run.loop import BrokenOffError, Trial, break_off_at
from tests.store.states import put_with_manifest, state
from unbroken.cli.watch import Pace, sparkline
from unbroken.store.folder import CheckpointFolder


@pytest.mark.usefixtures("run")
def test_in_a_pipe_it_says_how_things_stand_and_ends(unbroken: Command) -> None:
    said = unbroken("watch")
    assert said.code == 0
    assert "15" in said.out and "▁" in said.out and "\x1b" not in said.out


def test_the_step_is_that_of_training_not_that_of_the_last_save(unbroken: Command, here: Path) -> None:
    with pytest.raises(BrokenOffError):
        Trial(here / "checkpoints").train(4, break_off_at("batch 3 4"))
    found = unbroken("watch", "--json").json
    assert found["saved_step"] == 10 and found["step"] in (13, 14)
    assert found["starts"][0]["ended"] == "begun" and found["saves"]["failed"] == 0


def test_without_a_run_it_says_so(unbroken: Command) -> None:
    assert unbroken("watch").code == 3


def _on_a_terminal(folder: Path) -> tuple["subprocess.Popen[bytes]", IO[bytes]]:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "UNBROKEN_LANG": "en", "TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
    command = [sys.executable, "-m", "unbroken", "watch", str(folder)]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    return process, os.fdopen(ours, "rb", buffering=0)


def _read_until(screen: IO[bytes], what: str) -> str:
    said = b""
    until = time.monotonic() + 60
    while what.encode() not in said:
        assert time.monotonic() < until, said
        said += screen.read(4096)
    return said.decode("utf-8", "replace")


def _rest(screen: IO[bytes]) -> str:
    said = b""
    try:
        while piece := screen.read(4096):
            said += piece
    except OSError:  # the other end is closed
        pass
    return said.decode("utf-8", "replace")


def test_on_a_terminal_it_follows_and_ends_by_ctrl_c_without_a_traceback(run: CheckpointFolder) -> None:
    process, screen = _on_a_terminal(run.path)
    with screen:
        _read_until(screen, "Ctrl-C leaves")
        put_with_manifest(run, run.latest, state(77))
        _read_until(screen, "77")
        process.send_signal(signal.SIGINT)
        said = _rest(screen)
    assert process.wait() == 0
    assert "Traceback" not in said and "training goes on" in said


def test_a_folder_that_goes_away_does_not_end_it(run: CheckpointFolder, here: Path) -> None:
    process, screen = _on_a_terminal(run.path)
    with screen:
        _read_until(screen, "Ctrl-C leaves")
        run.path.rename(here / "elsewhere")
        time.sleep(0)
        CheckpointFolder(run.path).prepare()
        put_with_manifest(CheckpointFolder(run.path), run.latest, state(88))
        _read_until(screen, "88")
        process.send_signal(signal.SIGINT)
        _rest(screen)
    assert process.wait() == 0


def test_sparklines() -> None:
    assert sparkline([0.0, 1.0, 0.5]) == "▁█▅"
    assert sparkline([1.0] * 3) == "▁▁▁"
    assert sparkline([float("nan"), 1.0]) == " ▁"
    assert sparkline([float("nan")]) == sparkline([]) == ""
    assert len(sparkline([float(n % 7) for n in range(100_000)])) <= 40
    assert sparkline([-1.7e308, 1.7e308]) == ""


def test_pace_is_of_the_steps_it_has_seen() -> None:
    pace = Pace()
    assert pace.of(10) is None
    while (speed := pace.of(20)) is None:
        pass
    assert speed > 0
    assert pace.of(5) is None  # gone back: nothing is known yet
