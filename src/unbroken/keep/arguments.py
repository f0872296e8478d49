"""What a user may write for a duration or a number."""

import re
from datetime import timedelta

from unbroken.errors import UsageError

_UNITS = {"s": 1.0, "sec": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(s|sec|min|m|h|d)?\s*")


def seconds(duration: str | float | timedelta, option: str) -> float:
    """``"10min"``, ``"90s"``, ``"1.5h"``, a number of seconds or a timedelta, in seconds; above zero."""
    if isinstance(duration, timedelta):
        value = duration.total_seconds()
    elif isinstance(duration, str):
        match = _DURATION.fullmatch(duration.lower())
        if not match:
            raise UsageError("bad_duration", option=option, value=duration)
        value = float(match[1]) * _UNITS[match[2] or "s"]
    else:
        try:
            value = float(duration)
        except (TypeError, ValueError, OverflowError) as error:
            raise UsageError("bad_duration", option=option, value=duration) from error
    if not 0 < value < float("inf"):
        raise UsageError("bad_duration", option=option, value=duration)
    return value


def whole_number(value: object, option: str) -> int:
    """``value``, if it is an integer from 1 up."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UsageError("bad_count", option=option, value=value)
    return value
