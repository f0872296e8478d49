"""What a checkpoint of several ranks holds is checked for each of them; damage in one costs one state."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.ranks.toolkit import Strike, start
from unbroken.errors import CheckpointDamagedError
from unbroken.keep import restorable
from unbroken.store import payload as keys


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "run"
    start("plain", 2, folder, Strike((0,), 0, 36), every_steps=3)
    return folder / "checkpoint_latest.pth"


def _payload(saved: Path) -> dict[str, Any]:
    return torch.load(saved, weights_only=True)  # type: ignore[no-any-return]


def test_one_file_has_the_first_rank_s_state_and_of_the_other_what_differs(saved: Path) -> None:
    own = _payload(saved)[keys.OWN]
    paths = [".".join(map(str, one["path"])) for one in own["ranks"]["parts"][0]]
    assert own["ranks"]["size"] == 2
    assert any(path.startswith("unbroken.streams.now") for path in paths)
    assert any("running_mean" in path for path in paths)
    assert not any("weight" in path or path.startswith("optimizer") for path in paths)
    assert sorted(own["ranks"]["arrivals"]["model0.a.bias"]["order"]) == sorted(
        f"{layer}.{name}" for layer in ("a", "b", "c", "d", "norm") for name in ("weight", "bias")
    )


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["nowhere", "at", "all"], 1),
        ([], 1),
        (["unbroken", "streams"], None),
        (["unbroken", "streams", "now", "torch"], torch.zeros(3, dtype=torch.uint8)),
        (["unbroken", "partial"], {"sums": 3}),
        (["unbroken", "batch"], "first"),
        (["model0_state_dict"], None),
    ],
)
def test_what_is_no_state_of_a_further_rank_is_damage(saved: Path, path: list[Any], value: object) -> None:
    payload = _payload(saved)
    restorable.check(payload, saved)
    payload[keys.OWN]["ranks"]["parts"][0].append({"path": path, "value": value})
    with pytest.raises(CheckpointDamagedError):
        restorable.check(payload, saved)


def test_the_next_good_state_is_taken_where_a_rank_s_part_is_damaged(saved: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(saved.parent, folder)
    payload = _payload(saved)
    payload[keys.OWN]["ranks"]["parts"][0] = [*payload[keys.OWN]["ranks"]["parts"][0][:0], {"path": [], "value": 1}]
    torch.save(payload, folder / "checkpoint_latest.pth")
    resumed = start("plain", 2, folder)
    assert resumed.done, resumed.logs
    assert "set aside" in resumed.logs[0]
