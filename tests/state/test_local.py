"""Variables that a loop keeps in the run: each comes back as the object it was, wherever the loop was broken off."""

import collections
import dataclasses
import enum
import logging
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import unbroken
from tests.run.beside import EPOCHS, Session
from tests.run.loop import BrokenOffError, Lines
from unbroken.errors import ArchitectureChangedError, CheckpointDamagedError, UnsavableStateError, UsageError
from unbroken.state.encoding import decode, encode
from unbroken.state.local import Locals
from unbroken.state.plain import look
from unbroken.state.revalued import wrong_together
from unbroken.state.snapshot import copy_to_host
from unbroken.state.tracked import Tracked
from unbroken.state.values import Describer, without_places


class Point(NamedTuple):
    x: Any
    y: Any


class Colour(enum.Enum):
    RED = 1


@dataclasses.dataclass
class Meter:
    total: Any = 0.0
    counts: list[int] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    name: str
    inside: Any = ()


def fresh(known: dict[str, object] | None = None, **values: Any) -> Locals:
    made = Locals(lambda: known or {})
    made.declare(values)
    return made


def through_a_file(owner: Locals) -> dict[str, Any]:
    trees: dict[str, Any] = decode(copy_to_host(owner.capture()))
    assert not wrong_together(trees.values())
    return trees


def looks(value: Any) -> str:
    return look(without_places(Describer(dict).describe(value, "value")))


def as_restored(value: Any, into: Any = None) -> Any:
    owner = fresh(value=None)
    owner.remember_built()
    owner.local.value = value
    other = fresh(value=into)
    other.restore(through_a_file(owner))
    return other.local.value


# -- whole loops -----------------------------------------------------------------------------------------------------


def early_stopping(session: Session, local: Any) -> None:
    for _epoch in session.run.epochs(EPOCHS):
        local.losses = []
        losses = local.losses
        for value in steps(session):
            losses.append(value)
            local.window.append(value)
            local.total += value
        mean = sum(losses) / len(losses)
        if local.best is None or mean < local.best:
            local.best, local.patience = mean, 0
        else:
            local.patience += 1
            local.lr /= 4


def everything(session: Session, local: Any) -> None:
    alias = local.meter.counts
    for epoch in session.run.epochs(EPOCHS):
        local.epochs_seen.add(epoch)
        for value in steps(session):
            local.hidden = local.hidden * 0.5 + value
            local.array[session.run.step % 3] += value
            local.point = Point(local.point.x + value, local.hidden)
            local.by_name["sum"] += value
            local.by_name.setdefault("deep", [{}])[0][session.run.step] = (value, local.hidden)
            local.meter.total += value
            alias.append(session.run.step)
            local.frozen = Frozen(f"step {session.run.step}", (value,))
            local.space.seen = local.frozen
            local.counter[session.run.batch] += 1
            local.weight.data.mul_(1 + value)
            local.wide = np.float32(local.wide * 1.5 + value)


GIVEN: dict[Any, Callable[[], dict[str, Any]]] = {
    early_stopping: lambda: {
        "best": None, "lr": 20.0, "patience": 0, "total": 0.0, "losses": None,
        "window": collections.deque(maxlen=3),
    },
    everything: lambda: {
        "hidden": torch.zeros(2, 2), "array": np.zeros(3), "point": Point(0, None), "epochs_seen": set(),
        "by_name": collections.defaultdict(float), "meter": Meter(), "frozen": None,
        "space": SimpleNamespace(seen=None),
        "counter": collections.Counter(), "weight": torch.ones(2, requires_grad=True), "wide": np.float32(1),
    },
}  # fmt: skip


def steps(session: Session) -> Any:
    for a, b in session.run.batches(session.loader):  # type: ignore[attr-defined]
        loss = nn.functional.mse_loss(session.model(a), b)  # type: ignore[attr-defined]
        session.optimizer.zero_grad()  # type: ignore[attr-defined]
        loss.backward()
        session.optimizer.step()  # type: ignore[attr-defined]
        session.stop_here()
        yield loss.item()


def session_of(folder: Path, until: int | None) -> Any:
    session: Any = Session(folder, until)
    session.model = nn.Linear(6, 1)
    session.optimizer = torch.optim.SGD(session.model.parameters(), 0.05)
    session.loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(session.x, session.y), 8, shuffle=True)
    session.track(model=session.model, optimizer=session.optimizer)
    return session


def run(script: Any, folder: Path, until: int | None = None, **values: Any) -> dict[str, str]:
    session = session_of(folder, until)
    given = {**GIVEN[script](), **values}
    local = session.run.local(**given)
    with session.run:
        script(session, local)
    return {name: looks(getattr(local, name)) for name in given}


@pytest.mark.parametrize("script", list(GIVEN))
@pytest.mark.one_in(2)
def test_a_loop_broken_off_anywhere_has_its_variables_back(script: Any, tmp_path: Path) -> None:
    whole = run(script, tmp_path / "whole")
    for until in (1, 4, 5, 6, 9, 14):  # an epoch has five
        folder = tmp_path / str(until)
        with pytest.raises(BrokenOffError):
            run(script, folder, until)
        assert run(script, folder) == whole, until


AT_THE_TOP = """
run = session.run
best, window, seen = None, deque(maxlen=3), {"values": []}
run.local(globals(), best=best, window=window, seen=seen, total=0.0)
values = seen["values"]
with run:
    for epoch in run.epochs(EPOCHS):
        total = 0.0
        for value in steps(session):
            total = add(value)
            window.append(value)
            values.append(value)
        if best is None or total < best:
            best = total
"""


def run_at_the_top(folder: Path, until: int | None = None) -> dict[str, str]:
    """A script whose loop is in no function; one of its functions says ``global``."""
    session = session_of(folder, until)
    names: dict[str, Any] = {"session": session, "steps": steps, "deque": collections.deque, "EPOCHS": EPOCHS}
    exec("def add(value):\n    global total\n    total += value\n    return total", names)
    exec(AT_THE_TOP, names)
    return {name: looks(names[name]) for name in ("best", "window", "seen", "total", "values")}


def test_variables_at_the_top_of_a_script_keep_their_names(tmp_path: Path, log: Lines) -> None:
    whole = run_at_the_top(tmp_path / "whole")
    for until in (1, 5, 6, 9, 14):
        folder = tmp_path / str(until)
        with pytest.raises(BrokenOffError):
            run_at_the_top(folder, until)
        assert run_at_the_top(folder) == whole, until
    # That dict of names is a variable of the test's own.
    assert {line for line in log.lines if "at the save: " in line and "at the save: names (" not in line} == set()


def test_a_function_has_no_variables_in_globals(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNBROKEN_LANG", "en")
    patience = 1
    with unbroken.Run(tmp_path / "run") as run:
        with pytest.raises(UsageError, match="'patience' is a variable of the function test_a_function"):
            run.local(globals(), patience=patience)
        for other in (locals(), vars(run), {"patience": 0}):
            with pytest.raises(UsageError, match=r"has to be globals\(\)"):
                run.local(other, best=None)
        assert "best" not in globals()


def test_a_global_that_was_deleted_is_no_error(tmp_path: Path) -> None:
    names: dict[str, Any] = {"__builtins__": {}}
    owner = fresh(kept=1)
    owner.declare({"gone": 2, "there": 3}, names)
    del names["gone"]
    assert owner.names == ["kept", "there"]
    other = Locals(dict)
    other.declare({"gone": 5, "there": 6}, names := {"__builtins__": {}})
    other.restore(through_a_file(owner))
    assert (names["gone"], names["there"]) == (5, 3)


def test_the_code_before_the_batches_finds_the_variables_of_the_epochs_start(tmp_path: Path) -> None:
    seen: list[Any] = []

    def train(until: int | None) -> None:
        session = Session(tmp_path / "run", until)
        model = nn.Linear(6, 1)
        session.track(model=model)
        local = session.run.local(count=0, entries=[])

        def prologue(epoch: int) -> None:
            seen.append((epoch, local.count, list(local.entries)))
            local.entries.append("prologue")

        for _ in session.batches(prologue):
            local.count += 1
            local.entries.append(local.count)

    with pytest.raises(BrokenOffError):
        train(8)
    before = seen[-1]
    del seen[:]
    train(None)
    assert seen[0] == before
    assert seen[-1][1] == 10


# -- one value -------------------------------------------------------------------------------------------------------

_LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.binary(max_size=5),
    st.just(Colour.RED),
    st.builds(lambda x: torch.tensor([x]), st.floats(width=32)),
    st.builds(lambda x: torch.tensor([x], requires_grad=True), st.floats(width=32)),
    st.builds(np.float64, st.floats()), st.builds(np.int64, st.integers(-5, 5)), st.builds(np.float32, st.just(1.5)),
    st.builds(lambda x: np.array([x, 1], dtype=np.int16), st.integers(-5, 5)),
)  # fmt: skip
_KEYS = st.one_of(
    st.text(max_size=3), st.integers(-3, 3), st.just("__unbroken__"), st.tuples(st.integers(0, 2)), st.just(Colour.RED)
)


def _containers(inside: Any) -> Any:
    lists, dicts = st.lists(inside, max_size=3), st.dictionaries(_KEYS, inside, max_size=3)
    return st.one_of(
        lists, lists.map(tuple), st.builds(collections.deque, lists, st.sampled_from([None, 2])),
        dicts, dicts.map(collections.OrderedDict), dicts.map(lambda d: collections.defaultdict(list, d)),
        st.builds(Point, inside, inside), st.builds(Meter, inside, st.just([1])),
        st.builds(Frozen, st.just("a"), inside),
        st.builds(lambda x: SimpleNamespace(x=x), inside), st.sets(_KEYS), st.frozensets(_KEYS),
        inside.map(lambda x: [x, x]),
    )  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.recursive(_LEAVES, _containers, max_leaves=8))
def test_any_nested_value_comes_back_type_for_type(value: Any) -> None:
    back = as_restored(value)
    assert type(back) is type(value)
    assert looks(back) == looks(value)


def test_kinds_are_kept_to_the_last_detail() -> None:
    parameter = nn.Parameter(torch.ones(2))
    parameter.grad = torch.full((2,), 3.0)
    back = as_restored([collections.deque([1, 2], 2), parameter, torch.ones(1, dtype=torch.bfloat16), np.float64(2)])
    assert back[0].maxlen == 2
    assert type(back[1]) is nn.Parameter and back[1].requires_grad and back[1].grad.tolist() == [3, 3]
    assert back[2].dtype is torch.bfloat16 and not back[2].requires_grad
    assert type(back[3]) is np.float64
    assert as_restored(collections.defaultdict(list))["new"] == []


def test_one_object_under_several_names_stays_one_also_in_a_circle() -> None:
    shared: list[Any] = [1]
    shared.append(shared)
    tensor = torch.zeros(2)
    owner = fresh(a=shared, b={"deep": shared}, c=(tensor, tensor), d=tensor)
    other = fresh(b=None, c=None, d=None)  # the name that has the object first is gone
    other.restore(through_a_file(owner))
    deep = other.local.b["deep"]
    assert deep[0] == 1 and deep[1] is deep
    assert other.local.c[0] is other.local.c[1] is other.local.d


def test_a_detached_twin_keeps_its_own_flags() -> None:
    leaf = torch.ones(2, requires_grad=True)
    back = as_restored([leaf, leaf.detach()])
    assert [one.requires_grad for one in back] == [True, False]


def test_what_the_program_built_is_filled_in_place_and_nothing_else() -> None:
    def build() -> tuple[Locals, list[int], list[int]]:
        kept, replaced = [0], [0]
        return fresh(kept=kept, replaced=replaced), kept, replaced

    owner, _, _ = build()
    owner.remember_built()
    owner.local.kept.append(1)
    owner.local.replaced = [*owner.local.replaced, 1]
    other, kept, replaced = build()
    other.restore(through_a_file(owner))
    assert other.local.kept is kept and kept == [0, 1]
    assert other.local.replaced == [0, 1] and replaced == [0]


def test_a_tensor_of_numpys_new_axis_is_filled_in_place_and_an_expanded_one_is_not() -> None:
    for strides, filled in (((1, 0), True), ((0, 1), False)):
        owner, other = (fresh(value=torch.zeros(4).as_strided((4, 1), strides)) for _ in range(2))
        for one in (owner, other):
            one.remember_built()
        built = other.local.value
        other.restore(through_a_file(owner))
        assert (other.local.value is built) is filled


def test_what_is_restored_can_be_restored_again_after_it_was_changed() -> None:
    trees = through_a_file(fresh(list=[0], tensor=torch.zeros(1), array=np.zeros(1), new=Meter()))
    owner = fresh(list=None, tensor=None, array=None, new=None)
    for _ in range(2):
        owner.restore(trees)
        local = owner.local
        assert local.list == [0] and local.tensor.item() == local.array.item() == local.new.total == 0
        local.list.append(1)
        local.tensor += 1
        local.array += 1
        local.new.total += 1


def test_a_part_of_something_tracked_stays_that_part() -> None:
    model, other_model = nn.Linear(2, 1), nn.Linear(2, 1)
    owner = fresh({"model.weight": model.weight}, best=model.weight)
    other = fresh({"model.weight": other_model.weight}, best=None)
    other.restore(through_a_file(owner))
    assert other.local.best is other_model.weight


# -- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        lambda: 1, object(), open, torch.Generator(), nn.Linear(1, 1), iter([]), collections.defaultdict(lambda: 0),
        np.array([object()]), [{"deep": math.sqrt}],
    ],
)  # fmt: skip
def test_what_no_checkpoint_can_hold_is_refused_where_it_is_set(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNBROKEN_LANG", "en")
    owner = fresh(best=None)
    with pytest.raises(UnsavableStateError, match=r"local\.best"):
        owner.local.best = value
    assert owner.local.best is None
    with pytest.raises(UnsavableStateError, match=r"local\.best"):
        fresh(best=value)


def test_a_class_made_in_a_call_and_a_value_too_deep_are_refused() -> None:
    @dataclasses.dataclass
    class OfACall:
        x: int = 0

    owner, deep = fresh(best=None), []
    for _ in range(50):
        deep = [deep]
    held: list[Any] = []
    held.append((held,))  # this circle can be made again, the next can't
    owner.local.best = held
    circle = (inner := [],)
    inner.append(circle)
    for value in (OfACall(), deep, circle):
        with pytest.raises(UnsavableStateError):
            owner.local.best = value


def test_a_state_dict_that_is_no_copy_is_refused() -> None:
    tracked, model = Tracked(), nn.Linear(2, 1)
    tracked.add("model", model)
    owner = Locals(tracked.objects_by_name)
    owner.declare({"best": None})
    with pytest.raises(UnsavableStateError, match=r"model\.weight"):
        owner.local.best = model.state_dict()
    owner.local.best = {name: value.clone() for name, value in model.state_dict().items()}


def test_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNBROKEN_LANG", "en")
    with unbroken.Run(tmp_path / "run") as run:
        local = run.local(best=0.0, self=1)
        assert run.local(lr=1.0) is local
        assert dir(local) == ["best", "lr", "self"]
        with pytest.raises(UsageError, match="'best'"):
            run.local(best=1)
        with pytest.raises(UsageError, match="__class__"):
            run.local(__class__=1)
        with pytest.raises(AttributeError, match="best, self, lr"):
            local.patience  # noqa: B018
        with pytest.raises(AttributeError, match="best, self, lr"):
            local.patience = 1
        with pytest.raises(AttributeError):
            del local.best
        run.track(model=nn.Linear(1, 1))
        for _ in run.epochs(1):
            with pytest.raises(UsageError, match="before the loop"):
                run.local(late=1)


def test_what_has_become_unsavable_fails_the_save_and_not_the_training(tmp_path: Path, log: Lines) -> None:
    with unbroken.Run(tmp_path / "run") as run:
        run.track(model=nn.Linear(1, 1))
        local = run.local(entries=[])
        for epoch in run.epochs(3):
            if epoch == 2:
                local.entries.clear()
        assert run.failure is None
        local.entries.append(print)
        run.save()
        assert "local.entries[0]" in log.text
        local.entries.clear()


def test_names_that_came_and_went_are_said_once(tmp_path: Path, log: Lines) -> None:
    def train(epochs: int, **values: Any) -> Any:
        with unbroken.Run(tmp_path / "run") as run:
            run.track(model=nn.Linear(1, 1))
            local = run.local(**values)
            for _ in run.epochs(epochs):
                local.count += 1
        return local

    train(1, count=0, gone=1)
    del log.lines[:]
    local = train(2, count=0, new=7)
    assert (local.count, local.new) == (2, 7)
    assert [line for line in log.lines if "not in the checkpoint: new." in line] != []
    assert len([line for line in log.lines if "left out: gone." in line]) == 1


def test_a_tensor_with_a_graph_comes_back_and_that_is_said(log: Lines) -> None:
    hidden = torch.ones(2, requires_grad=True) * 2
    owner, other = fresh(hidden=hidden), fresh(hidden=None)
    other.restore(through_a_file(owner))
    assert other.local.hidden.tolist() == [2, 2] and not other.local.hidden.requires_grad
    assert "local.hidden" in log.text and "graph" in log.text


def test_a_tensor_with_a_graph_is_the_same_to_whoever_compares(log: Lines) -> None:
    hidden = torch.ones(2, requires_grad=True) * 2
    owner, other = fresh(hidden=hidden), fresh(hidden=None)
    other.restore(through_a_file(owner))
    assert other.looks() == owner.looks()

    saved, kept = {"hidden": hidden}, {"hidden": None}
    owner_of, other_of = Tracked(), Tracked()
    owner_of.add("kept", saved)
    other_of.add("kept", kept)
    other_of.restore(owner_of.state())
    assert torch.equal(kept["hidden"], hidden)


def test_a_program_without_locals_writes_the_bytes_it_wrote_before(tmp_path: Path) -> None:
    with unbroken.Run(tmp_path / "run") as run:
        run.track(model=nn.Linear(1, 1))
        for _ in run.epochs(1):
            pass
    assert "locals" not in unbroken.load(tmp_path / "run" / "checkpoint_latest.pth")["unbroken"]


# -- what comes from a file ------------------------------------------------------------------------------------------


def test_a_class_that_is_gone_or_has_other_fields_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    trees = through_a_file(fresh(meter=Meter()))
    for change in ({"class": ["os", "system"]}, {"fields": ["total", "other"]}):
        changed = {"meter": {**trees["meter"], **change}}
        with pytest.raises(ArchitectureChangedError):
            fresh(meter=None).restore(changed)


@pytest.mark.parametrize(
    "tree",
    [
        {}, {"kind": "other"}, {"kind": ["list"]}, {"kind": "list", "items": 3}, {"kind": "ref", "to": 7},
        {"kind": "ref", "to": "x"}, {"kind": "deque", "items": []}, {"kind": "deque", "items": [], "longest": -1},
        {"kind": "set", "items": [{"kind": "list", "items": []}]}, {"kind": "dict", "items": [[{"value": 1}]]},
        {"kind": "defaultdict", "items": [], "factory": "eval"}, {"kind": "namedtuple", "class": "x", "items": []},
        {"kind": "namespace", "attributes": {"__class__": {"value": 1}}}, {"kind": "scalar", "value": 1},
        {"value": torch.ones(1)}, {"value": torch.ones(1, dtype=torch.int64), "tensor": True, "requires_grad": True},
        {"kind": "tuple", "number": 1, "items": [{"kind": "ref", "to": 1}]}, {"value": 1, "number": []},
        {"kind": "dataclass", "class": ["a", "b"], "attributes": {}}, {"value": 1, "built": 3},
    ],
)  # fmt: skip
def test_a_damaged_tree_is_known_before_anything_is_made_of_it(tree: Any) -> None:
    assert wrong_together([tree])


def test_a_tree_that_only_the_making_shows_to_be_wrong_is_damage() -> None:
    unhashable = {"kind": "tuple", "items": [{"kind": "list", "items": []}]}
    with pytest.raises(CheckpointDamagedError):
        fresh(x=None).restore({"x": {"kind": "set", "items": [unhashable]}})


def test_the_encoding_holds_a_tree_of_any_depth_that_is_taken() -> None:
    value: Any = 0
    for _ in range(25):
        value = {(1, Colour.RED): value}
    encode(fresh(x=value).capture(), "x")


def test_a_graph_is_no_news_where_the_script_detaches(log: Lines) -> None:
    """As this file does elsewhere; a hidden state is detached before it is used again."""
    levels: list[int] = []
    handler = logging.Handler()
    handler.emit = lambda record: levels.append(record.levelno)  # type: ignore[method-assign]
    logger = logging.getLogger("unbroken")
    logger.addHandler(handler)
    try:
        fresh(hidden=None).restore(through_a_file(fresh(hidden=torch.ones(2, requires_grad=True) * 2)))
    finally:
        logger.removeHandler(handler)
    assert levels == [logging.INFO]
