"""The trace of a run: nothing without the variable, whole lines with it, and nothing changed by looking."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from tests.run.loop import Trial
from unbroken.audit.trace import Trace
from unbroken.errors import UsageError
from unbroken.loop import bits, trace
from unbroken.loop.trace import Group, Kind, Mark, Name, Place
from unbroken.loop.variables import Variables


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(trace.FILE, str(tmp_path / "trace.jsonl"))
    return tmp_path / "trace.jsonl"


def values_at(file: Path, kind: Kind, number: int) -> dict[str, str]:
    line = next(one for one in Trace(file).lines() if one.moment.kind is kind and one.moment.key[2] == number)
    return {str(name): value for name, value in line.values.items()}


def saved_values(file: Path) -> list[dict[Name, str]]:
    """What a resume has to bring back, at every moment."""
    return [
        {name: value for name, value in line.values.items() if name.mark is Mark.SAVED} for line in Trace(file).lines()
    ]


def test_names_and_places_come_back_as_they_were() -> None:
    for group in Group:
        for mark in Mark:
            name = Name(group, "main:model.weight|x", mark)
            assert Name.parse(str(name)) == name
    assert Place.parse(str(Place(Kind.STEP, 7))) == Place(Kind.STEP, 7)
    assert Place(Kind.EPOCH, 2).holds(Kind.EPOCH, 40, 2)
    assert not Place(Kind.EPOCH, 2).holds(Kind.EPOCH, 40, 1)
    assert Place(Kind.STEP, 7).holds(Kind.STEP, 9, 1)
    assert not Place(Kind.STEP, 7).holds(Kind.SAVE, 9, 1)


def test_without_the_variable_nobody_observes(tmp_path: Path) -> None:
    Trial(tmp_path / "run").train(1)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_run_tells_every_moment(tmp_path: Path, file: Path) -> None:
    Trial(tmp_path / "run", every_steps=2).train(2)
    told = [(line.moment.kind, line.moment.step) for line in Trace(file).lines()]
    assert told[:2] == [(Kind.START, 0), (Kind.BEGIN, 0)]
    assert [step for kind, step in told if kind is Kind.STEP] == [*range(1, 11)]
    assert [step for kind, step in told if kind is Kind.EPOCH] == [5, 10]
    assert (Kind.SAVE, 2) in told and (Kind.SAVE, 5) in told
    assert told[-1] == (Kind.END, 10)
    values = values_at(file, Kind.STEP, 3)
    for name in ("order|batches", "data|loop 1", "stream|torch", "average|train_losses", "model|model.0.weight"):
        assert name in values
    assert values["optimizer|optimizer.state[model.0.weight].step"] == "3.0"
    assert values["learning_rate|optimizer.param_groups[0].lr"] == "0.01"
    assert {"history|val_losses", "history|best"} <= values_at(file, Kind.EPOCH, 1).keys()


def test_the_same_training_tells_the_same_and_is_the_same(tmp_path: Path, file: Path) -> None:
    np.random.seed(0)
    random.seed(0)
    watched = Trial(tmp_path / "watched").train(2)
    lines = saved_values(file)
    os.environ.pop(trace.FILE)
    np.random.seed(0)
    random.seed(0)
    alone = Trial(tmp_path / "alone").train(2)
    for name, value in alone.result()["model"].items():
        assert torch.equal(value, watched.result()["model"][name])
    assert torch.equal(alone.result()["stream"], watched.result()["stream"])

    os.environ[trace.FILE] = str(file.with_name("second"))
    np.random.seed(0)
    random.seed(0)
    Trial(tmp_path / "again").train(2)
    assert saved_values(file.with_name("second")) == lines


def test_what_the_code_holds_is_seen(tmp_path: Path, file: Path) -> None:
    trial = Trial(tmp_path / "run")
    forgotten = torch.optim.lr_scheduler.StepLR(trial.optimizer, 1)
    average = nn.Linear(3, 1)
    dice = np.random.default_rng(1)
    known = {"count": 5, "losses": [0.5, 0.25]}
    trial.train(1)
    values = values_at(file, Kind.STEP, 2)
    here = "test_what_the_code_holds_is_seen"
    assert values[f"scheduler?|{here}:forgotten"].startswith("StepLR ")
    assert values[f"model?|{here}:average"].startswith("Linear ")
    assert values[f"stream?|{here}:dice"].startswith("Generator ")
    assert values[f"variable~|{here}:known['count']"] == "5"
    # What is tracked is told of as such, and not once more.
    assert not [name for name in values if "?" in name and name.endswith((".model", ".optimizer", ".scheduler"))]
    del forgotten, average, dice, known


def test_counters_of_a_module_and_a_dataset_are_seen() -> None:
    class Annealed(nn.Linear):
        steps = 0

    model = Annealed(2, 2)
    model.steps = 3
    found = {str(name): value for name, value in Variables([model]).values().items()}
    assert found["variable~|test_counters_of_a_module_and_a_dataset_are_seen:model.steps"] == "3"


def test_what_a_dataset_holds_is_told_apart_from_other_variables() -> None:
    class Points(TensorDataset):
        calls = 0

    points = Points(torch.zeros(3))
    points.calls = 2
    where = "test_what_a_dataset_holds_is_told_apart_from_other_variables"
    for data in (points, DataLoader(points)):
        found = {str(name): value for name, value in Variables([]).values().items()}
        assert "2" in (found.get(f"data~|{where}:points.calls"), found.get(f"data~|{where}:data.dataset.calls"))
        del data


def test_looking_calls_nothing_of_the_users_and_survives_what_it_meets() -> None:
    class Touchy:
        @property
        def trap(self) -> int:
            raise AssertionError("read")

        def state_dict(self) -> Any:
            raise OSError("gone")

        def load_state_dict(self, state: Any) -> None:
            raise AssertionError("loaded")

    touchy, loop = Touchy(), {}  # type: ignore[var-annotated]
    loop["self"] = loop
    odd = [torch.eye(2).to_sparse(), torch.empty(2, device="meta"), torch.nested.nested_tensor([torch.ones(2)])]
    found = {str(name): value for name, value in Variables([]).values().items()}
    where = "test_looking_calls_nothing_of_the_users_and_survives_what_it_meets"
    assert found[f"other?|{where}:touchy"] == "unreadable OSError"
    del touchy, odd


def test_a_second_loop_of_an_epoch_is_told_of_at_its_end(tmp_path: Path, file: Path) -> None:
    trial = Trial(tmp_path / "run")
    loader = DataLoader(TensorDataset(torch.arange(6.0)), batch_size=2)
    with trial.run as run:
        for _ in run.epochs(1):
            for _x, _y in run.batches(trial.loader):
                pass
            assert len(list(run.batches(loader))) == 3
    assert "data|loop 2" in values_at(file, Kind.EPOCH, 1)
    assert "data|loop 1" not in values_at(file, Kind.EPOCH, 1)  # told of at the steps already
    assert "data|loop 2" not in values_at(file, Kind.STEP, 5)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (torch.tensor([0.0, 1.0]), torch.tensor([-0.0, 1.0])),
        (torch.zeros(2, 3), torch.zeros(3, 2)),
        (torch.zeros(2), torch.zeros(2, dtype=torch.float64)),
        (np.zeros(2, np.int32), np.zeros(2, np.float32)),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        ({"a": [1, 2]}, {"a": [2, 1]}),
        (list(range(100)), list(range(99, -1, -1))),
        (0.1, 0.1 + 1e-17 + 1e-16),
        ("x" * 100, "x" * 99 + "y"),
    ],
)
def test_bits_tell_values_apart(one: object, other: object) -> None:
    assert bits.of_all(one) == bits.of_all(one)
    assert bits.of_all(one) != bits.of_all(other)


def test_a_checkpoint_folder_outside_the_copy_is_refused_untouched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "copy").mkdir()
    monkeypatch.setenv(trace.ROOT, str(tmp_path / "copy"))
    with pytest.raises(UsageError) as refused:
        Trial(tmp_path / "users").train(1)
    assert refused.value.key == "audit_folder_outside"
    assert not (tmp_path / "users").exists()
    Trial(tmp_path / "copy" / "run").train(1)


def test_the_format_is_read_without_torch() -> None:
    program = "import sys, unbroken.loop.trace, unbroken.audit.trace; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_a_line_is_one_json_document(tmp_path: Path, file: Path) -> None:
    Trial(tmp_path / "run").train(1)
    for line in file.read_text().splitlines():
        assert json.loads(line)["line"] in ("names", *Kind)


@pytest.mark.parametrize("options", [{}, {"layout": torch.jagged}])
def test_a_nested_tensor_in_a_batch_is_told_by_what_it_holds(options: Any) -> None:
    def told(*values: float) -> list[tuple[str, str]]:
        parts = [torch.tensor(values), torch.ones(3)]
        return list(bits.leaves({"x": torch.nested.nested_tensor(parts, **options)}, "batch"))

    assert told(1.0, 2.0) == told(1.0, 2.0) != told(1.0, 3.0)
