"""``unbroken keep``: marks that no policy overrules."""

from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.cli.damage import cut
from tests.store.states import put_with_manifest, state
from unbroken.store import lineage
from unbroken.store.folder import CheckpointFolder
from unbroken.store.retention import Policy
from unbroken.store.save import SaveJob, save


def test_what_is_marked_is_deleted_by_no_prune_until_the_mark_is_taken_away(
    run: CheckpointFolder, unbroken: Command
) -> None:
    said = unbroken("keep", run.epoch(5))
    assert said.code == 0 and "is kept for ever" in said.out
    assert unbroken("keep", run.epoch(5)).code == 0  # again, it changes nothing
    assert "checkpoint_epoch_5.pth" in unbroken("list").out.partition("kept for ever: ")[2]
    assert unbroken("prune", "--keep", "1", "--json", "--dry-run").json["delete"][0]["epoch"] == 10
    assert unbroken("prune", "--keep", "1", "--yes").code == 0
    assert run.epoch(5).is_file() and not run.epoch(10).exists()
    assert unbroken("keep", run.epoch(5), "--undo", "--json").json["kept"] is False
    assert unbroken("prune", "--keep", "1", "--yes").code == 0
    assert not run.epoch(5).exists()


def test_what_is_marked_is_deleted_by_no_save(run: CheckpointFolder, unbroken: Command) -> None:
    unbroken("keep", run.epoch(5))
    report = save(run, SaveJob(state(20), (run.latest, run.epoch(20)), Policy(1)), set())
    assert report.error is None and report.deleted == ("checkpoint_epoch_10.pth", "checkpoint_epoch_15.pth")


def test_the_mark_goes_with_the_file(run: CheckpointFolder, unbroken: Command) -> None:
    unbroken("keep", run.epoch(5))
    archived = CheckpointFolder(lineage.archive_run(run, "run-a"))
    assert (archived.kept(), run.kept()) == ({"checkpoint_epoch_5.pth"}, set())
    unbroken("keep", archived.epoch(10))
    archived.epoch(10).unlink()
    lineage.clean(archived)
    assert archived.kept() == {"checkpoint_epoch_5.pth"}


@pytest.mark.parametrize("name", ["latest", "previous", "best"])
def test_a_name_whose_file_is_replaced_cannot_be_kept(run: CheckpointFolder, unbroken: Command, name: str) -> None:
    said = unbroken("keep", run.path / f"checkpoint_{name}.pth")
    assert said.code == 2 and "cp checkpoints" in said.err
    assert run.kept() == set()


def test_only_what_is_there_and_good_is_kept(run: CheckpointFolder, unbroken: Command, here: Path) -> None:
    assert unbroken("keep", "checkpoints/checkpoint_epoch_6.pth").code == 3
    assert unbroken("keep", "checkpoints").code == 2
    cut(run.epoch(5))
    damaged = unbroken("keep", run.epoch(5))
    assert damaged.code == 5 and "Not marked" in damaged.err
    assert run.kept() == set()
    put_with_manifest(run, run.path / "mine.pth", state(7))
    assert unbroken("keep", run.path / "mine.pth").code == 0
