"""``unbroken diff``: what differs is named, what does not is not, with and without manifests."""

import math
from pathlib import Path

import pytest
import torch

from tests.cli.conftest import Command
from tests.cli.damage import cut
from tests.store.states import put, put_with_manifest, state
from unbroken.store.folder import CheckpointFolder
from unbroken.store.payload import OWN, Payload


@pytest.fixture(params=["manifests", "reading"])
def two(request: pytest.FixtureRequest, folder: CheckpointFolder) -> "Two":
    return Two(folder, request.param)


class Two:
    """Two checkpoints, with their tensors' digests at hand or not."""

    def __init__(self, folder: CheckpointFolder, compared_by: str) -> None:
        self.folder = folder
        self.compared_by = compared_by

    def __call__(self, a: Payload, b: Payload) -> tuple[Path, Path]:
        paths = self.folder.epoch(1), self.folder.epoch(2)
        for path, payload in zip(paths, (a, b), strict=True):
            if self.compared_by == "manifests":
                put_with_manifest(self.folder, path, payload)
            else:
                put(path, payload)
        return paths


def test_a_state_and_its_copy(two: Two, unbroken: Command) -> None:
    paths = two(state(3), state(3))
    said = unbroken("diff", *paths)
    assert said.code == 0
    assert "3 equal, 0 different, 0 only in A, 0 only in B" in said.out
    assert said.out.endswith("The training state is the same, bit for bit.\n")
    found = unbroken("diff", *paths, "--json").json
    assert found["identical"] is True
    assert found["tensors"] == {
        "compared_by": two.compared_by,
        "equal": 3,
        "differing": {},
        "only_a": [],
        "only_b": [],
    }
    assert [found[part] for part in ("config", "environment", "data", "state")] == [{}] * 4


def test_tensors(two: Two, unbroken: Command) -> None:
    a, b = state(3), state(3)
    a["model_state_dict"]["gone"] = torch.ones(2)
    b["model_state_dict"]["new"] = torch.ones(2, 2)
    b["model_state_dict"]["bias"] = torch.ones(3, dtype=torch.float64)
    b["model_state_dict"]["weight"].view(torch.int32)[7] ^= 1
    paths = two(a, b)
    found = unbroken("diff", *paths, "--json").json
    assert found["identical"] is False
    assert found["tensors"]["equal"] == 1
    assert found["tensors"]["differing"] == {
        "model_state_dict.bias": {"a": "float32[2]", "b": "float64[3]"},
        "model_state_dict.weight": {"a": "float32[8]", "b": "float32[8]"},
    }
    assert found["tensors"]["only_a"] == ["model_state_dict.gone"]
    assert found["tensors"]["only_b"] == ["model_state_dict.new"]
    said = unbroken("diff", *paths).out
    assert "  model_state_dict.bias: float32[2] → float64[3]\n" in said
    assert "  model_state_dict.weight: float32[8]\n" in said
    assert "  A: model_state_dict.gone: float32[2]\n" in said
    assert "  B: model_state_dict.new: float32[2, 2]\n" in said
    assert said.endswith("The training state differs.\n")


def test_the_same_nan_is_no_difference_and_a_sign_is_one(two: Two, unbroken: Command) -> None:
    a, b = state(2, aucs=[math.nan, 0.0]), state(2, aucs=[math.nan, -0.0])
    for payload in (a, b):
        payload["model_state_dict"]["weight"][0] = math.nan
    found = unbroken("diff", *two(a, b), "--json").json
    assert found["tensors"]["differing"] == {}
    assert found["metrics"]["aucs"] == {"a": 0.0, "b": -0.0, "first_difference": 2, "equal": False}
    assert found["identical"] is False


def test_metrics_say_from_which_epoch_on(two: Two, unbroken: Command) -> None:
    paths = two(state(3, aucs=[0.1, 0.2, 0.3]), state(4, aucs=[0.1, 0.25, 0.3, 0.4]))
    said = unbroken("diff", *paths)
    assert said.row("aucs") == ["aucs", "0.3", "(3)", "0.4", "(4)", "from", "epoch", "2", "on"]
    assert said.row("val_losses")[-6:] == ["same", "as", "far", "as", "both", "go"]


def test_the_state_that_is_no_tensor(two: Two, unbroken: Command) -> None:
    a, b = state(3), state(3)
    b["optimizer_state_dict"]["param_groups"][0]["lr"] = 0.01
    b["scheduler_state_dict"] = {"last_epoch": 3}
    b[OWN]["seed"] = 7
    paths = two(a, b)
    found = unbroken("diff", *paths, "--json").json
    assert found["identical"] is False
    assert found["state"] == {
        "optimizer_state_dict.param_groups.0.lr": {"a": 0.1, "b": 0.01},
        "scheduler_state_dict": {"b": {"last_epoch": 3}},
        "seed": {"b": 7},
    }
    assert "  optimizer_state_dict.param_groups.0.lr: 0.1 → 0.01\n" in unbroken("diff", *paths).out


def test_parameters_environment_and_data(two: Two, unbroken: Command) -> None:
    a, b = state(3), state(3)
    for payload, lr, python, digest in ((a, 0.1, "3.11", "xxh3_128:aa"), (b, 0.2, "3.12", "xxh3_128:bb")):
        payload[OWN]["config"] = {"lr": lr, "optimizer": {"name": "adam", "eps": lr}}
        payload[OWN]["environment"] = {"python": python, "torch": "2.13"}
        payload[OWN]["data"] = {"files": [{"name": "prices.csv", "size": 3, "digest": digest}]}
    paths = two(a, b)
    found = unbroken("diff", *paths, "--json").json
    assert found["identical"] is True
    assert found["config"] == {"lr": {"a": 0.1, "b": 0.2}, "optimizer.eps": {"a": 0.1, "b": 0.2}}
    assert found["environment"] == {"python": {"a": "3.11", "b": "3.12"}}
    assert found["data"] == {"prices.csv": {"a": "xxh3_128:aa", "b": "xxh3_128:bb"}}
    said = unbroken("diff", *paths).out
    for line in ("  lr: 0.1 → 0.2", "  python: 3.11 → 3.12", "  prices.csv: xxh3_128:aa → xxh3_128:bb"):
        assert f"{line}\n" in said


def test_a_long_list_of_differences_is_cut_for_people_only(two: Two, unbroken: Command) -> None:
    a, b = state(1), state(1)
    a["model_state_dict"] = {f"layer{n}": torch.zeros(1) for n in range(30)}
    b["model_state_dict"] = {f"layer{n}": torch.ones(1) for n in range(30)}
    paths = two(a, b)
    said = unbroken("diff", *paths).out
    assert said.count("  model_state_dict.layer") == 20
    assert "and 10 more" in said
    assert len(unbroken("diff", *paths, "--json").json["tensors"]["differing"]) == 30


def test_what_cannot_be_compared(run: CheckpointFolder, unbroken: Command) -> None:
    cut(run.epoch(5))
    assert unbroken("diff", run.latest, run.epoch(5)).code == 5
    assert unbroken("diff", run.latest, run.path).code == 2
    said = unbroken("diff", run.latest, run.epoch(7))
    assert said.code == 3
    assert "checkpoint_epoch_7.pth" in said.err
