"""What only a GPU shows: killed and gone on with, a training on one or several ends bit for bit as when left alone."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.gpu.program import BATCH, EPOCHS, PICTURES
from tests.kill.toolkit import digest
from tests.ranks.launched import Launched, torchrun
from unbroken.store import load

PROGRAM = Path(__file__).with_name("program.py")
LAST = EPOCHS * PICTURES // BATCH
pytestmark = [pytest.mark.gpu, pytest.mark.timeout(900)]
TWO = pytest.param(2, marks=pytest.mark.two_gpus)
FOUR = pytest.param(4, marks=pytest.mark.four_gpus)  # from three on the order of adding up shows


def _start(kind: str, size: int, folder: Path) -> Launched:
    folder.mkdir(exist_ok=True)
    command = [sys.executable, str(PROGRAM), kind] if size == 1 else torchrun(size, str(PROGRAM), kind)
    return Launched(command, folder, CUBLAS_WORKSPACE_CONFIG=":4096:8")


def _ended(kind: str, size: int, folder: Path) -> list[dict[str, Any]]:
    launched = _start(kind, size, folder)
    assert launched.wait() == 0, launched.said
    return [torch.load(folder / f"ends-{rank}.pth", map_location="cpu") for rank in range(size)]


def _killed(kind: str, size: int, folder: Path) -> None:
    launched = _start(kind, size, folder)
    launched.wait_for("step 33\n")
    launched.kill()


@pytest.mark.parametrize("size", [1, TWO, FOUR])
@pytest.mark.parametrize("kind", ["plain", "amp", "channels_last"])
def test_a_kill_costs_no_bit(tmp_path: Path, kind: str, size: int) -> None:
    whole, again = (_ended(kind, size, tmp_path / name) for name in ("whole", "again"))
    assert digest(again, "") == digest(whole, ""), "this training is not deterministic by itself"
    _killed(kind, size, tmp_path / "killed")
    resumed = _ended(kind, size, tmp_path / "killed")
    assert digest(resumed, "") == digest(whole, "")
    assert all(all(end["layout"]) for end in resumed)
    assert "bit for bit as before the interruption" in (tmp_path / "killed" / "log").read_text()


@pytest.mark.two_gpus
def test_each_process_has_the_stream_of_its_own_device_and_no_other(tmp_path: Path) -> None:
    _killed("plain", 2, tmp_path / "run")
    own = load(tmp_path / "run" / "checkpoints" / "checkpoint_latest.pth")["unbroken"]
    assert "cuda" not in own["streams"]["now"]
    (theirs,) = (
        part["value"]
        for part in own["ranks"]["parts"][0]
        if tuple(part["path"]) == ("unbroken", "streams", "now", "device")
    )
    assert not theirs.equal(own["streams"]["now"]["device"])  # seeded otherwise


@pytest.mark.two_gpus
def test_one_goes_on_with_what_two_began(tmp_path: Path) -> None:
    _killed("plain", 2, tmp_path / "run")
    launched = Launched(torchrun(1, str(PROGRAM), "plain"), tmp_path / "run", CUBLAS_WORKSPACE_CONFIG=":4096:8")
    assert launched.wait() == 0, launched.said
    assert "Saved by 2 processes, continued by 1" in launched.said
    assert load(tmp_path / "run" / "checkpoints" / "checkpoint_latest.pth")["unbroken"]["step"] == LAST
