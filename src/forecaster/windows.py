"""From a panel to windows: features, labels, a split in time that leaks nothing, standardising, and the data set.

A window is 60 consecutive bars of one stock; it is known by its last bar, day t. Features are functions of bars up to
t, labels of bars after t. A training window's label ends on or before the last training day; a validation window's
last bar lies after it.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from forecaster.errors import InputError
from forecaster.messages import shortened, text
from forecaster.panel import Panel
from forecaster.splits import LEAST, Split, possible_splits

Target = Literal["volatility", "return"]
Floats = npt.NDArray[np.float64]

WINDOW = 60
FEATURES = ("open", "high", "low", "close", "volume", "adjusted")
VOLATILITY_DAYS = 20
RETURN_DAYS = 25
# Bars after day t that a label looks at.
HORIZON: Mapping[Target, int] = {"volatility": VOLATILITY_DAYS, "return": 1 + RETURN_DAYS}

_FLOOR = 1e-4  # a daily volatility of 0.01 %: a suspended stock has none, and its logarithm must be finite

_log = logging.getLogger("forecaster")


@dataclass(frozen=True)
class Part:
    """The windows of one side of the split: where each ends, what it should foretell, and what persistence says."""

    last_bar: npt.NDArray[np.int64]  # row of the features
    label: npt.NDArray[np.float32]  # standardised by the training part
    persistence: npt.NDArray[np.float32]  # the same quantity over the last days known, in the label's own unit
    day: npt.NDArray[np.datetime64]
    stock: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.last_bar)


@dataclass(frozen=True)
class Windows:
    """All a training needs: features by bar, standardised by the training part, and the two parts."""

    features: npt.NDArray[np.float32]  # bars × 6
    training: Part
    validation: Part
    label_mean: float
    label_scale: float
    train_end: np.datetime64
    names: tuple[str, ...]

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """As named arrays, for the cache."""
        arrays: dict[str, npt.NDArray[Any]] = {
            "features": self.features,
            "label_moments": np.array([self.label_mean, self.label_scale]),
            "train_end": np.array([self.train_end]),
            "names": np.array(self.names),
        }
        for side, part in (("training", self.training), ("validation", self.validation)):
            arrays |= {f"{side}_{column}": values for column, values in vars(part).items()}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> "Windows":
        """The inverse of ``to_arrays``."""
        columns = Part.__dataclass_fields__
        parts = {
            side: Part(**{column: arrays[f"{side}_{column}"] for column in columns})
            for side in ("training", "validation")
        }
        mean, scale = arrays["label_moments"].tolist()
        return cls(
            features=arrays["features"],
            label_mean=mean,
            label_scale=scale,
            train_end=arrays["train_end"][0],
            names=tuple(arrays["names"].tolist()),
            **parts,
        )


def make_windows(panel: Panel, target: Target, split: Split, *, source: Path) -> Windows:
    """Cut ``panel`` into windows with labels of ``target``, split in time and standardised on the training part.

    Raises:
        InputError: no stock has enough bars, a part is empty, or a feature is constant; it names ``source``.
    """
    horizon = HORIZON[target]
    features = np.zeros((len(panel), len(FEATURES)))
    label = np.full(len(panel), np.nan)
    persistence = np.full(len(panel), np.nan)
    label_ends = np.full(len(panel), np.datetime64("NaT"), dtype="datetime64[D]")
    short: list[str] = []
    for name, rows in panel.stocks():
        count = rows.stop - rows.start
        if count < WINDOW + 1 + horizon:
            short.append(name)
            continue
        bars = {column: getattr(panel, column)[rows] for column in FEATURES}
        features[rows] = bar_features(bars)
        values = labels(bars, target)
        label[rows] = values
        # Persistence: the newest label that is wholly known on day t is the one of `horizon` days ago.
        persistence[rows.start + horizon : rows.stop] = values[:-horizon]
        label_ends[rows.start : rows.stop - horizon] = panel.date[rows.start + horizon : rows.stop]
        # Day 0 has no day before it, so no features; the first whole window ends on day 60.
        label[rows.start : rows.start + WINDOW] = np.nan
    if short:
        _log.warning(
            text(
                "windows_short_stocks",
                count=len(short),
                stocks=", ".join(map(shortened, short[:5])),
                need=WINDOW + 1 + horizon,
            )
        )
    usable = np.isfinite(label) & np.isfinite(persistence)
    if not usable.any():
        need = WINDOW + 1 + horizon
        raise InputError("windows_none", path=source, need=need, rows=len(panel), whole=days_needed(target))
    train_end = split.resolve(panel.date)
    last_bars = {
        "training": np.flatnonzero(usable & (label_ends <= train_end)),
        "validation": np.flatnonzero(usable & (panel.date > train_end)),
    }
    if min(map(len, last_bars.values())) < LEAST:
        said: dict[str, object] = {"path": source, "day": train_end, **{side: len(x) for side, x in last_bars.items()}}
        between = possible_splits(panel.date, usable, label_ends)
        if between is not None:
            raise InputError("windows_empty_part", first=between[0], last=between[1], **said)
        longest = max(rows.stop - rows.start for _, rows in panel.stocks())
        raise InputError("windows_too_few_days", whole=days_needed(target), longest=longest, **said)
    mean, scale = label[last_bars["training"]].mean(), label[last_bars["training"]].std()
    parts = {
        side: Part(
            last_bar=rows.astype(np.int64),
            label=((label[rows] - mean) / (scale or 1.0)).astype(np.float32),
            persistence=persistence[rows].astype(np.float32),
            day=panel.date[rows],
            stock=panel.stock[rows],
        )
        for side, rows in last_bars.items()
    }
    return Windows(
        features=_standardised(features, last_bars["training"], source),
        label_mean=float(mean),
        label_scale=float(scale or 1.0),
        train_end=train_end,
        names=panel.names,
        **parts,
    )


def days_needed(target: Target) -> int:
    """How many bars of one stock give both parts their least number of windows, at some split."""
    # A training window ends HORIZON days before the split; behind it follow a validation window and its label.
    return WINDOW + 2 * (HORIZON[target] + LEAST)


def bar_features(bars: Mapping[str, Floats]) -> Floats:
    """Six stationary numbers for every bar of one stock, in the order of FEATURES; the first bar has none (zeros).

    All prices are adjusted as the close is. Log returns go through a signed square root: volatility lives in their
    size, and the root tames their tails.

        open      overnight, from the close before to the open
        high      from the open up to the high
        low       from the open down to the low
        close     from the open to the close
        volume    log volume over its mean of the last 60 bars
        adjusted  from the close before to the close
    """
    adjusted = bars["adjusted"]
    factor = adjusted / bars["close"]
    before = np.concatenate([adjusted[:1], adjusted[:-1]])
    opened = bars["open"] * factor
    volume = np.log1p(bars["volume"])
    columns = [
        _signed_root(np.log(opened / before)),
        _signed_root(np.log(bars["high"] / bars["open"])),
        _signed_root(np.log(bars["low"] / bars["open"])),
        _signed_root(np.log(bars["close"] / bars["open"])),
        volume - _trailing_mean(volume, WINDOW),
        _signed_root(np.log(adjusted / before)),
    ]
    stacked = np.stack(columns, axis=1)
    stacked[0] = 0.0
    return stacked


def labels(bars: Mapping[str, Floats], target: Target) -> Floats:
    """For every bar of one stock what comes after it, by bars after it alone; NaN where those are missing.

    ``volatility``: log of the root mean square daily log return of the next 20 days.
    ``return``: mean adjusted close of the 25 days after next, relative to the next open, in percent.
    """
    adjusted = bars["adjusted"]
    out = np.full(len(adjusted), np.nan)
    horizon = HORIZON[target]
    if len(adjusted) <= horizon:
        return out
    if target == "volatility":
        squares = np.diff(np.log(adjusted)) ** 2  # squares[i]: from day i to i + 1
        means = _windowed_mean(squares, VOLATILITY_DAYS)  # means[t]: days t + 1 … t + 20
        out[:-horizon] = np.log(np.maximum(np.sqrt(means), _FLOOR))
    else:
        opened = bars["open"] * adjusted / bars["close"]
        means = _windowed_mean(adjusted, RETURN_DAYS)  # means[t]: days t … t + 24
        out[:-horizon] = (means[2:] / opened[1 : len(opened) - RETURN_DAYS] - 1) * 100
    return out


class WindowSet(Dataset[tuple[Tensor, Tensor]]):
    """The windows of one part as a map-style data set of (60 × 6 features, label); cut out when asked for."""

    def __init__(self, features: npt.NDArray[np.float32], part: Part) -> None:
        self._features = features
        self._part = part

    def __len__(self) -> int:
        return len(self._part)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        features, label = self.batch([index])
        return features[0], label[0]

    def __getitems__(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """A whole batch, which a loader asks for at once; it needs no collating."""
        return self.batch(indices)

    def batch(self, indices: Sequence[int] | npt.NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Several windows at once: features (n × 60 × 6) and labels (n)."""
        chosen = np.asarray(indices, dtype=np.int64)
        rows = self._part.last_bar[chosen][:, None] + np.arange(1 - WINDOW, 1)
        return torch.from_numpy(self._features[rows]), torch.from_numpy(self._part.label[chosen])


def _standardised(features: Floats, last_bars: npt.NDArray[np.int64], source: Path) -> npt.NDArray[np.float32]:
    """Every feature with mean 0 and deviation 1 over the bars that training windows see."""
    seen = np.zeros(len(features), dtype=bool)
    for offset in range(WINDOW):
        seen[last_bars - offset] = True
    mean, scale = features[seen].mean(axis=0), features[seen].std(axis=0)
    for name, deviation in zip(FEATURES, scale, strict=True):
        if not deviation > 1e-12:
            raise InputError("windows_constant_feature", path=source, column=name)
    standardised: npt.NDArray[np.float32] = ((features - mean) / scale).astype(np.float32)
    return standardised


def _signed_root(values: Floats) -> Floats:
    rooted: Floats = np.sign(values) * np.sqrt(np.abs(values))
    return rooted


def _windowed_mean(values: Floats, width: int) -> Floats:
    """means[i] is the mean of values[i : i + width]; each by itself, so that no rounding is carried along."""
    means: Floats = np.lib.stride_tricks.sliding_window_view(values, width).mean(axis=1)
    return means


def _trailing_mean(values: Floats, width: int) -> Floats:
    """The mean of the last ``width`` values up to each, of fewer at the start."""
    padded = np.concatenate([np.full(width - 1, np.nan), values])
    means: Floats = np.nanmean(np.lib.stride_tricks.sliding_window_view(padded, width), axis=1)
    return means
