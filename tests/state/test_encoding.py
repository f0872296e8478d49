"""What goes in comes out, through the file and its strict reader; what could not is refused with its path."""

import collections
import datetime
import enum
import io
import math
import random
import sys
import types
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from tests.state.programs import read, written
from unbroken.errors import ArchitectureChangedError, CheckpointDamagedError, UnsavableStateError
from unbroken.state.encoding import MARK
from unbroken.state.snapshot import copy_to_host, decode, encode, equal_bits
from unbroken.store import torchfile


class Colour(enum.Enum):
    RED = 1
    ALSO_RED = 1
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1


class Point(NamedTuple):
    x: int
    y: Any


def through_a_file(value: Any) -> Any:
    return decode(read(written(encode(value, ""))))


floats = st.floats(allow_nan=True, allow_infinity=True)
text = st.text(st.characters(exclude_categories=()), max_size=8)
dtypes = st.sampled_from(
    ["<f2", "<f4", "<f8", ">f4", "<i2", ">i8", "<u1", "?", "<c8", "<U3", "S4", "<M8[ns]", "<m8[s]"]
)


@st.composite
def arrays(draw: st.DrawFn) -> Any:
    dtype = np.dtype(draw(dtypes))
    shape = tuple(draw(st.lists(st.integers(0, 3), max_size=3)))
    count = math.prod(shape)
    data = draw(st.binary(min_size=count * dtype.itemsize, max_size=count * dtype.itemsize))
    if dtype.kind in "U?":
        return np.arange(count).astype(dtype).reshape(shape)
    array = np.frombuffer(data, dtype).reshape(shape) if data else np.empty(shape, dtype)
    return np.asfortranarray(array) if draw(st.booleans()) else array.copy()


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    dtype = draw(st.sampled_from([torch.float32, torch.bfloat16, torch.int64, torch.uint8, torch.complex64]))
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    count = math.prod(shape) * torch.empty(0, dtype=dtype).element_size()
    raw = draw(st.binary(min_size=count, max_size=count))
    flat = torch.frombuffer(bytearray(raw), dtype=dtype) if raw else torch.empty(0, dtype=dtype)
    return flat.reshape(shape)


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**1000), 10**1000),
    floats,
    text,
    st.complex_numbers(allow_nan=True),
    st.binary(max_size=9),
    st.binary(max_size=9).map(bytearray),
    st.sampled_from([torch.float32, torch.Size([2, 3]), torch.device("cpu"), Colour.RED, Colour.ALSO_RED, Level.LOW]),
    st.sampled_from([np.float32(0.1), np.int8(-3), np.float16("nan"), np.datetime64("2020-01-01"), np.uint64(2**63)]),
    st.datetimes(timezones=st.sampled_from([None, datetime.UTC])),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.sampled_from([Path("a/b"), PurePosixPath("/x"), PureWindowsPath("c:\\x")]),
    arrays(),
    tensors(),
)
hashable = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), text, st.binary(max_size=3))
keys = st.one_of(
    hashable, st.tuples(hashable, st.integers()), st.just(MARK), st.integers(2**61, 2**70), st.just(Colour.RED)
)


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(keys, inner, max_size=3),
        st.dictionaries(text, inner, max_size=3).map(collections.OrderedDict),
        st.dictionaries(keys, inner, max_size=2).map(lambda d: collections.defaultdict(list, d)),
        st.dictionaries(hashable, st.integers(), max_size=3).map(collections.Counter),
        st.sets(hashable, max_size=3),
        st.frozensets(hashable, max_size=3),
        st.builds(Point, st.integers(), inner),
    )


values = st.recursive(scalars, containers, max_leaves=8)


@given(values)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_every_value_comes_back_type_for_type_and_bit_for_bit(value: Any) -> None:
    assert equal_bits(value, through_a_file(value)) is None
    assert equal_bits(value, decode(copy_to_host(value))) is None


@given(values)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_the_store_takes_whatever_was_encoded(value: Any) -> None:
    torchfile.write({"value": encode(value, "")}, io.BytesIO())


@pytest.mark.filterwarnings("ignore:Sparse")
def test_what_the_store_writes_of_it_reads_back(tmp_path: Path) -> None:
    state = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).state_dict()
    value = {
        "model": state,
        "array": np.arange(6.0).reshape(2, 3),
        "rng": np.random.Generator(np.random.Philox(3)).bit_generator.state,
        "python": random.Random(1).getstate(),
        "milestones": collections.Counter({2: 1}),
        "sparse": torch.eye(3).to_sparse(),
        "csr": torch.eye(3).to_sparse_csr(),
        "fp8": torch.ones(2).to(torch.float8_e5m2),
        "u16": torch.ones(2, dtype=torch.uint16),
        "big": 10**400,
        "key": {(1, "a"): 2, ((1,), 2): 3},
    }
    path = tmp_path / "checkpoint.pth"
    with path.open("wb") as file:
        torchfile.write(copy_to_host(value), file)
    back = decode(torchfile.read(path))
    assert equal_bits({**value, "model": dict(state)}, {**back, "model": dict(back["model"])}) is None
    assert back["model"]._metadata == state._metadata


@pytest.mark.parametrize("value", [np.float64(0.1), np.int64(3), np.bool_(True), np.complex128(1j), np.str_("x")])
def test_wide_numpy_scalars_become_pythons(value: Any) -> None:
    found = encode(value, "")
    assert type(found) in (float, int, bool, complex, str)
    assert found == value


def test_a_list_of_the_state_keeps_plain_types_plain() -> None:
    """A checkpoint must be of use without this library: what torch can hold is not dressed up."""
    scheduler = torch.optim.lr_scheduler.MultiStepLR(torch.optim.SGD(nn.Linear(1, 1).parameters(), 0.1), [1, 2])
    state = scheduler.state_dict()
    assert encode(state, "") == state
    assert type(read(written(encode(state, "")))["milestones"]) is collections.Counter


class Plain:
    pass


class SubTensor(torch.Tensor):
    pass


def _cycle() -> list[Any]:
    value: list[Any] = []
    value.append([value])
    return value


def _local_enum() -> Any:
    class Here(enum.Enum):
        A = 1

    return Here.A


REFUSED: dict[str, tuple[Any, str]] = {
    "object": ({"a": [1, Plain()]}, "x.a[1]"),
    "function": ({0: {"exp_avg": math.sin}}, "x[0].exp_avg"),
    "class": ((int,), "x[0]"),
    "object array": ({"a": np.array([None])}, "x.a"),
    "tensor subclass": ([torch.ones(1).as_subclass(SubTensor)], "x[0]"),
    "lazy": (nn.LazyLinear(2).state_dict(), "x.weight"),
    "meta": (torch.empty(2, device="meta"), "x"),
    "four bits": (torch.zeros(1, dtype=torch.uint8).view(torch.float4_e2m1fn_x2), "x"),
    "nested": (torch.nested.nested_tensor([torch.ones(1)], layout=torch.jagged), "x"),
    "cycle": (_cycle(), "x[0][0][0]"),
    "factory": (collections.defaultdict(lambda: 1), "x.default_factory"),
    "local enum": (_local_enum(), "x"),
    "str subclass": (type("S", (str,), {})("s"), "x"),
    "dict subclass": (type("D", (dict,), {})(), "x"),
    "key": ({Plain(): 1}, "x key"),
    "set item": ({"s": {math.sin}}, "x.s item"),
    "generator": (torch.Generator(), "x"),
    "matrix": (np.ma.masked_array([1.0]), "x"),
    "zone": (datetime.datetime(2020, 1, 1, tzinfo=__import__("zoneinfo").ZoneInfo("Europe/Paris")), "x"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_no_safe_file_can_hold_is_refused_with_its_path(kind: str) -> None:
    value, path = REFUSED[kind]
    with pytest.raises(UnsavableStateError) as raised:
        encode(value, "x")
    assert str(raised.value.values["path"]).startswith(path)
    assert path in str(raised.value)
    assert "\n" not in str(raised.value)


def test_tensors_lose_grad_attributes_and_parameterhood() -> None:
    parameter = nn.Parameter(torch.ones(2))
    parameter.note = "mine"  # type: ignore[attr-defined]
    encoded = encode({"p": parameter}, "")
    assert type(encoded["p"]) is torch.Tensor  # type: ignore[index]
    assert not read(written(encoded))["p"].requires_grad


def test_conjugate_and_negative_views_are_resolved() -> None:
    value = torch.tensor([1 + 2j, 3 - 4j])
    for view in (value.conj(), value.conj().imag):
        assert torch.equal(through_a_file(view), view)
        assert equal_bits(through_a_file(view), view) is None


@pytest.mark.parametrize(
    "value",
    [
        {MARK: "rocket"},
        {MARK: ["ndarray"]},
        {MARK: "ndarray", "dtype": "O", "shape": [1], "order": "C", "data": torch.zeros(8, dtype=torch.uint8)},
        {MARK: "ndarray", "dtype": "<f8", "shape": [2], "order": "C", "data": torch.zeros(8, dtype=torch.uint8)},
        {MARK: "ndarray", "dtype": "<f8", "shape": [-1], "order": "C", "data": torch.zeros(8, dtype=torch.uint8)},
        {MARK: "ndarray", "dtype": "<f8", "shape": [1], "order": "C", "data": "text"},
        {MARK: "ndarray", "dtype": "O", "shape": [0], "order": "C", "data": torch.zeros(0, dtype=torch.uint8)},
        *(
            {MARK: "ndarray", "dtype": dtype, "shape": [0], "order": "C", "data": torch.zeros(0, dtype=torch.uint8)}
            for dtype in [(), ",f4", "(1,f4", [("a", ())], [()], 7]
        ),
        {MARK: "ndarray"},
        {MARK: "int", "hex": "zz"},
        {MARK: "set", "items": [[1]]},
        {MARK: "datetime", "text": "yesterday"},
        {MARK: "timedelta", "parts": [10**12, 0, 0]},
        {MARK: "dict", "items": [[1]]},
        {MARK: "defaultdict", "factory": "eval", "items": []},
        {MARK: "bytes", "data": 3},
        {MARK: "enum", "class": "x", "name": 1},
    ],
    ids=str,
)
def test_a_foreign_or_hostile_mark_is_a_damaged_checkpoint(value: Any) -> None:
    with pytest.raises(CheckpointDamagedError) as raised:
        decode({"a": [value]}, "x")
    assert "x.a[0]" in str(raised.value)


@pytest.mark.parametrize(
    "name",
    [["antigravity", "Colour"], [__name__, "gone"], [__name__, "Plain"], ["os", "environ.pop"], ["enum", "Enum"]],
)
@pytest.mark.parametrize("kind", ["enum", "namedtuple"])
def test_no_module_is_imported_and_no_class_called_for_a_name_in_a_file(name: list[str], kind: str) -> None:
    with pytest.raises(ArchitectureChangedError) as raised:
        decode({MARK: kind, "class": name, "name": "RED", "items": []}, "x")
    assert ".".join(name) in str(raised.value)
    assert "antigravity" not in sys.modules


def test_a_lazy_module_is_not_made_to_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module's own ``__getattr__`` is code."""
    module: Any = types.ModuleType("lazy")
    asked: list[str] = []
    module.__getattr__ = lambda name: asked.append(name) or Colour
    monkeypatch.setitem(sys.modules, "lazy", module)
    with pytest.raises(ArchitectureChangedError):
        decode({MARK: "enum", "class": ["lazy", "Colour"], "name": "RED"}, "x")
    assert asked == []


def test_decoded_arrays_can_be_written_to() -> None:
    back = through_a_file(np.arange(3.0))
    back[0] = 7
    assert back.tolist() == [7, 1, 2]


def test_arrays_keep_their_order_in_memory() -> None:
    value = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    assert through_a_file(value).flags.f_contiguous
    assert through_a_file(np.arange(6.0).reshape(2, 3)).flags.c_contiguous


def test_structured_arrays_come_back() -> None:
    value = np.array([(1, 2.5)], dtype=[("a", "<i4"), ("b", "<f8")])
    back = through_a_file(value)
    assert back.dtype == value.dtype
    assert back.tobytes() == value.tobytes()
