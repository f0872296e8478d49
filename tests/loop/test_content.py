"""The content of a batch: any kind of value counts by what it holds, and by nothing else that lies in its memory."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from unbroken.loop.content import SAMPLED, WHOLE, content_digest

DAYS = np.datetime64("2020-01-01")
ALIGNED = np.dtype([("a", "i1"), ("b", "f8"), ("day", "M8[D]")], align=True)


def _among_garbage(kind: "np.typing.DTypeLike", filler: int, fill: Callable[[Any], None]) -> "np.ndarray[Any, Any]":
    """An array whose padding is ``filler``."""
    array = np.full(np.dtype(kind).itemsize * 4, filler, np.uint8).view(kind)
    fill(array)
    return array


def _structured(filler: int, last: float) -> "np.ndarray[Any, Any]":
    def fill(array: Any) -> None:
        array["a"], array["b"], array["day"] = 1, last, DAYS

    return _among_garbage(ALIGNED, filler, fill)


def _long(kind: Any, filler: int, last: float) -> "np.ndarray[Any, Any]":
    def fill(array: Any) -> None:
        for place in range(len(array)):
            np.multiply(kind(last), 1 + np.finfo(kind).eps, out=array[place : place + 1])

    return _among_garbage(kind, filler, fill)


# Each makes a value by the number of its making, which must not show, and by a number that must.
KINDS: dict[str, Callable[[int, float], Any]] = {
    "times": lambda _, last: DAYS + np.arange(9) * int(last),
    "a time": lambda _, last: DAYS + int(last),
    "spans": lambda _, last: np.full(9, int(last), "m8[s]"),
    "many times": lambda _, last: np.full(99_999, int(last), "M8[s]"),
    "times in a row of every second": lambda _, last: np.full(20, int(last), "M8[s]")[::2],
    "texts": lambda _, last: np.array(["a", str(last)]),
    "fields": _structured,
    "long doubles": lambda filler, last: _long(np.longdouble, filler, last),
    "long complex": lambda filler, last: _long(np.clongdouble, filler, last),
    "half complex": lambda _, last: torch.complex(*torch.full((2, 3), last).half()),
    "bfloat16": lambda _, last: torch.full((3,), last).bfloat16(),
    "float8": lambda _, last: torch.full((3,), last).to(torch.float8_e5m2),
    "conjugated": lambda _, last: torch.full((3,), complex(last, last)).conj(),
    "nested": lambda _, last: torch.nested.nested_tensor([torch.full((2,), last), torch.ones(3)]),
    "jagged": lambda _, last: torch.nested.nested_tensor([torch.full((2,), last), torch.ones(3)], layout=torch.jagged),
    "sparse": lambda _, last: (torch.eye(3) * last).to_sparse(),
    "spread": lambda _, last: torch.full((1,), last).expand(7_000, 3),
    "of no dimension": lambda _, last: torch.tensor(last),
    "trained": lambda _, last: torch.nn.Parameter(torch.full((3,), last)),
}


@pytest.mark.filterwarnings("ignore:.*prototype stage")
@pytest.mark.parametrize("most", [SAMPLED, WHOLE])
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_content_is_the_same_and_another_is_not(kind: str, most: int) -> None:
    make = KINDS[kind]
    first, again, other = (content_digest({"x": [make(*with_)]}, most) for with_ in ((1, 2.0), (255, 2.0), (1, 3.0)))
    assert first == again
    assert first != other


def test_every_bit_of_a_long_double_counts() -> None:
    one = np.ones(3, np.longdouble)
    assert content_digest(one, WHOLE) != content_digest(one + np.finfo(np.longdouble).eps, WHOLE)


def test_shape_and_kind_count() -> None:
    ones = torch.ones(2, 3)
    variants = [ones, ones.T.contiguous(), ones.reshape(6), ones.int(), ones.double(), ones.numpy()]
    assert len({content_digest(value, WHOLE) for value in variants}) == len(variants)


def test_a_tensor_that_was_looked_at_can_still_be_resized() -> None:
    value = torch.ones(3)
    content_digest(value, WHOLE)
    assert value.resize_(5).shape == (5,)
