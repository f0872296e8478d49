"""Output: lines and tables for people, one JSON document for programs. rich is imported only to draw a table."""

import contextlib
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from unbroken.errors import UnbrokenError
from unbroken.store.torchfile import TensorStub

_UNBOUNDED = 10_000
_NARROW = 100


@dataclass(frozen=True)
class Column:
    """A column by its title; numbers stand to the right. What is ``whole`` is not broken on a narrow terminal."""

    title: str
    right: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Row:
    """A row; ``style`` colours it on a terminal and says nothing that the cells do not say."""

    cells: Sequence[str]
    style: str = ""


def say(line: str = "") -> None:
    """One line for people."""
    print(printable(line))


def print_table(columns: Sequence[Column], rows: Sequence[Row]) -> None:
    """A table as wide as the terminal; in a file or a pipe, one plain line per row, whatever its width."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_UNBOUNDED, color_system=None)
    titled = any(column.title for column in columns)
    gap = 1 if console.width < _NARROW else 2
    table = Table(box=None, padding=(0, gap, 0, 0), pad_edge=False, show_header=titled, header_style="bold")
    for column in columns:
        justify: Literal["left", "right"] = "right" if column.right else "left"
        table.add_column(Text(column.title), justify=justify, overflow="fold", no_wrap=column.whole)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row.cells), style=row.style)
    with console.capture() as drawn:
        console.print(table)
    for line in drawn.get().splitlines():
        print(line.rstrip())


def print_pairs(pairs: Sequence[tuple[str, str]]) -> None:
    """Names and their values, one a line."""
    print_table([Column(""), Column("")], [Row(pair) for pair in pairs])


def print_json(value: object) -> None:
    """``value`` as one JSON document. Numbers that JSON does not have are spelled as text, as in manifests."""
    document = json.dumps(jsonable(value), ensure_ascii=False, indent=2, allow_nan=False)
    try:
        document.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        document = json.dumps(jsonable(value), indent=2, allow_nan=False)
    print(document)


def jsonable(value: object) -> object:
    """``value``, which may come from inside a checkpoint, in JSON's own types."""
    if isinstance(value, bool | int | str | None):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, TensorStub):
        return {"dtype": value.dtype, "shape": list(value.shape)}
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if isinstance(value, AbstractSet):
        return sorted((jsonable(item) for item in value), key=repr)
    return str(value)


def fail(error: UnbrokenError, *, as_json: bool, document: Mapping[str, object] | None = None) -> int:
    """Say ``error`` in its one line, and in JSON beside what else there is to say; returns its exit code."""
    if as_json:
        said = {"error": str(error), "kind": type(error).__name__, "exit_code": error.exit_code}
        print_json({**(document or {}), **said})
    print(printable(str(error)), file=sys.stderr)
    return error.exit_code


def confirm(question: str) -> bool:
    """Whether the person at the terminal answers yes."""
    try:
        return input(f"{printable(question)} ").strip().lower() in ("y", "yes", "是")
    except EOFError:
        return False


def can_ask() -> bool:
    """Whether a person sees what is printed and can answer."""
    return sys.stdin.isatty() and sys.stdout.isatty()


@contextlib.contextmanager
def working_on(path: Path) -> Iterator[None]:
    """Show on a terminal, while it takes, which file is being read."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status(Text(printable(str(path)))):
        yield


def printable(line: str) -> str:
    """``line`` with what could move the cursor or break the line spelled out: names come from files."""
    if line.isprintable():
        return line
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in line)


def shortened(value: object, length: int = 60) -> str:
    """``value`` as text, cut to ``length``."""
    said = str(value)
    return said if len(said) <= length else said[: length - 1] + "…"
