"""Outside: what a script looks for beside the folder that is copied, and so does not find where the audit runs it."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

_WORD = re.compile(r"[^\s'\"(),;=]+")
_MODULE = re.compile(r"No module named '([A-Za-z_]\w*)")


def missed(source: Path, copy: Path, command: Sequence[str], looked_for: Sequence[str], said: str) -> Path | None:
    """The first path that is there beside ``source``, and not beside its ``copy``.

    ``looked_for`` are paths outside the copy that its processes asked for; ``said`` is the end of its output.
    """
    for path in (*_told(copy, command, looked_for, said), *_modules(copy, said)):
        there = Path(os.path.normpath(source / os.path.relpath(path, copy)))
        if there.exists() and not there.is_relative_to(source) and there not in source.parents and not path.exists():
            return there
    return None


def _told(copy: Path, command: Sequence[str], looked_for: Sequence[str], said: str) -> Iterator[Path]:
    """Paths outside the copy: as they were asked for, and as words in the command and the output."""
    yield from map(Path, looked_for)
    for word in (*command, *_WORD.findall(said)):
        if os.pardir in Path(word).parts or (os.path.isabs(word) and not Path(word).is_relative_to(copy)):  # noqa: PTH117
            yield Path(os.path.normpath(copy / word.rstrip(".:")))


def _modules(copy: Path, said: str) -> Iterator[Path]:
    """Modules that were not found may lie in the folder above, which scripts put on their path."""
    for name in _MODULE.findall(said):
        yield copy.parent / name
        yield copy.parent / f"{name}.py"
