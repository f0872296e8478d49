"""What a run says at its start of the space it will need."""

from pathlib import Path
from typing import Any

import pytest

from tests.run.loop import BrokenOffError, Lines, Trial, break_off_at
from tests.small_disk import mounted


@pytest.mark.mounts
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"every_epochs": 1}, "THE DISK WILL BE FULL after epoch"),
        ({"every_epochs": 1, "keep": 3}, "room for all that this run keeps"),
        ({"every_epochs": 1, "keep_space": "4MB"}, "room for all that this run keeps"),
        ({}, "room for all that this run keeps"),
        ({"every_epochs": 200}, "enough until the planned end (epoch 500)"),
    ],
)
def test_the_run_says_when_its_disk_will_be_full(
    tmp_path: Path, log: Lines, options: dict[str, Any], said: str
) -> None:
    with mounted(tmp_path / "disk", "size=8m") as disk, pytest.raises(BrokenOffError):
        Trial(disk / "checkpoints", **options).train(500, break_off_at("prologue 1"))
    about_space = [line for line in log.lines if "A checkpoint takes" in line or "WILL BE FULL" in line]
    assert len(about_space) == 1 and said in about_space[0]


@pytest.mark.mounts
@pytest.mark.slow
def test_the_forecast_comes_true(tmp_path: Path, log: Lines) -> None:
    with mounted(tmp_path / "disk", "size=160m") as disk:
        with pytest.raises(BrokenOffError):
            Trial(disk / "checkpoints", every_epochs=1, hidden=200_000).train(500, break_off_at("prologue 1"))
        (line,) = [line for line in log.lines if "WILL BE FULL" in line]
        told = int(line.partition("after epoch ")[2].split()[0])
        epochs: list[int] = []

        def visit(place: str) -> None:
            if "No space left" in log.text or "Not enough space" in log.text:
                raise BrokenOffError
            epochs.append(int(place.split()[1]))

        with pytest.raises(BrokenOffError):
            Trial(disk / "checkpoints", every_epochs=1, hidden=200_000).train(500, visit)
    assert abs(max(epochs) - told) <= 4
