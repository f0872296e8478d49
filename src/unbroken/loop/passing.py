"""What an iterable dataset counts for itself while it is gone through, which a restart finds as it was built."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from unbroken.loop.generators import is_library

_DEEPEST, _MOST = 4, 1000

Scalar = bool | int | float | str | None


def counted(dataset: object) -> dict[str, Scalar]:
    """The plain values that the dataset and its parts have in attributes, by path; a bounded look."""
    return {path: value for (path, value), _ in zip(_walk(dataset, "", 0, set()), range(_MOST), strict=False)}


def changed(before: dict[str, Scalar], now: dict[str, Scalar]) -> list[str]:
    """The paths of what is not what it was, each with both values."""
    return [
        f"{path.removeprefix('.')}: {before[path]!r} -> {value!r}"
        for path, value in now.items()
        if path in before and repr(before[path]) != repr(value)  # as said: NaN is still NaN
    ]


def _walk(value: Any, path: str, depth: int, seen: set[int]) -> Iterator[tuple[str, Scalar]]:
    if isinstance(value, bool | int | float | str | None):
        yield path, value
        return
    if depth > _DEEPEST or id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, list | tuple) and len(value) <= _MOST:
        parts = [(f"{path}[{number}]", part) for number, part in enumerate(value)]
    elif isinstance(value, dict) and len(value) <= _MOST:
        parts = [(f"{path}[{key!r}]", part) for key, part in value.items() if isinstance(key, str | int)]
    elif _has_parts(value):
        parts = [(f"{path}.{name}", part) for name, part in vars(value).items()]
    else:
        return
    for name, part in parts:
        yield from _walk(part, name, depth + 1, seen)


def _has_parts(value: Any) -> bool:
    if isinstance(value, SimpleNamespace):
        return True
    return hasattr(value, "__dict__") and not isinstance(value, type) and not is_library(type(value).__module__)
