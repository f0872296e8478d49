"""The replay proof finds what goes another way after a restart: at its first step, by name, and it is not forgotten."""

import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Sampler

import unbroken
from tests.run.loop import BrokenOffError, Lines, data
from unbroken.cli.contents import Replayed, open_contents
from unbroken.loop.witness import numpy_stream

SAMPLES, BATCH_SIZE = 20, 4  # five steps an epoch


class Order(Sampler[int]):
    """A sampler of one's own; ``swapped``: two samples of the fourth batch come in another order."""

    def __init__(self, *, swapped: bool) -> None:
        self.swapped = swapped

    def __iter__(self) -> Iterator[int]:
        order = torch.randperm(SAMPLES).tolist()
        if self.swapped:
            order[14:16] = order[15], order[14]
        return iter(order)

    def __len__(self) -> int:
        return SAMPLES


STREAMS: dict[str, Callable[[], Any]] = {
    "python": random.random,
    "numpy": np.random.rand,
    "torch": lambda: torch.rand(()),
}


def go(
    folder: Path,
    stop_at: int | None = None,
    *,
    after_epoch: int | None = None,
    every_steps: int = 3,
    plant: str | None = None,
    plant_at: int | None = None,
    between: bool = False,
    config: dict[str, Any] | None = None,
) -> None:
    """Train three epochs, broken off in a step or behind an epoch; at ``plant_at`` something is not as it was."""
    torch.manual_seed(5)
    np.random.seed(5)
    random.seed(5)
    loader = DataLoader(data(SAMPLES), batch_size=BATCH_SIZE, sampler=Order(swapped=plant == "order"))
    model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.3), nn.Linear(4, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    run = unbroken.Run(folder, every_steps=every_steps, every=None, config=config)
    run.track(model=model, optimizer=optimizer)
    with run:
        for epoch in run.epochs(3):
            if between:
                run.average(rates=optimizer.param_groups[0]["lr"])
            for x, y in run.batches(loader):
                loss = nn.functional.mse_loss(model(x), y) * (1 + random.random() + np.random.rand())
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                value = loss.item()
                if run.step == plant_at and plant == "average":
                    value = math.nextafter(value, math.inf)  # one bit
                run.average(train_losses=value)
                if run.step == plant_at and plant in STREAMS:
                    STREAMS[plant]()
                run.flush()
                if run.step == stop_at:
                    raise BrokenOffError
            if between:
                run.average(val_losses=loss)
            run.save()
            if epoch == after_epoch:
                raise BrokenOffError


def broken_off(folder: Path, stop_at: int | None = None, **options: Any) -> None:
    with pytest.raises(BrokenOffError):
        go(folder, stop_at, **options)


def replays(folder: Path) -> list[Replayed]:
    """As ``unbroken show`` shows them."""
    return open_contents(folder / "checkpoint_latest.pth").replays


def test_nothing_planted_nothing_found(tmp_path: Path, log: Lines) -> None:
    broken_off(tmp_path, 15, every_steps=100)
    go(tmp_path)
    assert replays(tmp_path) == [Replayed(after=10, steps=4)]
    assert "REPLAY DIFFERS" not in log.text


@pytest.mark.parametrize("plant", ["order", "average", *STREAMS])
@pytest.mark.parametrize(
    ("every_steps", "saved"),
    [(3, 13), (100, 10)],
    ids=["resumed inside an epoch", "resumed at its end"],
)
@pytest.mark.one_in(3)
def test_a_planted_difference_is_found_at_its_first_step(
    tmp_path: Path, log: Lines, plant: str, every_steps: int, saved: int
) -> None:
    at = 14  # of the steps 11 to 15 of the third epoch
    broken_off(tmp_path, 15, every_steps=every_steps)
    if plant == "order" and saved == at - 1:  # the batch that was in hand at the save
        with pytest.raises(unbroken.LoaderRefusedError, match="gives batch 4 of epoch 3 other samples"):
            go(tmp_path, every_steps=every_steps, plant=plant, plant_at=at)
        return
    go(tmp_path, every_steps=every_steps, plant=plant, plant_at=at)
    [replay] = replays(tmp_path)
    assert replay.after == saved
    assert replay.step == at
    # Another order is other data, so other losses; a number drawn at the end of a step is no more than that.
    assert replay.streams == (("order", "batch", "average", "state") if plant == "order" else (plant,))
    assert f"REPLAY DIFFERS at step {at} in {', '.join(replay.streams)}" in log.text
    assert "bit for bit as before the interruption" not in log.text


def test_a_replay_that_ends_with_the_run_is_in_its_last_checkpoint(tmp_path: Path) -> None:
    broken_off(tmp_path, every_steps=100, after_epoch=3)
    go(tmp_path)
    assert replays(tmp_path) == [Replayed(after=10, steps=5)]


def test_a_difference_is_not_forgotten_by_a_run_that_is_killed_again(tmp_path: Path) -> None:
    """Before the replay has come to its end, and although the journal now has the steps as they went last."""
    broken_off(tmp_path, 15, every_steps=100)
    broken_off(tmp_path, 13, every_steps=1, plant="torch", plant_at=11)
    [replay] = replays(tmp_path)
    assert (replay.after, replay.step, replay.streams) == (10, 11, ("torch",))
    go(tmp_path)
    assert replays(tmp_path)[0] == replay
    own = unbroken.load(tmp_path / "checkpoint_latest.pth")["unbroken"]
    assert own["replays"][0]["difference"] == (11, ("torch",))


@pytest.mark.parametrize(("every_steps", "saved"), [(3, 13), (100, 10)], ids=["inside an epoch", "at its end"])
def test_what_is_averaged_between_the_batches_is_no_difference(tmp_path: Path, every_steps: int, saved: int) -> None:
    broken_off(tmp_path, 15, every_steps=every_steps, between=True)
    go(tmp_path, every_steps=every_steps, between=True)
    assert replays(tmp_path) == [Replayed(after=saved, steps=14 - saved)]


def test_steps_of_a_course_that_was_left_are_not_compared(tmp_path: Path, log: Lines) -> None:
    broken_off(tmp_path, 15, every_steps=100, config={"lr": 1})
    broken_off(tmp_path, 13, every_steps=1, config={"lr": 2}, plant="torch", plant_at=11)
    go(tmp_path, every_steps=100, config={"lr": 1})
    assert "REPLAY DIFFERS" not in log.text


def test_numpys_second_normal_is_part_of_the_witness() -> None:
    np.random.seed(1)
    np.random.standard_normal()
    with_one = numpy_stream()
    state: Any = np.random.get_state(legacy=False)
    np.random.set_state({**state, "has_gauss": 0, "gauss": 0.0})
    assert numpy_stream() != with_one


@pytest.mark.parametrize("forgotten", ["model", "optimizer", "all", "nothing"])
def test_without_averages_what_was_computed_shows_in_the_weights(tmp_path: Path, log: Lines, forgotten: str) -> None:
    def train(stop_at: int | None) -> None:
        torch.manual_seed(5)
        model = nn.Linear(3, 1)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
        run = unbroken.Run(tmp_path, every=None)
        objects = {"model": model, "optimizer": optimizer}
        run.track(**{name: thing for name, thing in objects.items() if forgotten not in (name, "all")})
        with run:
            for _ in run.epochs(2):
                for x, y in run.batches(DataLoader(data(SAMPLES), batch_size=BATCH_SIZE, shuffle=True)):
                    optimizer.zero_grad()
                    nn.functional.mse_loss(model(x), y).backward()
                    optimizer.step()
                    if run.step == stop_at:
                        raise BrokenOffError
                run.save()

    with pytest.raises(BrokenOffError):
        train(9)
    assert ("Nothing is tracked" in log.text) == (forgotten == "all")
    train(None)
    assert ("REPLAY DIFFERS at step 6 in state" in log.text) == (forgotten == "optimizer")
    # With the optimizer its parameters are kept, whoever else has them.
    assert ("bit for bit as before" in log.text) == (forgotten in ("model", "nothing"))
    assert ("None of that was computed" in log.text) == (forgotten == "all")


@pytest.mark.parametrize("every_steps", [3, 100], ids=["inside an epoch", "at its end"])
def test_weights_that_a_step_freezes_are_no_difference(tmp_path: Path, log: Lines, every_steps: int) -> None:
    """As of a critic, while its opponent is trained: at the beginning of an epoch they are not frozen yet."""

    def train(stop_at: int | None) -> None:
        torch.manual_seed(5)
        model, critic = nn.Linear(3, 1), nn.Linear(3, 1)
        optimizer = torch.optim.Adam([*model.parameters(), *critic.parameters()], lr=0.1)
        with unbroken.Run(tmp_path, every=None, every_steps=every_steps) as run:
            run.track(model=model, critic=critic, optimizer=optimizer)
            for _ in run.epochs(3):
                for x, y in run.batches(DataLoader(data(SAMPLES), batch_size=BATCH_SIZE, shuffle=True)):
                    for frozen in (False, True):
                        critic.requires_grad_(not frozen)
                        optimizer.zero_grad()
                        nn.functional.mse_loss(model(x) + critic(x), y).backward()
                        optimizer.step()
                    if run.step == stop_at:
                        raise BrokenOffError
                run.save()

    for stop_at in (5, 10, 14):
        with pytest.raises(BrokenOffError):
            train(stop_at)
    train(None)
    assert "bit for bit as before" in log.text
    assert "REPLAY DIFFERS" not in log.text


class Spare(nn.Module):
    """Its smallest weights are in no use."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.inner = nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x)


def _train_apart(
    folder: Path,
    stop_at: int | None = None,
    *,
    off_at: int | None = None,
    break_at: int | None = None,
    new_layer_at: int | None = None,
    every_steps: int = 3,
    learns: bool = True,
    accumulates: int = 1,
) -> None:
    """No average; in step ``off_at`` the loss is another one, and nothing else shows it."""
    torch.manual_seed(5)
    module = nn.Sequential(Spare(), nn.Linear(2, 1))
    parameters = module.parameters()
    optimizer = torch.optim.Adam(parameters, lr=0.05) if learns else torch.optim.SGD(parameters, lr=0.0)
    run = unbroken.Run(folder, every_steps=every_steps, every=None)
    run.track(model=module, optimizer=optimizer)
    with run:
        for _ in run.epochs(3):
            for x, y in run.batches(DataLoader(data(SAMPLES), batch_size=BATCH_SIZE, shuffle=True)):
                if run.step == new_layer_at:
                    module[1] = nn.Linear(2, 1)
                    optimizer.param_groups[0]["params"] = list(module.parameters())
                    optimizer.state.clear()
                loss = nn.functional.mse_loss(module(x), y) * (2 if run.step == off_at else 1)
                loss.backward()
                if run.step % accumulates == 0:
                    optimizer.step()
                    optimizer.zero_grad()
                if not learns:
                    run.average(rate=0.0)
                run.flush()
                if run.step == stop_at:
                    raise BrokenOffError
                if run.step == break_at:
                    break
            run.save()


def _broken_off_apart(folder: Path, stop_at: int, **options: Any) -> None:
    with pytest.raises(BrokenOffError):
        _train_apart(folder, stop_at, **options)


def test_weights_that_are_in_no_use_hide_no_difference(tmp_path: Path) -> None:
    _broken_off_apart(tmp_path, 15)
    _train_apart(tmp_path, off_at=14)
    [replay] = replays(tmp_path)
    assert (replay.after, replay.step, replay.streams) == (13, 14, ("state",))


def test_what_never_changes_is_no_proof(tmp_path: Path, log: Lines) -> None:
    _broken_off_apart(tmp_path, 15, learns=False, every_steps=100)
    _train_apart(tmp_path, learns=False)
    assert "bit for bit as before the interruption" not in log.text
    assert "None of that was computed" in log.text


def test_steps_without_one_of_the_optimizer_are_no_news(tmp_path: Path, log: Lines) -> None:
    _broken_off_apart(tmp_path, 4, accumulates=8, every_steps=2)
    del log.lines[:]
    _train_apart(tmp_path, accumulates=8, every_steps=2)
    [said] = [line for line in log.lines if "No tracked optimizer took a step" in line]
    assert said.startswith("Replayed 1 step after step 2")
    assert "None of that was computed" not in log.text


def test_an_epoch_left_by_a_break_ends_no_replay(tmp_path: Path) -> None:
    """Of an epoch whose own state is lost: its end is trained again too."""
    _broken_off_apart(tmp_path, 11, break_at=8)
    (tmp_path / "checkpoint_latest.pth").write_bytes(b"torn")
    _train_apart(tmp_path, break_at=8, off_at=10)
    [replay] = replays(tmp_path)
    assert (replay.after, replay.step) == (5, 10)


def test_a_layer_that_takes_another_s_place_is_no_difference(tmp_path: Path, log: Lines) -> None:
    _broken_off_apart(tmp_path, 15, new_layer_at=12)
    _train_apart(tmp_path)
    assert replays(tmp_path) == [Replayed(after=13, steps=1)]
    assert "REPLAY DIFFERS" not in log.text
