"""Days of the exchange, however a file keeps them: as written, or as the moment at which they began elsewhere."""

import logging
from pathlib import Path

import pandas as pd
import pytest

from forecaster.panel import read_panel
from tests.forecaster.panels import make_table
from tests.forecaster.test_panel import refusal, same

DAYS = 300  # more than a year: with every daylight saving time
ZONES = {
    "Shanghai": "Asia/Shanghai",
    "Tokyo": "Asia/Tokyo",
    "New York": "America/New_York",
    "London": "Europe/London",
    "Frankfurt": "Europe/Berlin",
    "Sydney": "Australia/Sydney",
    "Auckland": "Pacific/Auckland",
    "Mumbai": "Asia/Kolkata",
    "Chicago": "America/Chicago",
}


@pytest.fixture
def expected(tmp_path: Path) -> Path:
    path = tmp_path / "expected.csv"
    make_table(days=DAYS).to_csv(path, index=False)
    return path


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    logging.getLogger("forecaster").propagate = True
    caplog.set_level(logging.INFO, "forecaster")
    return caplog


def midnights(zone: str, to: str = "UTC") -> pd.DataFrame:
    table = make_table(days=DAYS)
    return table.assign(Date=pd.to_datetime(table["Date"]).dt.tz_localize(zone).dt.tz_convert(to))


def as_parquet(table: pd.DataFrame, path: Path) -> None:
    table.to_parquet(path)


def as_csv(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, index=False)


def as_zulu(table: pd.DataFrame, path: Path) -> None:
    table.assign(Date=table["Date"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")).to_csv(path, index=False)


def as_naive(table: pd.DataFrame, path: Path) -> None:
    table.assign(Date=table["Date"].dt.tz_localize(None)).to_parquet(path)


def as_milliseconds(table: pd.DataFrame, path: Path) -> None:
    table.assign(Date=table["Date"].dt.as_unit("ms").astype("int64")).to_csv(path, index=False)


def as_seconds(table: pd.DataFrame, path: Path) -> None:
    table.assign(Date=table["Date"].dt.as_unit("s").astype("int64")).to_parquet(path)


WAYS = [as_parquet, as_csv, as_zulu, as_naive, as_milliseconds, as_seconds]


@pytest.mark.parametrize("write", WAYS)
@pytest.mark.parametrize("place", ZONES)
def test_stamps_of_midnights_are_the_days_of_their_zone(
    tmp_path: Path, expected: Path, heard: pytest.LogCaptureFixture, place: str, write: object
) -> None:
    write(midnights(ZONES[place]), tmp_path / "x")  # type: ignore[operator]
    assert same(read_panel(tmp_path / "x"), read_panel(expected))
    assert "which is midnight in" in heard.text


def test_stamps_of_midnights_in_any_other_zone(tmp_path: Path, expected: Path) -> None:
    midnights("Asia/Shanghai", to="America/New_York").to_parquet(tmp_path / "x")
    assert same(read_panel(tmp_path / "x"), read_panel(expected))
    midnights("Asia/Shanghai", to="America/New_York").to_csv(tmp_path / "y", index=False)
    assert same(read_panel(tmp_path / "y"), read_panel(expected))


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York"])
def test_days_of_a_zone_that_is_named_are_as_written(tmp_path: Path, expected: Path, zone: str) -> None:
    midnights(zone, to=zone).to_parquet(tmp_path / "x")
    midnights(zone, to=zone).to_csv(tmp_path / "y", index=False)
    assert same(read_panel(tmp_path / "x"), read_panel(expected))
    assert same(read_panel(tmp_path / "y"), read_panel(expected))


def test_stocks_of_several_markets_have_a_zone_each(
    tmp_path: Path, expected: Path, heard: pytest.LogCaptureFixture
) -> None:
    shanghai, new_york = midnights("Asia/Shanghai"), midnights("America/New_York")
    both = pd.concat([shanghai[shanghai["Ticker"] == "600519"], new_york[new_york["Ticker"] == "000001"]])
    both.to_parquet(tmp_path / "x")
    assert same(read_panel(tmp_path / "x"), read_panel(expected))
    assert "Asia/Shanghai" in heard.text and "America/New_York" in heard.text


@pytest.mark.parametrize(
    ("zone", "hour"), [("America/New_York", 16), ("Asia/Shanghai", 15), ("Asia/Hong_Kong", 16), ("Asia/Tokyo", 15)]
)
@pytest.mark.parametrize("naive", [False, True])
def test_the_hour_at_which_a_market_closes_is_no_midnight(
    tmp_path: Path, expected: Path, zone: str, hour: int, naive: bool
) -> None:
    """16:00 in Hong Kong, written without a zone, looks like the midnight of Shanghai; the weekends tell."""
    table = make_table(days=DAYS)
    closes = (pd.to_datetime(table["Date"]) + pd.Timedelta(hours=hour)).dt.tz_localize(zone)
    dates = closes.dt.tz_localize(None) if naive else closes.dt.tz_convert("UTC")
    table.assign(Date=dates).to_parquet(tmp_path / "x")
    assert same(read_panel(tmp_path / "x"), read_panel(expected))


def test_a_winter_of_closes_in_new_york_is_no_midnight_of_moscow(tmp_path: Path) -> None:
    table = make_table(days=40)
    expected = tmp_path / "expected.csv"
    table.to_csv(expected, index=False)
    closes = pd.to_datetime(table["Date"]) + pd.Timedelta(hours=21)
    table.assign(Date=closes.dt.tz_localize("UTC")).to_parquet(tmp_path / "x")
    assert same(read_panel(tmp_path / "x"), read_panel(expected))


def test_weekends_of_stamps_of_no_zone_are_warned_of(tmp_path: Path, heard: pytest.LogCaptureFixture) -> None:
    table = make_table(days=40)
    odd = pd.to_datetime(table["Date"]) - pd.Timedelta(hours=1, minutes=7)
    table.assign(Date=odd).to_parquet(tmp_path / "x")
    read_panel(tmp_path / "x")
    assert "Saturdays or Sundays" in heard.text
    assert heard.records[-1].levelno == logging.WARNING or any(r.levelno == logging.WARNING for r in heard.records)


def test_hours_in_digits_are_no_seconds_since_1970(tmp_path: Path) -> None:
    table = make_table(days=40)
    table.assign(Date=table["Date"].str.replace("-", "") + "16").to_csv(tmp_path / "x", index=False)
    assert "no date with the year first" in refusal(tmp_path / "x")


@pytest.mark.parametrize("date", ["0001-01-03", "1677-01-03", "2262-12-01", "2300-01-03 16:00+08:00", "9999-12-31"])
def test_years_beyond_what_pandas_counts_are_no_dates(tmp_path: Path, date: str) -> None:
    table = make_table(days=160)
    table.loc[7, "Date"] = date
    table.to_csv(tmp_path / "x", index=False)
    assert f"row 9 (stock 000001): '{date}' is no date" in refusal(tmp_path / "x")
    times = pd.DataFrame({**make_table(days=160)}).assign(Date=table["Date"].str[:10].astype("datetime64[s]"))
    times.to_parquet(tmp_path / "y")
    assert "is no date" in refusal(tmp_path / "y")


@pytest.mark.parametrize("date", ["2018-01-02 - 2018-01-05", "2018-01-02 2018-01-05", "2018/01/02 to 2018/01/05"])
def test_two_dates_are_no_day(tmp_path: Path, date: str) -> None:
    table = make_table(days=160)
    table.loc[7, "Date"] = date
    table.to_csv(tmp_path / "x", index=False)
    assert f"row 9 (stock 000001): '{date}' is no date" in refusal(tmp_path / "x")


@pytest.mark.parametrize("offset", ["+00:00", " UTC+00:00", " GMT+0", "+0000"])
@pytest.mark.parametrize("hours", [8, 5.5, -4])
def test_offsets_as_they_are_written(tmp_path: Path, expected: Path, offset: str, hours: float) -> None:
    there = midnights("Asia/Shanghai")["Date"].dt.tz_localize(None) + pd.Timedelta(hours=hours)
    sign, minutes = "-" if hours < 0 else "+", abs(int(hours * 60))
    spelled = {
        "+00:00": f"{sign}{minutes // 60:02}:{minutes % 60:02}",
        " UTC+00:00": f" UTC{sign}{minutes // 60:02}:{minutes % 60:02}",
        " GMT+0": f" GMT{sign}{minutes // 60}" + (f":{minutes % 60}" if minutes % 60 else ""),
        "+0000": f"{sign}{minutes // 60:02}{minutes % 60:02}",
    }[offset]
    stamps = there.dt.strftime("%Y-%m-%d %H:%M:%S") + spelled
    make_table(days=DAYS).assign(Date=stamps).to_csv(tmp_path / "x", index=False)
    assert same(read_panel(tmp_path / "x"), read_panel(expected))
