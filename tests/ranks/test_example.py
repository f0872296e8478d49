"""The example of several processes: killed it ends as it does when left alone; other numbers of them go on with it."""

import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.kill.toolkit import Digest, digest
from tests.ranks.launched import Forked, Launched, torchrun
from unbroken.store import load

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "ddp.py"
SMALL = ("--epochs", "3", "--points", "720")  # 15 steps an epoch
_NEITHER_SEEDED_NOR_DRAWN = re.compile(r"unbroken\.(streams|ranks).*(python|numpy)")


def _ends(folder: Path) -> Digest:
    """All that the run's last file holds of the training, and each process's own random stream."""
    state: dict[str, Any] = load(folder / "checkpoints" / "checkpoint_latest.pth")
    own = state.pop("unbroken")
    state.pop("timestamp")
    streams = [
        part["value"]
        for parts in own.get("ranks", {"parts": []})["parts"]
        for part in parts
        if tuple(part["path"]) == ("unbroken", "streams", "now", "torch")
    ]
    assert len(streams) == own.get("ranks", {"size": 1})["size"] - 1
    return digest({**state, "streams": [own["streams"]["now"]["torch"], *streams]}, "")


def _folder(place: Path) -> Path:
    place.mkdir(parents=True)
    return place


@pytest.mark.slow
def test_killed_it_ends_the_same_and_two_go_on_with_what_three_began(tmp_path: Path) -> None:
    whole, killed, resized = (_folder(tmp_path / name) for name in ("whole", "killed", "resized"))
    assert Forked(3, EXAMPLE, SMALL, whole).wait() == [0, 0, 0]
    run = Forked(3, EXAMPLE, SMALL, killed)
    run.wait_for("epoch 2")
    run.kill()
    assert run.wait() == [-9, -9, -9]
    shutil.copytree(killed / "checkpoints", resized / "checkpoints")

    resumed = Forked(3, EXAMPLE, SMALL, killed)
    assert resumed.wait() == [0, 0, 0], resumed.said
    assert "bit for bit as before the interruption" in resumed.said
    assert _ends(killed) == _ends(whole)

    fewer = Forked(2, EXAMPLE, SMALL, resized)
    assert fewer.wait() == [0, 0], fewer.said
    assert "Saved by 3 processes, continued by 2" in fewer.said
    assert "48 samples a step, 24 on each of 2 processes" in fewer.said
    state = load(resized / "checkpoints" / "checkpoint_latest.pth")
    assert state["epoch"] == 3 and len(state["train_losses"]) == 3


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_torchrun_and_all_below_it_killed_goes_on_at_three_two_and_one(tmp_path: Path) -> None:
    whole, killed, resized = (_folder(tmp_path / name) for name in ("whole", "killed", "resized"))
    left_alone = Launched(torchrun(3, str(EXAMPLE), *SMALL), whole)
    assert left_alone.wait() == 0, left_alone.said
    for line in ("epoch 1", "epoch 2"):
        run = Launched(torchrun(3, str(EXAMPLE), *SMALL), killed)
        run.wait_for(line)
        run.kill()
    shutil.copytree(killed / "checkpoints", resized / "checkpoints")
    resumed = Launched(torchrun(3, str(EXAMPLE), *SMALL), killed)
    assert resumed.wait() == 0, resumed.said
    assert _ends(killed) == _ends(whole)

    fewer = Launched(torchrun(2, str(EXAMPLE), *SMALL), resized)
    fewer.wait_for("Saved by 3 processes, continued by 2")
    fewer.kill()
    alone = Launched([sys.executable, str(EXAMPLE), *SMALL], resized)
    assert alone.wait() == 0, alone.said
    assert "continued by 1" in alone.said
    last, left = (load(folder / "checkpoints" / "checkpoint_latest.pth") for folder in (resized, whole))
    assert (last["epoch"], last["unbroken"]["step"]) == (left["epoch"], left["unbroken"]["step"])
    assert last["train_losses"] == pytest.approx(left["train_losses"], rel=0.1)
