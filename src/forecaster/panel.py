"""Reads a CSV or Parquet panel of daily bars: every value is checked, and nothing is repaired unasked."""

import gzip
import logging
import os
import shlex
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import IO, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import xxhash

from forecaster.columns import Role
from forecaster.csvfile import read_csv
from forecaster.errors import InputError
from forecaster.kinds import GZIP, HEAD, PARQUET, refuse_other_kinds
from forecaster.messages import shortened, text
from forecaster.parquetfile import one_line, read_parquet
from forecaster.raw import RawTable
from forecaster.values import NUMBERS, checked, warn_of_odd_bars

_BLOCK = 1 << 20

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
    if table.values.empty:
        raise InputError("data_no_rows", path=path)
    return _sorted_panel(checked(table, path, drop=layout.drop_bad_rows), path)


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
        raise InputError("data_not_a_table", path=path, reason=one_line(error)) from error


def _read_table(path: Path, layout: PanelFormat, limit: int) -> RawTable:
    with path.open("rb") as file:
        head = file.read(HEAD)
    if head.startswith(PARQUET):
        return read_parquet(path, layout.columns, limit)
    if head.startswith(GZIP):
        with gzip.open(path) as unpacked:
            head = unpacked.read(HEAD)
        if head.startswith(PARQUET):
            raise InputError("data_parquet_in_gzip", path=path, command=f"gunzip -k {shlex.quote(str(path))}")
        refuse_other_kinds(head, path)
        return read_csv(lambda: cast(IO[bytes], gzip.open(path)), path, layout.columns, limit)
    refuse_other_kinds(head, path)
    return read_csv(lambda: path.open("rb"), path, layout.columns, limit)


def _refuse_too_large(file: IO[bytes], limit: int) -> None:
    """By its size alone; of Parquet, which need not be read whole, the number of rows decides later."""
    magic, size = file.read(4), os.fstat(file.fileno()).st_size
    file.seek(0)
    if magic != PARQUET and size > limit:
        raise OverflowError(f"{size >> 20} MiB > {limit >> 20} MiB")


def _sorted_panel(table: pd.DataFrame, path: Path) -> Panel:
    """``table`` is indexed by the row of the file."""
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
            row=int(table.index.to_numpy()[row]),
            stock=shortened(table["stock"].iloc[row]),
            date=table["date"].iloc[row].date(),
            count=int(repeated.sum()),
        )
    backwards = table["stock"][(table.groupby("stock")["date"].diff() < pd.Timedelta(0)).to_numpy()].unique()
    if len(backwards):
        _log.warning(
            text("data_sorted", path=path, stocks=", ".join(map(shortened, backwards[:5])), count=len(backwards))
        )
    table = table.sort_values(["stock", "date"], kind="stable")
    stock, names = pd.factorize(table["stock"])
    warn_of_odd_bars(table, stock, path)
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
