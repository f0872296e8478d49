"""``unbroken verify``: no damage goes unseen, and nothing else is called damage."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from tests.cli.conftest import Command
from tests.cli.damage import cut, rot
from tests.small_disk import mounted
from tests.store.states import put
from unbroken.store.folder import CheckpointFolder


def test_all_good(run: CheckpointFolder, unbroken: Command) -> None:
    said = unbroken("verify")
    assert said.code == 0
    assert said.row("checkpoint_latest.pth")[-1] == "good"
    assert "good: 6, damaged: 0" in said.out


@pytest.mark.parametrize("manifest", [True, False])
def test_one_bit_that_neither_size_nor_time_tell(run: CheckpointFolder, unbroken: Command, manifest: bool) -> None:
    if not manifest:
        run.manifest(run.epoch(10).name).unlink()
    rot(run.epoch(10), 100.0)
    assert unbroken("list").row("checkpoint_epoch_10.pth")[-1] == ("good" if manifest else "unverified")
    said = unbroken("verify")
    assert said.code == 5
    assert said.row("checkpoint_epoch_10.pth")[-1] == "damaged"
    assert "the bytes of data/" in said.out
    assert "good: 5, damaged: 1" in said.out


def test_one_file(run: CheckpointFolder, unbroken: Command) -> None:
    cut(run.latest)
    assert unbroken("verify", run.epoch(5)).code == 0
    assert unbroken("verify", run.latest).code == 5
    found = unbroken("verify", run.latest, "--json")
    assert found.code == 5
    assert (found.json["damaged"], found.json["checkpoints"][0]["state"]) == (1, "damaged")


def test_a_file_that_only_lost_its_manifest_is_good(run: CheckpointFolder, unbroken: Command) -> None:
    for name in ("checkpoint_latest.pth", "checkpoint_epoch_5.pth"):
        run.manifest(name).unlink()
    assert unbroken("verify").code == 0


def test_a_manifest_that_contradicts_a_sound_file_loses(run: CheckpointFolder, unbroken: Command) -> None:
    run.manifest(run.latest.name).write_text(run.manifest(run.epoch(5).name).read_text())
    assert unbroken("verify").code == 0


def test_other_weights_are_no_damage_unless_asked_about(run: CheckpointFolder, unbroken: Command) -> None:
    other = run.path / "other.pth"
    torch.save({"weight": torch.ones(3)}, other)
    said = unbroken("verify")
    assert said.code == 0
    assert said.row("other.pth")[-3:] == ["not", "a", "checkpoint"]
    assert unbroken("verify", other).code == 5


def test_a_checkpoints_name_without_its_keys_is_damage(run: CheckpointFolder, unbroken: Command) -> None:
    put(run.latest, {"weight": torch.ones(3)})
    said = unbroken("verify")
    assert said.code == 5
    assert "these keys are missing" in said.out


def test_nothing_to_verify(unbroken: Command, here: Path, run: CheckpointFolder) -> None:
    assert unbroken("verify", "elsewhere").code == 3
    said = unbroken("verify", "checkpoints/checkpoint_epoch_7.pth")
    assert said.code == 3
    assert "holds: checkpoint_best.pth, checkpoint_epoch_10.pth" in said.err
    assert "run: unbroken list checkpoints" in said.err


def test_deep_compares_every_tensor_with_its_record(run: CheckpointFolder, unbroken: Command) -> None:
    said = unbroken("verify", "--deep")
    assert said.code == 0 and said.row("checkpoint_epoch_5.pth")[-2:] == ["good", "3"]
    assert "names can be made durable" in said.out and "mounted at" in said.out
    run.manifest("checkpoint_epoch_5.pth").unlink()
    found = unbroken("verify", "--deep", "--json").json
    by_name = {entry["file"]: entry for entry in found["checkpoints"]}
    assert (by_name["checkpoint_epoch_5.pth"]["tensors"], by_name["checkpoint_epoch_5.pth"]["recorded"]) == (3, 0)
    assert by_name["checkpoint_latest.pth"]["recorded"] == 3
    assert found["mount"]["promises"]["replaces"] is True
    assert [path.name for path in run.path.iterdir() if path.name.startswith(".")] == [".unbroken"]


def test_deep_finds_what_changed_in_memory_before_it_was_written(run: CheckpointFolder, unbroken: Command) -> None:
    manifest = run.manifest("checkpoint_epoch_10.pth")
    written = manifest.read_text()
    digest = json.loads(written)["tensors"]["model_state_dict.weight"]
    manifest.write_text(written.replace(digest, "xxh3_128:" + "0" * 32))
    assert unbroken("verify").code == 0
    said = unbroken("verify", "--deep")
    assert said.code == 5 and said.row("checkpoint_epoch_10.pth")[-2] == "damaged"
    assert "1 tensor is not what was in memory when it was saved (model_state_dict.weight)" in said.out


@pytest.mark.mounts
def test_deep_where_nothing_can_be_written(run: CheckpointFolder, unbroken: Command, here: Path) -> None:
    with mounted(here / "disk", "size=4m") as disk:
        shutil.copytree(run.path, disk / "checkpoints")
        assert "lies in memory (tmpfs)" in unbroken("verify", disk / "checkpoints").out
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        said = unbroken("verify", "--deep", disk / "checkpoints")
        assert said.code == 0 and "Nothing can be written here" in said.out
