"""Tensors whose opcodes are taken at once are what the opcodes one by one make of them, in damaged pickles too."""

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.counting import calls
from unbroken.store import pickles
from unbroken.store.pickling import pickled
from unbroken.store.stubs import Storages
from unbroken.store.trees import Refused

Made = tuple[bytes, dict[str, int]]


def made(count: int) -> Made:
    """A pickle of tensors of many shapes and places, and the sizes of its storages."""
    base = torch.arange(200.0)
    tensors: list[Any] = [torch.zeros(number % 5, 3) for number in range(count)]
    tensors += [torch.tensor(1.5), base[7:19], base.view(20, 10).t(), torch.ones(2, 2, 2, 2, dtype=torch.int64)]
    tensors += [torch.zeros(70_000, dtype=torch.uint8), base, torch.nn.Parameter(base[:2])]
    found = pickled({"texts": [f"text {number}" for number in range(300)], "tensors": tensors})
    return found.pickle, {str(number): storage.nbytes() for number, storage in enumerate(found.storages)}


def one_by_one(pickle: bytes, sizes: dict[str, int]) -> object:
    return pickles._read(pickles._Reader(pickle, Storages(sizes), None))


def outcome(read: Callable[[bytes, dict[str, int]], object], pickle: bytes, sizes: dict[str, int]) -> str:
    try:
        return repr(read(pickle, sizes))
    except Refused as refused:
        return f"refused: {refused.key}, {refused.detail}"


def test_both_ways_make_the_same_and_one_in_few_calls() -> None:
    pickle, sizes = made(200)
    assert outcome(pickles.read, pickle, sizes) == outcome(one_by_one, pickle, sizes)
    assert 2 * calls(lambda: pickles.read(pickle, sizes)) < calls(lambda: one_by_one(pickle, sizes))


@pytest.mark.slow
def test_both_ways_have_one_verdict_on_a_damaged_pickle() -> None:
    pickle, sizes = made(12)
    chance = random.Random(7)
    start = pickle.index(b"_rebuild_tensor_v2")
    accepted = 0
    for _ in range(3000):
        damaged = bytearray(pickle)
        for _ in range(chance.choice([1, 1, 2, 4])):
            at = chance.randrange(start, len(damaged))
            damaged[at] = chance.choice([chance.randrange(256), *b"()hqjrKMJtQR\x85\x86\x87\x89X0"])
        said = outcome(pickles.read, bytes(damaged), sizes)
        assert said == outcome(one_by_one, bytes(damaged), sizes)
        accepted += not said.startswith("refused")
    assert accepted > 100
