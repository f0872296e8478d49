"""Files as vendors and tools write them: each is the same panel, or is refused with the way to one that is read."""

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecaster.panel import PanelFormat, read_panel
from tests.forecaster.panels import make_table
from tests.forecaster.test_panel import refusal, same

Write = Callable[[pd.DataFrame, Path], None]
WRITERS: dict[str, Write] = {}


def way(write: Write) -> Write:
    WRITERS[write.__name__.strip("_")] = write
    return write


def _dated(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(Date=pd.to_datetime(table["Date"]))


def _wide(
    table: pd.DataFrame, *, stocks_above: bool = False, names: tuple[str | None, str | None] = ("Price", "Ticker")
) -> pd.DataFrame:
    """As yfinance gives it: two levels of columns, dates as index."""
    wide = _dated(table).set_index(["Date", "Ticker"]).unstack("Ticker")
    wide.columns.names = list(names)
    return wide.swaplevel(axis=1).sort_index(axis=1) if stocks_above else wide


# Text


@way
def utf_16(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, index=False, encoding="utf-16")


@way
def utf_16_without_a_mark(table: pd.DataFrame, path: Path) -> None:
    path.write_bytes(table.to_csv(index=False).encode("utf-16-le"))


@way
def utf_16_big_endian_without_a_mark(table: pd.DataFrame, path: Path) -> None:
    path.write_bytes(table.to_csv(index=False).encode("utf-16-be"))


@way
def utf_16_chinese_in_tabs(table: pd.DataFrame, path: Path) -> None:
    """“Unicode text” of Excel."""
    names = ["股票代码", "日期", "开盘", "最高", "最低", "收盘", "成交量", "复权收盘价"]
    path.write_bytes(b"\xff\xfe" + table.set_axis(names, axis=1).to_csv(index=False, sep="\t").encode("utf-16-le"))


@way
def utf_16_in_gzip(table: pd.DataFrame, path: Path) -> None:
    path.write_bytes(gzip.compress(table.to_csv(index=False).encode("utf-16")))


@way
def gbk_behind_the_first_64_kib(table: pd.DataFrame, path: Path) -> None:
    name = ["x" * 200] * (len(table) - 1) + ["平安银行"]
    table.assign(name=name).to_csv(path, index=False, encoding="gbk")
    assert path.read_bytes().index("平安".encode("gbk")) > 1 << 16


@way
def carriage_returns(table: pd.DataFrame, path: Path) -> None:
    path.write_bytes(table.to_csv(index=False).replace("\n", "\r").encode())


@way
def carriage_returns_and_line_feeds(table: pd.DataFrame, path: Path) -> None:
    path.write_bytes(table.to_csv(index=False, quoting=1).replace("\n", "\r\n").encode())


@way
def pipes(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, index=False, sep="|")


@way
def blanks(table: pd.DataFrame, path: Path) -> None:
    lines = table.rename(columns={"Adj Close": "AdjClose"}).to_csv(index=False, sep=" ").splitlines()
    path.write_text("\n".join(line.replace(" ", "  ", 3) for line in lines) + "\n")


@way
def lines_above_the_header(table: pd.DataFrame, path: Path) -> None:
    path.write_text("# downloaded 2024-01-01\n\nHistorical prices\n" + table.to_csv(index=False))


@way
def index_of_dates_without_a_name(table: pd.DataFrame, path: Path) -> None:
    table.set_index("Date").rename_axis(None).to_csv(path)


@way
def index_of_stocks_without_a_name(table: pd.DataFrame, path: Path) -> None:
    table.assign(Ticker=table["Ticker"].map({"000001": "000001", "600519": "600519"})).set_index(
        ["Date", "Ticker"]
    ).rename_axis([None, None]).to_csv(path)


@way
def numbers_of_rows_beside(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path)


# Wide tables


@way
def wide_prices_above(table: pd.DataFrame, path: Path) -> None:
    _wide(table).to_csv(path)


@way
def wide_stocks_above(table: pd.DataFrame, path: Path) -> None:
    _wide(table, stocks_above=True).to_csv(path)


@way
def wide_without_names(table: pd.DataFrame, path: Path) -> None:
    _wide(table, names=(None, None)).to_csv(path)


@way
def wide_without_the_name_of_the_index(table: pd.DataFrame, path: Path) -> None:
    _wide(table).rename_axis(None).to_csv(path)


@way
def wide_with_each_stock_named_once(table: pd.DataFrame, path: Path) -> None:
    """As a workbook with merged cells is saved."""
    first, *rest = _wide(table, stocks_above=True).to_csv().splitlines(keepends=True)
    path.write_text(
        "".join([first.replace(",000001" * 6, ",000001" + "," * 5).replace(",600519" * 6, ",600519" + "," * 5), *rest])
    )
    assert path.read_text().count("000001") == 1


@way
def wide_in_parquet(table: pd.DataFrame, path: Path) -> None:
    _wide(table, stocks_above=True).to_parquet(path)


@way
def wide_with_other_columns(table: pd.DataFrame, path: Path) -> None:
    wide = _wide(table)
    for stock in ("000001", "600519"):
        wide["Dividends", stock] = 0.0
    wide.to_csv(path)


# Parquet


@way
def parquet_date_as_index(table: pd.DataFrame, path: Path) -> None:
    _dated(table).set_index("Date").to_parquet(path)


@way
def parquet_stock_as_index(table: pd.DataFrame, path: Path) -> None:
    table.set_index("Ticker").to_parquet(path)


@way
def parquet_stock_and_date(table: pd.DataFrame, path: Path) -> None:
    _dated(table).set_index(["Ticker", "Date"]).to_parquet(path)


@way
def parquet_date_and_stock(table: pd.DataFrame, path: Path) -> None:
    _dated(table).set_index(["Date", "Ticker"]).to_parquet(path)


@way
def parquet_date_and_stock_without_names(table: pd.DataFrame, path: Path) -> None:
    _dated(table).set_index(["Date", "Ticker"]).rename_axis([None, None]).to_parquet(path)


@way
def parquet_stock_and_date_without_names(table: pd.DataFrame, path: Path) -> None:
    _dated(table).set_index(["Ticker", "Date"]).rename_axis([None, None]).to_parquet(path)


@way
def parquet_date_without_a_name(table: pd.DataFrame, path: Path) -> None:
    _dated(table).set_index("Date").rename_axis(None).to_parquet(path)


@way
def parquet_of_some_rows(table: pd.DataFrame, path: Path) -> None:
    """A range index with gaps is kept as numbers without a name; these are no stocks."""
    more = pd.concat([table.iloc[:2], table])
    more.iloc[2:].to_parquet(path)


@way
def parquet_qlib(table: pd.DataFrame, path: Path) -> None:
    prices = {name: f"${name.lower().replace(' ', '_')}" for name in table.columns[2:]}
    names = {"Ticker": "instrument", "Date": "datetime"}
    _dated(table).rename(columns={**prices, **names}).set_index(["instrument", "datetime"]).to_parquet(path)


@way
def parquet_categories(table: pd.DataFrame, path: Path) -> None:
    _dated(table).astype({"Ticker": "category"}).to_parquet(path)


@pytest.mark.parametrize("name", WRITERS)
def test_every_way_of_writing_it_is_the_same_panel(panel_file: Path, tmp_path: Path, name: str) -> None:
    other = tmp_path / "other"
    WRITERS[name](make_table(), other)
    assert same(read_panel(other), read_panel(panel_file))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_stocks_may_be_called_what_stands_for_nothing_elsewhere(tmp_path: Path, suffix: str) -> None:
    names = ["00700", "1E5", "NA", "NULL", "NaN", "None", "TRUE", "inf", "n/a", "nan", "null"]
    path = tmp_path / f"panel.{suffix}"
    table = make_table(names, days=5)
    table.to_csv(path, index=False) if suffix == "csv" else table.to_parquet(path)
    assert read_panel(path).names == tuple(sorted(names))


def test_codes_that_were_made_fractions_are_whole_again(tmp_path: Path) -> None:
    table = make_table(["600519", "1"], days=5)
    table.assign(Ticker=table["Ticker"].astype(float)).to_parquet(tmp_path / "x")
    assert read_panel(tmp_path / "x").names == ("1", "600519")


def test_wide_leaves_out_the_days_on_which_a_stock_has_no_bar(tmp_path: Path) -> None:
    table = make_table(["AAPL", "LOW", "OPEN"], days=20)
    gone = (table["Ticker"] == "LOW") & table["Date"].between("2020-01-08", "2020-01-15")
    path = tmp_path / "wide.csv"
    _wide(table[~gone]).to_csv(path)
    panel = read_panel(path)
    assert panel.names == ("AAPL", "LOW", "OPEN")
    table[~gone].to_csv(tmp_path / "long.csv", index=False)
    assert same(panel, read_panel(tmp_path / "long.csv"))


def test_a_hole_in_a_wide_table_is_refused_at_its_place(tmp_path: Path) -> None:
    wide = _wide(make_table(["AAPL", "MSFT"], days=20))
    wide.loc[wide.index[4], ("Close", "MSFT")] = np.nan
    wide.to_csv(tmp_path / "wide.csv")
    assert "row 8 (stock MSFT, date 2020-01-07" in refusal(tmp_path / "wide.csv")


def test_a_stock_without_a_column_of_the_others_is_refused(tmp_path: Path) -> None:
    wide = _wide(make_table(["AAPL", "MSFT"], days=20)).drop(columns=[("Volume", "MSFT")])
    wide.to_csv(tmp_path / "wide.csv")
    message = refusal(tmp_path / "wide.csv")
    assert "MSFT" in message and "Volume" in message


@pytest.mark.parametrize("named", [{}, {"close": "Close"}])
def test_a_column_named_twice_is_refused(tmp_path: Path, named: dict[Any, str]) -> None:
    table = make_table()
    table.insert(3, "Close", 1.5, allow_duplicates=True)
    table.to_csv(tmp_path / "twice.csv", index=False)
    assert "2 columns named 'Close'" in refusal(tmp_path / "twice.csv", PanelFormat(named))


def test_a_wide_column_there_twice_is_refused(tmp_path: Path) -> None:
    wide = _wide(make_table(days=20))
    pd.concat([wide, wide[[("Close", "600519")]]], axis=1).to_csv(tmp_path / "twice.csv")
    assert "2 columns named '600519 Close'" in refusal(tmp_path / "twice.csv")


def test_numbers_of_rows_are_no_stocks(tmp_path: Path) -> None:
    table = make_table(["a"], days=20).drop(columns="Ticker")
    table.to_csv(tmp_path / "rows.csv")
    assert read_panel(tmp_path / "rows.csv").names == ("-",)


def _workbook() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return held.getvalue()


def _feather() -> bytes:
    held = io.BytesIO()
    make_table(days=5).to_feather(held)
    return held.getvalue()


def _zip() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("prices.csv", make_table(days=5).to_csv(index=False))
    return held.getvalue()


def _parquet() -> bytes:
    held = io.BytesIO()
    make_table(days=5).to_parquet(held)
    return held.getvalue()


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (_workbook(), "p.csv", ("Excel", "read_excel", "to_csv", "p.csv")),
        (b"PK\x03\x04" + b"\0" * 500, "p.xlsx", ("Excel", "CSV UTF-8", "p.csv")),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 500, "p.xls", ("Excel", "read_excel")),
        (_feather(), "p.feather", ("Feather", "read_feather", "to_parquet", "p.parquet")),
        (_zip(), "p.zip", ("zip archive", "prices.csv", "unzip")),
        (bz2.compress(b"a,b\n"), "p.csv.bz2", ("bzip2 -dk",)),
        (lzma.compress(b"a,b\n"), "p.csv.xz", ("xz -dk",)),
        (b"\x28\xb5\x2f\xfd" + b"\1" * 100, "p.csv.zst", ("zstd -d",)),
        (gzip.compress(_parquet()), "p.parquet.gz", ("Parquet", "gunzip -k")),
        (gzip.compress(_workbook()), "p.gz", ("zip archive",)),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 100, "p.h5", ("HDF5", "--data")),
        (b"SQLite format 3\0" + b"\0" * 100, "p.db", ("SQLite", "--data")),
        (b"\x80\x05\x95" + b"\0" * 100, "p.pkl", ("pickle", "--data")),
        (b"\n<html><table></table></html>", "p.xls", ("HTML", "--data")),
        (b'{"Date": {}}', "p.json", ("JSON", "--data")),
    ],
)
def test_other_kinds_are_told_what_to_do(tmp_path: Path, content: bytes, name: str, said: tuple[str, ...]) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    message = refusal(path)
    for part in said:
        assert part in message


def test_what_is_told_for_a_workbook_and_feather_works(tmp_path: Path, panel_file: Path) -> None:
    path = tmp_path / "p.feather"
    make_table().to_feather(path)
    code = refusal(path).split(" with ")[1].split(", and give")[0]
    exec(code, {"pandas": pd})
    assert same(read_panel(tmp_path / "p.parquet"), read_panel(panel_file))
