"""The user's own counters: what is restored is a copy, so that it can be restored again."""

import numpy as np
import torch

from unbroken.state.encoding import encode
from unbroken.state.user import UserState


def test_a_state_can_be_restored_again_after_what_it_gave_was_changed_in_place() -> None:
    """An epoch resumed twice in its middle starts twice from the same counters."""
    saved = {"tensor": torch.zeros(1), "array": encode(np.zeros(1), ""), "decoded": np.zeros(1), "list": [0]}
    state = UserState()
    for _ in range(2):
        state.restore(saved)
        assert state["tensor"].item() == state["array"].item() == state["decoded"].item() == state["list"][0] == 0
        state["tensor"] += 1
        state["array"] += 1
        state["decoded"] += 1
        state["list"][0] += 1
