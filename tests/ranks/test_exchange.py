"""What processes tell one another arrives whole, whatever its length, and an error of one is everybody's."""

import os
import random
from datetime import timedelta
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from tests.ranks.toolkit import forked
from unbroken.errors import UnbrokenError
from unbroken.loop.ranks import _AT_ONCE, At, Ranks, ranks_here

_LENGTHS = (0, 10, _AT_ONCE // 2, _AT_ONCE - 40, _AT_ONCE, _AT_ONCE + 1, 100_000)
_ROUNDS = 40


def _exchange(rank: int, size: int, meeting: Path) -> int:
    torch.set_num_threads(1)
    at = f"file://{meeting}"
    dist.init_process_group("gloo", init_method=at, rank=rank, world_size=size, timeout=timedelta(seconds=60))
    ranks = ranks_here()
    dice = random.Random(5)  # the same in all
    for number in range(_ROUNDS):
        texts = [dice.choice(_LENGTHS) * bytes([number, one]) for one in range(size)]
        tensors = [torch.full((dice.choice((0, 7, 300_000)),), float(one)) for one in range(size)]
        _tell_all(ranks, number, texts, tensors)
    with pytest.raises(ZeroDivisionError if rank == size - 1 else UnbrokenError, match="division"):
        ranks.together(At.SAVE, lambda: 1 // (size - 1 - rank))
    dist.destroy_process_group()
    return 0


def _tell_all(ranks: Ranks, number: int, texts: list[bytes], tensors: list[torch.Tensor]) -> None:
    rank, size = ranks.rank, ranks.size
    assert ranks.all(At.SAVE, texts[rank]) == texts
    assert ranks.together_with(At.SAVE, lambda: texts[rank], rank) == [*zip(texts, range(size), strict=True)]
    assert ranks.most(At.BOUNDARY, [rank, -rank, number]) == [size - 1, 0, number]
    text, tensor = ranks.by_first(At.BEGIN, lambda: (texts[0], tensors[0]))
    assert text == texts[0] and torch.equal(tensor, tensors[0])
    values, notes = ranks.at_first(At.SAVE, {"tensor": tensors[rank], "text": texts[rank]}, rank)
    assert notes == [*range(size)]
    assert [one["text"] for one in values] == (texts if ranks.is_first else [texts[rank]])
    if ranks.is_first:
        assert all(torch.equal(one["tensor"], other) for one, other in zip(values, tensors, strict=True))


@pytest.mark.parametrize("size", [2, 3, 4])
def test_values_of_any_length_arrive_whole_at_all(size: int, tmp_path: Path) -> None:
    processes = [forked(lambda r=rank: _exchange(r, size, tmp_path / "meeting")) for rank in range(size)]
    assert [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in processes] == [0] * size
