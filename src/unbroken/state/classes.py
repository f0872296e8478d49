"""Classes: how the enumerations and named tuples of the running program are found by the names a file has for them."""

import enum
from collections.abc import Iterator
from typing import Any


def name_of(kind: type) -> tuple[str, str]:
    """What it is called in a file: its module, and its name there."""
    return kind.__module__, kind.__qualname__


def class_named(module: str, name: str) -> type | None:
    """The enumeration or named tuple that the running program calls so; of several the one defined last.

    Nothing is imported, and nothing looked up in a module for a name in a file (a module may run code for that, as
    those do that are loaded when they are first used): all there are of these classes are gone through, and the names
    that they have compared.
    """
    return next((kind for kind in _classes() if name_of(kind) == (module, name)), None)


def is_namedtuple(kind: Any) -> bool:
    return (
        isinstance(kind, type) and issubclass(kind, tuple) and kind.__bases__ == (tuple,) and hasattr(kind, "_fields")
    )


def _classes() -> Iterator[type]:
    yield from (kind for kind in reversed(type.__subclasses__(tuple)) if is_namedtuple(kind))
    waiting: list[type] = [enum.Enum]
    while waiting:
        kinds: list[type] = type.__subclasses__(waiting.pop())
        yield from reversed(kinds)
        waiting.extend(kinds)
