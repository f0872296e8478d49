"""Mentions: whether the user's code names an attribute anywhere. Code is looked at, never run."""

import sys
from collections.abc import Iterator
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

from unbroken.state.origins import is_users_file


class Mentions:
    """Whether any function, method or running script of the user's reads an attribute of this name, or spells it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._found = False
        self._looked_at: set[int] = set()
        self._held: list[CodeType] = []

    def __call__(self) -> bool:
        """Whether it is there by now; what was looked at once is not looked at again."""
        if not self._found:
            self._found = any(self._is_in(code) for code in self._codes())
        return self._found

    def _is_in(self, code: CodeType) -> bool:
        if id(code) in self._looked_at or not is_users_file(code.co_filename):
            return False
        self._looked_at.add(id(code))
        self._held.append(code)  # an id is of this code as long as it lives
        if self._name in code.co_names or self._name in code.co_consts:
            return True
        return any(self._is_in(inner) for inner in code.co_consts if isinstance(inner, CodeType))

    def _codes(self) -> Iterator[CodeType]:
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            yield frame.f_code
            frame = frame.f_back
        for module in list(sys.modules.values()):
            if isinstance(module, ModuleType) and _is_users_module(module):
                yield from _codes_in(vars(module))


def _codes_in(names: Any, depth: int = 0) -> Iterator[CodeType]:
    for value in list(names.values()):
        if isinstance(value, FunctionType):
            yield value.__code__
            yield from _codes_in({"": getattr(value, "__wrapped__", None)})
        elif isinstance(value, (staticmethod, classmethod)):
            yield from _codes_in({"": value.__func__})
        elif isinstance(value, property):
            yield from _codes_in({"get": value.fget, "set": value.fset})
        elif isinstance(value, type) and depth == 0:
            yield from _codes_in(vars(value), 1)


def _is_users_module(module: ModuleType) -> bool:
    if module.__name__ == "__main__":
        return True
    file = getattr(module, "__file__", None)
    return file is not None and is_users_file(file)
