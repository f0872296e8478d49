"""Walk-forward: fit on all that was known on a day, forecast the two years after it, go on to the next day."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import numpy.typing as npt

from forecaster.baselines import select
from forecaster.panel import Panel, bundled_panel
from forecaster.splits import Split
from forecaster.windows import HORIZON, Part, Windows, make_windows

Floats = npt.NDArray[np.float64]

SPLITS = (date(2004, 12, 31), date(2006, 12, 31), date(2008, 12, 31), date(2010, 12, 31))


@dataclass(frozen=True)
class Fold:
    """What may be learned from, and the days to forecast, which come after it up to the next fold's."""

    panel: Panel
    windows: Windows  # `validation` are the days to forecast

    @property
    def known(self) -> Floats:
        """The labels of the training part, in their own unit: log of the daily volatility of the next 20 days."""
        return in_own_unit(self.windows, self.windows.training.label)

    @property
    def truth(self) -> Floats:
        """What was to be forecast, in the same unit."""
        return in_own_unit(self.windows, self.windows.validation.label)


def folds(panel: Panel, splits: Sequence[date] = SPLITS) -> Iterator[Fold]:
    """One fold per split.

    A training window's label ends on the day of the split or before, so the last training window lies a whole horizon
    before the first window to forecast, and no day after the split is learned from.
    """
    for number, split in enumerate(splits):
        windows = make_windows(panel, "volatility", Split(split), source=bundled_panel())
        if number + 1 < len(splits):
            kept = windows.validation.day <= np.datetime64(splits[number + 1])
            windows = replace(windows, validation=select(windows.validation, kept))
        yield Fold(panel, windows)


def held_out(part: Part) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """The training part once more split in time, to choose by: the windows to fit on, and the last fifth of the days.

    The label of each window fitted on ends before that fifth begins.
    """
    days = np.unique(part.day)
    border = int(len(days) * 0.8)
    return part.day < days[border - HORIZON["volatility"]], part.day >= days[border]


def in_own_unit(windows: Windows, standardised: npt.ArrayLike) -> Floats:
    """Labels or forecasts of the standardised label as what they are of."""
    return np.asarray(standardised, dtype=np.float64) * windows.label_scale + windows.label_mean
