"""Reads a panel from CSV: any common encoding, line end and separator; its header need not be the first line."""

import csv
import io
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd

from forecaster.bounded import BoundedReader
from forecaster.columns import Role, choose_columns, is_unnamed, looks_like
from forecaster.encodings import decode_start
from forecaster.errors import InputError
from forecaster.messages import shortened, text
from forecaster.raw import RawTable, by_role
from forecaster.unnamed import by_content
from forecaster.wide import WideHeader, from_wide, wide_header

SAMPLE = 1 << 16  # bytes; a header longer than this is no header
_BLOCK = 1 << 20
_HEADER_WITHIN = 20  # lines
_SHOWN = 50  # rows, by which a column without a name is known

# What stands for a missing number; in a column of names these are names: stocks are called NA, TRUE and None.
_NO_NUMBER = (
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A"),
    *("NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
)

# What pandas says of a row of too many fields; it counts the rows from where it began to read.
_FIELDS = re.compile(r"Expected (\d+) fields in line (\d+), saw (\d+)")

_log = logging.getLogger("forecaster")


@dataclass(frozen=True)
class _Layout:
    """Where the header is and what it says; ``lines`` of the file are not rows."""

    header: Sequence[str]
    separator: str
    lines: int
    wide: WideHeader | None
    shown: Sequence[Sequence[str]]  # the first rows


def read_csv(unpacked: Callable[[], IO[bytes]], path: Path, named: Mapping[Role, str], limit: int) -> RawTable:
    """The panel in the text that ``unpacked`` opens; ``path`` is for messages, ``limit`` the bytes that it may have.

    Raises:
        InputError: it is no table, or a column is missing.
        UnicodeDecodeError: it is not text.
        OverflowError: there is more than ``limit``.
    """
    with unpacked() as file:
        sample = file.read(SAMPLE)
    if len(sample) == SAMPLE and not re.search(rb"[\r\n]", sample):
        raise InputError("data_no_header", path=path)
    start, encodings = decode_start(sample, path)
    lines = re.split(r"\r\n|\r|\n", start)
    layout = _find_header(lines[:-1] if len(sample) == SAMPLE else lines, named)
    if layout.lines > (layout.wide.lines if layout.wide else 1):
        _log.info(text("data_lines_skipped", path=path, count=layout.lines - 1))
    places = None if layout.wide else choose_columns(layout.header, named, path, by_content=_by_content(layout))
    for encoding in encodings:
        try:
            with unpacked() as file:
                table = _parsed(file, path, encoding, layout, places, limit)
            break
        except UnicodeDecodeError:
            if encoding == encodings[-1]:
                raise
    if not isinstance(table.index, pd.RangeIndex):
        raise InputError("data_not_a_table", path=path, reason=text("more_fields", count=len(layout.header)))
    if layout.wide is not None:
        return from_wide(table, layout.wide, named, path, np.arange(len(table)) + layout.lines + 1)
    assert places is not None
    _warn_of_line_breaks(table.drop(columns=list(places.values())), layout, path)
    return by_role(table, places, layout.lines + 1)


def _parsed(
    file: IO[bytes], path: Path, encoding: str, layout: _Layout, places: Mapping[Role, int] | None, limit: int
) -> pd.DataFrame:
    """All columns: with a selection, pandas lets longer rows pass."""
    columns = list(range(len(layout.header)))
    names = [0] if places is None else [places[role] for role in ("stock", "date") if role in places]
    no_numbers: Any = {place: list(_NO_NUMBER) for place in columns if place not in names}
    bounded = io.BufferedReader(BoundedReader(file, limit), _BLOCK)
    with io.TextIOWrapper(bounded, encoding) as lines:
        for _ in range(layout.lines):
            lines.readline()
        try:
            return pd.read_csv(
                lines,
                sep=layout.separator,
                header=None,
                names=columns,
                dtype=dict.fromkeys(names, str),
                keep_default_na=False,
                na_values=no_numbers,
                skipinitialspace=True,
            )
        except pd.errors.ParserError as error:
            if fields := _FIELDS.search(str(error)):
                expected, row, count = map(int, fields.groups())
                reason = text("row_of_more_fields", row=row + layout.lines, fields=count, count=expected)
                raise InputError("data_not_a_table", path=path, reason=reason) from error
            raise


def _warn_of_line_breaks(unused: pd.DataFrame, layout: _Layout, path: Path) -> None:
    """Of columns that nothing reads: in the others a text of several lines is a bad value."""
    for column in map(int, unused.select_dtypes("str").columns):
        broken = unused[column].str.contains(r"[\r\n]").fillna(False).to_numpy(dtype=np.bool_)
        if broken.any():
            row = int(broken.argmax()) + layout.lines + 1
            name, count = shortened(layout.header[column]), int(broken.sum())
            _log.warning(text("data_line_breaks", path=path, row=row, column=name, count=count))


def _find_header(lines: Sequence[str], named: Mapping[Role, str]) -> _Layout:
    """The first line that names a date and a close; else the first that is not blank, to be judged by its columns."""
    filled = [number for number, line in enumerate(lines) if line.strip()] or [0]
    at = filled[0]
    top = _rows([lines[number] for number in filled[:3]], separator := _separator(lines[at]))
    wide = wide_header(top, named)
    if wide is None:
        for number in filled[:_HEADER_WITHIN]:
            names = _rows([lines[number]], _separator(lines[number]))[0]
            if all(any(looks_like(role, name, named) for name in names) for role in ("date", "close")):
                at, separator = number, _separator(lines[number])
                break
    end = at + 1 if wide is None else filled[wide.lines - 1] + 1
    shown = [line for line in lines[end:] if line.strip()][:_SHOWN]
    return _Layout(_rows([lines[at]], separator)[0], separator, end, wide, _rows(shown, separator))


def _separator(line: str) -> str:
    """Blanks are one only where there is no other: names may hold them."""
    best = max(",;\t|", key=line.count)
    return best if best in line else " "


def _rows(lines: Sequence[str], separator: str) -> list[list[str]]:
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    return [[cell.strip() for cell in row] for row in reader] or [[]]


def _by_content(layout: _Layout) -> dict[Role, list[int]]:
    """Columns without a name that hold days or names of stocks: an index of pandas, written without its name."""
    held = {
        place: [row[place] for row in layout.shown if place < len(row)]
        for place, name in enumerate(layout.header)
        if is_unnamed(name)
    }
    return by_content({place: values for place, values in held.items() if any(values)})
