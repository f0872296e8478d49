"""``python -m benchmarks.forecaster``: forecasts of the bundled data beside each other, as docs/program.md has them."""

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.forecaster import har, linear
from benchmarks.forecaster.folds import Fold, folds
from benchmarks.forecaster.intervals import Days, Interval, correlation, correlation_gained, mean, resampled
from benchmarks.forecaster.networks import Recipe, on_both, on_features, on_windows
from forecaster.options import Options
from forecaster.panel import Panel, bundled_panel, read_panel

Floats = npt.NDArray[np.float64]
Named = Iterator[tuple[str, Floats]]
"""Forecasts by the names of their rows, each made when it is asked for."""

SEED = 1
DRAWS = 5_000
RIDGE, NETWORK = "ridge regression", "network as it is"
BOTH_LINEAR, BOTH = "ridge regression, and what this HAR sees", "network on windows and what this HAR sees"
HAR, SMALL = "HAR with ranges and a quarter", "small network on what this HAR sees"
WITH_RIDGE, WITH_NETWORK = "mean of ridge regression and this HAR", "mean of the network and this HAR"
ALIKE = ((NETWORK, RIDGE), (SMALL, HAR), (BOTH, BOTH_LINEAR), (BOTH, WITH_RIDGE), (WITH_NETWORK, WITH_RIDGE))
"""A network, and the linear forecast that sees the same."""


@dataclass(frozen=True)
class Forecasts:
    """What every forecast said of the same days, all folds together."""

    day: npt.NDArray[np.datetime64]
    truth: Floats
    said: dict[str, Floats]


@dataclass(frozen=True)
class Features:
    """What HAR sees of every bar: Corsi's three, and these by closes and by ranges, with a fourth over 60 days."""

    corsi: Floats
    more: Floats

    @classmethod
    def of(cls, panel: Panel) -> "Features":
        return cls(har.features(panel), har.features(panel, spans=har.QUARTER, ranges=True))


def without_network(fold: Fold, seen: Features) -> Named:
    """The forecasts of one fold that need no network."""
    yield "last value", linear.last_value(fold)
    yield "HAR", linear.by_features(fold, seen.corsi)[1]
    _, har_says = linear.by_features(fold, seen.more)
    yield HAR, har_says
    ridge = linear.ridge(fold)
    yield RIDGE, ridge
    yield BOTH_LINEAR, linear.ridge(fold, seen.more)
    yield WITH_RIDGE, (ridge + har_says) / 2


def with_network(fold: Fold, seen: Features) -> Named:
    """The others."""
    (network,) = on_windows(fold, Recipe(rate_follows_validation=True), SEED)
    yield NETWORK, network
    once, twice = on_windows(fold, Recipe(epochs=(25, 50)), SEED)
    yield "network, constant learning rate", once
    yield "the same, 50 epochs", twice
    (decayed,) = on_windows(fold, Recipe(weight_decay=1.0), SEED)
    yield "the same, 25 epochs, weight decay 1", decayed
    known, har_says = linear.by_features(fold, seen.more)
    (left_over,) = on_windows(fold, Recipe(), SEED, (known, har_says))
    yield "network on what this HAR leaves over", left_over
    yield WITH_NETWORK, (network + har_says) / 2
    yield from on_all(fold, seen)
    (small,) = on_features(fold, Recipe(epochs=(40,)), SEED, seen.more)
    yield SMALL, small


def on_all(fold: Fold, seen: Features) -> Named:
    """That of the network that sees most."""
    (both,) = on_both(fold, Recipe(), SEED, seen.more)
    yield BOTH, both


def gathered(walked: Iterable[tuple[Fold, Named]]) -> Forecasts:
    """The forecasts of all folds, put together."""
    days, truth = [], []
    said: dict[str, list[Floats]] = {}
    for fold, named in walked:
        days.append(fold.windows.validation.day)
        truth.append(fold.truth)
        for name, forecast in named:
            said.setdefault(name, []).append(forecast)
            print(f"from {days[-1].min()}: {name}", file=sys.stderr, flush=True)
    return Forecasts(
        np.concatenate(days), np.concatenate(truth), {name: np.concatenate(parts) for name, parts in said.items()}
    )


class Comparison:
    """Forecasts held against each other by correlation and by squared error."""

    def __init__(self, made: Forecasts) -> None:
        self._days = {name: Days.of(made.day, said, made.truth) for name, said in made.said.items()}
        self._errors = {name: _by_day(made.day, (said - made.truth) ** 2) for name, said in made.said.items()}
        self._weights = resampled(len(np.unique(made.day)), DRAWS)

    def beside_ridge(self) -> list[list[str]]:
        """A row for each forecast."""
        rows = [["forecast", "correlation", "gained on ridge", "squared error", "added to ridge's"]]
        for name, days in self._days.items():
            gained, added = self._gains(name, RIDGE) if name != RIDGE else ("", "")
            found = _shown(correlation(days, self._weights))
            rows.append([name, found, gained, f"{self._errors[name].mean():.4f}", added])
        return rows

    def beside_its_like(self) -> list[list[str]]:
        """A row for each network that has a linear forecast which sees the same."""
        rows = [["network", "beside", "correlation gained", "squared error added"]]
        return rows + [[name, other, *self._gains(name, other)] for name, other in ALIKE]

    def _gains(self, name: str, other: str) -> tuple[str, str]:
        gained = correlation_gained(self._days[name], self._days[other], self._weights)
        added = mean(self._errors[name] - self._errors[other])
        return _shown(gained, sign="+"), _shown(added, sign="+", digits=4)


def _by_day(day: npt.NDArray[np.datetime64], losses: Floats) -> Floats:
    """The mean over the stocks of each day, in the order of the calendar."""
    _, place = np.unique(day, return_inverse=True)
    means: Floats = np.bincount(place, losses) / np.bincount(place)
    return means


def _shown(found: Interval, *, sign: str = "", digits: int = 3) -> str:
    return f"{found.value:{sign}.{digits}f} ({found.low:{sign}.{digits}f} … {found.high:{sign}.{digits}f})"


def _table(rows: Sequence[Sequence[str]]) -> str:
    ruled = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in ruled)


def main() -> None:
    started = time.process_time()
    torch.set_num_threads(1)
    panel = read_panel(bundled_panel())
    seen = Features.of(panel)
    walked = ((fold, chain(without_network(fold, seen), with_network(fold, seen))) for fold in folds(panel))
    made = gathered(walked)
    compared = Comparison(made)
    print(_table(compared.beside_ridge()), _table(compared.beside_its_like()), sep="\n\n")
    split = Options().split_day()
    assert split is not None  # the bundled data have one
    usual = gathered((fold, chain(without_network(fold, seen), on_all(fold, seen))) for fold in folds(panel, [split]))
    print(f"\nOn the days that Training.py is judged on:\n\n{_table(Comparison(usual).beside_ridge())}")
    took = time.process_time() - started
    print(f"\n{len(made.truth)} forecasts of {len(np.unique(made.day))} days, in {took:.0f} s of one core.")


if __name__ == "__main__":
    main()
