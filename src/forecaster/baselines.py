"""The yardsticks: persistence, and ridge regression on the same windows the network sees."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from forecaster.windows import WINDOW, Part, Windows

Floats = npt.NDArray[np.float64]

PENALTIES = (1.0, 10.0, 100.0, 1_000.0, 10_000.0, 100_000.0)
_CHUNK = 8192  # windows laid out at a time


@dataclass(frozen=True)
class Yardsticks:
    """Correlation with the validation labels."""

    persistence: float
    ridge: float
    ridge_penalty: float


def measure(windows: Windows) -> Yardsticks:
    """Both yardsticks on the validation part; ridge is fitted on the training part alone."""
    penalty = _choose_penalty(windows)
    weights = _fit(windows.features, windows.training, [penalty])[0]
    validation = windows.validation
    return Yardsticks(
        persistence=pearson(validation.persistence, validation.label),
        ridge=pearson(_predict(windows.features, validation, weights), validation.label),
        ridge_penalty=penalty,
    )


def pearson(left: npt.ArrayLike, right: npt.ArrayLike) -> float:
    """Pearson's correlation coefficient in double precision; NaN where one side is constant or not finite."""
    a, b = np.asarray(left, dtype=np.float64), np.asarray(right, dtype=np.float64)
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt(np.sum(a * a) * np.sum(b * b))
    return float(np.sum(a * b) / scale) if scale > 0 else float("nan")


def _choose_penalty(windows: Windows) -> float:
    """The penalty that does best on the last fifth of the training days, fitted on those before.

    Labels overlap in time, so windows that end within the 60 days before that fifth are left out.
    """
    training = windows.training
    days = np.unique(training.day)
    border = int(len(days) * 0.8)
    early = training.day < days[max(border - WINDOW, 0)]
    late = training.day >= days[border]
    if early.sum() < WINDOW or late.sum() < 2:
        return 1_000.0
    held_out = select(training, late)
    fits = _fit(windows.features, select(training, early), PENALTIES)
    scores = [pearson(_predict(windows.features, held_out, weights), held_out.label) for weights in fits]
    return PENALTIES[int(np.nanargmax(scores))] if np.isfinite(scores).any() else 1_000.0


def _fit(features: npt.NDArray[np.float32], part: Part, penalties: Sequence[float]) -> list[Floats]:
    """Ridge weights, the intercept last, one vector per penalty; the normal equations are summed chunk by chunk."""
    width = WINDOW * features.shape[1] + 1
    gram, moment = np.zeros((width, width)), np.zeros(width)
    for start in range(0, len(part), _CHUNK):
        laid_out = lay_out(features, part.last_bar[start : start + _CHUNK])
        gram += laid_out.T @ laid_out
        moment += laid_out.T @ part.label[start : start + _CHUNK].astype(np.float64)
    ridge = np.eye(width)
    ridge[-1, -1] = 0.0  # the intercept is free
    return [_solve(gram + penalty * ridge, moment) for penalty in penalties]


def _solve(matrix: Floats, moment: Floats) -> Floats:
    return np.linalg.solve(matrix, moment).astype(np.float64)


def _predict(features: npt.NDArray[np.float32], part: Part, weights: Floats) -> Floats:
    chunks = range(0, len(part), _CHUNK)
    return np.concatenate([lay_out(features, part.last_bar[start : start + _CHUNK]) @ weights for start in chunks])


def lay_out(features: npt.NDArray[np.float32], last_bar: npt.NDArray[np.int64]) -> Floats:
    """Windows as rows of numbers, a one at the end of each."""
    rows = last_bar[:, None] + np.arange(1 - WINDOW, 1)
    flat = features[rows].reshape(len(last_bar), -1).astype(np.float64)
    return np.concatenate([flat, np.ones((len(flat), 1))], axis=1)


def select(part: Part, chosen: npt.NDArray[np.bool_]) -> Part:
    return Part(**{column: values[chosen] for column, values in vars(part).items()})
