"""The witness of what is tracked: which tensors it looks at, and that a replay says where it could compare none."""

import torch
from torch import nn

from unbroken.loop.journal import BITS, Replay, Witness
from unbroken.loop.witness import StateWitness
from unbroken.state.tracked import Tracked


class Pair(nn.Module):
    def __init__(self, shared: bool) -> None:
        super().__init__()
        self.register_buffer("a", torch.zeros(3))
        self.register_buffer("b", self.a if shared else torch.zeros(3))


def witness(module: nn.Module) -> StateWitness:
    tracked = Tracked()
    tracked.add("pair", module)
    return StateWitness(tracked)


def test_two_names_of_one_buffer_are_looked_at_as_two_buffers_are() -> None:
    """The process that goes on may have made two of it: that is to be seen."""
    one, two = Pair(shared=True), Pair(shared=False)
    first, second = witness(one), witness(two)
    assert first.take(1, thorough=True) == second.take(1, thorough=True)
    assert first.names == second.names != 0
    one.a.add_(1)
    two.a.add_(1)
    assert first.take(2, thorough=True) != second.take(2, thorough=True)


def test_steps_with_other_tensors_than_then_are_counted() -> None:
    replay, looked = Replay(after=0), BITS["state"]
    before = Witness(looked, 0, 0, 0, 0, 0, 0, 1, 5)
    assert not replay.compare(1, before, before._replace(names=2, state=6))
    assert (replay.unlike, replay.compared["state"]) == (1, 0)
