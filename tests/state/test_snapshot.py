"""Snapshots are out of training's reach, share what was shared, and comparisons miss no bit."""

import math
import mmap
import multiprocessing
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tests.state.programs import read, written
from unbroken.state.memory import SnapshotMemory
from unbroken.state.snapshot import copy_to_host, decode, equal_bits, own_copy


def test_a_snapshot_is_independent_of_the_live_tensors() -> None:
    live = {"a": torch.ones(3), "b": [torch.zeros(2, requires_grad=True)], "n": np.ones(2)}
    snapshot = copy_to_host(live)
    before = copy_to_host({"a": torch.ones(3), "b": [torch.zeros(2)], "n": np.ones(2)})
    live["a"].fill_(7)
    with torch.no_grad():
        live["b"][0].fill_(7)
    live["n"][:] = 7
    live["b"].append(torch.ones(1))
    assert equal_bits(snapshot, before) is None


def test_tied_tensors_are_copied_once_and_stay_tied_in_the_file() -> None:
    weight = torch.randn(1000)
    value = {
        "a": weight,
        "b": torch.nn.Parameter(weight),
        "view": weight[1:],
        "again": [weight[1:]],
        "t": weight.view(10, 100),
    }
    snapshot = copy_to_host(value)
    assert snapshot["a"] is snapshot["b"]
    assert snapshot["view"] is snapshot["again"][0]
    assert snapshot["t"].shape == (10, 100)
    file = read(written(snapshot))
    assert file["a"].data_ptr() == file["b"].data_ptr()
    assert equal_bits(file, value) is None


def test_views_that_differ_in_one_respect_are_not_taken_for_one_tensor() -> None:
    base = torch.arange(100.0)
    views = {
        "a": base[:10],
        "offset": base[10:20],
        "shape": base[:20],
        "stride": base[:20:2],
        "dtype": base[:10].view(torch.int32),
        "complex": (numbers := torch.randn(4, dtype=torch.complex64)),
        "conjugate": numbers.conj(),
        "imaginary": numbers.imag,
        "negative": numbers.conj().imag,
    }
    assert equal_bits(read(written(copy_to_host(views))), views) is None
    assert len({id(copied) for copied in copy_to_host(views).values()}) == 9


def test_attributes_of_an_ordered_dict_are_copied_too() -> None:
    state = nn.Linear(2, 2).state_dict()
    state._metadata[""]["scale"] = torch.ones(2)  # type: ignore[attr-defined]
    snapshot = copy_to_host(state)
    state._metadata[""]["scale"].zero_()  # type: ignore[attr-defined]
    assert read(written(snapshot))._metadata[""]["scale"].tolist() == [1.0, 1.0]


def test_equal_temporaries_are_not_taken_for_one_tensor() -> None:
    """Two temporaries can have had the same memory one after the other."""
    arrays = [np.full(4096, i, dtype=np.uint8) for i in range(50)]
    snapshot = copy_to_host([a.tobytes() for a in arrays])
    assert [int(entry["data"][0]) for entry in snapshot] == list(range(50))


def test_a_view_is_saved_without_the_rest_of_its_memory() -> None:
    big = torch.randn(100_000)
    assert len(written(copy_to_host({"v": big[:10]}))) < 5_000


@pytest.mark.filterwarnings("ignore:Sparse", "ignore:ComplexHalf")
@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last),
        lambda: torch.randn(3, 4).t(),
        lambda: torch.randn(4, 6)[::2, ::3],
        lambda: torch.randn(1, 3).expand(5, 3),
        lambda: torch.randn(()),
        lambda: torch.empty(0, 3),
        lambda: torch.randn(3, 3).relu().to_sparse(),
        lambda: torch.sparse_coo_tensor([[0, 0]], [1.0, 2.0], (2,)),
        lambda: torch.randn(4, 4).relu().to_sparse_csr(),
        lambda: torch.randn(4, 4).relu().to_sparse_csc(),
        lambda: torch.randn(4, 4).relu().to_sparse_bsr((2, 2)),
        lambda: torch.tensor([True, False]),
        lambda: torch.randn(3).to(torch.float8_e4m3fn),
        lambda: torch.ones(3, dtype=torch.complex32),
        lambda: torch.arange(3).to(torch.uint32),
    ],
)
def test_layouts_keep_their_values_and_dense_ones_their_strides(make: Callable[[], torch.Tensor]) -> None:
    tensor = make()
    copied = read(written(copy_to_host(tensor)))
    assert equal_bits(copied, tensor) is None
    if (
        tensor.layout == torch.strided
        and 0 not in tensor.stride()
        and tensor.numel() == tensor.untyped_storage().nbytes() / tensor.element_size()
    ):
        assert copied.stride() == tensor.stride()


def test_an_uncoalesced_tensor_stays_so() -> None:
    tensor = torch.sparse_coo_tensor([[0, 0]], [1.0, 2.0], (2,))
    assert not read(written(copy_to_host(tensor))).is_coalesced()
    unmarked = torch.sparse_coo_tensor([[0, 1]], [1.0, 2.0], (3,))
    assert equal_bits(unmarked, unmarked.coalesce()) is not None


DIFFERENT: list[tuple[Any, Any, str]] = [
    (0.0, -0.0, "."),
    (1, 1.0, "."),
    (1, True, "."),
    ([1], (1,), "."),
    ("a", "b", "."),
    (None, 0, "."),
    (complex(0, 0.0), complex(0, -0.0), "."),
    ({"a": 1}, {"a": 1, "b": 2}, "b"),
    ({"a": 1, "b": 2}, {"a": 1}, "b"),
    ({"a": [1, 2]}, {"a": [1, 3]}, "a[1]"),
    ([1], [1, 2], "[1]"),
    ({"opt": {"state": {0: {"avg": 1.0}}}}, {"opt": {"state": {0: {"avg": 2.0}}}}, "opt.state[0].avg"),
    (torch.ones(2), torch.ones(2, dtype=torch.float64), "."),
    (torch.ones(2), torch.ones(2, 1), "."),
    (torch.zeros(2), -torch.zeros(2), "."),
    (torch.ones(2, 2), torch.ones(2, 2).to_sparse(), "."),
    (torch.ones(2), [1.0, 1.0], "."),
    (np.ones(2), np.ones(2, np.float32), "."),
    (np.float32(1), np.float64(1), "."),
    (torch.tensor([True]), torch.tensor([False]), "."),
    ({1}, {1.0}, "."),
    (datetime(2020, 1, 1), datetime(2020, 1, 1, fold=1), "."),
    (datetime(2020, 1, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, 2, tzinfo=timezone(timedelta(hours=1))), "."),
]  # fmt: skip


@pytest.mark.parametrize(("a", "b", "path"), DIFFERENT, ids=[str(i) for i in range(len(DIFFERENT))])
def test_every_difference_is_found_where_it_is(a: Any, b: Any, path: str) -> None:
    assert equal_bits(a, b) == path
    assert equal_bits(b, a) == path


def test_nans_and_parameters_and_key_order_do_not_differ() -> None:
    assert equal_bits(math.nan, math.nan) is None
    assert equal_bits(torch.tensor([math.nan]), torch.nn.Parameter(torch.tensor([math.nan]))) is None
    assert equal_bits({"a": 1, "b": 2}, {"b": 2, "a": 1}) is None
    assert equal_bits(float("nan"), -float("nan")) == "."


@given(
    st.integers(0, 4),
    st.integers(0, 95),
    st.sampled_from([torch.float32, torch.bfloat16, torch.int64, torch.complex64]),
)
@settings(max_examples=40, deadline=None)
def test_one_flipped_bit_in_one_tensor_is_found(which: int, bit: int, dtype: torch.dtype) -> None:
    value = {"deep": [{"t": torch.randn(12).to(dtype)} for _ in range(5)]}
    other = own_copy(value)
    assert equal_bits(value, other) is None
    raw = other["deep"][which]["t"].view(torch.uint8)
    raw[bit // 8] ^= 1 << bit % 8
    assert equal_bits(value, other) == f"deep[{which}].t"


@pytest.mark.parametrize("dtype", [torch.float32, torch.complex128])
def test_a_single_element_may_have_any_stride(dtype: torch.dtype) -> None:
    odd = torch.ones(2, dtype=dtype)[::2]
    assert odd.stride() == (2,)
    assert equal_bits(odd, torch.ones(1, dtype=dtype)) is None
    assert equal_bits(odd, torch.zeros(1, dtype=dtype)) == "."
    assert equal_bits(read(written(copy_to_host({"odd": odd}))), {"odd": odd}) is None


def test_an_own_copy_shares_nothing() -> None:
    value = {"t": torch.ones(2), "l": [1], "a": np.ones(2)}
    copied = own_copy(value)
    copied["t"].zero_()
    copied["l"].append(2)
    copied["a"][0] = 5
    assert equal_bits(value, {"t": torch.ones(2), "l": [1], "a": np.ones(2)}) is None


def big(fill: float, count: int = 400_000) -> dict[str, Any]:
    return {
        "w": torch.full((count,), fill),
        "t": torch.full((300, 400), fill).t(),
        "n": [torch.tensor(fill), torch.tensor(3)],
    }


def test_the_memory_of_a_snapshot_that_is_gone_is_used_again() -> None:
    first = copy_to_host(big(1.0))
    address = first["w"].data_ptr()
    second = copy_to_host(big(2.0))
    assert second["w"].data_ptr() != address
    assert equal_bits(first, big(1.0)) is None
    del first
    third = copy_to_host(big(3.0))
    assert third["w"].data_ptr() == address
    assert equal_bits(second, big(2.0)) is None
    assert equal_bits(third, big(3.0)) is None


def test_one_tensor_left_of_a_snapshot_keeps_its_memory() -> None:
    snapshot = copy_to_host(big(1.0))
    kept = snapshot["t"]
    address = snapshot["w"].data_ptr()
    del snapshot
    for fill in (2.0, 3.0, 4.0):
        assert copy_to_host(big(fill))["w"].data_ptr() != address
    assert (kept == 1.0).all()


def test_reserved_memory_is_touched_and_used_by_the_next_lease() -> None:
    memory = SnapshotMemory()
    size = 40 << 20
    memory.reserve(size).join()
    (block,) = memory._free
    start = np.frombuffer(block, np.uint8).ctypes.data
    with Path("/proc/self/pagemap").open("rb") as entries:
        entries.seek(start // mmap.PAGESIZE * 8)
        pages = np.frombuffer(entries.read(size // mmap.PAGESIZE * 8), np.uint64)
    assert (pages >> np.uint64(63)).all(), "present in memory"
    lease = memory.lease(size - (1 << 20))
    assert lease.ctypes.data == start


def test_memory_of_another_size_goes_back_to_the_system() -> None:
    memory = SnapshotMemory()
    leases = [memory.lease(5 << 20), memory.lease(6 << 20), memory.lease(7 << 20)]
    leases.clear()
    assert len(memory._free) == 2
    memory.lease(1 << 20)
    assert [len(block) for block in memory._free] == [1 << 20]


def test_an_own_copy_never_lies_in_snapshot_memory() -> None:
    """It may become an optimizer's state, which a forked child can read."""
    copied = own_copy(big(1.0))
    assert "wf" not in flags_of(copied["w"])
    assert equal_bits(copied, big(1.0)) is None


def test_snapshots_are_left_out_of_forks() -> None:
    """After a fork, writing to a page that a child shares would copy it first."""
    snapshot = copy_to_host(big(1.0))
    assert "wf" in flags_of(snapshot["w"])


def flags_of(tensor: torch.Tensor) -> list[str]:
    """The kernel's flags of the memory a tensor lies in; ``wf``: wiped on fork."""
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        head = line.split(maxsplit=1)[0]
        if "-" in head:
            start, end = (int(part, 16) for part in head.split("-"))
            inside = start <= tensor.data_ptr() < end
        elif inside and head == "VmFlags:":
            return line.split()[1:]
    raise AssertionError("no such mapping")


def test_a_large_snapshot_is_as_exact_as_a_small_one() -> None:
    value = {
        "pad": torch.zeros(300_000),
        "last": torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last),
        "view": torch.randn(4, 6)[::2, ::3],
        "expanded": torch.randn(1, 3).expand(5, 3),
        "sparse": torch.eye(3).to_sparse(),
        "empty": torch.empty(0, 3),
        "bools": torch.tensor([True, False, True]),
        "fp8": torch.randn(5).to(torch.float8_e4m3fn),
        "complex": torch.randn(3, dtype=torch.complex64).conj(),
        "array": np.arange(6.0),
    }
    value["tied"] = value["last"]
    snapshot = copy_to_host(value)
    assert snapshot["tied"] is snapshot["last"]
    back = decode(read(written(snapshot)))
    assert equal_bits(back, value) is None
    assert back["last"].stride() == value["last"].stride()  # type: ignore[attr-defined]
    assert len(written(snapshot)) < 1_250_000


def test_a_forked_child_takes_memory_of_its_own_for_its_snapshots() -> None:
    """That of its parent is empty there, and what it writes into it the parent does not see."""
    state = {"w": torch.ones(4 << 20)}
    outstanding = copy_to_host(state)
    del outstanding
    kept = copy_to_host(state)

    def train() -> None:
        theirs = [torch.zeros(1 << 18) for _ in range(200)]
        for _ in range(3):
            assert equal_bits(copy_to_host(state), state) is None
        assert not any(tensor.any() for tensor in theirs)
        os._exit(7)

    child = multiprocessing.get_context("fork").Process(target=train)
    child.start()
    child.join(60)
    assert child.exitcode == 7
    assert equal_bits(kept, state) is None
