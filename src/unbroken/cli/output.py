"""Output: lines, tables and questions for people (which answers are a yes), one JSON document for programs."""

import contextlib
import json
import math
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TextIO

from unbroken.cli.layout import Column as Column
from unbroken.cli.layout import cells as cells
from unbroken.cli.layout import flowed, lay_out
from unbroken.errors import UnbrokenError
from unbroken.messages import listed, text
from unbroken.messages import printable as printable
from unbroken.store.torchfile import TensorStub

_UNBOUNDED = 10_000
_CONTROL = re.compile(r"[^\n -~]")
_READY = frozenset({str, int, bool, type(None)})
_ANSI = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}
_NUMBERS = {
    *("cli_column_epoch", "cli_column_batch", "cli_column_step", "cli_column_best", "cli_column_size"),
    *("cli_column_branch", "cli_column_last", "cli_column_epochs", "cli_column_tensors", "cli_column_numbers"),
    *("audit_column_at", "audit_column_took"),
}
_WHOLE = {
    *("cli_column_file", "cli_column_delete", "cli_column_not_taken"),
    *("cli_column_size", "cli_column_saved", "cli_column_verified"),
}
# What a narrow terminal shows last, the least important last of all.
_BY_WEIGHT = (
    *("cli_column_saved", "cli_column_size", "cli_column_batch", "cli_column_run", "cli_column_branch"),
    *("cli_column_best", "cli_column_step", "cli_column_verified"),
)


def _to_the_minute(timestamp: str) -> str:
    """``2026-01-02 03:04:05`` → ``2026-01-02 03:04``."""
    return timestamp[:-3] if timestamp[-3:-2] == ":" and timestamp.count(":") == 2 else timestamp


def _without_blank(size: str) -> str:
    """``1.2 GB`` → ``1.2GB``."""
    return size.replace(" ", "")


_SHORTER = {"cli_column_saved": _to_the_minute, "cli_column_size": _without_blank}


def columns(*keys: str) -> list[Column]:
    """The columns of these titles, by the keys of their sentences."""
    return [
        Column(
            text(key),
            right=key in _NUMBERS,
            whole=key in _WHOLE,
            rank=1 + _BY_WEIGHT.index(key) if key in _BY_WEIGHT else 0,
            short=_SHORTER.get(key),
        )
        for key in keys
    ]


@dataclass(frozen=True)
class Row:
    """A row; ``style`` colours it on a terminal and says nothing that the cells do not say."""

    cells: Sequence[str]
    style: str = ""


def say(line: str = "") -> None:
    """One line for people; on a terminal in whole words."""
    print(fitted(printable(line), sys.stdout))


def fitted(line: str, stream: TextIO) -> str:
    """``line`` as ``stream`` shows it: in whole words on a terminal, as it is elsewhere."""
    return flowed(line, shutil.get_terminal_size().columns) if stream.isatty() else line


def print_table(columns: Sequence[Column], rows: Sequence[Row]) -> None:
    """A table as wide as the terminal; in a file or a pipe, one plain line per row, whatever its width."""
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else _UNBOUNDED
    table = lay_out(columns, [[printable(cell) for cell in row.cells] for row in rows], width)
    if any(column.title for column in columns):
        for line in table.titles:
            print(_styled(line, "bold", terminal))
    for lines, row in zip(table.rows, rows, strict=True):
        for line in lines:
            print(_styled(line, row.style, terminal))
    if table.dropped:
        say(text("cli_columns_dropped", names=listed(table.dropped)))


def _styled(line: str, style: str, terminal: bool) -> str:
    codes = ";".join(_ANSI[name] for name in style.split())
    if not codes or not terminal or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return line
    return f"\x1b[{codes}m{line}\x1b[0m"


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
    print(fitted(printable(str(error)), sys.stderr), file=sys.stderr)
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
