"""Numbers spelled otherwise than programs read them: with thousands separators, a decimal comma, a unit."""

import re
from collections.abc import Iterable, Sequence
from typing import Literal

Spelling = Literal["data_thousands", "data_decimal_comma", "data_unit"]

_BLANKS = " \u00a0\u2009\u202f"
# 1,234,567 and, as in India, 12,34,567
_THOUSANDS = re.compile(
    rf"[+-]?(?:\d{{1,3}}(?:(?:[,，]\d{{3}})+|(?:['’{_BLANKS}]\d{{3}})+)|\d{{1,2}}(?:,\d{{2}})+,\d{{3}})(?:\.\d+)?"
)
_DECIMAL_COMMA = re.compile(rf"[+-]?(?:\d+|\d{{1,3}}(?:[.'’{_BLANKS}]\d{{3}})+),\d+")
# 12.5K, 1.2万, 3亿股, $20.10, 0.5%
_AMOUNT = r"[+-]?\d[\d.,]*"
_CURRENCY = r"(?:[$€£¥￥₹]|[A-Z]{3})"
_UNIT = re.compile(
    rf"[+-]?{_CURRENCY}\s*{_AMOUNT}|{_AMOUNT}\s*(?:[KMBTkmbt]|[十百千万亿]+[手股元]?|[手股元%]|{_CURRENCY})"
)


def spelling(values: Iterable[object]) -> tuple[Spelling, int] | None:
    """How bad values of one column are spelled, and which of them is the first like this; None if none is a number."""
    written = [value.strip() if isinstance(value, str) else "" for value in values]
    comma = _first(_DECIMAL_COMMA, written, but=_THOUSANDS)
    if comma is not None:
        return "data_decimal_comma", comma
    thousands = _first(_THOUSANDS, written)
    if thousands is not None:
        return "data_thousands", thousands
    unit = _first(_UNIT, written)
    return None if unit is None else ("data_unit", unit)


def _first(pattern: re.Pattern[str], values: Sequence[str], but: re.Pattern[str] | None = None) -> int | None:
    for place, value in enumerate(values):
        if pattern.fullmatch(value) and not (but is not None and but.fullmatch(value)):
            return place
    return None
