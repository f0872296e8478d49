"""What other libraries put around a loader is taken as it is, or refused with what to write instead."""

import random
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import unbroken
from tests.run.loop import BrokenOffError
from unbroken.loop.generators import find_generators
from unbroken.loop.loaders import resumable


class Prepared(DataLoader[Any]):
    """As Accelerate's: it counts its passes, and its sampler's order is a function of that."""

    __module__ = "accelerate.data_loader"
    iteration = 0

    def __iter__(self) -> Any:
        order = torch.randperm(24, generator=torch.Generator().manual_seed(self.iteration)).tolist()
        yield from ([torch.tensor(order[first : first + 2])] for first in range(0, 24, 2))
        self.iteration += 1


def a_loader() -> DataLoader[Any]:
    return DataLoader(TensorDataset(torch.zeros(24, 1)), batch_size=2)


def orders(folder: Path, until: int | None = None) -> list[list[int]]:
    run = unbroken.Run(folder, every_steps=1, every=None)
    run.track(weight=torch.zeros(1))
    seen, loader = [], Prepared(TensorDataset(torch.zeros(24, 1)), batch_size=2)
    with run:
        for _ in run.epochs(4):
            for (batch,) in run.batches(loader):
                run.flush()
                if run.step == until:
                    raise BrokenOffError
                seen.append(batch.tolist())
    return seen


@pytest.mark.parametrize("until", [5, 13, 24, 25, 40])
@pytest.mark.one_in(3)
def test_a_loader_of_accelerate_goes_on_in_the_pass_that_it_was_in(until: int, tmp_path: Path) -> None:
    whole = orders(tmp_path / "whole")
    with pytest.raises(BrokenOffError):
        orders(tmp_path / "run", until)
    assert orders(tmp_path / "run") == whole[until - 1 :]


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


class Unasked:
    """As pydantic's, which Albumentations holds: whatever is asked of it is an error of its own."""

    __slots__ = ("generator",)

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


def test_generators_are_found_beside_objects_that_may_not_be_asked() -> None:
    generator = random.Random(1)
    dataset = TensorDataset(torch.zeros(4, 1))
    dataset.transforms = [Unasked(), {"inner": (Unasked(), generator)}]  # type: ignore[attr-defined]
    assert find_generators(dataset) == [generator]


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
