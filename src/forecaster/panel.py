"""Reads a CSV or Parquet panel of daily bars: every value is checked, and nothing is repaired unasked."""

import csv
import gzip
import io
import logging
import os
import zlib
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import xxhash

from forecaster.bounded import BoundedReader
from forecaster.columns import ROLES, Role, choose_columns
from forecaster.errors import InputError
from forecaster.messages import shortened, text

NUMBERS = ("open", "high", "low", "close", "adjusted", "volume")
_SAMPLE = 1 << 16  # bytes; a header longer than this is no header
_BLOCK = 1 << 20

_DIGITS_ONLY = r"^(\d{4})(\d{2})(\d{2})(?:\.0)?$"
_YEAR_FIRST = r"^(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[T ].*)?$"

_log = logging.getLogger("forecaster")


@dataclass(frozen=True)
class Panel:
    """Daily bars, sorted by stock and date. Every array has one entry per bar; prices are above zero."""

    names: tuple[str, ...]
    stock: npt.NDArray[np.int64]  # index into names
    date: npt.NDArray[np.datetime64]  # days
    open: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    close: npt.NDArray[np.float64]
    volume: npt.NDArray[np.float64]
    adjusted: npt.NDArray[np.float64]  # close, adjusted for splits and dividends

    def __len__(self) -> int:
        return len(self.date)

    def stocks(self) -> Iterator[tuple[str, slice]]:
        """Each stock's name and where its bars lie."""
        bounds = np.searchsorted(self.stock, np.arange(len(self.names) + 1))
        for name, start, stop in zip(self.names, bounds, bounds[1:], strict=False):
            yield name, slice(int(start), int(stop))


@dataclass(frozen=True)
class PanelFormat:
    """How to read a panel: columns named by the user, and whether rows with bad values may be dropped."""

    columns: Mapping[Role, str] = field(default_factory=dict)
    drop_bad_rows: bool = False


def bundled_panel() -> Path:
    """The panel that comes with the program; see ``data/PROVENANCE.md``."""
    return Path(str(files("forecaster").joinpath("data", "stocks.csv.gz")))


def content_digest(path: Path) -> str:
    """A digest of the file's content, by which the cache of preprocessed data knows it.

    Raises:
        InputError: the file is missing, unreadable, or too large to become a panel: that is not read to its end.
    """
    digest = xxhash.xxh3_128()
    with _refusals(path), path.open("rb") as file:
        _refuse_too_large(file, _memory() // 4)
        while block := file.read(_BLOCK):
            digest.update(block)
    return f"xxh3_128:{digest.hexdigest()}"


def read_panel(path: Path, layout: PanelFormat | None = None, *, limit: int | None = None) -> Panel:
    """The panel in a CSV, gzipped CSV or Parquet file.

    Args:
        layout: column names and what to do about bad rows; by default columns are guessed and bad rows refused.
        limit: bytes the file may unpack to; default a quarter of this machine's memory.

    Raises:
        InputError: the file is missing, unreadable, too large, not a table, lacks a column, or has bad values,
            repeated dates or a constant column; the message says which and where.
    """
    layout = layout or PanelFormat()
    limit = limit or _memory() // 4
    with _refusals(path):
        table = _read_table(path, layout, limit)
    if table.empty:
        raise InputError("data_no_rows", path=path)
    return _sorted_panel(_checked(table, path, drop=layout.drop_bad_rows), path)


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    """Turns what can go wrong while a file is opened, unpacked and parsed into one line for the user."""
    try:
        if not path.exists():
            raise InputError("data_missing", path=path)
        if not path.is_file():
            raise InputError("data_not_a_file", path=path)
        if path.stat().st_size == 0:
            raise InputError("data_empty", path=path)
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError("data_bad_gzip", path=path, reason=error) from error
    except UnicodeDecodeError as error:
        raise InputError("data_not_text", path=path) from error
    except (OverflowError, MemoryError) as error:
        raise InputError("data_too_large", path=path, reason=error) from error
    except OSError as error:
        raise InputError("data_unreadable", path=path, reason=error.strerror or error) from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InputError("data_not_a_table", path=path, reason=_one_line(error)) from error


def _read_table(path: Path, layout: PanelFormat, limit: int) -> pd.DataFrame:
    """The columns that matter, named by role, values as the file has them; the index is the row in the file."""
    with path.open("rb") as file:
        magic = file.read(4)
    if magic == b"PAR1":
        return _read_parquet(path, layout, limit)
    with _open_unpacked(path, magic) as raw:
        sample = raw.read(_SAMPLE)
        raw.seek(0)
        header, separator, encoding = _sniff(sample, path)
        places = {role: header.index(name) for role, name in choose_columns(header, layout.columns, path).items()}
        table = pd.read_csv(
            io.BufferedReader(BoundedReader(raw, limit), _BLOCK),
            sep=separator,
            encoding=encoding,
            header=None,
            skiprows=1,
            names=list(range(len(header))),  # all of them: with a selection, pandas lets longer rows pass
            dtype={place: str for role, place in places.items() if role in ("stock", "date")},
            skipinitialspace=True,
        )
    if not isinstance(table.index, pd.RangeIndex):
        raise InputError("data_not_a_table", path=path, reason=text("more_fields", count=len(header)))
    return _by_role(table, places)


def _refuse_too_large(file: IO[bytes], limit: int) -> None:
    """By its size alone; of Parquet, which need not be read whole, the number of rows decides later."""
    magic, size = file.read(4), os.fstat(file.fileno()).st_size
    file.seek(0)
    if magic != b"PAR1" and size > limit:
        raise OverflowError(f"{size >> 20} MiB > {limit >> 20} MiB")


def _open_unpacked(path: Path, magic: bytes) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if magic[:2] == b"\x1f\x8b" else path.open("rb")


def _read_parquet(path: Path, layout: PanelFormat, limit: int) -> pd.DataFrame:
    try:
        from pyarrow import ArrowException, parquet  # type: ignore[import-untyped]
    except ImportError as error:
        raise InputError("data_needs_pyarrow", path=path) from error
    try:
        with parquet.ParquetFile(path) as file:
            chosen = choose_columns(file.schema_arrow.names, layout.columns, path)
            if file.metadata.num_rows * len(chosen) * 8 > limit:
                raise OverflowError(f"{file.metadata.num_rows} rows")
            table: pd.DataFrame = file.read(columns=list(chosen.values())).to_pandas()
    except ArrowException as error:
        raise InputError("data_not_a_table", path=path, reason=_one_line(error)) from error
    return _by_role(table.reset_index(drop=True), chosen)


def _sniff(sample: bytes, path: Path) -> tuple[list[str], str, str]:
    """The header's names, the separator and the encoding, from the first bytes."""
    if b"\0" in sample:
        raise InputError("data_binary", path=path)
    first, newline, _ = sample.partition(b"\n")
    if not newline and len(sample) == _SAMPLE:
        raise InputError("data_no_header", path=path)
    try:
        line, encoding = first.decode("utf-8-sig"), "utf-8-sig"
        sample[: sample.rfind(b"\n") + 1].decode("utf-8-sig")
    except UnicodeDecodeError:
        line, encoding = first.decode("gb18030"), "gb18030"
    separator = max(",;\t", key=line.count)
    header = next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
    return [name.strip() for name in header], separator, encoding


def _by_role(table: pd.DataFrame, chosen: Mapping[Role, Hashable]) -> pd.DataFrame:
    renamed = table[list(chosen.values())].set_axis(list(chosen), axis=1)
    if "stock" not in renamed:
        renamed["stock"] = "-"
    if "adjusted" not in renamed:
        renamed["adjusted"] = renamed["close"]
    return renamed[list(ROLES)]


def _checked(table: pd.DataFrame, path: Path, *, drop: bool) -> pd.DataFrame:
    """Numbers as numbers, dates as days; a bad value is refused, or its row dropped and counted, as asked."""
    checked = pd.DataFrame({"stock": table["stock"].astype("string").str.strip(), "date": _days(table["date"])})
    wrong = pd.DataFrame({"stock": checked["stock"].fillna("") == "", "date": checked["date"].isna()})
    for role in NUMBERS:
        parsed = pd.to_numeric(table[role], errors="coerce")
        numbers = pd.Series(parsed.to_numpy(dtype=np.float64, na_value=np.nan), index=table.index)
        lowest_is_zero = role == "volume"
        checked[role] = numbers
        wrong[role] = ~np.isfinite(numbers) | ((numbers < 0) if lowest_is_zero else (numbers <= 0))
    bad = wrong.to_numpy(dtype=np.bool_).any(axis=1)
    if not bad.any():
        return checked
    row = int(bad.argmax())
    column = str(wrong.columns[wrong.to_numpy()[row].argmax()])
    fault = {
        "path": path,
        "row": int(table.index[row]) + 2,
        "stock": shortened(table["stock"].iloc[row]),
        "date": shortened(table["date"].iloc[row]),
        "column": column,
        "value": shortened(table[column].iloc[row]),
        "count": int(bad.sum()),
    }
    if not drop:
        raise InputError("data_bad_date" if column == "date" else "data_bad_value", **fault)
    _log.warning(text("data_rows_dropped", **fault))
    return checked[~pd.Series(bad, index=checked.index)]


def _days(dates: "pd.Series[Any]") -> "pd.Series[Any]":
    """Calendar days; NaT where there is none. Year first, as in 2010-01-05, 2010/1/5, 20100105 or 2010年1月5日.

    05/01/2010 is two days, depending on who reads it, and so none here. A time of day is left out.
    """
    if pd.api.types.is_datetime64_any_dtype(dates):
        return cast("pd.Series[Any]", dates.dt.tz_localize(None).dt.normalize())
    written = dates.astype("string").str.strip().str.replace(_DIGITS_ONLY, r"\1-\2-\3", regex=True)
    unique = pd.Series(written.dropna().unique(), dtype="string")
    parts = unique.str.extract(_YEAR_FIRST)
    days = pd.to_datetime(parts[0] + "-" + parts[1] + "-" + parts[2], format="%Y-%m-%d", errors="coerce")
    return pd.to_datetime(written.map(dict(zip(unique, days, strict=True))))


def _sorted_panel(table: pd.DataFrame, path: Path) -> Panel:
    if table.empty:
        raise InputError("data_no_rows", path=path)
    for role in NUMBERS:
        if len(table) > 1 and table[role].nunique() == 1:
            raise InputError("data_constant_column", path=path, column=role, value=table[role].iloc[0])
    repeated = table.duplicated(["stock", "date"]).to_numpy()
    if repeated.any():
        row = int(repeated.argmax())
        raise InputError(
            "data_repeated_date",
            path=path,
            row=int(table.index.to_numpy()[row]) + 2,
            stock=shortened(table["stock"].iloc[row]),
            date=table["date"].iloc[row].date(),
            count=int(repeated.sum()),
        )
    backwards = table["stock"][table.groupby("stock")["date"].diff() < pd.Timedelta(0)].unique()
    if len(backwards):
        _log.warning(
            text("data_sorted", path=path, stocks=", ".join(map(shortened, backwards[:5])), count=len(backwards))
        )
    table = table.sort_values(["stock", "date"], kind="stable", ignore_index=True)
    stock, names = pd.factorize(table["stock"])
    return Panel(
        names=tuple(str(name) for name in names),
        stock=stock.astype(np.int64),
        date=table["date"].to_numpy().astype("datetime64[D]"),
        **{role: table[role].to_numpy(dtype=np.float64) for role in NUMBERS},
    )


def _memory() -> int:
    """This machine's memory in bytes; a guess where the system doesn't tell."""
    if not hasattr(os, "sysconf"):
        return 8 << 30
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _one_line(error: Exception) -> str:
    return shortened(" ".join(str(error).split()), 200)
