"""Output: lines and tables for people, one JSON document for programs. rich is imported only to fold a wide table."""

import contextlib
import json
import math
import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from unbroken.errors import UnbrokenError
from unbroken.messages import printable as printable
from unbroken.messages import text
from unbroken.store.torchfile import TensorStub

_UNBOUNDED = 10_000
_NARROW = 100
_CONTROL = re.compile(r"[^\n -~]")
_READY = frozenset({str, int, bool, type(None)})
_ANSI = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}
_NUMBERS = {
    *("cli_column_epoch", "cli_column_batch", "cli_column_step", "cli_column_best", "cli_column_size"),
    *("cli_column_branch", "cli_column_last", "cli_column_epochs", "cli_column_tensors", "cli_column_numbers"),
    *("audit_column_at", "audit_column_took"),
}
_NAMES = {"cli_column_file", "cli_column_delete", "cli_column_not_taken"}


@dataclass(frozen=True)
class Column:
    """A column by its title; numbers stand to the right. What is ``whole`` is not broken on a narrow terminal."""

    title: str
    right: bool = False
    whole: bool = False


def columns(*keys: str) -> list[Column]:
    """The columns of these titles, by the keys of their sentences."""
    return [Column(text(key), key in _NUMBERS, key in _NAMES) for key in keys]


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
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else _UNBOUNDED
    lines = _plain_lines(columns, rows, gap=1 if width < _NARROW else 2)
    if max((cells(line) for line in lines), default=0) > width:
        _print_folded(columns, rows)
        return
    if any(column.title for column in columns):
        lines[0] = _styled(lines[0], "bold", terminal)
    else:
        lines = lines[1:]
    styles = ["", *(row.style for row in rows)][-len(lines) :] if lines else []
    for line, style in zip(lines, styles, strict=True):
        print(_styled(line, style, terminal))


def _plain_lines(columns: Sequence[Column], rows: Sequence[Row], *, gap: int) -> list[str]:
    """The titles and the rows, in columns as wide as their widest cell: a listing of thousands, at once."""
    table = [[column.title for column in columns], *([printable(cell) for cell in row.cells] for row in rows)]
    widths = [max(cells(line[at]) for line in table) for at in range(len(columns))]
    lines = []
    for line in table:
        padded = []
        for column, cell, width in zip(columns, line, widths, strict=True):
            blank = " " * (width - cells(cell))
            padded.append(blank + cell if column.right else cell + blank)
        lines.append((" " * gap).join(padded).rstrip())
    return lines


def cells(line: str) -> int:
    """How many columns of a terminal ``line`` takes: Chinese characters take two, marks on a letter none."""
    if line.isascii():
        return len(line)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line
    )


def _styled(line: str, style: str, terminal: bool) -> str:
    codes = ";".join(_ANSI[name] for name in style.split())
    if not codes or not terminal or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return line
    return f"\x1b[{codes}m{line}\x1b[0m"


def _print_folded(columns: Sequence[Column], rows: Sequence[Row]) -> None:
    """A table too wide for the terminal: rich folds its cells."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
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
    """``value`` as one JSON document. Numbers that JSON does not have are null."""
    found = jsonable(value)
    document = indented(found)
    try:
        document.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        document = json.dumps(found, indent=2, allow_nan=False)
    # The line ends are JSON's own: one in a text is spelled out there already.
    harmless = document.isascii() and not _CONTROL.search(document)
    print(document if harmless else "\n".join(_escaped(line) for line in document.split("\n")))


def indented(value: object, margin: str = "\n") -> str:
    """As ``json.dumps(value, indent=2, ensure_ascii=False)``, of ``jsonable`` values.

    That one is Python's own slow encoder; here all but containers in containers goes through the quick one.
    """
    inner = margin + "  "
    if isinstance(value, dict) and value:
        parts: list[str] = []
        plain: dict[object, object] = {}
        for key, item in value.items():
            if isinstance(item, dict | list):
                if plain:
                    parts.append(_flat(inner, plain))
                    plain = {}
                parts.append(f"{_flat(inner, key)}: {indented(item, inner)}")
            else:
                plain[key] = item
        if plain:
            parts.append(_flat(inner, plain))
        return "{" + inner + f",{inner}".join(parts) + margin + "}"
    if isinstance(value, list) and value:
        deep = any(isinstance(item, dict | list) for item in value)
        items = f",{inner}".join([indented(item, inner) for item in value]) if deep else _flat(inner, value)
        return "[" + inner + items + margin + "]"
    return _flat(inner, value)


def _flat(inner: str, value: object) -> str:
    """Of a container the items alone, where it has any."""
    spelled = _encoder(inner).encode(value)
    return spelled[1:-1] if isinstance(value, dict | list) and value else spelled


@cache
def _encoder(inner: str) -> json.JSONEncoder:
    return json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(f",{inner}", ": "))


def _escaped(line: str) -> str:
    """The same JSON, with what could move a terminal's cursor spelled as JSON spells it."""
    if printable(line) == line:
        return line
    return "".join(char if printable(char) == char else json.dumps(char)[1:-1] for char in line)


def jsonable(value: object) -> object:
    """``value``, which may come from inside a checkpoint, in JSON's own types."""
    if isinstance(value, bool | int | str | None):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, TensorStub):
        return {"dtype": value.dtype, "shape": list(value.shape)}
    if isinstance(value, Mapping):
        return {str(key): item if type(item) in _READY else jsonable(item) for key, item in value.items()}
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


def shortened(value: object, length: int = 60) -> str:
    """``value`` as text, cut to ``length``."""
    said = str(value)
    return said if len(said) <= length else said[: length - 1] + "…"
