"""Checkpoints numbered by steps are known to every command, and prune has the rules of a run."""

from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.run.loop import Trial
from unbroken.store.folder import CheckpointFolder

EPOCHS = 8  # of five batches


def left(folder: Path) -> set[str]:
    return {path.stem.removeprefix("checkpoint_") for path in folder.glob("checkpoint_*_*.pth")}


@pytest.fixture
def trained(here: Path) -> Path:
    Trial(here / "checkpoints", every_epochs=1, number_steps=8).train(EPOCHS)
    return here / "checkpoints"


def test_every_command_knows_a_numbered_step(trained: Path, here: Path, unbroken: Command) -> None:
    row = unbroken("list").row("checkpoint_step_8.pth")
    assert row[1:4] == ["1", "3/5", "8"]
    assert unbroken("verify", "checkpoints/checkpoint_step_8.pth").code == 0
    assert "checkpoint_step_16.pth" in unbroken("verify").out
    assert unbroken("show", "checkpoints/checkpoint_step_16.pth").code == 0
    assert unbroken("diff", "checkpoints/checkpoint_step_8.pth", "checkpoints/checkpoint_step_16.pth").code in (0, 1)
    assert unbroken("backup", "checkpoints", "safe").code == 0
    for step in (8, 16, 24, 32, 40):
        name = f"checkpoint_step_{step}.pth"
        assert (here / "safe" / name).read_bytes() == (trained / name).read_bytes()
    (trained / "checkpoint_step_8.pth").unlink()
    assert unbroken("restore", "safe", "checkpoints").code == 0
    assert (trained / "checkpoint_step_8.pth").is_file()
    assert unbroken("keep", "checkpoints/checkpoint_step_8.pth").code == 0
    assert CheckpointFolder(trained).kept() == {"checkpoint_step_8.pth"}


@pytest.mark.parametrize(
    ("words", "steps", "every"),
    [
        (["--keep-every", "3"], set(), 3),
        (["--keep-every-steps", "16"], {16, 32}, None),
        (["--keep-every", "4", "--keep-every-steps", "24"], {24}, 4),
    ],
)
def test_one_of_every_so_many(
    trained: Path, unbroken: Command, words: list[str], steps: set[int], every: int | None
) -> None:
    assert unbroken("prune", *words, "--yes").code == 0
    kept = {f"epoch_{epoch}" for epoch in range(1, EPOCHS + 1) if every and epoch % every == 0}
    kept |= {f"step_{step}" for step in steps}
    always = {"epoch_8", "step_40"}  # the newest state
    assert kept | always <= left(trained)
    assert len(left(trained) - kept - always) <= 1  # the best epoch


def test_the_best_so_many(here: Path, unbroken: Command) -> None:
    run = Trial(here / "checkpoints", every_epochs=1).train(EPOCHS).run
    aucs = run.history["aucs"]
    best = sorted(range(1, EPOCHS + 1), key=lambda epoch: -aucs[epoch - 1])[:3]
    shown = unbroken("prune", "--keep-best", "3", "--json", "--dry-run").json
    assert shown["keep_best"] == 3 and shown["keep"] is None
    assert unbroken("prune", "--keep-best", "3", "--yes").code == 0
    assert left(here / "checkpoints") == {f"epoch_{epoch}" for epoch in {*best, EPOCHS}}


def test_without_a_metric_there_is_no_best(here: Path, unbroken: Command) -> None:
    Trial(here / "checkpoints", every_epochs=1, best=None).train(3)
    said = unbroken("prune", "--keep-best", "1", "--yes")
    assert said.code == 2 and "names no metric" in said.err and len(left(here / "checkpoints")) == 3
