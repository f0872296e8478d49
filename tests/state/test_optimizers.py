"""An optimizer's state follows its parameters by name, however the optimizer was put together this time."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.run.beside import Session
from tests.run.loop import BrokenOffError
from tests.state.programs import Program, read, supervised, written
from unbroken.errors import ArchitectureChangedError, CheckpointDamagedError
from unbroken.state.optimizers import match_groups
from unbroken.state.snapshot import equal_bits

Make = Callable[[Any], torch.optim.Optimizer]


def same_shapes(make: Make, order: Callable[[list[Any]], Any] = list, named: bool = False) -> Callable[[int], Program]:
    """A model whose layers all have one shape, so that a permuted state would fit and be wrong."""

    def build(seed: int) -> Program:
        torch.manual_seed(seed)
        model = nn.Sequential(*(nn.Linear(4, 4, bias=False) for _ in range(5)))
        optimizer = make(order(list(model.named_parameters() if named else model.parameters())))

        def step(number: int) -> None:
            supervised(model, optimizer)(number)
            # A sum over the optimizer's own order: its last bits depend on it.
            norm = torch.stack([p.norm() for g in optimizer.param_groups for p in g["params"]]).sum()
            with torch.no_grad():
                model[0].weight.mul_(1 + norm * 1e-3)

        return Program({"model": model, "optimizer": optimizer}, step)

    return build


def backwards(items: list[Any]) -> list[Any]:
    return items[::-1]


def shuffled(items: list[Any]) -> list[Any]:
    return random.Random(4).sample(items, len(items))


def grouped(items: list[Any]) -> list[dict[str, Any]]:
    return [{"params": items[:2], "lr": 0.1}, {"params": items[2:4], "lr": 0.01}, {"params": items[4:], "lr": 0.05}]


def regrouped(items: list[Any]) -> list[dict[str, Any]]:
    a, b, c = grouped(items)
    return [c, {"params": a["params"][::-1]}, b]


@pytest.mark.parametrize("order", [backwards, shuffled])
@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True),
        lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, foreach=True),
        lambda p: torch.optim.LBFGS(p, lr=0.1, max_iter=3, history_size=3),
    ],
    ids=["adam", "sgd", "lbfgs"],
)
@pytest.mark.parametrize("named", [False, True])
def test_parameters_in_another_order_get_their_own_state(
    make: Make, order: Callable[[list[Any]], Any], named: bool
) -> None:
    whole = same_shapes(make, named=named)(0)
    whole.run(range(3))
    file = whole.save()
    whole.run(range(3, 6))
    resumed = same_shapes(make, order, named)(1)
    resumed.restore(file)
    resumed.run(range(3, 6))
    assert equal_bits(whole.everything(), resumed.everything()) is None
    assert whole.tracked.optimizer_parameters() == resumed.tracked.optimizer_parameters()


def test_a_set_of_parameters_gets_its_own_state() -> None:
    def make(p: Any) -> torch.optim.Optimizer:
        return torch.optim.Adam(p, lr=0.01)

    whole = same_shapes(make, backwards)(0)
    whole.run(range(3))
    file = whole.save()
    whole.run(range(3, 6))
    padding = [object() for _ in range(1000)]  # sets are ordered by address: another layout, another order
    resumed = same_shapes(make, lambda items: list(set(items)))(1)
    del padding
    resumed.restore(file)
    resumed.run(range(3, 6))
    assert equal_bits(whole.everything(), resumed.everything()) is None


class Unfreezing:
    """Layers are given to the optimizer one after the other, each in the prologue of an epoch of two steps."""

    def __init__(self, seed: int, named: bool = False) -> None:
        torch.manual_seed(seed)
        self.model = nn.Sequential(*(nn.Linear(4, 4, bias=False) for _ in range(3)))
        self.named = named
        optimizer = torch.optim.Adam(self.group(2), lr=0.1)
        self.program = Program({"model": self.model, "optimizer": optimizer}, supervised(self.model, optimizer))

    def group(self, layer: int) -> Any:
        parameter = self.model[layer].weight
        return [(f"{layer}.weight", parameter)] if self.named else [parameter]

    def prologue(self, epoch: int) -> None:
        if epoch > 0:
            self.program.objects["optimizer"].add_param_group({"params": self.group(2 - epoch), "lr": 0.01 * epoch})

    def run(self, step: int, last: int) -> None:
        while step < last:
            if step % 2 == 0:
                self.prologue(step // 2)
            self.program.run([step])
            step += 1


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("killed", range(7))
def test_groups_given_in_the_course_of_the_run_are_given_again(killed: int, named: bool) -> None:
    whole, first = Unfreezing(0, named), Unfreezing(0, named)
    whole.run(0, 6)
    first.run(0, killed)
    payload = read(first.program.save())
    resumed = Unfreezing(1, named)
    arguments = payload["states"], payload["optimizer_parameters"], payload["extras"]
    if killed % 2:  # in an epoch: its prologue runs again between two restores
        resumed.program.tracked.restore(*arguments, prologue_follows=True)
        resumed.prologue(killed // 2)
    resumed.program.tracked.restore(*arguments)
    resumed.run(killed, 6)
    assert equal_bits(whole.program.everything(), resumed.program.everything()) is None


def test_a_group_left_out_before_a_prologue_leaves_the_others_their_state() -> None:
    saved, resumed = Unfreezing(0), Unfreezing(1)
    saved.run(0, 6)
    payload = read(saved.program.save())
    resumed.prologue(2)  # and not the one of epoch 1
    resumed.program.tracked.restore(
        payload["states"], payload["optimizer_parameters"], payload["extras"], prologue_follows=True
    )
    live, there = resumed.program.objects["optimizer"], payload["states"]["optimizer"]["state"]
    assert len(live.param_groups) == 2
    assert equal_bits(live.state[resumed.model[2].weight], there[0]) is None
    assert equal_bits(live.state[resumed.model[0].weight], there[2]) is None


def test_a_group_that_was_there_from_the_start_is_not_given_again() -> None:
    file = same_shapes(lambda p: torch.optim.Adam(p), grouped)(0).save()
    resumed = same_shapes(lambda p: torch.optim.Adam(p), lambda items: grouped(items)[:2])(1)
    with pytest.raises(ArchitectureChangedError, match=r"missing: model\.4\.weight"):
        resumed.restore(file)


def test_groups_in_another_order_keep_their_settings() -> None:
    def make(p: Any) -> torch.optim.Optimizer:
        return torch.optim.AdamW(p, lr=0.5)

    whole = same_shapes(make, grouped)(0)
    whole.run(range(3))
    file = whole.save()
    whole.run(range(3, 6))
    resumed = same_shapes(make, regrouped)(1)
    resumed.restore(file)
    assert [g["lr"] for g in resumed.objects["optimizer"].param_groups] == [0.1, 0.01, 0.05]
    resumed.run(range(3, 6))
    assert equal_bits(whole.everything(), resumed.everything()) is None


def test_a_plain_files_own_names_are_used() -> None:
    def make(p: Any) -> torch.optim.Optimizer:
        return torch.optim.Adam(p, lr=0.01)

    whole = same_shapes(make, named=True)(0)
    whole.run(range(3))
    states = {"model": whole.objects["model"].state_dict(), "optimizer": whole.objects["optimizer"].state_dict()}
    states = read(written(states))
    whole.run(range(3, 6))
    resumed = same_shapes(make, shuffled, named=False)(1)
    resumed.tracked.restore(states, {})
    resumed.run(range(3, 6))
    assert equal_bits(whole.tracked.state()["model"], resumed.tracked.state()["model"]) is None


def _plain_optimizer_state(sizes: tuple[int, ...]) -> Any:
    parameters = [nn.Parameter(torch.ones(n)) for n in sizes]
    optimizer = torch.optim.Adam(parameters)
    sum((p.sum() for p in parameters), torch.zeros(())).backward()
    optimizer.step()
    return read(written(optimizer.state_dict()))


@pytest.mark.parametrize(
    ("sizes", "said"),
    [((2,), r"groups of \[2\] parameters, the checkpoint of \[1\]"), ((3, 2), r"state\[0\]\.exp_avg has shape \[3\]")],
)
def test_a_plain_files_state_must_fit_by_position(sizes: tuple[int, ...], said: str) -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(3))

    model = Two()
    program = Program({"model": model, "optimizer": torch.optim.Adam(model.parameters())}, lambda n: None)
    with pytest.raises(ArchitectureChangedError, match=said):
        program.tracked.restore({"model": model.state_dict(), "optimizer": _plain_optimizer_state(sizes)})


@pytest.mark.parametrize(
    "state", [{"state": {}}, {"param_groups": 3, "state": {}}, {"param_groups": [{"params": [0]}], "state": {}}, 7]
)
def test_a_broken_optimizer_state_is_a_damaged_checkpoint(state: Any) -> None:
    program = same_shapes(lambda p: torch.optim.Adam(p))(0)
    states = {"model": program.objects["model"].state_dict(), "optimizer": state}
    expected = CheckpointDamagedError if isinstance(state, dict) else ArchitectureChangedError
    with pytest.raises(expected, match="optimizer"):
        program.tracked.restore(states, program.tracked.optimizer_parameters())


names = st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=4), max_size=4).map(
    lambda groups: [[f"m.{i}.{n}" for n in dict.fromkeys(g)] for i, g in enumerate(groups)]
)


@given(names, st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None)
def test_any_permutation_is_matched_exactly(saved: list[list[str]], rng: random.Random) -> None:
    live = [rng.sample(group, len(group)) for group in saved]
    rng.shuffle(live)
    matched = match_groups("optimizer", saved, live)
    assert [[live[g][i] for i in indices] for g, indices in matched] == saved
    assert sorted(g for g, _ in matched) == list(range(len(live)))


@given(names, names)
@settings(max_examples=80, deadline=None)
def test_anything_but_a_permutation_is_refused(saved: list[list[str]], live: list[list[str]]) -> None:
    if sorted(map(sorted, saved)) == sorted(map(sorted, live)):
        return
    with pytest.raises(ArchitectureChangedError):
        match_groups("optimizer", saved, live)


def test_a_tied_parameter_has_one_name_whatever_order_it_is_tracked_in() -> None:
    def program(first: str) -> Program:
        backbone = nn.Linear(2, 2)
        model = nn.Sequential(backbone, nn.Linear(2, 1))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        objects = {"backbone": backbone, "model": model}
        return Program({first: objects.pop(first), **objects, "optimizer": optimizer}, lambda n: None)

    expected = [["backbone.weight", "backbone.bias", "model.1.weight", "model.1.bias"]]
    for first in ("backbone", "model"):
        assert program(first).tracked.optimizer_parameters() == {"optimizer": expected}


class Offset(torch.optim.SGD):
    """Adds to a setting when it is loaded."""

    def load_state_dict(self, state_dict: Any) -> None:
        super().load_state_dict(state_dict)
        self.param_groups[0]["lr"] += 1.0


def test_a_setting_that_does_not_come_back_is_named() -> None:
    build = same_shapes(lambda p: Offset(p, lr=0.1))
    file = build(0).save()
    with pytest.raises(ArchitectureChangedError, match=r"optimizer\.param_groups\[0\]\.lr did not come back"):
        build(1).restore(file)


def test_lists_held_by_others_follow_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[list[Tensor]] = []

    def make(p: Any) -> torch.optim.Optimizer:
        optimizer = torch.optim.SGD(p, lr=0.1)
        held.append(optimizer.param_groups[0]["params"])
        return optimizer

    file = same_shapes(make)(0).save()
    resumed = same_shapes(make, backwards)(1)
    resumed.restore(file)
    assert all(a is b for a, b in zip(held[1], resumed.objects["model"].parameters(), strict=True))


class Around(torch.optim.Optimizer):
    """Shares the containers of the optimizer inside, as many lookaheads do, and has a state of its own."""

    def __init__(self, inner: torch.optim.Optimizer) -> None:
        self.inner, self.defaults = inner, {}
        self.param_groups, self.state = inner.param_groups, inner.state
        self.slow = [p.detach().clone() for group in inner.param_groups for p in group["params"]]
        self.steps = 0

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.inner.zero_grad(set_to_none)

    def step(self, closure: Any = None) -> Any:
        self.inner.step()
        self.steps += 1
        for slow, p in zip(self.slow, (p for group in self.inner.param_groups for p in group["params"]), strict=True):
            if self.steps % 3 == 0:
                p.data.copy_(slow.lerp_(p.detach(), 0.5))

    def state_dict(self) -> dict[str, Any]:
        return self.inner.state_dict()

    def load_state_dict(self, state_dict: Any) -> None:
        self.inner.load_state_dict(state_dict)


def around(session: Session) -> Any:
    model = torch.nn.Linear(6, 1)
    optimizer = Around(torch.optim.Adam(model.parameters(), 0.01))
    session.track(model=model, optimizer=optimizer)
    return session.fit(model, optimizer)


@pytest.mark.parametrize("until", [2, 5, 7])
@pytest.mark.one_in(3)
def test_an_optimizer_that_shares_the_containers_of_another_goes_on_with_both(tmp_path: Path, until: int) -> None:
    whole = around(Session(tmp_path / "whole"))
    with pytest.raises(BrokenOffError):
        around(Session(tmp_path / "run", until=until))
    resumed = around(Session(tmp_path / "run"))
    assert all(map(torch.equal, resumed[0], whole[0]))
