"""Columns without a name: an index of pandas that was written without one is known by what it holds."""

import re
from collections.abc import Mapping, Sequence

from forecaster.columns import Role
from forecaster.days import is_day


def by_content(held: Mapping[int, Sequence[str]]) -> dict[Role, list[int]]:
    """Of columns without names the places of those that may be the dates and the stocks, by some of their values.

    Whole numbers are those of rows, unless beside them stands an index of days.
    """
    dates = [place for place, values in held.items() if all(map(is_day, values))]
    stocks = [
        place
        for place, values in held.items()
        if place not in dates and (dates or not all(re.fullmatch(r"\d+", value) for value in values))
    ]
    return {"date": dates, "stock": stocks}
