"""HAR, the heterogeneous autoregressive model of realised volatility, and the features it sees.

F. Corsi, A Simple Approximate Long-Memory Model of Realized Volatility, Journal of Financial Econometrics 7 (2009):
least squares of the volatility to come on those of the last day, week and month. Here in logarithms, on daily bars.
"""

import numpy as np
import numpy.typing as npt

from forecaster.panel import Panel
from forecaster.windows import WINDOW

Floats = npt.NDArray[np.float64]

CORSI = (1, 5, 22)
QUARTER = (*CORSI, WINDOW)  # as far back as the network sees

_FLOOR = 1e-8  # a daily volatility of 0.01 %, as the label's: the logarithm of a day without a move must be finite


def squared_returns(panel: Panel, rows: slice) -> Floats:
    """The daily variance of one stock by its closes; the first day has none (NaN)."""
    closes = np.log(panel.adjusted[rows])
    variance: Floats = np.diff(closes, prepend=np.nan) ** 2
    return variance


def squared_ranges(panel: Panel, rows: slice) -> Floats:
    """The daily variance of one stock by the range of the day, and the move overnight; the first day has none (NaN).

    M. Parkinson, The Extreme Value Method for Estimating the Variance of the Rate of Return, Journal of Business 53
    (1980): of the same variance, several times less noise than a squared return.
    """
    overnight = np.diff(np.log(panel.adjusted[rows]), prepend=np.nan) - np.log(panel.close[rows] / panel.open[rows])
    variance: Floats = overnight**2 + np.log(panel.high[rows] / panel.low[rows]) ** 2 / (4 * np.log(2))
    return variance


def features(panel: Panel, *, spans: tuple[int, ...] = CORSI, ranges: bool = False) -> Floats:
    """For every bar, the log of the mean daily variance over the last days of each span; NaN where there are fewer.

    By closes; with ``ranges``, by closes and by ranges.
    """
    measures = (squared_returns, squared_ranges) if ranges else (squared_returns,)
    out = np.full((len(panel), len(measures) * len(spans)), np.nan)
    for _, rows in panel.stocks():
        columns = [_log_mean(np.maximum(measure(panel, rows), _FLOOR), span) for measure in measures for span in spans]
        out[rows] = np.stack(columns, axis=1)
    return out


def least_squares(known: Floats, labels: Floats, asked: Floats, penalty: float = 0.0) -> Floats:
    """Forecasts for ``asked`` by a linear model of ``known`` and its labels, the intercept free.

    With a penalty, ridge regression on standardised features.
    """
    mean, scale = known.mean(axis=0), known.std(axis=0)
    known, asked = (known - mean) / scale, (asked - mean) / scale
    gram = known.T @ known + penalty * np.eye(known.shape[1])
    weights = np.linalg.solve(gram, known.T @ (labels - labels.mean()))
    forecast: Floats = asked @ weights + labels.mean()
    return forecast


def _log_mean(values: Floats, span: int) -> Floats:
    out = np.full(len(values), np.nan)
    if len(values) >= span:
        out[span - 1 :] = np.log(np.lib.stride_tricks.sliding_window_view(values, span).mean(axis=1))
    return out
