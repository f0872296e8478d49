"""The yardsticks are what their names say."""

import numpy as np
import pytest

from forecaster.baselines import measure, pearson
from forecaster.windows import WINDOW, Part, Windows


def linear_windows(noise: float) -> Windows:
    """Random features; the label is a linear function of the newest bar, plus noise."""
    rng = np.random.default_rng(0)
    bars = 2_000
    features = rng.normal(size=(bars, 6)).astype(np.float32)
    truth = features @ np.array([1.0, -2.0, 0.5, 0.0, 0.0, 1.0])

    def part(rows: np.ndarray) -> Part:
        label = truth[rows] + noise * rng.normal(size=len(rows))
        days = np.datetime64("2020-01-01") + rows.astype("timedelta64[D]")
        stock = np.zeros(len(rows), dtype=np.int64)
        return Part(rows, label.astype(np.float32), rng.normal(size=len(rows)).astype(np.float32), days, stock)

    return Windows(
        features=features,
        training=part(np.arange(WINDOW, 1_500)),
        validation=part(np.arange(1_500, bars)),
        label_mean=0.0,
        label_scale=1.0,
        train_end=np.datetime64("2024-02-08"),
        names=("x",),
    )


def test_ridge_finds_a_linear_truth() -> None:
    assert measure(linear_windows(noise=0.0)).ridge > 0.99


def test_ridge_chooses_more_penalty_for_more_noise() -> None:
    quiet, loud = (measure(linear_windows(noise)).ridge_penalty for noise in (0.0, 20.0))
    assert quiet < loud


def test_persistence_is_its_own_correlation() -> None:
    windows = linear_windows(noise=1.0)
    expected = np.corrcoef(windows.validation.persistence, windows.validation.label)[0, 1]
    assert measure(windows).persistence == pytest.approx(expected)


def test_pearson() -> None:
    rng = np.random.default_rng(1)
    left, right = rng.normal(size=(2, 50))
    assert pearson(left, right) == pytest.approx(np.corrcoef(left, right)[0, 1])
    assert pearson(left, -3 * left + 2) == pytest.approx(-1)
    assert np.isnan(pearson(left, np.ones(50)))
    assert np.isnan(pearson(left, np.full(50, np.nan)))
