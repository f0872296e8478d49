"""The page on several processes: its script as printed, and its commands that can be tried on one machine."""

import os
import re
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import page
from tests.ranks.launched import Forked, Launched, torchrun
from unbroken.store import load

PAGE = page("docs/many-processes.md")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text(PAGE.block("train.py").text, encoding="utf-8")
    return tmp_path


def _typed(label: str, folder: Path) -> Launched:
    """A block of commands, as it is printed."""
    return Launched(["bash", "-c", PAGE.block(label).text], folder, PATH=_path())


def _path() -> str:
    return f"{Path(sys.executable).parent}:{os.environ['PATH']}"


@pytest.fixture
def endless(folder: Path) -> Path:
    """With a script that does not end by itself."""
    script = folder / "train.py"
    script.write_text(script.read_text(encoding="utf-8").replace("run.epochs(5)", "run.epochs(100_000)"))
    return folder


def _latest(folder: Path) -> dict[str, Any]:
    return load(folder / "checkpoints" / "checkpoint_latest.pth")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_script_goes_on_with_as_many_processes_and_with_fewer(folder: Path) -> None:
    whole = folder / "whole"
    whole.mkdir()
    left_alone = Forked(3, folder / "train.py", (), whole)
    assert left_alone.wait() == [0, 0, 0], left_alone.said
    assert "48 samples a step, 16 on each of 3 processes" in left_alone.said

    for size in (3, 2):
        run = folder / str(size)
        run.mkdir()
        begun = Forked(3, folder / "train.py", (), run)
        begun.wait_for("48 samples a step")
        begun.wait_until((run / "checkpoints" / "checkpoint_previous.pth").exists, "a save behind some steps")
        begun.kill()
        begun.wait()
        resumed = Forked(size, folder / "train.py", (), run)
        assert resumed.wait() == [0] * size, resumed.said
        assert _latest(run)["epoch"] == 5
        weights, expected = _latest(run)["model_state_dict"], _latest(whole)["model_state_dict"]
        assert weights.keys() == expected.keys()
        same = all(weights[name].equal(expected[name]) for name in expected)
        assert same == (size == 3)  # at two they differ in last bits: so the comparison can fail


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("label", ["start", "torchrun"])
def test_the_commands_train_to_the_end_and_go_on_after_a_kill_of_everything(folder: Path, label: str) -> None:
    begun = _typed(label, folder)
    begun.wait_for("48 samples a step")
    begun.kill()
    resumed = _typed(label, folder)
    assert resumed.wait() == 0, resumed.said
    assert _latest(folder)["epoch"] == 5


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_sigterm_to_torchrun_is_one_stop_with_its_state_saved_and_its_exit_code_is_one(endless: Path) -> None:
    begun = Launched(torchrun(3, "train.py"), endless)
    begun.wait_for("48 samples a step")
    begun.process.send_signal(signal.SIGTERM)
    assert begun.wait() == 1, begun.said
    assert begun.said.count("Stopped on SIGTERM; the state is safe in") == 1
    resumed = Launched(torchrun(3, "train.py"), endless)
    resumed.wait_for("Resumed from")
    resumed.kill()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_orphans_of_a_killed_torchrun_keep_a_second_start_out(endless: Path) -> None:
    begun = Launched(torchrun(3, "train.py"), endless)
    begun.wait_for("48 samples a step")
    begun.process.kill()
    begun.process.wait()
    second = Launched(torchrun(3, "train.py"), endless, log="second")
    try:
        assert second.wait() == 1, second.said
        assert "is in use by another training run" in second.said
        assert len(list(begun.below())) == 3
    finally:
        begun.kill()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_what_slurm_starts_for_each_task_ends_with_75_on_all(endless: Path) -> None:
    """The line behind ``srun`` with the variables that Slurm would set."""
    (line,) = re.findall(r"^srun bash -c '(.*)'$", PAGE.block("slurm").text, re.MULTILINE)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "SLURM_NTASKS": "2"}
    tasks = []
    for rank in ("0", "1"):
        of_task = {"SLURM_PROCID": rank, "SLURM_LOCALID": rank, "PATH": _path(), **meeting}
        tasks.append(Launched(["bash", "-c", line], endless, log=rank, **of_task))
    tasks[0].wait_for("48 samples a step")
    tasks[1].process.send_signal(signal.SIGTERM)
    assert [task.wait() for task in tasks] == [75, 75]


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_audit_as_printed_says_that_it_is_exact(folder: Path) -> None:
    audit = _typed("audit", folder)
    assert audit.wait(1800) == 0, audit.said
    assert "EXACT" in audit.said
