"""A new run that starts from another file: what it takes, what it refuses, and that a refusal touches nothing."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

import unbroken
from tests.run.loop import BrokenOffError, Lines, Trial, break_off_at
from unbroken.errors import CheckpointDamagedError, GuardError, UsageError
from unbroken.state.snapshot import equal_bits, own_copy


def net(hidden: int = 4, out: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, hidden), nn.Linear(hidden, out))


def begun(folder: Path, path: Path, names: dict[str, str] | None = None, strict: bool = True, **objects: Any) -> Any:
    """Begin a run over these objects that starts from a file."""
    with unbroken.Run(folder, every=None) as run:
        run.track(**objects)
        run.start_from(path, strict=strict, **(names or {}))
        for _ in run.epochs(1):
            pass
    return run


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    Trial(tmp_path / "former").train(2)
    return tmp_path / "former" / "checkpoint_latest.pth"


def test_all_that_is_tracked_is_taken_and_nothing_of_the_position(trained: Path, tmp_path: Path, log: Lines) -> None:
    saved = unbroken.load(trained)
    torch.manual_seed(5)
    trial = Trial(tmp_path / "new")
    trial.run.start_from(trained)
    at_start: dict[str, Any] = {}

    def look(place: str) -> None:
        if place == "prologue 1":
            at_start.update(own_copy(trial.result()))

    trial.train(1, look)
    assert equal_bits(dict(saved["model_state_dict"]), dict(at_start["model"])) is None
    assert at_start["optimizer"]["state"][0]["step"] == saved["optimizer_state_dict"]["state"][0]["step"]
    assert at_start["scheduler"]["last_epoch"] == 2
    assert at_start["history"] == {} and at_start["state"] == {}
    assert trial.trained[0] == (1, 1)
    assert [line for line in log.lines if line.startswith("  taken")] == [
        "  taken    model (4) from model", "  taken    optimizer (1) from optimizer",
        "  taken    scheduler (1) from scheduler",
    ]  # fmt: skip


def test_a_resume_goes_on_with_its_own_state_also_when_the_file_is_gone(
    trained: Path, tmp_path: Path, log: Lines
) -> None:
    def train(folder: str, visit: Any = lambda place: None) -> Trial:
        trial = Trial(tmp_path / folder, every_steps=1)
        trial.run.start_from(trained)
        return trial.train(2, visit)

    whole = train("whole").result()
    with pytest.raises(BrokenOffError):
        train("broken", break_off_at("batch 1 3"))
    trained.unlink()
    del log.lines[:]
    assert equal_bits(train("broken").result(), whole) is None
    assert len([line for line in log.lines if "nothing was taken" in line]) == 1


def test_a_file_of_the_former_run_that_moves_aside(trained: Path) -> None:
    trial = Trial(trained.parent, resume="never")
    trial.run.start_from(trained)
    saved, seen = dict(unbroken.load(trained)["model_state_dict"]), []

    def look(place: str) -> None:
        if place == "prologue 1":
            seen.append((trained.exists(), equal_bits(saved, own_copy(dict(trial.model.state_dict())))))

    trial.train(1, look)
    assert seen == [(True, None)]
    assert list(trained.parent.glob("archive/*/checkpoint_latest.pth"))


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod."])
def test_names_of_wrappers_make_no_difference(prefix: str, tmp_path: Path) -> None:
    donor, path = net(), tmp_path / "weights.pth"
    torch.save({prefix + key: value for key, value in donor.state_dict().items()}, path)
    model, ema = net(), AveragedModel(net())
    begun(tmp_path / "model", path, model=model)
    assert equal_bits(dict(donor.state_dict()), dict(model.state_dict())) is None
    with pytest.raises(GuardError, match=r"ema\.n_averaged"):
        begun(tmp_path / "ema", path, ema=ema)
    begun(tmp_path / "ema", path, strict=False, ema=ema)
    assert equal_bits(dict(donor.state_dict()), dict(ema.module.state_dict())) is None


def test_a_bigger_head_is_refused_untouched_and_taken_in_part_when_asked(
    trained: Path, tmp_path: Path, log: Lines
) -> None:
    torch.save({"model": (donor := net()).state_dict(), "note": {"by": "me"}}, tmp_path / "foreign.pth")
    model = net(out=5)
    before = own_copy(dict(model.state_dict()))
    with pytest.raises(GuardError) as refused:
        begun(tmp_path / "run", tmp_path / "foreign.pth", model=model, other=torch.zeros(2))
    for part in ("note", "model.1.weight (float32[1, 4] → float32[5, 4])", "model.1.bias", "other", "strict=False"):
        assert part in str(refused.value)
    assert equal_bits(before, dict(model.state_dict())) is None
    assert not list((tmp_path / "run").glob("*.pth"))
    begun(tmp_path / "run", tmp_path / "foreign.pth", strict=False, model=model, other=torch.zeros(2))
    assert torch.equal(model[0].weight, donor[0].weight)
    assert torch.equal(model[1].weight, before["1.weight"])
    rows = [line.split()[:2] for line in log.lines if line.startswith("  ")]
    assert rows == [
        ["taken", "model"], ["left", "note"], ["missing", "other"], ["missing", "model.1.weight"],
        ["missing", "model.1.bias"],
    ]  # fmt: skip


def test_names_choose_what_is_taken_and_only_that_counts(trained: Path, tmp_path: Path) -> None:
    saved = unbroken.load(trained)["model_state_dict"]
    first, second = (nn.Sequential(nn.Linear(3, 4), nn.Dropout(), nn.Linear(4, 1)) for _ in range(2))
    optimizer = torch.optim.SGD(first.parameters(), 0.1)
    begun(tmp_path / "run", trained, {"one": "model", "two": "model"}, one=first, two=second, optimizer=optimizer)
    for model in (first, second):
        assert equal_bits(dict(saved), dict(model.state_dict())) is None
    with pytest.raises(GuardError, match="'model', 'optimizer', 'scheduler'"):
        begun(tmp_path / "other", trained, {"one": "weights"}, one=first)


def test_another_optimizer_or_scheduler_is_left_and_the_rest_taken(trained: Path, tmp_path: Path, log: Lines) -> None:
    trial = Trial(tmp_path / "plain")
    model, optimizer = trial.model, torch.optim.SGD(trial.model.parameters(), 0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    before = own_copy({"o": optimizer.state_dict(), "s": scheduler.state_dict()})
    objects = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
    with pytest.raises(GuardError, match=r"optimizer .*scheduler"):
        begun(tmp_path / "run", trained, **objects)
    begun(tmp_path / "run", trained, strict=False, **objects)
    saved = unbroken.load(trained)["model_state_dict"]
    assert equal_bits(dict(saved), dict(model.state_dict())) is None
    after = {"o": optimizer.state_dict(), "s": scheduler.state_dict()}
    assert equal_bits(before, after) is None


def test_other_precision_is_cast_and_said_other_kinds_of_numbers_are_not_taken(tmp_path: Path, log: Lines) -> None:
    donor = net().to(torch.bfloat16)
    torch.save(donor.state_dict(), tmp_path / "half.pth")
    model = net()
    begun(tmp_path / "run", tmp_path / "half.pth", model=model)
    assert torch.equal(model[0].weight, donor[0].weight.float())
    assert "  cast     model.0.weight (bfloat16[4, 3] → float32[4, 3])" in log.lines
    torch.save({"0.weight": torch.ones(4, 3, dtype=torch.int64)}, tmp_path / "whole.pth")
    with pytest.raises(GuardError, match="int64"):
        begun(tmp_path / "other", tmp_path / "whole.pth", model=net())


def test_a_refusal_in_the_middle_gives_back_what_was_taken_before(tmp_path: Path) -> None:
    first, second = nn.Linear(2, 1), nn.Linear(2, 1)
    torch.save({"first": nn.Linear(2, 1).state_dict(), "second": nn.Linear(2, 1).state_dict()}, tmp_path / "two.pth")
    before = own_copy(dict(first.state_dict()))
    with unbroken.Run(tmp_path / "run") as run:
        run.track(first=first, second=second)
        run.start_from(tmp_path / "two.pth")
        calls = []
        load = second.load_state_dict

        def once(*arguments: Any, **more: Any) -> Any:
            calls.append(1)
            if len(calls) == 1:
                raise RuntimeError("not today")
            return load(*arguments, **more)

        second.load_state_dict = once  # type: ignore[method-assign]
        with pytest.raises(GuardError, match="not today"):
            next(iter(run.epochs(1)))
    assert equal_bits(before, dict(first.state_dict())) is None


def test_hostile_and_empty_files(tmp_path: Path) -> None:
    (tmp_path / "bad.pth").write_bytes(b"no file of torch's")
    with pytest.raises(CheckpointDamagedError):
        begun(tmp_path / "run", tmp_path / "bad.pth", model=net())
    torch.save({"epoch": 1}, tmp_path / "empty.pth")
    with pytest.raises(GuardError, match=r"empty\.pth"):
        begun(tmp_path / "run", tmp_path / "empty.pth", model=net())


def test_when_and_of_what_it_may_be_called(tmp_path: Path) -> None:
    with unbroken.Run(tmp_path / "run") as run:
        with pytest.raises(UsageError, match=r"run\.track first"):
            run.start_from("x.pth")
        run.track(model=net(), other=net())
        with pytest.raises(UsageError, match="modle"):
            run.start_from("x.pth", modle="model")
        with pytest.raises(UsageError):
            run.start_from(3)  # type: ignore[arg-type]
        run.start_from("x.pth", model="")
        with pytest.raises(UsageError, match="model"):
            run.start_from("y.pth", model="")
        with pytest.raises(UsageError):
            run.start_from("y.pth")
    with unbroken.Run(tmp_path / "run") as run:
        run.track(model=net())
        for _ in run.epochs(1):
            with pytest.raises(UsageError, match="after the run had begun"):
                run.start_from("x.pth")


# -- containers that are tracked ---------------------------------------------------------------------------------------


@dataclasses.dataclass
class Settings:
    best: float = 0.0
    seen: list[int] = dataclasses.field(default_factory=list)


def test_plain_containers_are_restored_in_place(tmp_path: Path) -> None:
    def train(folder: str, place: str = "") -> Any:
        trial = Trial(tmp_path / folder, every_steps=1)
        meta: dict[str, Any] = {"best": 0.0, "deep": {"list": [torch.zeros(1)]}}
        space, data, seen = SimpleNamespace(count=0, last=None), Settings(), []
        trial.run.track(meta=meta, space=space, data=data, seen=seen)
        inner, tensor, numbers = meta["deep"], meta["deep"]["list"][0], data.seen

        def visit(here: str) -> None:
            meta["best"] += 1.5
            inner[here] = (here, len(inner))
            tensor.add_(1)
            space.count, space.last = space.count + 1, [here]
            numbers.append(space.count)
            data.best -= 1
            seen.append(here)
            if here == place:
                raise BrokenOffError(here)

        trial.train(2, visit)
        assert meta["deep"] is inner and inner["list"][0] is tensor and data.seen is numbers
        return own_copy([meta, vars(space), vars(data), seen])

    whole = train("whole")
    for place in ("batch 1 2", "validation 1", "batch 2 1", "batch 2 5"):
        folder = place.replace(" ", "-")
        with pytest.raises(BrokenOffError):
            train(folder, place)
        assert equal_bits(train(folder), whole) is None, place


@dataclasses.dataclass(frozen=True)
class Fixed:
    rate: float = 0.1


@pytest.mark.parametrize("obj", [Fixed(), (1, 2), 3, "text", frozenset(), None, lambda: 1])
def test_what_cannot_be_filled_in_place_is_refused_with_a_way_on(obj: Any, tmp_path: Path, log: Lines) -> None:
    with unbroken.Run(tmp_path / "run") as run, pytest.raises(UsageError, match=r"run\.local\(thing="):
        run.track(thing=obj)
