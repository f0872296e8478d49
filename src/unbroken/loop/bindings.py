"""Bindings: what a name of the loop stands for, where its value is no plain one: which function, class or object.

``criterion = torch.nn.L1Loss()`` in the course of training, ``generator, critic = critic, generator``: the values that
the names had are in no checkpoint, and no value of theirs need differ.
"""

import functools
from collections.abc import Iterable, Mapping
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType

from unbroken.loop import looks
from unbroken.loop.iterators import is_iterator
from unbroken.state.functions import fingerprint

STANDS_FOR = "stands for "
"""How the names begin."""


def look(value: object, tracked: Mapping[int, str]) -> str:
    """A short text, equal for what is alike: for another instance of the same class, too. Empty for plain values.

    ``tracked`` has the names of tracked objects by their ids.
    """
    if id(value) in tracked:
        return f"tracked {tracked[id(value)]}"
    if value is None:
        return "None"
    if looks.is_plain(value) or is_iterator(value) or isinstance(value, ModuleType):
        return ""
    return _of(value)


def without_others(lost: Iterable[str]) -> list[str]:
    """Those that are lost, without a second word on a name of which the value is."""
    names = list(lost)
    return [name for name in names if not (name.startswith(STANDS_FOR) and name.removeprefix(STANDS_FOR) in names)]


def _of(value: object) -> str:
    if isinstance(value, FunctionType):
        return f"function {value.__qualname__} {_of_code(value.__code__)}"
    if isinstance(value, MethodType):
        return f"method {type(value.__self__).__qualname__}.{value.__func__.__qualname__}"
    if isinstance(value, BuiltinFunctionType):
        return f"function {value.__module__}.{value.__qualname__}"
    if isinstance(value, functools.partial):
        return f"partial {_of(value.func)}"
    kind = value if isinstance(value, type) else type(value)
    return f"{'class' if kind is value else 'object'} {kind.__module__}.{kind.__qualname__}"


@functools.lru_cache(maxsize=1000)
def _of_code(code: CodeType) -> str:
    return fingerprint(code)  # type: ignore[arg-type]  # what it describes of a function begins with its code
