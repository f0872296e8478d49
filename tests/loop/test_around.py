"""What other libraries put around a loader is taken as it is, or refused with what to write instead."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import unbroken
from unbroken.loop.loaders import resumable


def a_loader() -> DataLoader[Any]:
    return DataLoader(TensorDataset(torch.zeros(24, 1)), batch_size=2)


@pytest.mark.parametrize(
    ("module", "name", "advice"),
    [
        ("lightning.fabric.wrappers", "_FabricDataLoader", r"fabric\.to_device\(batch\)"),
        ("webdataset.compat", "WebLoader", r"DataLoader\(dataset, batch_size=None"),
        ("somebody.else", "Batches", r"run\.steps\(n\)"),
    ],
)
def test_a_wrapper_of_a_loader_is_refused_with_advice(
    module: str, name: str, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNBROKEN_LANG", "en")
    wrapper = type(name, (), {"__module__": module})
    with pytest.raises(unbroken.LoaderRefusedError, match=f"(?s){module}.{name}.*{advice}"):
        resumable(wrapper(), 0)


class GradientState:
    """As Accelerate's: one for the process, asked by the number of batches that make up a step."""

    steps = 1

    @property
    def num_steps(self) -> int:
        return self.steps


@pytest.mark.parametrize(
    ("steps", "group", "refused"), [(1, 1, False), (4, 1, True), (4, 6, True), (4, 4, False), (2, 4, False)]
)
def test_gradients_accumulated_by_accelerate_ask_for_groups(
    steps: int, group: int, refused: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNBROKEN_LANG", "en")
    module = ModuleType("accelerate.state")
    module.GradientState = GradientState  # type: ignore[attr-defined]
    monkeypatch.setattr(GradientState, "steps", steps)
    monkeypatch.setitem(sys.modules, "accelerate.state", module)
    run = unbroken.Run(tmp_path)
    run.track(weight=torch.zeros(1))
    with run:
        batches = run.batches(a_loader(), steps=24, group=group)
        if refused:
            with pytest.raises(unbroken.LoaderRefusedError, match=f"group={steps}"):
                next(iter(batches))
        else:
            assert len(list(batches)) == 24
