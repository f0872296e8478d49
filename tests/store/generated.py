"""State dicts of every shape: dtypes, strides, sharing, nesting, layouts, for hypothesis to choose from."""

import warnings
from typing import Any

import torch
from hypothesis import strategies as st

from unbroken.store.stubs import ITEM_SIZES

DTYPES = [getattr(torch, name) for name in ITEM_SIZES]
_SPARSE = [torch.float32, torch.float64, torch.int64, torch.complex64]


@st.composite
def storages(draw: st.DrawFn) -> torch.Tensor:
    """A flat tensor of any bits: NaNs, infinities and subnormals among them."""
    count = draw(st.sampled_from([0, 1, 2, 3, 7, 16, 17, 64, 257, 1000]))
    dtype = draw(st.sampled_from(DTYPES))
    seed = draw(st.integers(0, 1000))
    raw = torch.randint(
        0, 256, (count * dtype.itemsize,), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed)
    )
    return raw.remainder(2).bool() if dtype is torch.bool else raw.view(dtype) if count else torch.empty(0, dtype=dtype)


@st.composite
def views(draw: st.DrawFn, flat: torch.Tensor) -> torch.Tensor:
    """Some of a flat tensor's elements, in some order, some perhaps several times."""
    kind = draw(
        st.sampled_from(["whole", "slice", "strided", "matrix", "transposed", "expanded", "scalar", "parameter"])
    )
    count = flat.numel()
    if kind == "slice":
        start = draw(st.integers(0, count))
        return flat[start : draw(st.integers(start, count))]
    if kind == "strided":
        return flat[:: draw(st.integers(1, 3))]
    if kind in ("matrix", "transposed") and count:
        width = draw(st.sampled_from([n for n in (1, 2, 7, 16, 257) if count % n == 0]))
        matrix = flat.view(-1, width)
        return matrix if kind == "matrix" else matrix.t()
    if kind == "expanded" and count:
        return flat[:1].expand(draw(st.integers(0, 5)), draw(st.integers(1, 3)))
    if kind == "scalar" and count:
        return flat[count // 2]
    if kind == "parameter":
        return torch.nn.Parameter(flat, requires_grad=draw(st.booleans()) and flat.is_floating_point())
    return flat


@st.composite
def sparse(draw: st.DrawFn) -> torch.Tensor:
    dense = torch.zeros(4, 6, dtype=draw(st.sampled_from(_SPARSE)))
    for place in draw(st.lists(st.integers(0, 23), max_size=6)):
        dense.view(-1)[place] = place + 1
    layout = draw(st.sampled_from(["coo", "csr", "csc", "bsr", "bsc"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        if layout == "coo":
            return dense.to_sparse()
        return getattr(dense, f"to_sparse_{layout}")(*([(2, 3)] if layout[0] == "b" else []))


@st.composite
def state_dicts(draw: st.DrawFn) -> dict[str, Any]:
    """A payload: nested containers of tensors, several of which may lie in one storage, and of plain values."""
    shared = draw(st.lists(storages(), min_size=1, max_size=4))
    tensors = st.one_of(st.sampled_from(shared).flatmap(views), sparse(), st.just(shared[0]))
    plain = st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=4))
    values = st.recursive(
        st.one_of(tensors, tensors, plain),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.lists(inner, max_size=3).map(tuple),
            st.dictionaries(st.text(max_size=3) | st.integers(0, 99), inner, max_size=4),
        ),
        max_leaves=12,
    )
    state: dict[str, Any] = draw(st.dictionaries(st.text(max_size=5), values, min_size=1, max_size=5))
    return state
