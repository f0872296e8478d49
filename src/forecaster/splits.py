"""Split: the day on which the training part ends, and at which days it may."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

LEAST = 2  # windows of a part


@dataclass(frozen=True)
class Split:
    """Where training ends: on a day, or after a fraction of all days."""

    last_day: date | None = None
    fraction: float = 0.75

    def resolve(self, days: npt.NDArray[np.datetime64]) -> np.datetime64:
        """The last day of the training part."""
        if self.last_day is not None:
            return np.datetime64(self.last_day, "D")
        distinct = np.unique(days)
        place = min(max(int(self.fraction * len(distinct)) - 1, 0), len(distinct) - 1)
        return np.datetime64(distinct[place], "D")


def possible_splits(
    days: npt.NDArray[np.datetime64], usable: npt.NDArray[np.bool_], label_ends: npt.NDArray[np.datetime64]
) -> tuple[np.datetime64, np.datetime64] | None:
    """The first and the last day of a split at which both parts have enough windows; None if there is none."""
    if np.count_nonzero(usable) < LEAST:
        return None
    first = np.sort(label_ends[usable])[LEAST - 1]
    last = np.sort(days[usable])[-LEAST] - np.timedelta64(1, "D")
    return (first, last) if first <= last else None
