"""Numbers in other spellings are named as such, hints lead somewhere, and what is odd is warned of."""

import logging
from pathlib import Path

import pandas as pd
import pytest

from forecaster.errors import InputError
from forecaster.panel import PanelFormat, read_panel
from forecaster.spelling import spelling
from forecaster.splits import Split
from forecaster.windows import days_needed, make_windows
from tests.forecaster.panels import make_table
from tests.forecaster.test_panel import refusal

PRICES = ["Open", "High", "Low", "Close", "Adj Close"]
DROP = PanelFormat(drop_bad_rows=True)


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    logging.getLogger("forecaster").propagate = True
    caplog.set_level(logging.WARNING, "forecaster")
    return caplog


def written(table: pd.DataFrame, path: Path, **how: object) -> Path:
    table.to_csv(path, index=False, **how)  # type: ignore[call-overload]
    return path


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["1,234.50"], "data_thousands"),
        (["950", "12,345"], "data_thousands"),
        (["1,234,567"], "data_thousands"),
        (["1 234.5"], "data_thousands"),
        (["12,34,567"], "data_thousands"),
        (["1\u00a0234"], "data_thousands"),
        (["1'234.50"], "data_thousands"),
        (["20,15"], "data_decimal_comma"),
        (["12,345", "12,3"], "data_decimal_comma"),
        (["1.234,56"], "data_decimal_comma"),
        (["1 234,5"], "data_decimal_comma"),
        (["12.5K"], "data_unit"),
        (["1.2万"], "data_unit"),
        (["3亿股"], "data_unit"),
        (["$20.10"], "data_unit"),
        (["20.10 USD"], "data_unit"),
        (["¥1,234"], "data_unit"),
        (["0.5%"], "data_unit"),
        (["--"], None),
        (["-3.0", "0", "12"], None),
        (["停牌"], None),
        (["2020-01-01"], None),
        ([float("nan"), None], None),
    ],
)
def test_spellings(values: list[object], said: str | None) -> None:
    found = spelling(values)
    assert (found and found[0]) == said


@pytest.mark.parametrize("layout", [PanelFormat(), DROP])
def test_thousands_are_named_and_never_dropped(tmp_path: Path, layout: PanelFormat) -> None:
    table = make_table()
    table["Close"] = table["Close"].mul(20).map("{:,.2f}".format)
    message = refusal(written(table, tmp_path / "x"), layout)
    assert "thousands separators" in message and "close" in message and "--drop-bad-rows" not in message
    first = int(table["Close"].str.contains(",").to_numpy().argmax())
    assert f"row {first + 2} " in message


def test_decimal_commas_are_named(tmp_path: Path) -> None:
    path = written(make_table().round(3), tmp_path / "x", sep=";", decimal=",")
    message = refusal(path)
    assert "decimal comma" in message and "--drop-bad-rows" not in message


def test_units_are_named(tmp_path: Path) -> None:
    table = make_table()
    table["Volume"] = table["Volume"].map(lambda volume: f"{volume / 1000:.2f}K")
    assert "a unit" in refusal(written(table, tmp_path / "x"))


def test_numbers_in_other_spellings_in_parquet(tmp_path: Path) -> None:
    table = make_table()
    table["Volume"] = table["Volume"].map("{:,}".format)
    table.to_parquet(tmp_path / "x")
    assert "row 1 (stock 000001" in (message := refusal(tmp_path / "x")) and "thousands" in message


@pytest.mark.parametrize(
    "value",
    [pd.Timestamp("2020-01-02"), pd.Timestamp("2020-01-02", tz="UTC"), pd.Timedelta("5s"), True, False],
    ids=str,
)
def test_times_and_truths_are_no_numbers(tmp_path: Path, value: object) -> None:
    make_table().assign(Volume=value).to_parquet(tmp_path / "x")
    assert "volume is" in refusal(tmp_path / "x")
    make_table().assign(Volume=pd.Series([True] * 320, dtype="boolean")).to_parquet(tmp_path / "y")
    assert "volume is 'True'" in refusal(tmp_path / "y")


def test_a_quote_left_open_in_a_name_swallows_no_rows_unseen(tmp_path: Path) -> None:
    lines = written(make_table(), tmp_path / "x").read_text().splitlines()
    lines[5], lines[9] = f'"{lines[5]}', lines[9].replace(",", '",', 1)
    (tmp_path / "x").write_text("\n".join(lines))
    assert "row 6 " in (message := refusal(tmp_path / "x")) and "stock is" in message


def test_a_quote_left_open_in_a_column_that_nothing_reads_is_warned_of(
    tmp_path: Path, heard: pytest.LogCaptureFixture
) -> None:
    table = make_table().assign(Note="calm")
    assert len(read_panel(written(table, tmp_path / "x"))) == 320 and "quote" not in heard.text
    table.loc[[10, 14], "Note"] = "OPEN"
    written(table, tmp_path / "x").write_text((tmp_path / "x").read_text().replace("OPEN", '"', 1).replace("OPEN", '"'))
    assert len(read_panel(tmp_path / "x")) == 316
    assert "row 12: a text in column Note goes over several lines; 1 row is" in heard.text


@pytest.mark.parametrize(
    ("volume", "warned"), [(1.234, True), (0.5, True), (1.2345, False), (1001.5, False), (7, False)]
)
def test_volumes_that_may_be_thousands_are_warned_of(
    tmp_path: Path, heard: pytest.LogCaptureFixture, volume: float, warned: bool
) -> None:
    table = make_table().assign(Volume=100.0)
    table.loc[5, "Volume"] = volume
    assert len(read_panel(written(table, tmp_path / "x"))) == 320
    assert ("separates thousands" in heard.text) is warned


@pytest.mark.parametrize("layout", [PanelFormat(), DROP])
@pytest.mark.parametrize(
    ("column", "value", "said"),
    [("Close", "--", "--close-column"), ("Open", 0, "--open-column"), ("Date", "01/05/2018", "--date-column")],
)
def test_where_every_row_is_bad_dropping_them_is_no_advice(
    tmp_path: Path, layout: PanelFormat, column: str, value: object, said: str
) -> None:
    message = refusal(written(make_table().assign(**{column: value}), tmp_path / "x"), layout)
    assert said in message and "320" in message and "--drop-bad-rows" not in message


def test_high_below_low_is_warned_of(tmp_path: Path, heard: pytest.LogCaptureFixture) -> None:
    table = make_table()
    table.loc[[200, 210], ["High", "Low"]] = table.loc[[200, 210], ["Low", "High"]].to_numpy()
    assert len(read_panel(written(table, tmp_path / "x"))) == 320
    assert f"row 202 (stock 600519, {table['Date'][200]})" in heard.text
    assert "is below the low" in heard.text and "2 rows" in heard.text


@pytest.mark.parametrize("column", PRICES)
def test_a_price_that_jumps_is_warned_of(tmp_path: Path, heard: pytest.LogCaptureFixture, column: str) -> None:
    table = make_table()
    table.loc[200, column] *= 1000
    assert len(read_panel(written(table, tmp_path / "x"))) == 320
    role = "adjusted" if column == "Adj Close" else column.lower()
    assert f"row 202 (stock 600519, {table['Date'][200]}): {role} jumps" in heard.text
    assert "2 such jumps" in heard.text


def test_a_change_of_stock_and_a_split_are_no_jumps(tmp_path: Path, heard: pytest.LogCaptureFixture) -> None:
    table = make_table()
    table.loc[table["Ticker"] == "600519", PRICES] *= 5000
    table.loc[:80, PRICES] *= 10
    read_panel(written(table, tmp_path / "x"))
    assert "jumps" not in heard.text


@pytest.mark.parametrize("target", ["volatility", "return"])
def test_so_many_days_are_needed_and_enough(tmp_path: Path, target: str) -> None:
    need = days_needed(target)  # type: ignore[arg-type]

    def windows(days: int, split: Split) -> object:
        path = written(make_table(["a"], days=days), tmp_path / "x")
        return make_windows(read_panel(path), target, split, source=path)  # type: ignore[arg-type]

    with pytest.raises(InputError, match=rf"that takes {need} days of one stock, and the longest here has {need - 1}"):
        windows(need - 1, Split(fraction=0.75))
    with pytest.raises(InputError, match=r"With --train-end from (\S+) to (\S+) they") as caught:
        windows(need, Split(fraction=0.3))
    first, last = (caught.value.values[name].item() for name in ("first", "last"))
    for day in {first, last}:
        windows(need, Split(last_day=day))
