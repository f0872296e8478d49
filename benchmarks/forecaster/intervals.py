"""How far a figure would move with other years of the same kind: intervals for samples that overlap in time.

Neighbouring days share 19 of the 20 days of their labels, and all stocks share the day: thousands of forecasts hold
few independent ones. So days are resampled, with all their stocks, in blocks.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

BLOCK = 60  # days, on average: three times the horizon, a whole window
_LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A figure, and the two between which it lies with a confidence of 95 %."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Days:
    """Forecasts and what came true, summed by day: what correlations of any choice of days are made of."""

    sums: Floats  # days × (count, forecast, truth, forecast², truth², forecast × truth)

    @classmethod
    def of(cls, day: npt.NDArray[np.datetime64], forecast: Floats, truth: Floats) -> "Days":
        forecast, truth = forecast - truth.mean(), truth - truth.mean()  # for the sake of the last digits
        columns = (np.ones(len(truth)), forecast, truth, forecast**2, truth**2, forecast * truth)
        _, place = np.unique(day, return_inverse=True)
        return cls(np.stack([np.bincount(place, column) for column in columns], axis=1))

    def correlation(self, weights: Floats) -> Floats:
        """Pearson's, for every row of ``weights``: how often each day counts."""
        count, f, t, ff, tt, ft = (weights @ self.sums).T
        correlation: Floats = (count * ft - f * t) / np.sqrt((count * ff - f**2) * (count * tt - t**2))
        return correlation


def resampled(days: int, draws: int, *, block: float = BLOCK, seed: int = 0) -> Floats:
    """How often each day is in each draw of the stationary bootstrap, draws × days.

    D. N. Politis and J. P. Romano, The Stationary Bootstrap, Journal of the American Statistical Association 89 (1994):
    blocks of days that follow each other, of random length and ``block`` on average, from a calendar bent to a circle.
    """
    rng = np.random.default_rng(seed)
    place = np.arange(days)
    weights = np.empty((draws, days))
    for draw in range(draws):
        begins = rng.random(days) < 1 / block
        begins[0] = True
        begun = np.maximum.accumulate(np.where(begins, place, 0))  # where the block of each place began
        first = rng.integers(days, size=days)
        weights[draw] = np.bincount((first[begun] + place - begun) % days, minlength=days)
    return weights


def correlation(one: Days, weights: Floats) -> Interval:
    """The correlation of one forecast."""
    return _interval(one.correlation(np.ones((1, len(one.sums))))[0], one.correlation(weights))


def correlation_gained(one: Days, other: Days, weights: Floats) -> Interval:
    """By how much the correlation of one is above that of the other, both on the same days."""
    whole = np.ones((1, len(one.sums)))
    value = one.correlation(whole)[0] - other.correlation(whole)[0]
    return _interval(value, one.correlation(weights) - other.correlation(weights))


def mean(series: Floats) -> Interval:
    """The mean of a series that is correlated with itself: of a difference of losses, the test of Diebold and Mariano.

    F. X. Diebold and R. S. Mariano, Comparing Predictive Accuracy, Journal of Business & Economic Statistics 13 (1995).
    The long-run variance is that of Newey and West (1987), with lags and critical value as advised by E. Lazarus,
    D. J. Lewis, J. H. Stock and M. W. Watson, HAR Inference: Recommendations for Practice, same journal 36 (2018).
    """
    count = len(series)
    lags = int(np.ceil(1.3 * np.sqrt(count)))
    off = series - series.mean()
    products = np.array([off[lag:] @ off[: count - lag] for lag in range(lags)]) / count
    variance = products[0] + 2 * (1 - np.arange(1, lags) / lags) @ products[1:]
    share = lags / count
    # The 97.5 % point for this share of lags: Kiefer and Vogelsang, Econometric Theory 21 (2005), table 1, Bartlett.
    critical = 1.9600 + 2.9694 * share + 0.4160 * share**2 - 0.5324 * share**3
    half = critical * np.sqrt(variance / count)
    return Interval(float(series.mean()), float(series.mean() - half), float(series.mean() + half))


def _interval(value: float, draws: Floats) -> Interval:
    low, high = np.quantile(draws, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Interval(float(value), float(low), float(high))
