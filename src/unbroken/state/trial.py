"""Trial: whether an object of a class not torch's takes the state it gives; it and the global streams are put back."""

import collections
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer

from unbroken.errors import UnsavableStateError, is_refusal
from unbroken.state.adapters import Stateful, one_line
from unbroken.state.encoding import encode
from unbroken.state.plain import Describer, held, is_looked_into
from unbroken.state.snapshot import equal_bits, own_copy

_HOOKS = ("state_dict", "load_state_dict", "_save_to_state_dict", "_load_from_state_dict")
_EXTRA = ("get_extra_state", "set_extra_state")


def try_round_trip(name: str, obj: object, get: Callable[[], Any], put: Callable[[Any], object]) -> None:
    """Give an object a copy of its own state, and raise ``UnsavableStateError`` unless it has the same state then.

    For classes that are not torch's. The object is left as it was: what it holds, and what that holds, are the very
    objects of before, and so are the random streams.
    """
    if not _is_of_another(obj):
        return
    before = own_copy(get(), name)
    with _left_as_it_was(obj), _streams_kept():
        try:
            put(own_copy(before, name))
            after = encode(get(), name)
        except Exception as error:
            if is_refusal(error):
                raise
            raise UnsavableStateError("state_not_taken_back", name=name, detail=one_line(error)) from error
        found = equal_bits(encode(before, name), after, name)
    if found is not None:
        raise UnsavableStateError("state_other_than_given", name=name, path=found)


def says_nothing(obj: object, state: object) -> bool:
    """Whether an object gives an empty state, and holds nothing else that could be kept for it."""
    empty = state is None or (hasattr(state, "__len__") and len(state) == 0)
    return empty and not is_looked_into(obj)


def _is_of_another(obj: object) -> bool:
    """Whether another class than torch's own says what is in a state, or what becomes of it."""
    if isinstance(obj, nn.Module):
        return any(_is_written_outside(type(part), name) for part in obj.modules() for name in (*_HOOKS, *_EXTRA))
    if isinstance(obj, Optimizer):
        return any(_is_written_outside(type(obj), name) for name in ("state_dict", "load_state_dict", "__setstate__"))
    return isinstance(obj, Stateful) and not _is_torchs(type(obj))


def _is_written_outside(kind: type, name: str) -> bool:
    owner = next((base for base in kind.__mro__ if name in vars(base)), None)
    return owner is not None and not _is_torchs(owner)


def _is_torchs(kind: type) -> bool:
    return kind.__module__.partition(".")[0] in ("torch", "torchdata")


@contextmanager
def _left_as_it_was(obj: object) -> Iterator[None]:
    attributes = getattr(obj, "__dict__", {})
    describer = Describer(dict, lambda value: False)
    for key, value in (held(obj) if is_looked_into(obj) else attributes).items():
        describer.describe(value, key)
    contents = [(value, _content(value)) for value in (obj, *describer.objects.values())]
    try:
        yield
    finally:
        for value, content in contents:
            _put_back(value, content)


def _content(value: Any) -> Any:
    if isinstance(value, (list, set, collections.deque)):
        return list(value)
    if isinstance(value, dict):
        return list(value.items())
    return dict(getattr(value, "__dict__", {})) if not isinstance(value, torch.Tensor) else None


def _put_back(value: Any, content: Any) -> None:
    if isinstance(value, (list, collections.deque)):
        if list(map(id, value)) != list(map(id, content)):
            value.clear()
            value.extend(content)
    elif isinstance(value, (set, dict)):
        there = list(value.items()) if isinstance(value, dict) else list(value)
        if len(there) != len(content) or any(not _same(a, b) for a, b in zip(there, content, strict=True)):
            value.clear()
            value.update(content)
    elif content:
        vars(value).clear()
        vars(value).update(content)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other) == 2:
        return one[0] is other[0] and one[1] is other[1]
    return one is other


@contextmanager
def _streams_kept() -> Iterator[None]:
    numbers, array = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(numbers)
            np.random.set_state(array)
