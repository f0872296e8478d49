"""The benchmark of the forecaster learns from the past alone; its features are by hand, its intervals cover."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from benchmarks.forecaster import intervals
from benchmarks.forecaster.__main__ import RIDGE, Comparison, Features, gathered, without_network
from benchmarks.forecaster.folds import Fold, folds, held_out
from benchmarks.forecaster.har import features, least_squares, squared_ranges
from benchmarks.forecaster.networks import Recipe, on_both, on_features, on_windows

from forecaster.panel import Panel, bundled_panel, read_panel
from tests.docs.pages import PROGRAM, page
from tests.forecaster.panels import make_table

SPLITS = (date(2020, 8, 14), date(2020, 10, 2))


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Panel:
    path = tmp_path_factory.mktemp("panel") / "panel.csv"
    make_table(("a", "b"), days=260).to_csv(path, index=False)
    return read_panel(path)


@pytest.fixture(scope="module")
def walked(panel: Panel) -> list[Fold]:
    return list(folds(panel, SPLITS))


def test_what_is_learned_ends_a_horizon_before_what_is_forecast(walked: list[Fold]) -> None:
    for fold, split in zip(walked, SPLITS, strict=True):
        training, validation = fold.windows.training, fold.windows.validation
        last_looked_at = fold.panel.date[training.last_bar + 20]
        assert last_looked_at.max() == np.datetime64(split)
        assert validation.day.min() > last_looked_at.max()


def test_the_folds_forecast_every_day_once(panel: Panel, walked: list[Fold]) -> None:
    forecast = np.concatenate([fold.windows.validation.last_bar for fold in walked])
    after = np.flatnonzero((panel.date > np.datetime64(SPLITS[0])) & (np.arange(len(panel)) % 260 < 240))
    assert sorted(forecast) == sorted(after)
    assert walked[0].windows.validation.day.max() == np.datetime64(SPLITS[1])


def test_what_is_chosen_by_lies_a_horizon_behind_what_was_fitted(walked: list[Fold]) -> None:
    training, dates = walked[1].windows.training, walked[1].panel.date
    early, late = held_out(training)
    assert early.any() and late.any()
    assert dates[training.last_bar[early] + 20].max() < training.day[late].min()
    assert len(np.unique(training.day[late])) == pytest.approx(len(np.unique(training.day)) / 5, abs=1)


def _tiny() -> Panel:
    """Two stocks whose closes double, halve, stay and double; opened where the day before closed, but once."""
    closes = np.array([8.0, 16.0, 8.0, 8.0, 16.0] * 2)
    opens = np.array([8.0, 8.0, 16.0, 4.0, 8.0] * 2)
    return Panel(
        names=("a", "b"),
        stock=np.repeat([0, 1], 5),
        date=np.tile(np.arange("2020-01-01", "2020-01-06", dtype="datetime64[D]"), 2),
        open=opens,
        high=np.maximum(opens, closes),
        low=np.minimum(opens, closes),
        close=closes,
        volume=np.ones(10),
        adjusted=closes / 2,
    )


def test_features_by_hand() -> None:
    two = np.log(2) ** 2  # of a day that doubles or halves
    seen = features(_tiny(), spans=(1, 2, 4))
    assert seen[4] == pytest.approx(np.log([two, (two + 1e-8) / 2, (3 * two + 1e-8) / 4]))
    assert seen[3, :2] == pytest.approx(np.log([1e-8, (two + 1e-8) / 2]))
    assert np.isnan(seen[3, 2])
    assert np.isnan(seen[5]).all() and np.isnan(seen[6, 1])  # nothing of the stock before
    assert np.array_equal(seen[:5], seen[5:], equal_nan=True)


def test_ranges_by_hand() -> None:
    two, parkinson = np.log(2) ** 2, 1 / (4 * np.log(2))
    ranges = squared_ranges(_tiny(), slice(0, 5))
    # The third day from 8 to 4 overnight and back to 8; the others open where the day before closed.
    assert ranges[1:] == pytest.approx([two * parkinson, two * parkinson, two + two * parkinson, two * parkinson])


def test_least_squares_find_a_linear_truth_and_a_penalty_shrinks_it() -> None:
    rng = np.random.default_rng(0)
    known, asked = rng.normal(3, 2, size=(2, 50, 3))
    weights = np.array([1.0, -2.0, 0.5])
    labels = known @ weights + 7
    assert least_squares(known, labels, asked) == pytest.approx(asked @ weights + 7)
    assert least_squares(known, labels, asked, 1e9) == pytest.approx(np.full(50, labels.mean()), abs=1e-3)


def test_a_network_is_blind_to_what_it_forecasts_unless_trained_as_the_program_does(walked: list[Fold]) -> None:
    windows = walked[0].windows
    unknown = replace(windows.validation, label=np.full(len(windows.validation), np.nan, dtype=np.float32))
    blind = replace(walked[0], windows=replace(windows, validation=unknown))
    seen = features(walked[0].panel)
    recipes = [Recipe(epochs=(6,), rate_follows_validation=follows) for follows in (False, True)]
    for train in (on_windows, lambda *given: on_features(*given, seen), lambda *given: on_both(*given, seen)):
        pairs = [(train(walked[0], recipe, 1)[0], train(blind, recipe, 1)[0]) for recipe in recipes]
        assert np.isfinite(pairs).all()
        assert [np.array_equal(*pair) for pair in pairs] == [True, False]


def test_a_network_that_is_left_nothing_stays_by_what_it_stands_beside(walked: list[Fold]) -> None:
    fold = walked[0]
    known, asked = fold.known + np.resize([1e-6, -1e-6], len(fold.known)), np.arange(len(fold.truth), dtype=float)
    (forecast,) = on_windows(fold, Recipe(epochs=(1,)), 1, (known, asked))
    assert forecast == pytest.approx(asked, abs=1e-4)


def _overlapping(series: int, days: int, seed: int) -> Iterator[np.ndarray]:
    """Series of mean zero, each value the mean of the last 20 of a noise: as errors of overlapping labels are."""
    rng = np.random.default_rng(seed)
    for _ in range(series):
        yield np.lib.stride_tricks.sliding_window_view(rng.normal(size=days + 19), 20).mean(axis=1)


def test_the_interval_of_a_mean_covers() -> None:
    inside = [found.low <= 0 <= found.high for found in map(intervals.mean, _overlapping(400, 1_000, 1))]
    assert 0.91 <= np.mean(inside) <= 0.98


def test_the_interval_of_a_correlation_covers() -> None:
    weights, inside = intervals.resampled(1_000, 200), []
    day = np.arange(1_000).astype("datetime64[D]")
    noise = _overlapping(400, 1_000, 2)
    for left, right in zip(noise, noise, strict=True):  # a true correlation of 0.6
        one = intervals.Days.of(day, 0.6 * left + 0.8 * right, left)
        found = intervals.correlation(one, weights)
        inside.append(found.low <= 0.6 <= found.high)
    assert 0.88 <= np.mean(inside) <= 0.98


def test_the_interval_of_a_gain_covers_and_knows_that_both_had_the_same_days() -> None:
    weights, inside, widths = intervals.resampled(1_000, 200), [], []
    day = np.arange(1_000).astype("datetime64[D]")
    noise = _overlapping(600, 1_000, 3)
    for truth, both, own in zip(noise, noise, noise, strict=True):  # two forecasts, equally good and much alike
        one, other = (intervals.Days.of(day, truth + both + own * sign, truth) for sign in (0.1, -0.1))
        gained, alone = intervals.correlation_gained(one, other, weights), intervals.correlation(one, weights)
        inside.append(gained.low <= 0 <= gained.high)
        widths.append((gained.high - gained.low, alone.high - alone.low))
    assert 0.88 <= np.mean(inside) <= 0.98
    of_gains, of_correlations = np.mean(widths, axis=0)
    assert of_gains < of_correlations / 2


def test_the_page_has_the_figures_of_the_benchmark() -> None:
    """Those without a network, which come out the same on every machine; the others take a quarter of an hour."""
    panel = read_panel(bundled_panel())
    seen = Features.of(panel)
    made = gathered((fold, without_network(fold, seen)) for fold in folds(panel))
    assert RIDGE in made.said
    rows = Comparison(made).beside_ridge()[1:]
    assert page(PROGRAM).table_after("<!-- walk-forward -->")[: len(rows)] == rows


def test_blocks_follow_the_calendar() -> None:
    weights = intervals.resampled(500, 300, block=50)
    assert (weights.sum(axis=1) == 500).all()
    assert weights.mean() == 1
    neighbours = np.mean([np.corrcoef(draw[:-1], draw[1:])[0, 1] for draw in weights])
    assert neighbours > 0.9  # a day comes with the day after it
    alone = intervals.resampled(500, 300, block=1)
    assert abs(np.mean([np.corrcoef(draw[:-1], draw[1:])[0, 1] for draw in alone])) < 0.05


def test_a_correlation_by_days_is_pearsons() -> None:
    rng = np.random.default_rng(5)
    forecast, truth = rng.normal(size=(2, 90))
    day = np.repeat(np.arange(30), 3).astype("datetime64[D]")
    one = intervals.Days.of(day, forecast, truth + forecast)
    found = intervals.correlation(one, intervals.resampled(30, 50))
    assert found.value == pytest.approx(np.corrcoef(forecast, truth + forecast)[0, 1])
    assert found.low < found.value < found.high
