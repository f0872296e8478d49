"""What of a rank's state is its own: found by digests, and put back in its place."""

import copy
import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unbroken.errors import CheckpointDamagedError
from unbroken.state.replicas import differing, digests, overlaid
from unbroken.state.snapshot import equal_bits
from unbroken.store.runstate import Own

_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.0, -0.0, math.nan, 1.0]),
    st.sampled_from(["", "a"]),
    st.lists(st.integers(0, 2), max_size=2),
    st.builds(
        lambda values, kind: torch.tensor(values, dtype=kind),
        st.lists(st.integers(0, 2)),
        st.sampled_from([torch.int64, torch.float32, torch.bool, torch.complex64]),
    ),
)
_TREES = st.recursive(
    st.dictionaries(st.sampled_from(["a", "b", 1]), _LEAVES, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from(["a", "b", 1]), inner | _LEAVES, max_size=3),
    max_leaves=8,
)


@given(_TREES, _TREES)
def test_the_first_s_state_and_what_differs_from_it_make_up_a_rank_s(
    first: dict[Any, Any], mine: dict[Any, Any]
) -> None:
    before = copy.deepcopy(first)
    own = differing(mine, digests(mine), digests(first))
    there = mine if own and own[0].path == () else overlaid(first, own)
    assert equal_bits(there, mine) is None
    assert equal_bits(first, before) is None
    if equal_bits(first, mine) is None and list(first) == list(mine):
        assert own == [] or any(list(_at(first, one.path)) != list(_at(mine, one.path)) for one in own)


def _at(tree: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def test_only_what_differs_is_a_rank_s_own() -> None:
    first = {"model": {"w": torch.ones(3), "mean": torch.zeros(2)}, "sums": {"loss": [1.0, 2.0]}}
    mine = {"model": {"w": torch.ones(3), "mean": torch.ones(2)}, "sums": {"loss": [1.0, 3.0]}}
    own = differing(mine, digests(mine), digests(first))
    assert [one.path for one in own] == [("model", "mean"), ("sums", "loss")]


@pytest.mark.parametrize("path", [(), ("a", "b", "c"), ("x", "y")])
def test_a_place_that_is_not_there_is_damage(path: tuple[str, ...]) -> None:
    with pytest.raises(CheckpointDamagedError):
        overlaid({"a": {"b": 1}}, [Own(path, 1)])
