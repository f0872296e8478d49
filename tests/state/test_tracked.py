"""What may be tracked, what is refused, and that a refusal leaves everything as it was."""

import logging
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.state.programs import (
    ExtraState,
    Program,
    adversarial,
    read,
    scaled,
    small_model,
    supervised,
    with_model,
    with_optimizer,
    written,
)
from unbroken.errors import ArchitectureChangedError, CheckpointDamagedError, UnsavableStateError, UsageError
from unbroken.state.snapshot import copy_to_host, equal_bits
from unbroken.state.tracked import Tracked


def adam(p: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(p, lr=0.01)


def trained(build: Callable[[int], Program], steps: int = 3) -> Program:
    program = build(0)
    program.run(range(steps))
    return program


def tracking(**objects: Any) -> Tracked:
    tracked = Tracked()
    for name, obj in objects.items():
        tracked.add(name, obj)
    return tracked


class OnlyHalf:
    def state_dict(self) -> dict[str, Any]:
        return {}


@pytest.mark.parametrize(
    "obj",
    [3, (1,), frozenset(), None, OnlyHalf(), nn.Linear, random.SystemRandom(), random, "model", np.ones(2)],
    ids=lambda o: type(o).__name__,
)
def test_what_cannot_be_restored_is_refused_when_tracked(obj: Any) -> None:
    with pytest.raises(UsageError) as raised:
        tracking(thing=obj)
    assert "'thing'" in str(raised.value)


def test_an_object_of_ones_own_is_tracked_by_its_attributes_as_its_refusal_says() -> None:
    half = OnlyHalf()
    with pytest.raises(UsageError, match=r"run\.track\(thing=vars\(thing\)\)"):
        tracking(thing=half)
    tracking(thing=vars(half))
    with pytest.raises(UsageError, match=r"run\.local\(thing=\.\.\.\)"):
        tracking(thing=3)


@pytest.mark.parametrize("name", ["epoch", "unbroken", "model_state_dict", "best_corr", "not a name", "1st", ""])
def test_names_a_checkpoint_needs_itself_are_refused(name: str) -> None:
    with pytest.raises(UsageError):
        tracking(**{name: nn.Linear(1, 1)})


def test_a_name_and_an_object_are_tracked_once() -> None:
    model = nn.Linear(1, 1)
    tracked = tracking(model=model)
    with pytest.raises(UsageError, match="model"):
        tracked.add("model", nn.Linear(1, 1))
    with pytest.raises(UsageError, match="'net' is the same object as 'model'"):
        tracked.add("net", model)
    assert tracked.names == ["model"]


class Unsavable(nn.Module):
    def get_extra_state(self) -> Any:
        return {"hook": print}

    def set_extra_state(self, state: Any) -> None: ...


class Broken:
    def state_dict(self) -> Any:
        raise RuntimeError("not today\nor ever")

    def load_state_dict(self, state: Any) -> None: ...


def test_a_state_that_cannot_be_saved_is_refused_when_tracked_with_its_path() -> None:
    with pytest.raises(UnsavableStateError, match=r"model\._extra_state\.hook"):
        tracking(model=Unsavable())
    with pytest.raises(UnsavableStateError, match="one batch"):
        tracking(model=nn.LazyLinear(3))
    with pytest.raises(UnsavableStateError, match="not today or ever"):
        tracking(thing=Broken())


class Legacy:
    """A scheduler of the user's own with a builtin function in its state."""

    def state_dict(self) -> dict[str, Any]:
        return {"fn": abs}

    def load_state_dict(self, state: Any) -> None: ...


def test_a_function_in_a_state_is_refused_when_tracked() -> None:
    with pytest.raises(UnsavableStateError, match=r"scheduler\.fn"):
        tracking(scheduler=Legacy())


def test_the_same_payload_can_be_restored_from_twice() -> None:
    build = with_optimizer(adam)
    whole = trained(build)
    payload = read(whole.save())
    pristine = read(whole.save())
    resumed = build(1)
    resumed.tracked.restore(payload["states"], payload["optimizer_parameters"], payload["extras"])
    resumed.run(range(3, 6))
    assert equal_bits(payload, pristine) is None, "training changed the payload"
    resumed.tracked.restore(payload["states"], payload["optimizer_parameters"], payload["extras"])
    assert equal_bits(whole.everything(), resumed.everything()) is None


def _rebuilt(change: Callable[[dict[str, Any]], None]) -> Program:
    model = small_model(1)
    objects: dict[str, Any] = {"model": model, "optimizer": adam(model.parameters())}
    change(objects)
    return Program(objects, lambda n: None)


def _wider(objects: dict[str, Any]) -> None:
    model = small_model(1)
    model[4], model[5] = nn.Linear(6, 7), nn.Linear(7, 1)
    objects.update(model=model, optimizer=adam(model.parameters()))


def _deeper(objects: dict[str, Any]) -> None:
    objects["model"].append(nn.Linear(1, 1))
    objects["optimizer"] = adam(objects["model"].parameters())


def _shallower(objects: dict[str, Any]) -> None:
    del objects["model"][5]
    objects["optimizer"] = adam(objects["model"].parameters())


def _half(objects: dict[str, Any]) -> None:
    objects["model"].half()


def _fewer(objects: dict[str, Any]) -> None:
    objects["optimizer"] = adam(list(objects["model"].parameters())[:-1])


def _grouped(objects: dict[str, Any]) -> None:
    ps = list(objects["model"].parameters())
    objects["optimizer"] = adam([{"params": ps[:2]}, {"params": ps[2:]}])


CHANGED: dict[str, tuple[Callable[[dict[str, Any]], None], list[str]]] = {
    "wider": (_wider, ["model.4.weight float32[6, 6] → float32[7, 6]", "model.5.weight float32[1, 6] → float32[1, 7]"]),
    "deeper": (_deeper, ["model.6.weight float32[1, 1] is new", "model.6.bias float32[1] is new"]),
    "shallower": (_shallower, ["model.5.weight float32[1, 6] is missing"]),
    "half": (_half, ["model.0.weight float32[6, 4] → float16[6, 4]", "model.1.running_mean"]),
    "fewer": (_fewer, ["missing: model.5.bias"]),
    "grouped": (_grouped, ["no group holds just model.0.weight"]),
    "untracked": (lambda o: o.pop("optimizer"), ["in the checkpoint only: optimizer"]),
    "more": (lambda o: o.update(noise=torch.Generator()), ["not in the checkpoint: noise"]),
    "kind": (lambda o: o.update(optimizer=torch.Generator()), ["'optimizer' is not the state of a Generator"]),
}


@pytest.mark.parametrize("kind", CHANGED)
def test_another_architecture_is_refused_and_named(kind: str) -> None:
    change, named = CHANGED[kind]
    payload = read(trained(with_optimizer(adam)).save())
    other = _rebuilt(change)
    before = copy_to_host(other.everything())
    with pytest.raises(ArchitectureChangedError) as raised:
        other.tracked.restore(payload["states"], payload["optimizer_parameters"], payload["extras"])
    for name in named:
        assert name in str(raised.value)
    assert equal_bits(before, copy_to_host(other.everything())) is None, "a refusal touched something"


def test_the_architecture_is_compared_by_the_saved_description_too() -> None:
    saved = trained(with_optimizer(adam)).tracked.architecture()
    assert saved["model.0.weight"] == [[6, 4], "float32"]
    assert saved["model.1.num_batches_tracked"] == [[], "int64"]
    other = _rebuilt(_wider)
    with pytest.raises(ArchitectureChangedError, match=r"model\.5\.weight"):
        other.tracked.compare_architecture(read(written(copy_to_host(saved))))
    trained(with_optimizer(adam)).tracked.compare_architecture(saved)


def test_mixed_precision_switched_off_is_refused() -> None:
    file = trained(scaled).save()
    resumed = scaled(1)
    resumed.objects["scaler"]._enabled = False
    with pytest.raises(ArchitectureChangedError, match="scaler"):
        resumed.restore(file)


class Forgetful:
    def __init__(self) -> None:
        self.kept, self.lost = 1, 1

    def state_dict(self) -> dict[str, int]:
        return {"kept": self.kept, "lost": self.lost}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.kept = state.pop("kept")


class Failing(Forgetful):
    def load_state_dict(self, state: dict[str, int]) -> None:
        raise KeyError("version")


@pytest.mark.parametrize(
    ("cls", "said"), [(Forgetful, r"thing\.lost did not come back"), (Failing, "KeyError: 'version'")]
)
def test_an_object_that_does_not_come_back_as_saved_is_named(cls: type[Forgetful], said: str) -> None:
    saved = cls()
    saved.lost = 5
    states = read(written(copy_to_host(tracking(thing=saved).state())))
    with pytest.raises(ArchitectureChangedError, match=said):
        tracking(thing=cls()).restore(states, {}, {"modules": {}, "optimizers": {}, "functions": {}})


def test_a_state_dict_may_be_taken_apart_by_its_object() -> None:
    """CyclicLR pops from what it is given; the payload must not suffer."""

    class Popping(Forgetful):
        def load_state_dict(self, state: dict[str, int]) -> None:
            self.kept, self.lost = state.pop("kept"), state.pop("lost")

    saved = Popping()
    saved.kept = 3
    states = read(written(copy_to_host(tracking(thing=saved).state())))
    fresh = Popping()
    tracked = tracking(thing=fresh)
    for _ in range(2):
        tracked.restore(states)
    assert fresh.kept == 3


class Casting(nn.Linear):
    """Rounds what it loads, as quantizing modules do."""

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        state_dict[prefix + "weight"] = state_dict[prefix + "weight"].round()
        super()._load_from_state_dict(state_dict, prefix, *args)


def test_a_tensor_that_loading_changed_is_put_back() -> None:
    torch.manual_seed(0)
    saved, fresh = Casting(3, 3), Casting(3, 3)
    states = read(written(copy_to_host(tracking(model=saved).state())))
    tracking(model=fresh).restore(states)
    assert equal_bits(saved.weight, fresh.weight) is None


class Sealed(nn.Linear):
    """Gives out copies of its state, which nobody can write through."""

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        return {"weight": self.weight.detach().clone()}

    def load_state_dict(self, state: Any, **kwargs: Any) -> Any:
        return None


def test_a_module_that_cannot_be_put_right_is_refused() -> None:
    torch.manual_seed(0)
    states = read(written(copy_to_host(tracking(model=Sealed(2, 2)).state())))
    with pytest.raises(ArchitectureChangedError, match=r"model\.weight did not come back"):
        tracking(model=Sealed(2, 2)).restore(states)


def test_generators_of_another_kind_are_refused() -> None:
    states = read(written(copy_to_host(tracking(rng=np.random.Generator(np.random.PCG64(1))).state())))
    with pytest.raises(ArchitectureChangedError, match="'rng' refused"):
        tracking(rng=np.random.Generator(np.random.MT19937(1))).restore(states)


def test_a_bare_tensor_is_restored_in_place_and_guarded() -> None:
    saved, fresh = torch.randn(3, requires_grad=True), torch.zeros(3, requires_grad=True)
    states = read(written(copy_to_host(tracking(alpha=saved).state())))
    tracking(alpha=fresh).restore(states)
    assert torch.equal(saved, fresh)
    assert fresh.is_leaf and fresh.requires_grad
    with pytest.raises(ArchitectureChangedError, match=r"alpha.*float32\[3\] → float32\[4\]"):
        tracking(alpha=torch.zeros(4)).restore(states)


def _plain_file(program: Program, wrap: str = "") -> dict[str, Any]:
    """What a script without this library would have saved."""
    model, optimizer = program.objects["model"], program.objects["optimizer"]
    states = {
        "model": {wrap + key: value for key, value in model.state_dict().items()},
        "optimizer": optimizer.state_dict(),
        "scheduler": None,
    }
    return dict(read(written(states)))


@pytest.mark.parametrize("wrap", ["", "_orig_mod.", "module.", "module._orig_mod."])
def test_a_plain_scripts_file_is_resumed_from(wrap: str) -> None:
    build = with_optimizer(adam)
    whole = trained(build)
    states = _plain_file(whole, wrap)
    whole.run(range(3, 6))
    resumed = build(1)
    resumed.tracked.restore(states)
    resumed.run(range(3, 6))
    assert equal_bits(whole.tracked.state(), resumed.tracked.state()) is None


def test_what_a_plain_file_lacks_stays_as_built_and_is_said(caplog: pytest.LogCaptureFixture) -> None:
    model = small_model(1)
    optimizer = adam(model.parameters())
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    tracked = tracking(model=model, optimizer=optimizer, scheduler=scheduler)
    with caplog.at_level(logging.WARNING, "unbroken"):
        tracked.restore(_plain_file(trained(with_optimizer(adam))) | {"ema": {}})
    assert "no state for scheduler" in caplog.text
    assert "state of ema" in caplog.text


def test_frozen_parameters_modes_and_hidden_buffers_come_back(caplog: pytest.LogCaptureFixture) -> None:
    def build(seed: int) -> Program:
        model = small_model(seed)
        model.register_buffer("cache", torch.full((2,), float(seed)), persistent=False)
        model.register_buffer("late", None, persistent=False)
        optimizer = adam(model.parameters())
        return Program({"model": model, "optimizer": optimizer}, supervised(model, optimizer))

    saved, fresh = build(3), build(1)
    saved.objects["model"][0].requires_grad_(False)
    saved.objects["model"].eval()
    saved.objects["model"][2].train()
    saved.objects["model"].late = torch.ones(3)
    saved.objects["model"].cache = torch.ones(5)
    with caplog.at_level(logging.INFO, "unbroken"):
        fresh.restore(saved.save())
    model = fresh.objects["model"]
    assert [m.training for m in model] == [False, False, True, False, False, False]
    assert not model.training
    assert [n for n, p in model.named_parameters() if not p.requires_grad] == ["0.weight", "0.bias"]
    assert model.cache.tolist() == [1.0] * 5
    assert model.late.tolist() == [1.0] * 3
    assert "model.0.weight" in caplog.text
    assert "cache" not in model.state_dict()


def test_parameters_of_nothing_tracked_are_kept_by_their_optimizer() -> None:
    def build(seed: int) -> Program:
        torch.manual_seed(seed)
        model, head = nn.Linear(4, 4), nn.Linear(4, 1)
        optimizer = adam([*model.parameters(), *head.parameters()])
        program = Program({"model": model, "optimizer": optimizer}, supervised(nn.Sequential(model, head), optimizer))
        program.extra["head"] = head
        return program

    whole = trained(build)
    file = whole.save()
    whole.run(range(3, 6))
    resumed = build(1)
    resumed.restore(file)
    resumed.run(range(3, 6))
    assert equal_bits(whole.everything(), resumed.everything()) is None
    assert equal_bits(whole.extra["head"].state_dict(), resumed.extra["head"].state_dict()) is None
    assert list(whole.tracked.parameters()) == ["model.weight", "model.bias", "optimizer[0][2]", "optimizer[0][3]"]


def test_a_compiled_models_checkpoint_fits_the_plain_model_and_back() -> None:
    def compiled(m: nn.Module) -> nn.Module:
        return torch.compile(m, backend="eager")  # type: ignore[return-value]

    builds = [with_optimizer(adam), with_optimizer(adam, compiled), with_optimizer(adam, nn.DataParallel)]
    whole = trained(builds[0])
    whole.run(range(3, 5))
    for first in builds:
        file = trained(first).save()
        assert "0.weight" in read(file)["states"]["model"]
        for second in builds:
            resumed = second(1)
            resumed.restore(file)
            resumed.run(range(3, 5))
            assert equal_bits(whole.everything(), resumed.everything()) is None
    assert [build(0).tracked.compiled for build in builds] == [False, True, False]


class Inner(nn.Module):
    def __init__(self, wrap: Callable[[nn.Module], Any]) -> None:
        super().__init__()
        self.first = wrap(nn.Linear(2, 2))
        self.second = nn.Sequential(wrap(nn.BatchNorm1d(2)))


@pytest.mark.parametrize(
    "wrap", [lambda m: torch.compile(m, backend="eager"), nn.DataParallel], ids=["compiled", "parallel"]
)
def test_wrapped_parts_have_bare_names_too(wrap: Callable[[nn.Module], Any]) -> None:
    wrapped, plain = Inner(wrap), Inner(lambda m: m)
    assert list(tracking(model=wrapped).state()["model"]) == list(plain.state_dict())
    assert tracking(model=wrapped).state()["model"]._metadata == plain.state_dict()._metadata
    assert list(tracking(model=wrapped).architecture()) == list(tracking(model=plain).architecture())
    assert list(tracking(model=wrapped).parameters()) == list(tracking(model=plain).parameters())
    states = read(written(copy_to_host(tracking(model=wrapped).state())))
    tracking(model=plain).restore(states)
    assert equal_bits(tracking(model=wrapped).state(), tracking(model=plain).state()) is None
    tracking(model=wrapped).restore(states)


class Versioned(nn.Linear):
    _version = 3
    seen = None

    def _load_from_state_dict(self, state_dict: Any, prefix: str, local_metadata: Any, *args: Any) -> None:
        self.seen = local_metadata.get("version")
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args)


@pytest.mark.parametrize("wrap", [lambda m: m, nn.DataParallel], ids=["plain", "parallel"])
def test_modules_see_the_version_they_were_saved_with(wrap: Callable[[nn.Module], Any]) -> None:
    states = read(written(copy_to_host(tracking(model=nn.Sequential(wrap(Versioned(2, 2)))).state())))
    inner = Versioned(2, 2)
    tracking(model=nn.Sequential(inner)).restore(states)
    assert inner.seen == 3


def test_a_buffer_born_in_training_comes_back_into_a_fresh_module() -> None:
    saved = with_model(ExtraState)(0)
    saved.run(range(2))
    fresh = with_model(ExtraState)(1)
    assert fresh.objects["model"].born is None
    fresh.restore(saved.save())
    assert equal_bits(saved.everything(), fresh.everything()) is None


def _with_expanded(value: float) -> tuple[nn.Module, torch.Tensor]:
    """Tensors whose elements share memory: a buffer, a frozen parameter, a tracked one."""
    model = nn.Linear(2, 2)
    model.register_buffer("mask", torch.full((3, 1), value).expand(3, 4))
    model.register_parameter("shift", nn.Parameter(torch.full((1,), value).expand(5), requires_grad=False))
    return model, torch.full((1, 2), value).expand(4, 2)


@pytest.mark.parametrize("then", [1.0, 2.0, "dense"])
def test_tensors_whose_elements_share_memory_come_back(then: float | str) -> None:
    model, tensor = _with_expanded(1.0 if then == "dense" else float(then))
    if then == "dense":
        model.mask = torch.randn(3, 4)
    saved = read(written(copy_to_host(tracking(model=model, tensor=tensor).state())))
    fresh, other = _with_expanded(1.0)
    buffer, tracked = fresh.mask, tracking(model=fresh, tensor=other)
    tracked.restore(saved)
    assert equal_bits(saved, tracked.state()) is None and fresh.mask is buffer
    strides = [fresh.mask.stride(), fresh.shift.stride(), other.stride()]
    assert strides == [(4, 1) if then == "dense" else (1, 0), (0,), (0, 1)]


class Log(nn.Module):
    """Its own extra state is a tensor that grows."""

    def __init__(self) -> None:
        super().__init__()
        self.log = torch.zeros(0)

    def get_extra_state(self) -> torch.Tensor:
        return self.log

    def set_extra_state(self, state: torch.Tensor) -> None:
        self.log = state


def test_extra_state_may_be_of_any_size() -> None:
    saved, fresh = Log(), Log()
    saved.log = torch.ones(3)
    states = read(written(copy_to_host(tracking(model=saved).state())))
    tracking(model=fresh).restore(states)
    assert fresh.log.tolist() == [1.0] * 3
    fresh.log.zero_()
    assert states["model"]["_extra_state"].tolist() == [1.0] * 3, "the payload was changed"


def test_the_expected_size_is_that_of_the_file() -> None:
    def build(seed: int) -> Program:
        model = nn.Sequential(nn.Linear(300, 1000), nn.Linear(1000, 10))
        optimizer = adam(model.parameters())
        return Program(
            {"model": model, "optimizer": optimizer},
            supervised(model, optimizer, inputs=lambda: torch.randn(2, 300)),
        )

    program = build(0)
    before = program.tracked.expected_bytes()
    program.run(range(1))
    size = len(program.save())
    assert size <= before <= size + (256 << 10)
    assert size <= program.tracked.expected_bytes() <= size + (256 << 10)


def test_the_expected_size_counts_what_each_small_tensor_takes_beside_its_own_bytes() -> None:
    def build(start: int) -> Program:
        model = nn.Sequential(*(nn.Linear(2, 2) for _ in range(300)))
        optimizer = torch.optim.Adam(model.parameters())
        return Program(
            {"model": model, "optimizer": optimizer},
            supervised(model, optimizer, inputs=lambda: torch.randn(2, 2)),
        )

    program = build(0)
    before = program.tracked.expected_bytes()
    program.run(range(1))
    size = len(program.save())
    assert size <= before <= 2 * size
    assert size <= program.tracked.expected_bytes() <= 2 * size


@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr, torch.sparse_bsc])
def test_the_expected_size_counts_sparse_tensors(layout: torch.layout) -> None:
    model = nn.Linear(1, 1)
    blocks = (2, 2) if layout == torch.sparse_bsc else None
    model.register_buffer("sparse", torch.ones(400, 400).to_sparse(layout=layout, blocksize=blocks))
    tracked = Tracked()
    tracked.add("model", model)
    assert 400 * 400 * 4 <= tracked.expected_bytes() <= 400 * 400 * 20 + (256 << 10)


def test_the_adversarial_program_names_all_it_has() -> None:
    program = adversarial(0)
    assert "log_alpha" in program.tracked.parameters()
    assert program.tracked.optimizer_parameters()["opt_alpha"] == [["log_alpha"]]
    assert list(program.tracked.optimizers) == ["opt_g", "opt_c", "opt_alpha"]


@pytest.mark.parametrize("values", [{"model": {"p": {}}}, {"model": {"p": {"kind": "list"}}}, {"model": 3}])
def test_damaged_attributes_are_damage(values: Any) -> None:
    model = nn.Linear(2, 2)
    tracked = tracking(model=model)
    extras = tracked.extras()
    with pytest.raises(CheckpointDamagedError, match="attributes"):
        tracked.restore(tracked.state(), {}, extras, attributes={"values": values, "built": {}, "gone": []})


def test_a_file_does_not_decide_what_a_module_is_made_of() -> None:
    model = nn.Linear(2, 2)
    tracked = tracking(model=model)
    values = {"model": {"_modules": {"value": 1}, "_forward_hooks": {"value": 2}, "note": {"value": "kept"}}}
    attributes = {"values": values, "built": {}, "gone": []}
    tracked.restore(tracked.state(), {}, tracked.extras(), attributes=attributes)
    assert model(torch.ones(1, 2)).shape == (1, 2)
    assert model.note == "kept"


@pytest.mark.parametrize("noted", [{"kind": "ref"}, {"kind": "ref", "to": 3}, {"kind": "list", "flat": 1}])
def test_a_dict_that_looks_like_a_part_of_a_tree_is_kept_as_any_other(noted: dict[str, Any]) -> None:
    saved, fresh = nn.Linear(2, 2), nn.Linear(2, 2)
    saved.built, fresh.built = dict(noted), dict(noted)
    trackeds = [tracking(model=model) for model in (saved, fresh)]
    for tracked in trackeds:
        tracked.remember_built()
    saved.note = noted
    attributes = trackeds[0].attributes()
    trackeds[1].restore(trackeds[0].state(), {}, trackeds[0].extras(), attributes=attributes)
    assert fresh.note == noted
    trackeds[1].attributes()


class Tally:
    def __init__(self) -> None:
        self.new = 0


@pytest.mark.parametrize("make", [lambda: {"new": 0, "same": 0}, Tally])
def test_what_changes_under_a_name_that_trees_have_is_kept(make: Any) -> None:
    saved, fresh = nn.Linear(2, 2), nn.Linear(2, 2)
    saved.tally, fresh.tally = make(), make()
    trackeds = [tracking(model=model) for model in (saved, fresh)]
    for tracked in trackeds:
        tracked.remember_built()
    content: list[dict[str, int]] = [one if isinstance(one, dict) else vars(one) for one in (saved.tally, fresh.tally)]
    content[0]["new"] = 3
    attributes = trackeds[0].attributes()
    trackeds[1].restore(trackeds[0].state(), {}, trackeds[0].extras(), attributes=attributes)
    assert content[1] == content[0]


class Scaled:
    """Its ``load_state_dict`` makes another dictionary, as most do."""

    def __init__(self) -> None:
        self.scale = {"mean": 0.0}

    def state_dict(self) -> dict[str, Any]:
        return {"scale": self.scale}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.scale = dict(state["scale"])


@pytest.mark.parametrize("mean", [0.0, 0.5])
def test_what_others_hold_is_the_object_that_comes_back_changed_or_not(mean: float) -> None:
    saved = Scaled()
    tracked = tracking(scaled=saved)
    tracked.remember_built()
    saved.scale["mean"] = mean
    payload = tracked.state(), {}, tracked.extras()
    attributes = tracked.attributes()

    fresh = Scaled()
    held = fresh.scale
    again = tracking(scaled=fresh)
    again.restore(*payload, attributes=attributes, prologue_follows=True)
    assert fresh.scale is held
    again.restore(*payload, attributes=attributes)
    assert fresh.scale is held and held == {"mean": mean}
    assert again.attributes() == attributes
