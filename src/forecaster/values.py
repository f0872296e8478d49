"""Checks the values of a panel: numbers as numbers, dates as days; what is odd and possible is warned of."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecaster.days import days
from forecaster.errors import InputError
from forecaster.messages import shortened, text
from forecaster.raw import RawTable
from forecaster.spelling import spelling

NUMBERS = ("open", "high", "low", "close", "adjusted", "volume")
_JUMP = 100.0 * 0.8  # a change of units is a hundredfold, and the price moves beside
_LINE_END = r"[\r\n]"  # in a name: a quote that was opened by mistake has swallowed the rows up to the next one

_log = logging.getLogger("forecaster")


def checked(raw: RawTable, path: Path, *, drop: bool) -> pd.DataFrame:
    """The table, indexed by the row of the file; a bad value is refused, or its row dropped and counted, as asked.

    Raises:
        InputError: there are bad values that may not be dropped: in every row, or good numbers in another spelling.
    """
    table = raw.values
    stock = _names(table["stock"])
    found = pd.DataFrame({"stock": stock, "date": days(table["date"], stock, path)})
    no_name = (found["stock"].fillna("") == "") | found["stock"].str.contains(_LINE_END, na=False)
    wrong = pd.DataFrame({"stock": no_name, "date": found["date"].isna()})
    for role in NUMBERS:
        numbers = _numbers(table[role])
        lowest_is_zero = role == "volume"
        found[role] = numbers
        wrong[role] = ~np.isfinite(numbers) | ((numbers < 0) if lowest_is_zero else (numbers <= 0))
    found.index = pd.Index(raw.rows)
    bad = wrong.to_numpy(dtype=np.bool_).any(axis=1)
    if not bad.any():
        return found
    _refuse_spellings(raw, wrong, path)
    row = int(bad.argmax())
    fault = _fault(raw, wrong, row, path)
    if bad.all():
        raise InputError("data_all_dates_bad" if fault["column"] == "date" else "data_all_bad", **fault)
    if not drop:
        raise InputError("data_bad_date" if fault["column"] == "date" else "data_bad_value", **fault)
    _log.warning(text("data_rows_dropped", **fault))
    return found.iloc[np.flatnonzero(~bad)]


def warn_of_odd_bars(table: pd.DataFrame, stock: npt.NDArray[np.int64], path: Path) -> None:
    """Of what is possible and hardly true, in a table sorted by stock and day and indexed by the row of the file.

    ``stock`` has a number for the stock of every row.
    """
    below = (table["high"] < table["low"]).to_numpy()
    if below.any():
        row = int(below.argmax())
        values = {"high": table["high"].iloc[row], "low": table["low"].iloc[row], "count": int(below.sum())}
        _log.warning(text("data_high_below_low", path=path, **_bar(table, row), **values))
    _warn_of_volumes_in_thousands(table, path)
    same_stock = stock[1:] == stock[:-1]
    for role in NUMBERS:
        if role == "volume" or (role == "adjusted" and table["adjusted"].equals(table["close"])):
            continue
        prices = table[role].to_numpy(dtype=np.float64)
        jumps = same_stock & (np.abs(np.diff(np.log(prices))) > np.log(_JUMP))
        if jumps.any():
            row = int(jumps.argmax()) + 1
            values = {"column": role, "before": prices[row - 1], "after": prices[row], "count": int(jumps.sum())}
            _log.warning(text("data_price_jumps", path=path, **_bar(table, row), **values))


def _warn_of_volumes_in_thousands(table: pd.DataFrame, path: Path) -> None:
    """1.234 may be 1,234 as Germans write it; a volume with a second separator is text, and refused as such."""
    volumes = table["volume"].to_numpy(dtype=np.float64)
    fractions = volumes != np.floor(volumes)
    thousandths = volumes * 1000
    if fractions.any() and volumes.max() < 1000 and np.allclose(thousandths, np.round(thousandths), rtol=0, atol=1e-6):
        row = int(fractions.argmax())
        _log.warning(text("data_volume_thousands", path=path, **_bar(table, row), volume=volumes[row]))


def _numbers(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """NaN for what is none; times and truth values are none either, though pandas would count them."""
    if values.dtype.kind in "bmM" or isinstance(values.dtype, pd.BooleanDtype | pd.DatetimeTZDtype):
        return pd.Series(np.nan, index=values.index)
    parsed = pd.to_numeric(values, errors="coerce")
    return pd.Series(parsed.to_numpy(dtype=np.float64, na_value=np.nan), index=values.index)


def _names(stocks: "pd.Series[Any]") -> "pd.Series[Any]":
    """Codes that are whole numbers, but stand in a column of fractions, are written as whole numbers."""
    if pd.api.types.is_float_dtype(stocks):
        whole = stocks.dropna()
        if np.array_equal(whole, np.floor(whole)):
            stocks = stocks.astype("Int64")
    return stocks.astype("string").str.strip()


def _refuse_spellings(raw: RawTable, wrong: pd.DataFrame, path: Path) -> None:
    """Rows of good numbers in another spelling are not bad rows: without them the dearest stocks may be missing."""
    spelled = {}
    for role in NUMBERS:
        places = np.flatnonzero(wrong[role].to_numpy())
        if raw.values[role].dtype.kind in "OTUS" or isinstance(raw.values[role].dtype, pd.StringDtype):
            first = spelling(raw.values[role].iloc[places])
            if first is not None:
                spelled[role] = (first[0], int(places[first[1]]))
    for key in ("data_decimal_comma", "data_thousands", "data_unit"):
        for role, (kind, row) in spelled.items():
            if kind == key:
                like_it = pd.DataFrame({role: wrong[role]})
                raise InputError(key, **_fault(raw, like_it, row, path))


def _fault(raw: RawTable, wrong: pd.DataFrame, row: int, path: Path) -> dict[str, Any]:
    """What a message says of the first bad value in a row."""
    column = str(wrong.columns[wrong.to_numpy()[row].argmax()])
    return {
        "path": path,
        "row": int(raw.rows[row]),
        "stock": shortened(raw.values["stock"].iloc[row]),
        "date": shortened(raw.values["date"].iloc[row]),
        "column": column,
        "value": shortened(raw.values[column].iloc[row]),
        "count": int(wrong.to_numpy(dtype=np.bool_).any(axis=1).sum()),
    }


def _bar(table: pd.DataFrame, row: int) -> dict[str, Any]:
    """The row of the file, stock and day at a place of the sorted table."""
    return {
        "row": int(table.index[row]),
        "stock": shortened(table["stock"].iloc[row]),
        "date": table["date"].iloc[row].date(),
    }
