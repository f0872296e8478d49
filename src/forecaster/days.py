"""Dates as files have them, as calendar days of the exchange: written days, stamps of a clock, seconds since 1970.

A day is often kept as the moment at which it began, in universal time: the Monday of Shanghai as Sunday, 16:00. Such
stamps are known by their time of day: all are midnight in one zone, with its daylight saving time.
"""

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecaster.messages import text

_DIGITS_ONLY = r"^(\d{4})(\d{2})(\d{2})(?:\.0)?$"
_YEAR_FIRST = (
    r"^(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?"
    r"(?:[T ]+(?:(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?)?\s*"
    r"(Z|(?:UTC|GMT)?[+-]\d{1,2}(?::?\d{2})?(?!\d)|UTC|GMT)?(?!.*\d{4}).*)?$"  # two dates are no day
)
_OFFSET = re.compile(r"([+-])(\d{1,2}?):?(\d{2})?$")
_YEARS = (1800, 2200)  # nanoseconds since 1970, in which pandas may count, end in 1677 and 2262
_SINCE_1970 = {10: "s", 13: "ms", 16: "us", 19: "ns"}  # digits of a time since 1970 and their unit
_COUNTS = re.compile(r"1[0-8](\d{8}|\d{11}|\d{14}|\d{17})(\.0)?", re.ASCII)

# Zones with exchanges; the first in which all stamps are midnight counts. Of those with one clock one is enough.
_ZONES = (
    *("Asia/Shanghai", "Asia/Tokyo", "America/New_York", "Asia/Kolkata", "Europe/London", "Europe/Berlin"),
    *("Australia/Sydney", "Europe/Moscow", "Europe/Helsinki", "Europe/Istanbul", "Asia/Jerusalem", "Asia/Riyadh"),
    *("Asia/Dubai", "Asia/Karachi", "Asia/Dhaka", "Asia/Colombo", "Asia/Kathmandu", "Asia/Bangkok"),
    *("Australia/Brisbane", "Pacific/Auckland", "America/Chicago", "America/Los_Angeles", "America/Sao_Paulo"),
    *("America/Santiago", "America/Bogota", "America/Argentina/Buenos_Aires", "Africa/Johannesburg", "Africa/Lagos"),
)

_log = logging.getLogger("forecaster")

Times = npt.NDArray[np.datetime64]


@dataclass(frozen=True)
class _Stamps:
    """Distinct moments, as written and in universal time; ``aware`` where the file says which time it is."""

    written: pd.DatetimeIndex
    universal: pd.DatetimeIndex
    aware: bool


def is_day(value: str) -> bool:
    """Whether it is a date with the year first, or a time since 1970."""
    written = value.strip()
    return bool(re.match(_DIGITS_ONLY, written) or re.match(_YEAR_FIRST, written) or _is_since_1970(written))


def days(dates: "pd.Series[Any]", stocks: "pd.Series[Any]", path: Path) -> "pd.Series[Any]":
    """Calendar days; NaT where there is none. Year first, as in 2010-01-05, 2010/1/5, 20100105 or 2010年1月5日.

    05/01/2010 is two days, depending on who reads it, and so none here. A time of day is left out, unless with it all
    the dates of the file, or of each stock, are midnight in a zone: then they are the days there, which is said.
    """
    if pd.api.types.is_datetime64_any_dtype(dates):
        distinct = pd.DatetimeIndex(dates.dropna().unique())
        stamps = _of_times(distinct)
    else:
        dates = dates.astype("string").str.strip()
        distinct = pd.Index(dates.dropna().unique())
        stamps = _of_text(pd.Series(distinct, dtype="string"))
    codes = pd.Index(distinct).get_indexer(pd.Index(dates))
    return pd.Series(_days_of(stamps, codes, stocks, path), index=dates.index)


def _days_of(stamps: _Stamps, codes: npt.NDArray[np.intp], stocks: "pd.Series[Any]", path: Path) -> Times:
    """The day of every row, by the place of its stamp in ``stamps``; -1 is none."""
    written = _and_none(stamps.written)[codes]
    if stamps.written.equals(stamps.written.normalize()):
        return written
    if (zone := _zone_of(stamps)) is not None:
        found = _and_none(_local(stamps, zone))[codes]
        _say(zone, stamps, codes, found, path)
        return found
    found = written.copy()  # of several markets, may be
    in_zone: dict[str, list[npt.NDArray[np.intp]]] = {}
    zone = None
    for rows in map(np.asarray, stocks.groupby(stocks.to_numpy()).indices.values()):
        places = np.unique(codes[rows][codes[rows] >= 0])
        of_one = _Stamps(stamps.written[places], stamps.universal[places], stamps.aware)
        zone = _zone_of(of_one, first=zone)
        if zone is not None:
            found[rows] = _and_none(_local(stamps, zone))[codes[rows]]
            in_zone.setdefault(zone, []).append(rows)
    for zone, parts in in_zone.items():
        rows = np.concatenate(parts)
        _say(zone, stamps, codes[rows], found[rows], path)
    if not in_zone:
        weekends = _weekends(stamps.written)
        level = logging.WARNING if weekends else logging.INFO
        _log.log(level, text("data_days_as_written", path=path, first=stamps.written.min(), count=weekends))
    return found


def _zone_of(stamps: _Stamps, first: str | None = None) -> str | None:
    """The zone in which all stamps are midnight, if the days there are likelier than those written.

    Likelier are those with fewer weekends: 16:00 is the midnight of Shanghai, and also an hour at which markets close.
    """
    if stamps.written.equals(stamps.written.normalize()):
        return None
    written = _weekends(stamps.written)
    for zone in _ZONES if first is None else (first, *_ZONES):
        try:
            there = _local(stamps, zone)
        except ZoneInfoNotFoundError:  # no such data on this machine
            continue
        if there.equals(there.normalize()):
            weekends = _weekends(there)
            certain = stamps.aware or there.equals(stamps.written.normalize())
            if weekends < written or (weekends == written and certain):
                return zone
    return None


def _say(zone: str, stamps: _Stamps, codes: npt.NDArray[np.intp], found: Times, path: Path) -> None:
    there = codes >= 0
    changed = int((found != _and_none(stamps.written)[codes])[there].sum())
    first = int(np.flatnonzero(there)[found[there].argmin()])
    stamp, day = stamps.written[codes[first]], found[first].astype("datetime64[D]")
    _log.info(text("data_days_of_zone", path=path, zone=zone, first=stamp, day=day, count=changed))


def _and_none(times: pd.DatetimeIndex) -> Times:
    """The days of ``times``, and behind them NaT, which is the one at place -1."""
    return np.append(times.normalize().to_numpy().astype("datetime64[ns]"), np.datetime64("NaT", "ns"))


def _local(stamps: _Stamps, zone: str) -> pd.DatetimeIndex:
    return stamps.universal.tz_localize("UTC").tz_convert(zone).tz_localize(None)


def _weekends(times: pd.DatetimeIndex) -> int:
    return int((times.day_of_week >= 5).sum())


def _of_times(times: pd.DatetimeIndex) -> _Stamps:
    times = pd.DatetimeIndex(times.where((times.year >= _YEARS[0]) & (times.year < _YEARS[1])))
    if times.tz is None:
        return _Stamps(times, times, aware=False)
    return _Stamps(times.tz_localize(None), times.tz_convert("UTC").tz_localize(None), aware=True)


def _of_text(written: "pd.Series[Any]") -> _Stamps:
    """NaT for what is no date."""
    if len(written) and written.map(_is_since_1970).all() and written.str.len().nunique() == 1:
        unit = _SINCE_1970[len(written.iloc[0].removesuffix(".0"))]
        counts = written.str.removesuffix(".0").astype("int64")
        times = pd.DatetimeIndex(pd.to_datetime(counts, unit=cast(Any, unit)))
        return _Stamps(times, times, aware=True)
    parts = written.str.replace(_DIGITS_ONLY, r"\1-\2-\3", regex=True).str.extract(_YEAR_FIRST)
    parts[0] = parts[0].where(pd.to_numeric(parts[0]).between(*_YEARS, inclusive="left"))
    days = pd.to_datetime(parts[0] + "-" + parts[1] + "-" + parts[2], format="%Y-%m-%d", errors="coerce")
    hours, minutes, seconds = (pd.to_numeric(parts[place].fillna("0")).to_numpy(dtype=np.int64) for place in (3, 4, 5))
    clock = np.where(hours < 24, (hours * 60 + minutes) * 60 + seconds, 0)  # 24:00 is still the day
    times = pd.DatetimeIndex(days + pd.to_timedelta(clock, unit="s"))
    offsets = pd.to_timedelta([_minutes(offset) for offset in parts[6].fillna("")], unit="min")
    return _Stamps(times, times - offsets, aware=bool(parts[6].notna().any()))


def _minutes(offset: str) -> int:
    """``"+05:30"`` and ``"UTC+0530"`` → 330; universal time and none are 0."""
    found = _OFFSET.search(offset)
    if found is None:
        return 0
    sign, hours, minutes = found.groups()
    return int(f"{sign}{int(hours) * 60 + int(minutes or 0)}")


def _is_since_1970(value: str) -> bool:
    """Of the years 2001 to 2030: what begins with 19 or 20 may be a written date."""
    return _COUNTS.fullmatch(value) is not None
