"""Settings of optimizers and schedules on a resume: what goes on is said; one call has the new value, once."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler as schedules
from torch.utils.data import DataLoader, TensorDataset

import unbroken
from tests.run.loop import Lines, listening

STEPS = 5  # per epoch


class BrokenOffError(Exception):
    """Stands for a kill behind the last save."""


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    monkeypatch.setenv("UNBROKEN_LANG", "en")
    with listening(30) as lines:
        yield lines


def like(rates: dict[int, float], whole: dict[int, float]) -> bool:
    """Whether these steps had the rates that they have in ``whole``."""
    assert rates
    return rates == pytest.approx({step: whole[step] for step in rates})


Make = Callable[[torch.optim.Optimizer], Any]


class Rates(dict[int, float]):
    """What is looked at here only, and need not come back."""

    __slots__ = ()


def train(
    folder: Path,
    epochs: int,
    *,
    lr: Any = 0.1,
    schedule: Make | None = None,
    keep: tuple[str, ...] = (),
    break_at: int | None = None,
    two_groups: bool = False,
    options: dict[str, Any] | None = None,
    optimizer_options: dict[str, Any] | None = None,
) -> dict[int, float]:
    """The rates that the steps of this process were trained with, by their number."""
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    groups: Any = model.parameters()
    if two_groups:
        groups = [{"params": model[0].parameters()}, {"params": model[1].parameters(), "lr": lr / 10}]
    optimizer = torch.optim.SGD(groups, **{"lr": lr, "momentum": 0.9, **(optimizer_options or {})})
    scheduler = None if schedule is None else schedule(optimizer)
    run = unbroken.Run(folder, **{"every_steps": 1, "every": None, **(options or {})})
    run.track(model=model, optimizer=optimizer)
    if scheduler is not None:
        run.track(scheduler=scheduler)
    if keep:
        run.keep_built(*keep)
    rates = Rates()
    try:
        with run:
            for _ in run.epochs(epochs):
                for (x,) in run.batches(DataLoader(TensorDataset(torch.ones(20, 3)), 4, shuffle=True)):
                    if break_at == run.step:
                        raise BrokenOffError
                    rates[run.step] = float(optimizer.param_groups[0]["lr"])
                    optimizer.zero_grad()
                    model(x).mean().backward()
                    optimizer.step()
                    if isinstance(scheduler, schedules.ReduceLROnPlateau):
                        scheduler.step(1.0)
                    elif scheduler is not None:
                        scheduler.step()
    except BrokenOffError:
        pass
    return rates


def test_another_rate_is_said_and_the_saved_one_goes_on(tmp_path: Path, log: Lines) -> None:
    train(tmp_path, 3, break_at=8)
    assert log.text.count("built with") == 0
    assert set(train(tmp_path, 3, lr=0.01, break_at=10).values()) == {0.1}
    assert "optimizer.lr: built with 0.01, goes on with 0.1 as saved" in log.text
    assert set(train(tmp_path, 3, lr=0.01).values()) == {0.1}
    assert log.text.count("optimizer.lr: built with 0.01") == 2  # as long as it is so


@pytest.mark.parametrize("lr", [0.01, torch.tensor(0.01)])
def test_and_the_new_one_from_there_on_where_asked_for(tmp_path: Path, log: Lines, lr: Any) -> None:
    train(tmp_path, 3, break_at=8, lr=0.1 if isinstance(lr, float) else torch.tensor(0.1))
    expected = float(torch.tensor(0.01)) if isinstance(lr, torch.Tensor) else 0.01
    assert set(train(tmp_path, 3, lr=lr, keep=("optimizer.lr",), break_at=10).values()) == {expected}
    assert "optimizer.lr: 0.1" in log.text and "An intended change" in log.text and "DIFFERS" not in log.text
    assert set(train(tmp_path, 3, lr=lr, keep=("optimizer.lr",)).values()) == {expected}
    assert log.text.count("An intended change") == 1 and "built with" not in log.text
    own = unbroken.load(tmp_path / "checkpoint_latest.pth")["unbroken"]
    (change,) = own["changes"]
    assert change["setting"] == "optimizer.lr" and change["new"] == expected and change["step"] > 0


def test_a_change_is_not_lost_where_the_first_save_of_a_branch_is_all_there_is(tmp_path: Path, log: Lines) -> None:
    train(tmp_path, 3, options={"every_epochs": 1})
    again = {"every_epochs": 1, "every_steps": 100, "resume": tmp_path / "checkpoint_epoch_1.pth"}
    assert train(tmp_path, 3, lr=0.01, keep=("optimizer.lr",), break_at=6, options=again) == {}
    assert set(train(tmp_path, 3, lr=0.01, keep=("optimizer.lr",), options=again).values()) == {0.01}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"weight_decay": 0.5}, "optimizer.weight_decay: built with 0.5, goes on with 0 as saved"),
        ({"momentum": 0.5}, "optimizer.momentum: built with 0.5, goes on with 0.9 as saved"),
        ({"nesterov": True}, "optimizer.nesterov: built with True, goes on with False as saved"),
    ],
)
def test_every_setting_of_the_groups(tmp_path: Path, log: Lines, options: dict[str, Any], said: str) -> None:
    train(tmp_path, 3, break_at=8)
    train(tmp_path, 3, optimizer_options=options, break_at=10)
    assert [line for line in log.lines if "built with" in line and said in line]
    ((name, value),) = options.items()
    train(tmp_path, 3, optimizer_options=options, keep=(f"optimizer.{name}",))
    (group,) = unbroken.load(tmp_path / "checkpoint_latest.pth")["optimizer_state_dict"]["param_groups"]
    assert group[name] == value and group["lr"] == 0.1


def test_each_group_by_its_parameters(tmp_path: Path, log: Lines) -> None:
    train(tmp_path, 3, two_groups=True, break_at=8)
    train(tmp_path, 3, two_groups=True, lr=0.2, keep=("optimizer",))
    groups = unbroken.load(tmp_path / "checkpoint_latest.pth")["optimizer_state_dict"]["param_groups"]
    assert [group["lr"] for group in groups] == [0.2, 0.02]


SCHEDULES: dict[str, Make] = {
    "step": lambda o: schedules.StepLR(o, 3),
    "cosine": lambda o: schedules.CosineAnnealingLR(o, 15),
    "lambda": lambda o: schedules.LambdaLR(o, lambda step: min(1.0, (step + 1) / 4) / (1 + step)),
    "exponential": lambda o: schedules.ExponentialLR(o, 0.9),
    "sequential": lambda o: schedules.SequentialLR(
        o, [schedules.LinearLR(o, total_iters=4), schedules.CosineAnnealingLR(o, 11)], [4]
    ),
    "one cycle": lambda o: schedules.OneCycleLR(o, 0.3, total_steps=15),
    "plateau": lambda o: schedules.ReduceLROnPlateau(o, patience=1),
    "restarts": lambda o: schedules.CosineAnnealingWarmRestarts(o, 4),
}


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.one_in(4)
def test_what_a_schedule_has_made_of_the_rate_is_no_news(tmp_path: Path, log: Lines, name: str) -> None:
    make = SCHEDULES[name]
    whole = train(tmp_path / "whole", 3, schedule=make)
    train(tmp_path / "killed", 3, schedule=make, break_at=8)
    keep = ("optimizer", "scheduler")
    assert like(train(tmp_path / "killed", 3, schedule=make, keep=keep, break_at=12), whole)
    assert like(train(tmp_path / "killed", 3, schedule=make, keep=keep), whole)
    assert log.lines == [line for line in log.lines if "BrokenOffError" in line]


@pytest.mark.parametrize("name", ["step", "cosine", "lambda", "exponential", "sequential", "restarts"])
@pytest.mark.one_in(3)
def test_a_new_rate_under_a_schedule_is_as_if_it_had_been_built_with_it(tmp_path: Path, log: Lines, name: str) -> None:
    make = SCHEDULES[name]
    new = train(tmp_path / "new", 3, schedule=make, lr=0.02)
    train(tmp_path / "killed", 3, schedule=make, break_at=8)
    said = train(tmp_path / "killed", 3, schedule=make, lr=0.02, break_at=10)
    assert not like(said, new) and "optimizer.lr: built with 0.02, goes on with" in log.text
    kept = train(tmp_path / "killed", 3, schedule=make, lr=0.02, keep=("optimizer.lr",), break_at=12)
    assert like(kept, new)
    again = train(tmp_path / "killed", 3, schedule=make, lr=0.02, keep=("optimizer.lr",))
    assert like(again, new)


OTHERS: dict[str, tuple[Make, Make, str]] = {
    "step": (SCHEDULES["step"], lambda o: schedules.StepLR(o, 4, gamma=0.5), "scheduler.step_size: built with 4"),
    "cosine": (SCHEDULES["cosine"], lambda o: schedules.CosineAnnealingLR(o, 30), "scheduler.T_max: built with 30"),
    "one cycle": (
        SCHEDULES["one cycle"],
        lambda o: schedules.OneCycleLR(o, 0.3, total_steps=30),
        "scheduler.total_steps: built with 30",
    ),
    "a higher cycle": (
        SCHEDULES["one cycle"],
        lambda o: schedules.OneCycleLR(o, 0.6, total_steps=15),
        "optimizer.max_lr: built with 0.6",
    ),
    "sequential": (
        SCHEDULES["sequential"],
        lambda o: schedules.SequentialLR(
            o, [schedules.LinearLR(o, total_iters=4), schedules.CosineAnnealingLR(o, 26)], [4]
        ),
        "scheduler.schedulers.1.T_max: built with 26",
    ),
    "milestones": (
        lambda o: schedules.MultiStepLR(o, [4, 9]),
        lambda o: schedules.MultiStepLR(o, [4, 7]),
        "scheduler.milestones: built with [[4, 1], [7, 1]], goes on with [[4, 1], [9, 1]]",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.one_in(3)
def test_another_schedule_is_said_and_kept_where_asked_for(tmp_path: Path, log: Lines, name: str) -> None:
    old, new, said = OTHERS[name]
    ahead = train(tmp_path / "new", 3, schedule=new)
    behind = train(tmp_path / "old", 3, schedule=old)
    train(tmp_path / "killed", 3, schedule=old, break_at=8)
    assert like(train(tmp_path / "killed", 3, schedule=new, break_at=10), behind)
    assert said in log.text and "run.keep_built('scheduler')" in log.text
    assert like(train(tmp_path / "killed", 3, schedule=new, keep=("scheduler",), break_at=12), ahead)
    assert "An intended change" in log.text
    assert like(train(tmp_path / "killed", 3, schedule=new, keep=("scheduler",)), ahead)


def test_a_plateau_keeps_its_course_and_has_the_new_patience(tmp_path: Path, log: Lines) -> None:
    train(tmp_path, 3, schedule=SCHEDULES["plateau"], break_at=8)
    patient: Make = lambda o: schedules.ReduceLROnPlateau(o, patience=50)  # noqa: E731
    before = unbroken.load(tmp_path / "checkpoint_latest.pth")["optimizer_state_dict"]["param_groups"][0]["lr"]
    rates = train(tmp_path, 3, schedule=patient, keep=("scheduler",))
    assert before < 0.1 and set(rates.values()) == {before}


def test_more_epochs_than_a_cycle_has_are_foretold_and_the_way_on_works(tmp_path: Path, log: Lines) -> None:
    make: Callable[[int], Make] = lambda epochs: lambda o: schedules.OneCycleLR(o, 0.3, total_steps=epochs * STEPS)  # noqa: E731
    train(tmp_path, 2, schedule=make(2))
    with pytest.raises(ValueError, match="Tried to step"):
        train(tmp_path, 4, schedule=make(2))
    assert "'scheduler' ends after 10 steps (10 done), and 4 epochs take about 20" in log.text
    assert "Once the cause is fixed" in log.text
    log.lines.clear()
    rates = train(tmp_path, 4, schedule=make(4), keep=("scheduler",))
    whole = train(tmp_path / "whole", 4, schedule=make(4))
    assert like(rates, whole) and "ends after" not in log.text


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (SCHEDULES["cosine"], "the learning rate climbs again"),
        (lambda o: schedules.PolynomialLR(o, 15), "stays at its last value"),
        (lambda o: schedules.LambdaLR(o, lambda step: max(0.0, 1 - step / 15)), "brought the learning rate to 0"),
    ],
)
def test_other_schedules_that_have_run_out(tmp_path: Path, log: Lines, make: Make, said: str) -> None:
    train(tmp_path, 3, schedule=make)
    train(tmp_path, 3, schedule=make)  # the same command again: there is nothing to foretell
    assert said not in log.text
    train(tmp_path, 5, schedule=make)
    assert log.text.count(said) == 1 and "run.keep_built('scheduler')" in log.text


def test_a_cosine_that_was_meant_to_climb_is_no_news(tmp_path: Path, log: Lines) -> None:
    train(tmp_path, 3, schedule=lambda o: schedules.CosineAnnealingLR(o, 4), break_at=12)
    train(tmp_path, 3, schedule=lambda o: schedules.CosineAnnealingLR(o, 4))
    assert "climbs" not in log.text


@pytest.mark.parametrize("names", ["optimiser.lr", "optimizer.rate", "scheduler.T_max", "model"])
def test_a_name_of_nothing_is_refused(tmp_path: Path, names: str) -> None:
    with pytest.raises(unbroken.UsageError, match="keep_built"):
        train(tmp_path, 1, schedule=SCHEDULES["cosine"], keep=(names,))


def test_a_cycle_that_is_too_short_for_its_place_is_refused(tmp_path: Path, log: Lines) -> None:
    train(tmp_path, 3, schedule=SCHEDULES["one cycle"], break_at=12)
    with pytest.raises(unbroken.UsageError, match="cannot be brought to where the saved one was"):
        train(tmp_path, 3, schedule=lambda o: schedules.OneCycleLR(o, 0.3, total_steps=5), keep=("scheduler",))


def test_a_checkpoint_that_does_not_say_what_it_was_built_with(tmp_path: Path, log: Lines) -> None:
    def older(config: dict[str, float]) -> dict[str, Any]:
        payload = unbroken.load(tmp_path / "checkpoint_latest.pth")
        for key in ("built", "changes", "request"):
            del payload["unbroken"][key]
        for path in tmp_path.glob("*.pth"):
            path.unlink()
        torch.save(payload, tmp_path / "checkpoint_latest.pth")
        return {"config": config}

    train(tmp_path, 3, break_at=8, options={"config": {"lr": 0.1}})
    assert set(train(tmp_path, 3, lr=0.02, break_at=10, options=older({})).values()) == {0.1}
    assert "optimizer.lr: built with 0.02, goes on with 0.1 as saved" in log.text
    log.lines.clear()
    train(tmp_path / "p", 3, schedule=SCHEDULES["plateau"], break_at=8)
    train(tmp_path, 4, break_at=12, options=older({"lr": 0.1}))
    assert "built with" not in log.text
    assert set(train(tmp_path, 4, lr=0.02, keep=("optimizer.lr",), options=older({"lr": 0.02})).values()) == {0.02}


def test_a_seed_that_is_given_and_not_taken_is_said(tmp_path: Path, log: Lines) -> None:
    train(tmp_path, 3, break_at=8, options={"seed": 1})
    train(tmp_path, 3, break_at=10, options={"seed": 1})
    train(tmp_path, 3, break_at=12)
    assert "seed:" not in log.text
    train(tmp_path, 3, options={"seed": 2})
    assert "seed: given 2, goes on with 1" in log.text
