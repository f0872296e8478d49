"""What leaves the shape it was built in is told at the first save that a restart could not take; the rest is not."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune
from torch.utils.data import DataLoader, TensorDataset

import unbroken
from tests.run.loop import listening

WARNING = "A RESTART CANNOT LOAD THE STATE"

Change = Callable[[nn.Sequential, torch.optim.Optimizer], object]


def model_of(tied: bool) -> nn.Sequential:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 3), nn.Linear(3, 1))
    model[2].register_buffer("mask", torch.ones(3, 3))
    if tied:
        model[2].weight = model[0].weight
    return model


def train(folder: Path, change: Change, *, tied: bool = False, epochs: int = 3, before: bool = False) -> list[str]:
    """Train, making the change in the prologue of epoch 2, or before the loop; the warnings of this kind."""
    model = model_of(tied)
    x = torch.ones(8, 3)
    optimizer = torch.optim.SGD(model[:3].parameters(), lr=0.01, momentum=0.9)
    with listening(30) as log:
        run = unbroken.Run(folder, every=None)
        run.track(model=model, optimizer=optimizer)
        if before:
            change(model, optimizer)
        with run:
            for epoch in run.epochs(epochs):
                if epoch == 2 and not before:
                    change(model, optimizer)
                for (batch,) in run.batches(DataLoader(TensorDataset(x), 4, shuffle=True)):
                    dtype = next(model.parameters()).dtype
                    optimizer.zero_grad()
                    model(batch.to(dtype)).mean().backward()
                    optimizer.step()
    return [line for line in log.lines if WARNING in line]


def prune_it(model: nn.Sequential, _: object) -> None:
    prune.l1_unstructured(model[0], "weight", amount=0.3)


def grow(model: nn.Sequential, optimizer: torch.optim.Optimizer) -> None:
    model.append(nn.Linear(1, 1))
    optimizer.add_param_group({"params": model[-1].parameters()})


def untie(model: nn.Sequential, optimizer: torch.optim.Optimizer) -> None:
    model[2].weight = nn.Parameter(model[2].weight.detach().clone())


def untie_in_the_optimizer(model: nn.Sequential, optimizer: torch.optim.Optimizer) -> None:
    untie(model, optimizer)
    optimizer.add_param_group({"params": [model[2].weight]})


def tie(model: nn.Sequential, _: object) -> None:
    model[2].weight = model[0].weight


def share_buffers(model: nn.Sequential, _: object) -> None:
    model[1].running_var = model[1].running_mean


def buffer_in_a_parameter(model: nn.Sequential, _: object) -> None:
    model[1].running_mean = model[0].weight.detach()[0]


def widen(model: nn.Sequential, _: object) -> None:
    model[3] = nn.Linear(3, 2)


def replace_what_it_trains(model: nn.Sequential, optimizer: torch.optim.Optimizer) -> None:
    model[0].weight = nn.Parameter(torch.zeros(3, 3))
    optimizer.param_groups[0]["params"].append(model[0].weight)


def append_a_buffer(model: nn.Sequential, _: object) -> None:
    model.append(nn.Identity())
    model[-1].register_buffer("mean", torch.zeros(2))


def parameter_to_buffer(model: nn.Sequential, _: object) -> None:
    del model[0].bias
    model[0].register_buffer("bias", torch.zeros(1, 3))


CHANGES = {
    "pruned": (prune_it, False, "model.0.weight_orig"),
    "grown": (grow, False, "model.4.weight float32[1, 1] is new"),
    "cast": (lambda model, _: model.double(), False, "float32[3, 3] → float64[3, 3]"),
    "untied": (untie, True, "model.0.weight, model.2.weight share"),
    "untied and trained": (untie_in_the_optimizer, True, "optimizer"),
    "tied": (tie, False, "model.0.weight, model.2.weight share"),
    "buffers that share": (share_buffers, False, "model.1.running_mean, model.1.running_var share"),
    "a buffer in a parameter": (buffer_in_a_parameter, False, "running_mean share"),
    "another head": (widen, False, "model.3.weight float32[1, 3] → float32[2, 3]"),
    "parametrized": (lambda model, _: parametrizations.weight_norm(model[0]), False, "parametrizations"),
    "a layer taken out": (lambda model, _: model.__delitem__(3), False, "model.3.weight float32[1, 3] is gone"),
    "a layer with a buffer more": (append_a_buffer, False, "model.4.mean float32[2] is new"),
    "a parameter made a buffer": (parameter_to_buffer, False, "model.0.bias float32[3] → float32[1, 3]"),
    "another parameter in a group": (replace_what_it_trains, False, "optimizer"),
}


# A restart takes these, and has each name's values as they were, each in memory of its own.
SHARING = ("tied", "buffers that share", "a buffer in a parameter", "another parameter in a group")


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNBROKEN_LANG", "en")


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_that_a_restart_cannot_take_is_told_at_the_first_save_with_it(tmp_path: Path, name: str) -> None:
    change, tied, named = CHANGES[name]
    (said,) = train(tmp_path, change, tied=tied)
    assert named in said and "before the loop over run.epochs" in said


@pytest.mark.parametrize("name", [name for name in CHANGES if name not in SHARING])
def test_and_the_way_on_it_names_works(tmp_path: Path, name: str) -> None:
    change, tied, _ = CHANGES[name]
    train(tmp_path, change, tied=tied)
    if name not in ("untied and trained", "grown"):  # their optimizers are built with the parameters then
        assert train(tmp_path, change, tied=tied, before=True, epochs=4) == []
    with pytest.raises(unbroken.ArchitectureChangedError):
        train(tmp_path, change, tied=tied, epochs=5)


def freeze(model: nn.Sequential, _: object) -> None:
    for parameter in model[0].parameters():
        parameter.requires_grad_(False)


def train_the_head_too(model: nn.Sequential, optimizer: torch.optim.Optimizer) -> None:
    if len(optimizer.param_groups) == 1:
        optimizer.add_param_group({"params": model[3].parameters(), "lr": 0.1})


def register(model: nn.Sequential, _: object) -> None:
    model[0].register_buffer("mean", torch.zeros(2))


def chunks(model: nn.Sequential, _: object) -> None:
    """Two buffers side by side in one piece of memory share no values."""
    model[1].running_mean, model[1].running_var = torch.ones(2, 3).unbind()


def enlarge(model: nn.Sequential, _: object) -> None:
    model[1].num_batches_tracked = torch.ones(2, dtype=torch.int32)


def thin_out(model: nn.Sequential, _: object) -> None:
    model[2].mask = torch.eye(3).to_sparse()


@pytest.mark.parametrize(
    "change",
    [
        freeze,
        train_the_head_too,
        lambda model, _: model[1].eval(),
        register,
        chunks,
        enlarge,
        thin_out,
        lambda *_: None,
    ],
)
@pytest.mark.parametrize("tied", [False, True])
def test_what_a_restart_can_take_is_no_news(tmp_path: Path, change: Change, tied: bool) -> None:
    assert train(tmp_path, change, tied=tied) == []
    assert train(tmp_path, change, tied=tied, epochs=4) == []


def test_a_buffer_that_comes_to_life_and_a_tensor_that_grows(tmp_path: Path) -> None:
    model = nn.Linear(2, 1)
    model.register_buffer("mean", None)
    weights = torch.ones(2)
    run = unbroken.Run(tmp_path, every=None)
    run.track(model=model, weights=weights)
    with listening(30) as log, run:
        for epoch in run.epochs(3):
            model.mean = torch.zeros(2)
            if epoch == 2:
                assert WARNING not in log.text
                weights.resize_(3)
    assert "weights float32[2] → float32[3]" in log.text
