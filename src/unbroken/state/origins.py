"""Origins: which code was written by the user, and did not come with a library; what of it runs, and what it names.

Code is looked at, never run.
"""

import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

_OURS = Path(__file__).resolve().parents[1]
_TYPED_IN = ("<stdin>", "<string>", "<ipython", "<doctest", "<console")


def is_users(kind: type) -> bool:
    """Whether a class is the user's own."""
    return _is_users_module(kind.__module__, sys.modules.get(kind.__module__))


@cache
def is_users_file(name: str) -> bool:
    """Whether the code of a file of this name, as in ``co_filename``, is the user's own."""
    if name.startswith("<"):
        return name.startswith(_TYPED_IN)
    # Of a program's thousands of modules few are links; the folders of the others are resolved once.
    path = Path(name)
    folder = path.resolve().parent if path.is_symlink() else _resolved(path.parent)
    return "site-packages" not in folder.parts and not any(folder.is_relative_to(one) for one in (*_libraries(), _OURS))


@cache
def _resolved(folder: Path) -> Path:
    return folder.resolve()


@cache
def _libraries() -> tuple[Path, ...]:
    return tuple(Path(sysconfig.get_path(key)).resolve() for key in ("stdlib", "platstdlib", "purelib", "platlib"))


@cache
def is_our_file(name: str) -> bool:
    """Whether the code of a file of this name is this library's."""
    return Path(name).resolve().is_relative_to(_OURS)


def users_frames() -> Iterator[FrameType]:
    """The running functions of the user's, the innermost first."""
    return (frame for frame in _frames() if is_users_file(frame.f_code.co_filename))


def _frames() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back


def _is_users_module(name: str, module: ModuleType | None) -> bool:
    file = getattr(module, "__file__", None)
    return name == "__main__" or (file is not None and is_users_file(file))


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
        yield from (frame.f_code for frame in _frames())
        for module in list(sys.modules.values()):
            if isinstance(module, ModuleType) and _is_users_module(module.__name__, module):
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
