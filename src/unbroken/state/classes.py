"""Classes: how the enumerations, named tuples and dataclasses of the running program are found by their names."""

import dataclasses
import enum
import sys
from collections.abc import Iterator
from types import FunctionType
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


def is_data(kind: Any) -> bool:
    if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
        return False
    # One over a dict or an exception has content that no field tells of.
    return kind.__new__ is object.__new__ or isinstance(kind.__new__, FunctionType)


def stands_under_its_name(kind: type) -> bool:
    """Whether the program's module has this class under its name: one made in a call is another after a restart."""
    found: Any = sys.modules.get(kind.__module__)
    for part in kind.__qualname__.split("."):
        found = getattr(found, "__dict__", {}).get(part)
    return found is kind


def dataclass_named(module: str, name: str) -> type | None:
    """As ``class_named``, of the dataclasses. Goes through all classes there are: some 20 ms."""
    return next((kind for kind in _descendants(object) if name_of(kind) == (module, name) and is_data(kind)), None)


def _classes() -> Iterator[type]:
    yield from (kind for kind in reversed(type.__subclasses__(tuple)) if is_namedtuple(kind))
    yield from _descendants(enum.Enum)


def _descendants(kind: type) -> Iterator[type]:
    """All classes derived from it; of those of one base the one defined last first."""
    waiting, seen = [kind], {kind}
    while waiting:
        derived: list[type] = type.__subclasses__(waiting.pop())
        kinds = [one for one in derived if one not in seen]
        seen.update(kinds)
        yield from reversed(kinds)
        waiting.extend(kinds)
