"""Large comparisons made by several threads: the same verdict as by one, at the first place that differs."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unbroken.state.snapshot import equal_bits, own_copy

PIECE = 4 << 20
SIZES = [1, 4095, (256 << 10) - 1, 256 << 10, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 5]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(SIZES), min_size=1, max_size=6), st.data())
def test_the_first_tensor_with_a_bit_that_differs_is_named(sizes: list[int], data: st.DataObject) -> None:
    one = {f"t{i}": torch.full((size,), i, dtype=torch.uint8) for i, size in enumerate(sizes)}
    other = own_copy(one)
    assert equal_bits(one, other, "root") is None
    wrong = data.draw(st.sets(st.integers(0, len(sizes) - 1), min_size=1))
    for index in wrong:
        other[f"t{index}"][data.draw(st.integers(0, sizes[index] - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert equal_bits(one, other, "root") == f"root.t{min(wrong)}"


LARGE = PIECE // 2


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ([torch.zeros(LARGE), 1], [torch.zeros(LARGE), 2], "[1]"),
        ([1, torch.zeros(LARGE)], [2, torch.ones(LARGE)], "[0]"),
        ([torch.zeros(LARGE), 1], [torch.ones(LARGE), 2], "[0]"),
        ([torch.zeros(LARGE), 1], [torch.ones(LARGE)], "[0]"),
        ([torch.zeros(LARGE), 1], [torch.zeros(LARGE)], "[1]"),
        ([torch.zeros(LARGE), torch.zeros(2)], [torch.zeros(LARGE), torch.zeros(3)], "[1]"),
        ([torch.zeros(LARGE), torch.zeros(2)], [torch.ones(LARGE), torch.zeros(3)], "[0]"),
        ([torch.zeros(LARGE)], [-torch.zeros(LARGE)], "[0]"),
        ([torch.full((LARGE,), float("nan"))], [torch.full((LARGE,), float("nan"))], None),
        ([torch.zeros(LARGE).view(2, -1).t()], [torch.zeros(LARGE).view(2, -1).t().contiguous()], None),
        ([torch.zeros(2 * LARGE)[::2]], [torch.zeros(LARGE)], None),
        ([torch.zeros(LARGE, dtype=torch.complex64).conj()], [torch.zeros(LARGE, dtype=torch.complex64)], "[0]"),
        ([torch.ones(LARGE).to_sparse()], [torch.ones(LARGE).to_sparse()], None),
        ([torch.ones(LARGE).to_sparse()], [(2 * torch.ones(LARGE)).to_sparse()], "[0]"),
    ],
)
def test_what_differs_beside_large_tensors_is_found_in_its_turn(one: object, other: object, found: str | None) -> None:
    assert equal_bits(one, other) == found


def test_large_tensors_are_copied_as_they_are() -> None:
    transposed = torch.randn(1024, 1024).t()
    tied = torch.ones(LARGE)
    value = {"a": tied, "b": [tied], "transposed": transposed, "conj": torch.randn(LARGE, dtype=torch.complex64).conj()}
    copy = own_copy(value)
    assert equal_bits(copy, value) is None
    assert copy["transposed"].stride() == transposed.stride()
    tied.zero_()
    assert copy["a"] is copy["b"][0] and copy["a"].all()
