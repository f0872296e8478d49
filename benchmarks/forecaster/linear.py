"""Forecasts without a network: the last value, HAR, and ridge regression on what the network sees."""

import numpy as np
import numpy.typing as npt

from benchmarks.forecaster.folds import Fold, held_out
from benchmarks.forecaster.har import least_squares
from forecaster.baselines import PENALTIES, lay_out

Floats = npt.NDArray[np.float64]


def last_value(fold: Fold) -> Floats:
    """The volatility of the last 20 days."""
    return fold.windows.validation.persistence.astype(np.float64)


def by_features(fold: Fold, features: Floats) -> tuple[Floats, Floats]:
    """Least squares on ``features``, one row per bar: for the windows learned from, and for those after them."""
    known, asked = (features[part.last_bar] for part in (fold.windows.training, fold.windows.validation))
    return least_squares(known, fold.known, known), least_squares(known, fold.known, asked)


def ridge(fold: Fold, more: Floats | None = None) -> Floats:
    """Ridge regression on the windows that the network sees, and on ``more`` features of their last bars.

    The penalty is the one with the least squared error on the last fifth of the training days. (That of ``Training.py``
    has the best correlation there, which is blind to a forecast that shrinks towards the mean: harmless within one
    part, not where parts are put together.)
    """
    known, asked = (_laid_out(fold, part.last_bar, more) for part in (fold.windows.training, fold.windows.validation))
    early, late = held_out(fold.windows.training)
    labels = fold.known
    errors = [
        np.mean((least_squares(known[early], labels[early], known[late], penalty) - labels[late]) ** 2)
        for penalty in PENALTIES
    ]
    return least_squares(known, labels, asked, PENALTIES[int(np.argmin(errors))])


def _laid_out(fold: Fold, last_bar: npt.NDArray[np.int64], more: Floats | None) -> Floats:
    windows = lay_out(fold.windows.features, last_bar)[:, :-1]  # the intercept is free in any case
    return windows if more is None else np.concatenate([windows, more[last_bar]], axis=1)
