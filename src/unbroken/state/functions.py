"""Fingerprints of code: what a scheduler's state_dict leaves out, kept so that a change of it can be told."""

import functools
import hashlib
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from unbroken.state.encoding import child_path

_DEPTH = 4
_SIMPLE = (str, int, float, bool, complex, bytes, type(None))


def fingerprint(function: Callable[..., object]) -> str:
    """A digest of a callable's code, constants, defaults and captured values: ``"cpython-311:<hex>"``.

    Where the code stands in its file does not count. Two Python versions compile the same source to different
    code, so the version stands in front: only fingerprints of one version can be compared.
    """
    digest = hashlib.sha256("\n".join(_describe(function, 0)).encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"{sys.implementation.cache_tag}:{digest}"


def fingerprints(owner: object) -> dict[str, str]:
    """The fingerprint of every function held by ``owner``'s attributes, by its path in them."""
    return dict(_held(vars(owner), "", {id(owner)}))


def changed(saved: Mapping[str, str], current: Mapping[str, str]) -> list[str]:
    """The paths of functions that are not what they were; those of another Python version are not judged."""
    return [
        path
        for path in sorted({*saved, *current})
        if path not in saved
        or path not in current
        or (_version(saved[path]) == _version(current[path]) and saved[path] != current[path])
    ]


def _version(mark: str) -> str:
    return mark.partition(":")[0]


def _held(attributes: Mapping[Any, object], path: str, seen: set[int]) -> Iterator[tuple[str, str]]:
    for key, value in attributes.items():
        if key != "optimizer":  # a scheduler's optimizer is tracked for itself
            yield from _held_in(value, child_path(path, key), seen)


def _held_in(value: object, path: str, seen: set[int]) -> Iterator[tuple[str, str]]:
    if callable(value) and not isinstance(value, type):
        yield path, fingerprint(value)
    elif id(value) in seen:
        return
    elif isinstance(value, dict):
        yield from _held(value, path, seen | {id(value)})
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            yield from _held_in(item, f"{path}[{i}]", seen | {id(value)})
    elif hasattr(value, "state_dict") and hasattr(value, "__dict__"):
        seen.add(id(value))
        yield from _held(vars(value), path, seen)


def _describe(value: object, depth: int) -> Iterator[str]:
    """Lines that say what a callable does, or the value of a constant, as far as that can be told."""
    if depth > _DEPTH:
        yield type(value).__qualname__
    elif isinstance(value, types.FunctionType):
        yield from _describe_function(value, depth)
    elif isinstance(value, types.MethodType):
        yield from _describe(value.__func__, depth)
    elif isinstance(value, types.BuiltinFunctionType):
        yield f"{value.__module__}.{value.__qualname__}"
    elif isinstance(value, functools.partial):
        for part in (value.func, value.args, tuple(sorted(value.keywords.items()))):
            yield from _describe(part, depth + 1)
    elif isinstance(value, types.CodeType):
        yield value.co_code.hex()
        yield repr(value.co_names)
        for constant in value.co_consts:
            yield from _describe(constant, depth + 1)
    elif isinstance(value, (tuple, list, frozenset)):
        items = sorted(value, key=repr) if isinstance(value, frozenset) else value
        yield f"{type(value).__name__} {len(items)}"
        for item in items:
            yield from _describe(item, depth + 1)
    elif type(value) in _SIMPLE:
        yield repr(value)
    else:
        # An object's own numbers are in the state_dict, or are the business of what it belongs to.
        yield f"{type(value).__module__}.{type(value).__qualname__}"
        call = vars(type(value)).get("__call__")
        if isinstance(call, types.FunctionType):
            yield from _describe_function(call, depth + 1)


def _describe_function(function: types.FunctionType, depth: int) -> Iterator[str]:
    yield from _describe(function.__code__, depth)
    yield from _describe(function.__defaults__, depth + 1)
    yield from _describe(tuple(sorted((function.__kwdefaults__ or {}).items())), depth + 1)
    for cell in function.__closure__ or ():
        try:
            yield from _describe(cell.cell_contents, depth + 1)
        except ValueError:  # a cell not filled yet
            yield "empty"
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        if type(value) in _SIMPLE and name in function.__globals__:
            yield f"{name} = {value!r}"
