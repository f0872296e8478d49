"""State beside the state_dicts comes back bit for bit, or it is said that it does not."""

import decimal
import pickle
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR, StepLR

import unbroken
from tests.run.beside import EXACT, Meter, Program, Session, linear_over, trained
from tests.run.loop import BrokenOffError, Lines
from unbroken.state.snapshot import encode, equal_bits, own_copy

STEPS = (3, 7, 10, 12)  # inside the first epoch of five steps, inside and at the end of the second, inside the third


@cache
def whole(program: Program) -> Any:
    with TemporaryDirectory() as folder:
        return own_copy(program(Session(Path(folder) / "whole")))


def broken_off(program: Program, folder: Path, step: int) -> None:
    with pytest.raises(BrokenOffError):
        program(Session(folder, until=step))


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("program", EXACT, ids=lambda program: program.__name__)
@pytest.mark.one_in(20)
def test_what_lies_beside_a_state_dict_comes_back(program: Program, step: int, tmp_path: Path) -> None:
    broken_off(program, tmp_path / "run", step)
    resumed = program(Session(tmp_path / "run", start=1))
    assert equal_bits(encode(whole(program), ""), encode(resumed, "")) is None


@pytest.mark.parametrize("program", [EXACT[0], EXACT[3]], ids=lambda program: program.__name__)
@pytest.mark.one_in(2)
def test_it_comes_back_after_every_step_but_one(program: Program, tmp_path: Path) -> None:
    """From resume to resume: also what a former process changed and this one did not."""
    for step in range(1, 14, 2):
        broken_off(program, tmp_path / "run", step)
    assert equal_bits(encode(whole(program), ""), encode(program(Session(tmp_path / "run")), "")) is None


def exact_number(session: Session) -> Any:
    def scale(m: Any, x: Tensor) -> Tensor:
        m.number += 1
        return x * float(m.number)

    return trained(session, linear_over(scale, number=decimal.Decimal(0)))


def made_in_training(session: Session) -> Any:
    def scale(m: Any, x: Tensor) -> Tensor:
        m.meter = m.meter or Meter()
        m.meter.count += 1
        return x * m.meter.count

    return trained(session, linear_over(scale, meter=None))


@pytest.mark.parametrize(("program", "path"), [(exact_number, "model.number"), (made_in_training, "model.meter")])
def test_what_no_checkpoint_can_hold_is_named_once(program: Program, path: str, tmp_path: Path, log: Lines) -> None:
    program(Session(tmp_path / "run"))
    assert len([line for line in log.lines if path in line and "will not bring" in line]) == 1


def dropout(session: Session) -> Any:
    model = nn.Sequential(nn.Linear(6, 4), nn.Dropout(session.facts.get("p", 0.4)), nn.Linear(4, 1))

    def prologue(epoch: int) -> None:
        model[1].p = max(0.1, model[1].p / 2)

    return [trained(session, model, prologue=prologue), model[1].p]


def test_a_value_that_the_resume_overrules_is_said(tmp_path: Path, log: Lines) -> None:
    broken_off(dropout, tmp_path / "run", 7)
    dropout(Session(tmp_path / "run", p=0.3))
    assert any("model.1.p: built with 0.3, goes on with 0.1 as saved" in line for line in log.lines)


def test_nothing_is_said_of_a_value_that_is_built_as_before(tmp_path: Path, log: Lines) -> None:
    broken_off(dropout, tmp_path / "run", 7)
    dropout(Session(tmp_path / "run"))
    assert not any("built with" in line for line in log.lines)


def test_a_buffer_without_a_home_is_an_error(tmp_path: Path) -> None:
    def program(session: Session) -> Any:
        model = nn.Sequential(nn.Linear(6, 1))
        if "gone" not in session.facts:
            inner = nn.Identity()
            inner.register_buffer("table", torch.ones(2), persistent=False)
            model.append(inner)
        return trained(session, model)

    broken_off(program, tmp_path / "run", 3)
    with pytest.raises(unbroken.ArchitectureChangedError, match=r"model\.1\.table"):
        program(Session(tmp_path / "run", gone=True))


def other_optimizer(session: Session) -> Any:
    model = nn.Linear(6, 1)
    optimizer = getattr(torch.optim, session.facts.get("optimizer", "AdamW"))(model.parameters(), lr=0.01)
    build = session.facts.get("scheduler", lambda o: StepLR(o, 2))
    session.track(model=model, optimizer=optimizer, scheduler=build(optimizer))
    return session.fit(model, optimizer)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"optimizer": "SGD"}, "'optimizer' was a AdamW"),
        ({"optimizer": "Adam"}, "'optimizer' was a AdamW"),
        ({"scheduler": lambda o: CosineAnnealingLR(o, 3)}, "'scheduler' was a StepLR"),
    ],
)
def test_another_class_is_refused_by_name(facts: dict[str, Any], said: str, tmp_path: Path) -> None:
    broken_off(other_optimizer, tmp_path / "run", 3)
    with pytest.raises(unbroken.ArchitectureChangedError, match=said):
        other_optimizer(Session(tmp_path / "run", **facts))
    other_optimizer(Session(tmp_path / "run"))  # the way on


class Counter:
    def __init__(self) -> None:
        self.count = 0

    def state_dict(self) -> Any:
        return {"count": self.count}

    def load_state_dict(self, state: Any) -> None:
        self.count = state["count"]


class Refusing(Counter):
    def load_state_dict(self, state: Any) -> None:
        raise KeyError("version")


class Counting(Counter):
    def load_state_dict(self, state: Any) -> None:
        self.count = state["count"] + 1


class Pickled(Counter):
    """Its bytes say where things lay in memory; they read back as others."""

    def state_dict(self) -> Any:
        return {"blob": pickle.dumps((self.count, id(self.__dict__.setdefault("held", object()))))}

    def load_state_dict(self, state: Any) -> None:
        self.count, self.held = pickle.loads(state["blob"])[0], object()


@pytest.mark.parametrize("kind", [Refusing, Counting, Pickled])
def test_an_object_that_does_not_take_its_own_state_is_refused_at_once(kind: type[Counter], tmp_path: Path) -> None:
    with pytest.raises(unbroken.UnsavableStateError, match="'thing'"):
        unbroken.Run(tmp_path / "run").track(thing=kind())


def test_the_trial_leaves_an_object_as_it_was(tmp_path: Path) -> None:
    class Sharing(Counter):
        def __init__(self) -> None:
            super().__init__()
            self.values = [torch.zeros(2)]
            self.alias = self.values

        def state_dict(self) -> Any:
            return {"count": self.count, "values": self.values}

        def load_state_dict(self, state: Any) -> None:
            torch.rand(1)
            self.count, self.values = state["count"], state["values"]
            self.loaded = True

    thing = Sharing()
    held, stream = thing.values, torch.get_rng_state()
    unbroken.Run(tmp_path / "run").track(thing=thing)
    assert thing.values is thing.alias is held
    assert not hasattr(thing, "loaded")
    assert torch.equal(stream, torch.get_rng_state())


class Around(torch.optim.Optimizer):
    """As Accelerate's: an optimizer by class, and nothing of its own."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer = optimizer

    @property
    def param_groups(self) -> Any:  # type: ignore[override]
        return self.optimizer.param_groups

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        self.optimizer.step(closure)

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.optimizer.zero_grad(set_to_none)


def wrapped(session: Session) -> Any:
    model = nn.Linear(6, 1)
    plain = torch.optim.AdamW(model.parameters(), lr=0.01)
    optimizer = Around(plain) if session.facts.get("wrapped", True) else plain
    session.track(model=model, optimizer=optimizer)
    return session.fit(model, optimizer)


@pytest.mark.parametrize("again", [True, False])
def test_a_wrapped_optimizer_is_the_one_inside(again: bool, tmp_path: Path) -> None:
    broken_off(wrapped, tmp_path / "run", 7)
    resumed = wrapped(Session(tmp_path / "run", wrapped=again))
    assert equal_bits(encode(whole(wrapped), ""), encode(resumed, "")) is None


def replaced_by_hand(session: Session) -> Any:
    model = nn.Linear(6, 1)
    tracked = torch.optim.AdamW(model.parameters(), lr=0.01)
    session.track(model=model, optimizer=tracked)
    used: list[torch.optim.Optimizer] = [tracked]

    class Used:
        def zero_grad(self) -> None:
            used[0].zero_grad()

        def step(self) -> None:
            used[0].step()

    def prologue(epoch: int) -> None:
        if epoch == 2:
            used[0] = torch.optim.SGD(model.parameters(), lr=0.05)

    return session.fit(model, Used(), prologue=prologue)


def alternating(session: Session) -> Any:
    """As adversaries do: one steps seldom, the other is clipped by hand, and a third is frozen."""
    one, other, frozen = nn.Linear(6, 1), nn.Linear(6, 6), nn.Linear(6, 6)
    first, second = torch.optim.RMSprop(one.parameters()), torch.optim.Adam(other.parameters())
    session.track(one=one, other=other, first=first, second=second, third=torch.optim.SGD(frozen.parameters(), 0.1))
    for a, _ in session.batches():
        first.zero_grad()
        one(other(a).detach()).mean().backward()
        first.step()
        with torch.no_grad():
            for p in one.parameters():
                p.clamp_(-0.05, 0.05)
        if session.run.step % 4 == 0:
            second.zero_grad()
            one(other(a)).mean().backward()
            second.step()
    return [list(one.parameters()), list(other.parameters())]


@pytest.mark.parametrize(("program", "times"), [(replaced_by_hand, 1), (alternating, 0), (wrapped, 0)])
def test_an_optimizer_that_sleeps_is_said_once(program: Program, times: int, tmp_path: Path, log: Lines) -> None:
    program(Session(tmp_path / "run"))
    assert len([line for line in log.lines if "takes no steps any more" in line]) == times


def last_gradient(session: Session) -> Any:
    """Reads what the step before has left, and drops it: seen from outside it is a loop like any other."""
    model = nn.Linear(6, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    session.track(model=model, optimizer=optimizer)
    for a, b in session.batches():
        before = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
        optimizer.zero_grad()
        nn.functional.mse_loss(model(a), b).backward()
        for p, gradient in zip(model.parameters(), before, strict=True):
            if gradient is not None and p.grad is not None:
                p.grad.add_(gradient, alpha=0.5)
        optimizer.step()
    return list(model.parameters())


@pytest.mark.slow
def test_a_gradient_that_is_only_read_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.run.beside.EPOCHS", 18)
    with TemporaryDirectory() as folder:
        expected = last_gradient(Session(Path(folder) / "whole"))
    broken_off(last_gradient, tmp_path / "run", 83)
    resumed = last_gradient(Session(tmp_path / "run"))
    assert equal_bits(encode(expected, ""), encode(resumed, "")) is None
