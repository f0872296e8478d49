"""A single field of our own key that says something else makes no traceback, runs nothing, and costs one state."""

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.random.mtrand import get_bit_generator, set_bit_generator

import unbroken
from tests.faults import fields
from tests.run.loop import Lines
from unbroken.errors import CheckpointDamagedError
from unbroken.store import payload as keys
from unbroken.store import schema

pytestmark = pytest.mark.usefixtures("log")


def test_mutations_of_single_fields(tmp_path: Path) -> None:
    tally = fields.mutate(120, 0, tmp_path)
    assert tally.problems == []
    assert tally.outcomes["passed over"] > 50


def test_whole_resumes_from_mutated_files(tmp_path: Path) -> None:
    tally = fields.resume_whole(6, 1, tmp_path)
    assert tally.problems == []
    assert tally.outcomes["ended"]


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_ten_thousand_mutations(tmp_path: Path) -> None:
    logging.getLogger("unbroken").setLevel(logging.CRITICAL)
    tally = fields.mutate(10_000, 7, tmp_path / "functions")
    assert tally.problems == []
    whole = fields.resume_whole(300, 7, tmp_path / "whole")
    assert whole.problems == []
    print(f"10,000 mutations by functions: {dict(tally.outcomes)}; 300 whole resumes: {dict(whole.outcomes)}")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound") / "checkpoints"
    fields.broken_off(folder)
    return folder


def changed(sound: Path, folder: Path, change: str, value: object) -> Path:
    """A copy of the folder in whose newest state ``own[a][b]…`` is ``value``."""
    shutil.copytree(sound, folder)
    latest = folder / "checkpoint_latest.pth"
    payload = torch.load(latest, weights_only=True)
    place = payload[keys.OWN]
    *way, last = change.split(".")
    for name in way:
        place = place[int(name) if isinstance(place, list) else name]
    place[last] = value
    torch.save(payload, latest, pickle_protocol=2)
    return folder


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("streams.now.numpy.bit_generator", "test"),
        ("streams.now.numpy.bit_generator", "mtrand"),
        ("streams.now.numpy.state.pos", 10**6),
        ("streams.now.python.words", torch.zeros(7, dtype=torch.int64)),
        ("streams.now.torch", torch.zeros(9, dtype=torch.uint8)),
        ("streams.epoch_start.generators.dice.state", {"state": -1, "inc": 3}),
        ("batch", -1),
        ("batch", 10**9),
        ("metrics", ["gone"]),
        ("extras.modules", {}),
        ("passes.opened.0.facts", {}),
        ("optimizer_parameters.optimizer", [["model.0.weight"]]),
        ("data.files", [{"name": "x"}]),
        ("partial.sums", {"train_losses": [1.0]}),
    ],
)
@pytest.mark.one_in(4)
def test_the_next_good_state_is_taken(
    sound: Path, tmp_path: Path, log: Lines, monkeypatch: pytest.MonkeyPatch, change: str, value: object
) -> None:
    (tmp_path / "conftest.py").write_text("open('ran', 'w')")  # what numpy.random.test() would run
    monkeypatch.chdir(tmp_path)
    folder = changed(sound, tmp_path / "checkpoints", change, value)
    objects = fields.Objects(folder)
    objects.train(3)
    assert objects.run.resumed_from == folder / "checkpoint_previous.pth"
    assert (folder / "checkpoint_latest.pth.damaged").exists()
    assert "checkpoint_latest.pth was not loaded" in log.text
    assert not (tmp_path / "ran").exists()


def test_an_explicit_file_is_refused_in_one_line(sound: Path, tmp_path: Path) -> None:
    folder = changed(sound, tmp_path / "checkpoints", "streams.now.numpy.bit_generator", "test")
    run = unbroken.Run(folder, resume=folder / "checkpoint_latest.pth")
    with pytest.raises(CheckpointDamagedError) as refused:
        next(iter(run.epochs(3)))
    assert str(folder / "checkpoint_latest.pth") in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"])
def test_every_generator_of_numpy_comes_back(tmp_path: Path, name: str) -> None:
    before = get_bit_generator()
    try:
        set_bit_generator(getattr(np.random, name)(5))
        fields.broken_off(tmp_path / "checkpoints")
        set_bit_generator(np.random.MT19937(6))
        objects = fields.Objects(tmp_path / "checkpoints")
        next(iter(objects.run.epochs(3)))
        assert type(get_bit_generator()).__name__ == name
        objects.run.close()
    finally:
        set_bit_generator(before)


def test_every_field_of_a_file_is_known_to_the_schema(sound: Path) -> None:
    own = torch.load(sound / "checkpoint_latest.pth", weights_only=True)[keys.OWN]
    assert list(schema.wrong(own)) == []
    assert own.keys() >= schema.NEEDED
    unchecked = {name for name in own if not list(schema.wrong({name: object()}))}
    assert unchecked <= {"witnessed"}
