"""Architecture: what tensors a module consists of, and what is another one."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import torch

from unbroken import messages
from unbroken.errors import ArchitectureChangedError
from unbroken.state.adapters import describe

EXTRA_STATE = "_extra_state"
"""What torch calls the state that a module gives beside its tensors."""

Architecture = Mapping[str, Any]
"""``{"model.fc.weight": [[2, 3], "float32"], …}``"""


def architecture_of(name: str, state: Mapping[str, object]) -> dict[str, list[object]]:
    """Shape and dtype of every tensor of a module's state; a module's own extra state may be of any size."""
    return {
        f"{name}.{key}": shape_of(value)
        for key, value in state.items()
        if isinstance(value, torch.Tensor) and not key.endswith(EXTRA_STATE)
    }


def shape_of(tensor: torch.Tensor) -> list[object]:
    return [list(tensor.shape), _spelled(tensor.dtype)]


@cache
def _spelled(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def differing(old: Architecture, new: Architecture) -> Iterator[tuple[str, str | None, str | None]]:
    """The path of every tensor that is not alike on both sides, and how it is described on each; None: not there."""
    if old == new:
        return
    for path in [*old, *(path for path in new if path not in old)]:
        before, after = (describe(*one[path]) if path in one else None for one in (old, new))
        if before != after:
            yield path, before, after


def compare_architectures(saved: Architecture, current: Architecture) -> None:
    """Raise ``ArchitectureChangedError`` naming every tensor that is missing, new, or of another shape or dtype."""
    differences = []
    for path, old, new in differing(saved, current):
        key = "state_tensor_missing" if new is None else "state_tensor_new" if old is None else "state_tensor_differs"
        differences.append(messages.text(key, path=path, old=old, new=new))
    if differences:
        raise ArchitectureChangedError("state_architecture", differences=messages.clauses(differences))
