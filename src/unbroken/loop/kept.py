"""Kept: what functions of the user's keep from one call to the next: globals and attributes read, and then set."""

from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType
from typing import Any

import numpy as np
import torch

from unbroken.loop import liveness
from unbroken.state.origins import is_users, is_users_file


def has_methods(kind: type) -> bool:
    """Whether its instances do something by themselves: those of a class without are filled from outside."""
    functions = [name for name, value in vars(kind).items() if isinstance(value, FunctionType)]
    return not all(name.startswith("__") and name.endswith("__") and name != "__call__" for name in functions)


def read_by_functions(space: Mapping[str, Any]) -> set[str]:
    """The globals that functions of this module read before they set them."""
    names: set[str] = set()
    for value in list(space.values()):
        for code in _codes(value):
            if is_users_file(code.co_filename):
                names |= {name for name in liveness.live_at_entry(code) if name[0] == liveness.GLOBAL[0]}
    return names


def kept_attributes(kind: type, held: Mapping[str, Any]) -> set[str]:
    """The attributes that some method reads and then sets: not those that are only set anew, or only read.

    Of what an instance has in ``held``, a tensor or an array that no method sets anew is filled in place.
    """
    names: set[str] = set()
    anew: set[str] = set()
    for base in kind.__mro__:
        if is_users(base):
            for code in _codes(base):
                names |= liveness.live_at_entry(code) & liveness.stored(code)
                anew |= liveness.stored(code)
    filled = {key for key, value in held.items() if isinstance(value, torch.Tensor | np.ndarray)}
    filled -= {name.removeprefix(liveness.ATTRIBUTE) for name in anew}
    return filled | {name[len(liveness.ATTRIBUTE) :] for name in names if name[0] == liveness.ATTRIBUTE[0]}


def _codes(value: object) -> Iterator[CodeType]:
    if isinstance(value, FunctionType):
        inner = getattr(value, "__wrapped__", value)
        yield inner.__code__ if isinstance(inner, FunctionType) else value.__code__
    elif isinstance(value, type):
        for member in vars(value).values():
            if isinstance(member, FunctionType) and member.__name__ != "__init__":
                yield from _codes(member)
