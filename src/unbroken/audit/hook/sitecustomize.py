"""Loaded by every Python process of a script under audit: writes down which files of its folder are opened for reading.

By CPython's audit events (PEP 578), so whoever opens them. What lies outside the folder, and is not found there, is
written down as well. This file stands by itself: the script may be run by another Python than the audit is.
"""

# Without pathlib: what a script imports is not to be other than it is.
# ruff: noqa: PTH100, PTH118, PTH120, PTH206

import importlib.machinery
import importlib.util
import os
import sys

_PATTERNS = ("glob.glob",)
_ASKED = ("os.listdir", "os.scandir", "pathlib.Path.glob", "pathlib.Path.rglob", *_PATTERNS)
_MAGIC = "*?["


def _report() -> None:
    target, root = os.environ.get("UNBROKEN_AUDIT_OPENS"), os.environ.get("UNBROKEN_TRACE_ROOT")
    if not target or not root:
        return
    roots = tuple(path + os.sep for path in (os.path.abspath(root), os.path.realpath(root)))
    told: set = set()  # type: ignore[type-arg]

    def write(record: str) -> None:
        # Opened anew each time: a script may close files whose numbers it did not get from anybody.
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            os.write(descriptor, os.fsencode(record) + b"\0")
        finally:
            os.close(descriptor)

    def look(event: str, arguments: tuple) -> None:  # type: ignore[type-arg]
        if event != "open" and event not in _ASKED:
            return
        path = arguments[0]
        if event.startswith("pathlib"):
            path = os.fspath(path)
        if not isinstance(path, (str, bytes)):
            return
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_ACCMODE == os.O_WRONLY:
            return
        path = os.fsdecode(path)
        if event in _PATTERNS:
            path = _without_magic(path)
        if (event, path) in told:
            return
        told.add((event, path))
        whole = os.path.abspath(path)
        inside = next((one for one in roots if (whole + os.sep).startswith(one)), None)
        if inside is None:
            if whole != target and (os.pardir in path.split(os.sep) or not os.path.lexists(whole)):
                write("!" + whole)
        elif event == "open":
            write("=" + whole[len(inside) :])

    def hook(event: str, arguments: tuple) -> None:  # type: ignore[type-arg]
        try:
            look(event, arguments)
        except (OSError, ValueError):
            return  # an exception in here would be one of the script's open()

    write("+")
    sys.addaudithook(hook)


def _without_magic(pattern: str) -> str:
    parts = []
    for part in pattern.split(os.sep):
        if any(char in part for char in _MAGIC):
            break
        parts.append(part)
    return os.sep.join(parts) or os.curdir


def _load_the_one_that_this_stands_before() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize")
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


_report()
_load_the_one_that_this_stands_before()
