"""Panels as vendors write them are read; what is not a sound panel is refused in one line that says where."""

import gzip
import logging
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecaster.errors import InputError
from forecaster.panel import Panel, PanelFormat, bundled_panel, content_digest, read_panel
from tests.forecaster.panels import make_table


def refusal(path: Path, layout: PanelFormat | None = None, limit: int | None = None) -> str:
    with pytest.raises(InputError) as caught:
        read_panel(path, layout, limit=limit)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    assert caught.value.exit_code == 2
    return message


def same(left: Panel, right: Panel) -> bool:
    columns = ("stock", "date", "open", "high", "low", "close", "volume", "adjusted")
    equal = all(np.array_equal(getattr(left, column), getattr(right, column)) for column in columns)
    return equal and left.names == right.names


def test_bundled_panel_is_whole() -> None:
    panel = read_panel(bundled_panel())
    assert len(panel) == 12_154
    counts = {name: rows.stop - rows.start for name, rows in panel.stocks()}
    assert counts == {"AAPL": 3270, "FB": 196, "GOOG": 2148, "IBM": 3270, "MSFT": 3270}
    assert panel.date[0] == np.datetime64("2000-03-01")


def as_gzip(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, index=False, compression="gzip")


def as_parquet(table: pd.DataFrame, path: Path) -> None:
    table.to_parquet(path)


def as_dated_parquet(table: pd.DataFrame, path: Path) -> None:
    table.assign(Date=pd.to_datetime(table["Date"])).to_parquet(path)


def as_chinese(table: pd.DataFrame, path: Path) -> None:
    names = ["代码", "日期", "开盘", "最高", "最低", "收盘", "成交量(手)", "复权收盘价"]
    table.set_axis(names, axis=1).to_csv(path, index=False, encoding="gb18030")


def as_other_vendor(table: pd.DataFrame, path: Path) -> None:
    dates = table["Date"].str.replace("-", "")
    names = ["stock_id", "trade_date", "open", "high", "low", "close", "vol", "adj_close"]
    table.assign(Date=dates).set_axis(names, axis=1).to_csv(path, index=False, sep=";", encoding="utf-8-sig")


def with_clock(table: pd.DataFrame, path: Path) -> None:
    dates = table["Date"].str.replace("-", "/") + " 00:00:00+08:00"
    table.assign(Date=dates).to_csv(path, index=False, sep="\t")


def shuffled(table: pd.DataFrame, path: Path) -> None:
    table.sample(frac=1, random_state=1).to_csv(path, index=False)


@pytest.mark.parametrize(
    "write", [as_gzip, as_parquet, as_dated_parquet, as_chinese, as_other_vendor, with_clock, shuffled]
)
def test_every_way_of_writing_it_is_the_same_panel(
    panel_file: Path, tmp_path: Path, write: Callable[[pd.DataFrame, Path], None]
) -> None:
    other = tmp_path / "other"
    write(make_table(), other)
    expected = read_panel(panel_file)
    assert expected.names == ("000001", "600519")
    assert same(read_panel(other), expected)


def test_sorting_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "newest-first.csv"
    make_table().iloc[::-1].to_csv(path, index=False)
    logging.getLogger("forecaster").propagate = True
    with caplog.at_level(logging.INFO, "forecaster"):
        read_panel(path)
    assert "not in the order of their dates" in caplog.text


def test_columns_can_be_named(tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    make_table().rename(columns={"Close": "px_last"}).to_csv(path, index=False)
    assert "--close-column" in refusal(path)
    assert len(read_panel(path, PanelFormat({"close": "px_last"}))) == 320
    assert "'nowhere'" in refusal(path, PanelFormat({"close": "nowhere"}))
    assert "two roles" in refusal(path, PanelFormat({"close": "Open"}))


def test_a_choice_between_columns_is_the_users(tmp_path: Path) -> None:
    path = tmp_path / "two.csv"
    make_table().assign(symbol="x").to_csv(path, index=False)
    assert "Ticker, symbol" in refusal(path)
    assert read_panel(path, PanelFormat({"stock": "Ticker"})).names == ("000001", "600519")


def test_without_stock_and_adjusted_close(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    make_table(["a"]).drop(columns=["Ticker", "Adj Close"]).to_csv(path, index=False)
    panel = read_panel(path)
    assert len(panel.names) == 1
    assert np.array_equal(panel.adjusted, panel.close)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"\x7fELF\0\0\0\1", "binary"),
        (b"\xff\xfe\x80\x81" * 1000 + b"\n", "not text"),
        (bytes(range(128, 256)) * 600, "no header"),
        (b"a,b,c\n1,2,3\n", "a, b, c"),
        (b"Ticker,Date,Open,High,Low,Close,Volume\n", "no usable row"),
        (b"\x1f\x8b\x08\0garbage that is no gzip member", "gzip"),
        (gzip.compress(make_table().to_csv(index=False).encode())[:-900], "gzip"),
        (b"PAR1 is not enough to be Parquet PAR1", "not a table"),
        (b"Ticker,Date,Open,High,Low,Close,Volume\na,2020-01-01,1,2\nb,c,d,e,f,g,h,i,j,k\n", "not a table"),
        (
            b"Ticker,Date,Open,High,Low,Close,Volume\na,2020-01-01,1,2,1,1,1,000\n",
            "more fields than its header (7): a number with commas",
        ),
        (b"Ticker,Date,Open,High,Low,Close,Volume\n" + b"a,2020-01-01,1,2,3,4,\xff\xff\xff\n" * 9000, "not text"),
    ],
)
def test_what_is_no_panel_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    assert said in refusal(path)


@pytest.mark.parametrize("above", ["", "prices of somebody\n\n"])
def test_a_row_of_more_fields_is_named_by_its_line_of_the_file(tmp_path: Path, above: str) -> None:
    lines = (above + make_table().to_csv(index=False)).splitlines(keepends=True)
    lines[49] = lines[49].replace(".", ".1,", 1)
    (path := tmp_path / "bad.csv").write_text("".join(lines))
    assert "row 50 has 9 fields, its header 8" in refusal(path)


def test_a_close_that_stands_in_is_said_with_what_to_do(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "prices.csv"
    make_table().drop(columns="Adj Close").to_csv(path, index=False)
    with caplog.at_level("INFO", logger="forecaster"):
        read_panel(path)
    assert "adjusted already" in caplog.text and "--adjusted-column" in caplog.text


def test_missing_folder_and_pipe(tmp_path: Path) -> None:
    assert "no data file" in refusal(tmp_path / "nowhere.csv")
    assert "not a regular file" in refusal(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in refusal(tmp_path / "pipe")


def test_what_unpacks_to_more_than_memory_is_refused(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.csv.gz"
    header = b"Ticker,Date,Open,High,Low,Close,Volume\n"
    with gzip.open(bomb, "wb") as file:
        file.write(header + b"a,2020-01-01,1,1,1,1,1\n" * 400_000)
    assert bomb.stat().st_size < 1 << 17
    assert "too large" in refusal(bomb, limit=1 << 20)
    table = tmp_path / "big.parquet"
    make_table(days=2_000).to_parquet(table)
    assert "too large" in refusal(table, limit=1 << 16)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("Close", np.nan, "row 7 (stock 000001, date 2020-01-08): close is 'nan'"),
        ("Close", np.inf, "close is 'inf'"),
        ("Open", 0.0, "open is '0.0'"),
        ("Low", -3.0, "low is '-3.0'"),
        ("High", "--", "high is '--'"),
        ("Volume", -1, "volume is '-1'"),
        ("Adj Close", None, "adjusted is 'nan'"),
        ("Date", "05/01/2020", "'05/01/2020' is no date"),
        ("Date", "2020-02-30", "'2020-02-30' is no date"),
        ("Date", None, "is no date"),
        ("Ticker", None, "stock is ''"),
    ],
)
def test_bad_values_are_refused_or_dropped_as_asked(tmp_path: Path, column: str, value: object, said: str) -> None:
    table = make_table()
    table[column] = table[column].astype(object)
    table.loc[5, column] = value
    table.loc[200, column] = value
    path = tmp_path / "holes.csv"
    table.to_csv(path, index=False)
    message = refusal(path)
    assert said in message
    assert "row 7" in message
    assert "2 rows" in message
    dropped = read_panel(path, PanelFormat(drop_bad_rows=True))
    sound = tmp_path / "sound.csv"
    make_table().drop(index=[5, 200]).to_csv(sound, index=False)
    assert same(dropped, read_panel(sound))


def test_repeated_day_is_refused(tmp_path: Path) -> None:
    table = make_table()
    table.loc[10, "Date"] = table.loc[9, "Date"]
    path = tmp_path / "twice.csv"
    table.to_csv(path, index=False)
    assert "row 12: stock 000001 has a second row for 2020-01-14" in refusal(path)


def test_constant_column_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "flat.csv"
    make_table().assign(Volume=5).to_csv(path, index=False)
    assert "Column volume" in refusal(path)


def test_digest_is_of_the_content(panel_file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.write_bytes(panel_file.read_bytes())
    assert content_digest(copy) == content_digest(panel_file)
    copy.write_bytes(panel_file.read_bytes()[:-1] + b" ")
    assert content_digest(copy) != content_digest(panel_file)
