"""Snapshots are out of training's reach, share what was shared, and comparisons miss no bit."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.state.programs import read, written
from unbroken.state.snapshot import copy_to_host, equal_bits, own_copy


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


def test_equal_temporaries_are_not_taken_for_one_tensor() -> None:
    """Two temporaries can have had the same memory one after the other."""
    arrays = [np.full(4096, i, dtype=np.uint8) for i in range(50)]
    snapshot = copy_to_host([a.tobytes() for a in arrays])
    assert [int(entry["data"][0]) for entry in snapshot] == list(range(50))


def test_a_view_is_saved_without_the_rest_of_its_memory() -> None:
    big = torch.randn(100_000)
    assert len(written(copy_to_host({"v": big[:10]}))) < 5_000


@pytest.mark.parametrize(
    "tensor",
    [
        torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last),
        torch.randn(3, 4).t(),
        torch.randn(4, 6)[::2, ::3],
        torch.randn(1, 3).expand(5, 3),
        torch.randn(()),
        torch.empty(0, 3),
        torch.randn(3, 3).relu().to_sparse(),
        torch.sparse_coo_tensor([[0, 0]], [1.0, 2.0], (2,)),
        torch.randn(4, 4).relu().to_sparse_csr(),
        torch.randn(4, 4).relu().to_sparse_csc(),
        torch.randn(4, 4).relu().to_sparse_bsr((2, 2)),
        torch.tensor([True, False]),
        torch.randn(3).to(torch.float8_e4m3fn),
        torch.ones(3, dtype=torch.complex32),
        torch.arange(3).to(torch.uint32),
    ],
    ids=lambda t: f"{t.layout}{list(t.shape)}{t.dtype}",
)
def test_layouts_keep_their_values_and_dense_ones_their_strides(tensor: torch.Tensor) -> None:
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
    assert equal_bits(tensor, tensor.coalesce()) is not None


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


def test_an_own_copy_shares_nothing() -> None:
    value = {"t": torch.ones(2), "l": [1], "a": np.ones(2)}
    copied = own_copy(value)
    copied["t"].zero_()
    copied["l"].append(2)
    copied["a"][0] = 5
    assert equal_bits(value, {"t": torch.ones(2), "l": [1], "a": np.ones(2)}) is None
