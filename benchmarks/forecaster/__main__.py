"""``python -m benchmarks.forecaster``: the table of docs/program.md, of the bundled data, on one core."""

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.forecaster import har, linear
from benchmarks.forecaster.folds import Fold, folds
from benchmarks.forecaster.intervals import Days, Interval, correlation, correlation_gained, mean, resampled
from benchmarks.forecaster.networks import Recipe, on_features, on_windows
from forecaster.panel import Panel, bundled_panel, read_panel

Floats = npt.NDArray[np.float64]

SEED = 1
DRAWS = 5_000
RIDGE, NETWORK = "ridge regression", "network as it is"
HAR, SMALL = "HAR, ranges and a quarter", "small network on what this HAR sees"
WITH_RIDGE, WITH_NETWORK = "mean of ridge regression and this HAR", "mean of the network and this HAR"
ALIKE = ((NETWORK, RIDGE), (SMALL, HAR), (WITH_NETWORK, WITH_RIDGE))
"""A network, and the linear forecast that sees the same."""


@dataclass(frozen=True)
class Forecasts:
    """What every forecast said of the same days, all folds together."""

    day: npt.NDArray[np.datetime64]
    truth: Floats
    said: dict[str, Floats]


def forecasts(fold: Fold, corsi: Floats, more: Floats) -> Iterator[tuple[str, Floats]]:
    """Every forecast of one fold, by the name of its row; ``corsi`` and ``more`` are the features that HAR sees."""
    yield "last value", linear.last_value(fold)
    yield "HAR", linear.by_features(fold, corsi)[1]
    known, har_says = linear.by_features(fold, more)
    yield HAR, har_says
    ridge = linear.ridge(fold)
    yield RIDGE, ridge
    yield "ridge regression, and what this HAR sees", linear.ridge(fold, more)
    yield WITH_RIDGE, (ridge + har_says) / 2
    (network,) = on_windows(fold, Recipe(rate_follows_validation=True), SEED)
    yield NETWORK, network
    once, twice = on_windows(fold, Recipe(epochs=(25, 50)), SEED)
    yield "network, constant learning rate", once
    yield "the same, 50 epochs", twice
    (decayed,) = on_windows(fold, Recipe(weight_decay=1.0), SEED)
    yield "the same, 25 epochs, weight decay 1", decayed
    (left_over,) = on_windows(fold, Recipe(), SEED, (known, har_says))
    yield "network on what this HAR leaves over", left_over
    yield WITH_NETWORK, (network + har_says) / 2
    (small,) = on_features(fold, Recipe(epochs=(40,)), SEED, more)
    yield SMALL, small


def walk(panel: Panel) -> Forecasts:
    """Every forecast of every fold."""
    corsi, more = har.features(panel), har.features(panel, spans=har.QUARTER, ranges=True)
    days, truth = [], []
    said: dict[str, list[Floats]] = {}
    for fold in folds(panel, bundled_panel()):
        days.append(fold.windows.validation.day)
        truth.append(fold.truth)
        started = time.process_time()
        for name, forecast in forecasts(fold, corsi, more):
            said.setdefault(name, []).append(forecast)
            print(f"from {days[-1].min()}: {name}, {time.process_time() - started:.0f} s", file=sys.stderr, flush=True)
    return Forecasts(
        np.concatenate(days), np.concatenate(truth), {name: np.concatenate(parts) for name, parts in said.items()}
    )


def tables(made: Forecasts) -> str:
    """Markdown: every forecast beside ridge regression on the same days, and each network beside what sees the same."""
    days = {name: Days.of(made.day, said, made.truth) for name, said in made.said.items()}
    errors = {name: _by_day(made.day, (said - made.truth) ** 2) for name, said in made.said.items()}
    weights = resampled(len(np.unique(made.day)), DRAWS)

    def gains(name: str, other: str) -> list[str]:
        gained = correlation_gained(days[name], days[other], weights)
        return [_shown(gained, sign="+"), _shown(mean(errors[name] - errors[other]), sign="+", digits=4)]

    rows = [
        ["forecast", "correlation", "squared error", "correlation gained on ridge", "squared error added to ridge's"]
    ]
    for name in made.said:
        figures = [_shown(correlation(days[name], weights)), f"{errors[name].mean():.4f}"]
        rows.append([name, *figures, *(gains(name, RIDGE) if name != RIDGE else ["", ""])])
    beside = [["network", "beside", "correlation gained", "squared error added"]]
    beside += [[name, other, *gains(name, other)] for name, other in ALIKE]
    return f"{_table(rows)}\n\n{_table(beside)}"


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
    made = walk(read_panel(bundled_panel()))
    print(tables(made))
    took = time.process_time() - started
    print(f"\n{len(made.truth)} forecasts of {len(np.unique(made.day))} days, in {took:.0f} s of one core.")


if __name__ == "__main__":
    main()
