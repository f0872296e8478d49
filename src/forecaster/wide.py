"""Wide tables, as yfinance gives them: a header of two or three lines, a group of columns for every stock."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecaster.columns import NEEDED, Role, choose_columns, looks_like
from forecaster.days import is_day
from forecaster.errors import InputError
from forecaster.messages import shortened, text
from forecaster.raw import RawTable, completed

_log = logging.getLogger("forecaster")


@dataclass(frozen=True)
class WideHeader:
    """What the header says: the stock and the field of every column behind the first, which has the dates."""

    stocks: Sequence[str]
    fields: Sequence[str]
    date: str
    stock: str  # names of the column of dates and of the level of stocks
    lines: int


def wide_header(rows: Sequence[Sequence[str]], named: Mapping[Role, str]) -> WideHeader | None:
    """The header in the first lines of a table; None where they are no header of a wide table.

    Either level may be above the other. One of them has all the prices' names: no stocks are called open, high, low,
    close and volume.
    """
    if len(rows) < 2 or len(rows[0]) != len(rows[1]) or is_day(rows[1][0]):
        return None
    for above, below in ((0, 1), (1, 0)):
        fields, stocks = _filled(rows[above][1:]), _filled(rows[below][1:])
        whole = all(any(looks_like(role, field, named) for field in fields) for role in NEEDED)
        dated = any(looks_like("date", name, named) for name in (*fields, rows[0][0], rows[1][0]))
        if not whole or dated or not all(stocks):
            continue
        third = rows[2] if len(rows) > 2 and not any(rows[2][1:]) else None
        date = third[0] if third and third[0] else "date"
        return WideHeader(stocks, fields, date, rows[below][0] or "stock", 2 if third is None else 3)
    return None


def _filled(names: Sequence[str]) -> list[str]:
    """Where a name stands over several columns, as Excel writes it, it is that of all of them."""
    filled: list[str] = []
    for name in names:
        filled.append(name or (filled[-1] if filled else ""))
    return filled


def from_wide(
    table: pd.DataFrame, header: WideHeader, named: Mapping[Role, str], path: Path, rows: npt.NDArray[np.int64]
) -> RawTable:
    """One row per stock and day, of a table whose first column has the dates; days without a bar are left out.

    Raises:
        InputError: a column is there twice, or missing for all stocks or for one.
    """
    places: dict[tuple[str, str], int] = {}
    for place, (stock, field) in enumerate(zip(header.stocks, header.fields, strict=True), start=1):
        if (stock, field) in places:
            raise InputError("data_named_twice", path=path, column=f"{stock} {field}", count=2)
        places[stock, field] = place
    date, stock = _or_else("date", header.date, named), _or_else("stock", header.stock, named)
    present = [date, stock, *dict.fromkeys(header.fields)]
    chosen = choose_columns(present, named, path)
    roles = {role: present[place] for role, place in chosen.items() if role not in ("stock", "date")}
    parts, part_rows, without = [], [], 0
    for stock in dict.fromkeys(header.stocks):
        for role, field in roles.items():
            if (stock, field) not in places:
                raise InputError("data_wide_lacks", path=path, stock=shortened(stock), column=field, role=role)
        taken = table[[0, *(places[stock, field] for field in roles.values())]].set_axis(["date", *roles], axis=1)
        there = ~_without_bar(taken)
        parts.append(taken[there].assign(stock=stock))
        part_rows.append(rows[there])
        without += int((~there).sum())
    _log.info(text("data_wide", path=path, stocks=len(parts)))
    if without:
        _log.info(text("data_wide_gaps", path=path, count=without))
    return completed(pd.concat(parts, ignore_index=True), np.concatenate(part_rows))


def _without_bar(bars: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Of a stock that wasn't traded on a day of the others nothing is there, or a volume of zero at the most."""
    empty = bars.drop(columns=["date", "volume"]).isna().all(axis=1)
    return (empty & (bars["volume"].isna() | (bars["volume"] == 0))).to_numpy(dtype=np.bool_)


def _or_else(role: Role, name: str, named: Mapping[Role, str]) -> str:
    """The name of the column of ``role``; one by which it is known as such, whatever the file calls it."""
    return name if role in named or looks_like(role, name, named) else role
