"""Architecture: what tensors a module consists of, and what is another one."""

from collections.abc import Mapping
from typing import Any

import torch

from unbroken import messages
from unbroken.errors import ArchitectureChangedError
from unbroken.state.adapters import describe

EXTRA_STATE = "_extra_state"
"""What torch calls the state that a module gives beside its tensors."""


def architecture_of(name: str, state: Mapping[str, object]) -> dict[str, list[object]]:
    """Shape and dtype of every tensor of a module's state; a module's own extra state may be of any size."""
    return {
        f"{name}.{key}": [list(value.shape), str(value.dtype).removeprefix("torch.")]
        for key, value in state.items()
        if isinstance(value, torch.Tensor) and not key.endswith(EXTRA_STATE)
    }


def compare_architectures(saved: Mapping[str, Any], current: Mapping[str, Any]) -> None:
    """Raise ``ArchitectureChangedError`` naming every tensor that is missing, new, or of another shape or dtype."""
    differences = []
    for path in [*saved, *(p for p in current if p not in saved)]:
        old = describe(*saved[path]) if path in saved else None
        new = describe(*current[path]) if path in current else None
        if new is None:
            differences.append(messages.text("state_tensor_missing", path=path, old=old))
        elif old is None:
            differences.append(messages.text("state_tensor_new", path=path, new=new))
        elif old != new:
            differences.append(messages.text("state_tensor_differs", path=path, old=old, new=new))
    if differences:
        raise ArchitectureChangedError("state_architecture", differences="; ".join(differences))
