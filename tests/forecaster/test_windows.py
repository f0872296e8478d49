"""Labels mean what they say, nothing looks ahead, and the training part knows nothing of the validation part."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from forecaster.errors import InputError
from forecaster.panel import Panel, read_panel
from forecaster.splits import Split
from forecaster.windows import (
    FEATURES,
    HORIZON,
    WINDOW,
    Target,
    Windows,
    WindowSet,
    bar_features,
    labels,
    make_windows,
)
from tests.forecaster.panels import make_table

TARGETS: tuple[Target, ...] = ("volatility", "return")
PRICES = ("open", "high", "low", "close", "adjusted", "volume")
SPLIT = Split(fraction=0.7)


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Panel:
    path = tmp_path_factory.mktemp("panel") / "panel.csv"
    make_table(("a", "b", "c"), days=200).to_csv(path, index=False)
    return read_panel(path)


def cut(panel: Panel, target: Target = "volatility", split: Split = SPLIT) -> Windows:
    return make_windows(panel, target, split, source=Path("panel.csv"))


def changed_from(panel: Panel, row: int, stop: int, factor: float = 1.7) -> Panel:
    """``panel`` with the bars of rows ``row`` to ``stop`` multiplied by something else each."""
    wild = factor ** np.random.default_rng(3).uniform(0.5, 1.5, stop - row)
    new = {}
    for column in PRICES:
        values = getattr(panel, column).copy()
        values[row:stop] *= wild
        new[column] = values
    return replace(panel, **new)


def bars_of(panel: Panel, rows: slice) -> dict[str, np.ndarray]:
    return {column: getattr(panel, column)[rows] for column in FEATURES}


def test_volatility_label_by_hand(panel: Panel) -> None:
    bars = bars_of(panel, slice(0, 200))
    adjusted = bars["adjusted"]
    for day in (0, 57, 179):
        returns = [np.log(adjusted[day + k] / adjusted[day + k - 1]) for k in range(1, 21)]
        by_hand = np.log(np.sqrt(np.mean(np.square(returns))))
        assert labels(bars, "volatility")[day] == pytest.approx(by_hand, rel=1e-12)
    assert np.isnan(labels(bars, "volatility")[180:]).all()


def test_return_label_by_hand(panel: Panel) -> None:
    bars = bars_of(panel, slice(0, 200))
    adjusted = bars["adjusted"]
    opened = bars["open"] * adjusted / bars["close"]
    for day in (0, 57, 173):
        prices = [adjusted[day + k] for k in range(2, 27)]
        assert len(prices) == 25
        by_hand = (np.mean(prices) / opened[day + 1] - 1) * 100
        assert labels(bars, "return")[day] == pytest.approx(by_hand, rel=1e-12)
    assert np.isnan(labels(bars, "return")[174:]).all()


def test_a_suspended_stock_has_a_finite_label() -> None:
    flat = {column: np.full(60, 5.0) for column in FEATURES}
    assert labels(flat, "volatility")[0] == pytest.approx(np.log(1e-4))


def test_features_by_hand(panel: Panel) -> None:
    bars = bars_of(panel, slice(0, 200))
    features, day = bar_features(bars), 90
    opened, high, low, close, volume, adjusted = (bars[column][day] for column in FEATURES)
    before = bars["adjusted"][day - 1]
    logs = [
        np.log(opened * adjusted / close / before),
        np.log(high / opened),
        np.log(low / opened),
        np.log(close / opened),
        np.log(adjusted / before),
    ]
    roots = [np.sign(value) * np.sqrt(abs(value)) for value in logs]
    surprise = np.log1p(volume) - np.mean(np.log1p(bars["volume"][day - 59 : day + 1]))
    assert features[day] == pytest.approx([*roots[:4], surprise, roots[4]], rel=1e-9)
    assert not features[0].any()


@pytest.mark.parametrize("target", TARGETS)
@given(day=st.integers(1, 170))
@settings(max_examples=25, deadline=None)
def test_features_end_on_the_day_and_labels_begin_after_it(panel: Panel, target: Target, day: int) -> None:
    other = changed_from(panel, day + 1, 200)
    assert np.array_equal(
        bar_features(bars_of(panel, slice(0, 200)))[: day + 1],
        bar_features(bars_of(other, slice(0, 200)))[: day + 1],
    )
    horizon = HORIZON[target]
    if day > horizon:  # labels that end on `day` or before are untouched by what comes after, all others change
        before, after = (labels(bars_of(each, slice(0, 200)), target) for each in (panel, other))
        assert np.array_equal(before[: day - horizon + 1], after[: day - horizon + 1])
        finite = np.isfinite(before) & (np.arange(200) > day - horizon)
        assert (before[finite] != after[finite]).all()


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_after_the_last_training_day_reaches_the_training_part(panel: Panel, target: Target) -> None:
    windows = cut(panel, target)
    other = panel
    for _, rows in panel.stocks():
        first_later = rows.start + int(np.searchsorted(panel.date[rows], windows.train_end, side="right"))
        other = changed_from(other, first_later, rows.stop)
    changed = cut(other, target)
    assert len(windows.training) > 100
    for column in ("last_bar", "label", "persistence", "day"):
        assert np.array_equal(getattr(windows.training, column), getattr(changed.training, column)), column
    seen = panel.date <= windows.train_end
    assert np.array_equal(windows.features[seen], changed.features[seen])
    assert not np.array_equal(windows.validation.label, changed.validation.label)


@pytest.mark.parametrize("target", TARGETS)
def test_split_is_by_time(panel: Panel, target: Target) -> None:
    windows = cut(panel, target)
    days = np.unique(panel.date)
    assert windows.train_end == days[int(0.7 * 200) - 1]
    label_end = panel.date[windows.training.last_bar + HORIZON[target]]
    assert label_end.max() == windows.train_end
    assert windows.validation.day.min() == days[int(0.7 * 200)]
    assert len(windows.training) == 3 * (140 - HORIZON[target] - WINDOW)
    assert len(windows.validation) == 3 * (60 - HORIZON[target])


def test_standardised_on_the_training_part(panel: Panel) -> None:
    windows = cut(panel)
    rows = np.unique(windows.training.last_bar[:, None] + np.arange(1 - WINDOW, 1))
    assert np.allclose(windows.features[rows].mean(axis=0), 0, atol=1e-5)
    assert np.allclose(windows.features[rows].std(axis=0), 1, atol=1e-5)
    assert windows.training.label.mean() == pytest.approx(0, abs=1e-6)
    assert windows.training.label.std() == pytest.approx(1, abs=1e-6)


def test_windows_stay_within_one_stock(panel: Panel) -> None:
    windows = cut(panel)
    for part in (windows.training, windows.validation):
        first = part.last_bar - WINDOW + 1
        assert (panel.stock[first] == part.stock).all()
        assert (panel.stock[part.last_bar] == part.stock).all()
        starts = np.array([rows.start for _, rows in panel.stocks()])
        assert not np.isin(first, starts).any()  # a stock's first bar has no features


def test_persistence_is_the_newest_label_known(panel: Panel) -> None:
    windows = cut(panel)
    row = int(windows.validation.last_bar[0])
    returns = np.diff(np.log(panel.adjusted[row - 20 : row + 1]))
    by_hand = np.log(np.sqrt(np.mean(returns**2)))
    assert windows.validation.persistence[0] == pytest.approx(by_hand, rel=1e-5)


def test_the_set_gives_the_windows(panel: Panel) -> None:
    windows = cut(panel)
    chosen = WindowSet(windows.features, windows.training)
    inputs, label = chosen[5]
    last = windows.training.last_bar[5]
    assert torch.equal(inputs, torch.from_numpy(windows.features[last - WINDOW + 1 : last + 1]))
    assert label.item() == windows.training.label[5]
    batch = chosen.__getitems__([7, 5])
    assert torch.equal(batch[0][1], inputs)
    assert batch[1].tolist() == windows.training.label[[7, 5]].tolist()
    assert len(chosen) == len(windows.training)


def test_arrays_and_back(panel: Panel) -> None:
    windows = cut(panel)
    again = Windows.from_arrays(windows.to_arrays())
    assert np.array_equal(again.features, windows.features)
    assert np.array_equal(again.validation.day, windows.validation.day)
    assert (again.label_mean, again.names, again.train_end) == (
        windows.label_mean,
        windows.names,
        windows.train_end,
    )


def test_too_few_rows_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "short.csv"
    make_table(days=WINDOW + 20).to_csv(path, index=False)
    with pytest.raises(InputError, match=r"No stock in .* has the 81 rows"):
        make_windows(read_panel(path), "volatility", SPLIT, source=path)
    make_table(days=WINDOW + 21).to_csv(path, index=False)
    with pytest.raises(InputError, match=r"0 training and \d validation windows"):
        make_windows(read_panel(path), "volatility", SPLIT, source=path)


def test_a_day_outside_the_data_is_refused(panel: Panel) -> None:
    with pytest.raises(InputError, match="0 training"):
        cut(panel, split=Split(last_day=date(1999, 1, 1)))
    with pytest.raises(InputError, match="0 validation"):
        cut(panel, split=Split(last_day=date(2030, 1, 1)))


def test_a_feature_that_never_changes_is_refused(panel: Panel) -> None:
    with pytest.raises(InputError, match="column high"):
        cut(replace(panel, high=panel.open))
