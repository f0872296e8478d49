"""Structure: what tracked modules are made of that no state_dict speaks of.

Classes, hooks, memory formats, functions in attributes: set in the course of training, they do not come back.
"""

from collections.abc import Iterator, Mapping
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from torch import nn

from unbroken.loop import bindings
from unbroken.state.hooks import has_hooks, hooks_on
from unbroken.state.origins import is_users, is_users_file

HOOKS = " (hooks)"
FORMAT = " (memory format)"
"""How the names end behind which the hooks of a module or a parameter are, and how a parameter lies in memory."""

_FUNCTIONS = (FunctionType, BuiltinFunctionType, MethodType)
_ENDING = "_hooks"
_HOOKS = tuple(key for key in vars(nn.Module()) if key.endswith(_ENDING))


class Structure:
    """Looks at the same modules again and again, and tells them in full where something is not as it was at first."""

    def __init__(self) -> None:
        self._first: list[object] | None = None
        self._functions: list[tuple[dict[str, Any], str]] = []

    def look(self, tracked: Mapping[str, object], *, full: bool) -> dict[str, str]:
        """Short texts by the paths of what there is, equal for what is alike; nothing where all is as at first."""
        roots = {name: value for name, value in tracked.items() if isinstance(value, nn.Module)}
        if self._first is None:
            parts = (vars(module) for root in roots.values() for module in root.modules())
            self._functions = [(held, key) for held in parts for key, value in held.items() if _is_function(value)]
        marks = [mark for root in roots.values() for mark in _marks(root)]
        marks += [id(held.get(key)) for held, key in self._functions]
        if self._first is None:
            self._first, full = marks, True
        if not full and marks == self._first:
            return {}
        with_functions = {id(held) for held, _ in self._functions}
        texts = (one for name, root in roots.items() for one in _of(name, root, with_functions))
        return {bindings.STANDS_FOR + path: text for path, text in texts}


def _marks(root: nn.Module) -> list[object]:
    """What is enough to see that something is another one in this process; at each save, of thousands of modules."""
    marks: list[object] = []
    for module in root.modules():
        held = vars(module)
        marks.append(type(module))
        for key in _HOOKS:
            if hooks := held.get(key):
                marks += hooks
        for parameter in held["_parameters"].values():
            if parameter is not None:
                if parameter.requires_grad and has_hooks(parameter):
                    marks += [key for _, hooks in hooks_on(parameter) for key in hooks]
                if parameter.dim() > 3 and _is_strided_otherwise(parameter):
                    marks.append(parameter.stride())
    return marks


def _is_strided_otherwise(parameter: nn.Parameter | None) -> bool:
    """Of images and volumes: which kernels are taken, and so the last bits, depends on it."""
    return parameter is not None and parameter.dim() in (4, 5) and not parameter.is_contiguous()


def _of(name: str, root: nn.Module, with_functions: set[int]) -> Iterator[tuple[str, str]]:
    for below, module in root.named_modules():
        path = f"{name}.{below}" if below else name
        held = vars(module)
        if below:
            yield path, bindings.look(module, {})
        yield f"{path}{HOOKS}", _texts(value for key, value in held.items() if key.endswith(_ENDING))
        if id(held) in with_functions:
            functions = ((key, value) for key, value in held.items() if _is_function(value))
            yield from ((f"{path}.{key}", bindings.look(value, {})) for key, value in functions)
        for key, parameter in held["_parameters"].items():
            yield f"{path}.{key}{HOOKS}", _texts(hooks for _, hooks in hooks_on(parameter))
            yield f"{path}.{key}{FORMAT}", str(_is_strided_otherwise(parameter))


def _texts(dictionaries: Iterator[Any]) -> str:
    hooks = (hook for one in dictionaries if isinstance(one, dict) for hook in one.values())
    return "; ".join(bindings.look(hook, {}) for hook in hooks if _is_of_the_user(hook))


def _is_function(value: object) -> bool:
    return isinstance(value, _FUNCTIONS)


def _is_of_the_user(hook: Any) -> bool:
    """Torch has hooks of its own, which come and go."""
    if isinstance(hook, MethodType):
        hook = hook.__func__
    if isinstance(hook, FunctionType):
        return is_users_file(hook.__code__.co_filename)
    return is_users(type(hook))
