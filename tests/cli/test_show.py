"""``unbroken show``: what one checkpoint says of itself."""

from pathlib import Path

import pytest
import torch

from tests.cli.conftest import Command
from tests.cli.damage import cut
from tests.store.states import plain_state, put, put_with_manifest, state
from unbroken.messages import FALLBACK, sentences
from unbroken.store.folder import CheckpointFolder
from unbroken.store.payload import OWN, ForkPoint, Payload
from unbroken.store.runstate import Reason

FORMAT = Path(__file__).parents[2] / "docs" / "format.md"


def full() -> Payload:
    payload = state(3, 2, branch=1, parent=ForkPoint("run-a", 0, 2, 0, 20), finished="early enough")
    payload[OWN] |= {
        "reason": "signal",
        "seed": 42,
        "config": {"lr": 0.1, "layers": [64, 32], "note": "x" * 200},
        "environment": {"python": "CPython 3.11.7", "package rich": "15.0", "package xxhash": "3.4"},
        "replays": [
            {"after": 20, "steps": 4, "difference": None},
            {"after": 20, "steps": 7, "difference": (23, ("order", "torch"))},
        ],
        "data": {"files": [{"name": "prices.csv", "size": 12, "digest": "xxh3_128:ab"}]},
    }
    return payload


def test_everything_is_said(folder: CheckpointFolder, unbroken: Command) -> None:
    put_with_manifest(folder, folder.latest, full())
    said = unbroken("show", folder.latest)
    assert said.code == 0
    pairs = {line[:18].strip(): line[18:].strip() for line in said.out.splitlines()}
    assert pairs["state"] == "good"
    assert pairs["why saved"] == "stopped by a signal"
    assert (pairs["epoch"], pairs["batch"], pairs["step"]) == ("3", "2/10", "32")
    assert pairs["ended on purpose"] == "early enough"
    assert pairs["went on from"] == "epoch 2, batch 0, step 20 of branch 0 (run run-a)"
    assert said.row("aucs") == ["aucs", "0.3", "3"]
    assert said.row("model") == ["model", "2", "10", "float32"]
    assert said.row("  lr") == ["lr", "0.1"]
    assert said.row("  note")[1].endswith("x…")
    assert said.row("  python") == ["python", "CPython", "3.11.7"]
    assert "and 2 package versions" in said.out
    assert "  after step 20  4 steps, bit for bit as before" in said.out
    assert "  after step 20  DIFFERS from step 23 on, in order, torch; 7 steps compared" in said.out
    assert said.row("  prices.csv") == ["prices.csv", "xxh3_128:ab"]


def test_json_has_it_whole(folder: CheckpointFolder, unbroken: Command) -> None:
    payload = full()
    put_with_manifest(folder, folder.latest, payload)
    found = unbroken("show", folder.latest, "--json").json
    assert (found["epoch"], found["batch"], found["saved_on"], found["seed"]) == (3, 2, "signal", 42)
    assert found["parent"] == {"run_id": "run-a", "branch": 0, "epoch": 2, "batch": 0, "step": 20}
    assert found["history"] == {name: payload[name] for name in ("train_losses", "val_losses", "aucs")}
    assert found["config"] == payload[OWN]["config"]
    assert found["environment"] == payload[OWN]["environment"]
    assert found["data"] == {"prices.csv": "xxh3_128:ab"}
    assert found["replays"] == [
        {"after": 20, "steps": 4, "step": None, "streams": [], "start": None},
        {"after": 20, "steps": 7, "step": 23, "streams": ["order", "torch"], "start": None},
    ]
    assert found["tracked"] == ["model", "optimizer"]
    weight = found["tensors"]["model_state_dict.weight"]
    assert (weight["dtype"], weight["shape"]) == ("float32", [8])
    assert weight["digest"].startswith("xxh3_128:")
    assert "optimizer_state_dict.state.0.step" in found["tensors"]


def test_a_plain_checkpoint(folder: CheckpointFolder, unbroken: Command) -> None:
    put(folder.latest, plain_state(3))
    said = unbroken("show", folder.latest)
    assert said.code == 0
    assert "none (plain file)" in said.out
    found = unbroken("show", folder.latest, "--json").json
    assert (found["config"], found["tensors"]["model_state_dict.weight"]["digest"]) == ({}, None)


def test_what_cannot_be_shown(run: CheckpointFolder, unbroken: Command) -> None:
    cut(run.latest)
    assert unbroken("show", run.latest).code == 5
    torch.save({"weight": torch.ones(3)}, "other.pth")
    assert unbroken("show", "other.pth").code == 5
    assert unbroken("show", "checkpoints").code == 2
    said = unbroken("show", "checkpoints/checkpoint_epoch_7.pth")
    assert said.code == 3
    assert "run: unbroken list checkpoints" in said.err


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_words(folder: CheckpointFolder, unbroken: Command, reason: Reason) -> None:
    payload = state(3)
    payload[OWN]["reason"] = reason.value
    put_with_manifest(folder, folder.latest, payload)
    assert f"why saved         {sentences(FALLBACK)[f'cli_saved_{reason}']}\n" in unbroken("show", folder.latest).out


def test_a_file_that_is_missing_is_named_with_what_to_do(folder: CheckpointFolder, unbroken: Command) -> None:
    alone = unbroken("show", "nofile.pth")
    assert alone.code == 3 and "There is no" in alone.err and "nofile.pth" in alone.err
    put_with_manifest(folder, folder.latest, state(1))
    assert (
        "There are checkpoints elsewhere (1 folder); run: unbroken list checkpoints" in unbroken("show", "no.pth").err
    )
    beside = unbroken("show", "checkpoints/no.pth")
    assert "holds: checkpoint_latest.pth" in beside.err and "unbroken list checkpoints" in beside.err
    folder_named = unbroken("show", "checkpoints")
    assert folder_named.code == 2 and "name one checkpoint in it" in folder_named.err
