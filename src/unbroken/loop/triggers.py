"""When to save: after so many epochs, so many steps, so much time; pure decisions over numbers handed in."""

import re
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Triggers:
    """``every_epochs`` names a checkpoint of its own; the others renew the latest one inside an epoch."""

    every_epochs: int | None
    every_steps: int | None
    every_seconds: float | None

    def __post_init__(self) -> None:
        for option in ("every_epochs", "every_steps"):
            if getattr(self, option) is not None:
                whole_number(getattr(self, option), option)

    def names_epoch(self, epoch: int) -> bool:
        return self.every_epochs is not None and epoch % self.every_epochs == 0

    def due(self, steps_since_save: int, seconds_since_save: float) -> str | None:
        """Why the latest checkpoint should be renewed at this batch boundary, or None."""
        if self.every_steps is not None and steps_since_save >= self.every_steps:
            return "steps"
        if self.every_seconds is not None and seconds_since_save >= self.every_seconds:
            return "time"
        return None
