"""Which child a generator of NumPy's gives next is part of what is saved of it, inside an epoch, too."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import unbroken
from tests.run.beside import Session
from tests.run.loop import BrokenOffError
from unbroken.loop.looks import look
from unbroken.state.adapters import adapt
from unbroken.state.spawning import SPAWNED, seeds_in

KINDS = (np.random.PCG64, np.random.PCG64DXSM, np.random.MT19937, np.random.Philox, np.random.SFC64)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("spawned_since", [0, 5])
@pytest.mark.parametrize("before", [0, 2])
def test_the_next_child_comes_back(kind: Any, before: int, spawned_since: int) -> None:
    generator = np.random.Generator(kind(3))
    generator.spawn(before)
    generator.random()
    state = adapt("generator", generator).state()
    assert (SPAWNED in state) == bool(before)
    expected = generator.spawn(1)[0].random(), generator.random()
    for other in (generator, np.random.Generator(kind(3 if not before else 4))):
        other.spawn(spawned_since)
        adapt("generator", other).restore(state)
        assert (other.spawn(1)[0].random(), other.random()) == expected


def test_a_look_sees_it() -> None:
    generator = np.random.default_rng(1)
    before = look(generator)
    generator.spawn(1)
    assert look(generator) != before


@pytest.mark.parametrize(
    "damage", [{"pool": 1 << 30}, {"children": -1}, {"children": 1.5}, {"key": ["a"]}, {"entropy": [-1]}]
)
def test_what_no_state_has_is_refused_before_room_is_made_for_it(damage: dict[str, Any]) -> None:
    sound = {"entropy": 1, "key": [], "pool": 4, "children": 1}
    assert seeds_in({SPAWNED: sound}) is not None
    with pytest.raises(ValueError, match=SPAWNED):
        seeds_in({SPAWNED: {**sound, **damage}})


def children(session: Session) -> list[nn.Parameter]:
    model, generator = nn.Linear(6, 1), np.random.default_rng(3)
    session.track(model=model, generator=generator)
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    session.track(optimizer=optimizer)
    for a, b in session.batches():
        noise = torch.from_numpy(generator.spawn(1)[0].normal(size=a.shape)).float()
        optimizer.zero_grad()
        nn.functional.mse_loss(model(a + noise), b).backward()
        optimizer.step()
    return list(model.parameters())


@pytest.mark.parametrize("until", [2, 5, 7])  # in the first epoch none had been spawned at its start
@pytest.mark.one_in(3)
def test_a_run_goes_on_with_the_next_child(tmp_path: Path, until: int) -> None:
    whole = children(Session(tmp_path / "whole"))
    with pytest.raises(BrokenOffError):
        children(Session(tmp_path / "run", until=until))
    resumed = children(Session(tmp_path / "run"))
    assert all(map(torch.equal, resumed, whole))
    assert isinstance(unbroken.load(tmp_path / "run" / "checkpoint_latest.pth"), dict)
