"""Small made-up panels: volatility that comes in clusters, so that there is something to learn."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

COLUMNS = ("Ticker", "Date", "Open", "High", "Low", "Close", "Volume", "Adj Close")


def make_table(stocks: Sequence[str] = ("000001", "600519"), days: int = 160, seed: int = 7) -> pd.DataFrame:
    """Daily bars of ``stocks`` over the same ``days`` business days."""
    rng = np.random.default_rng(seed)
    tables = []
    for name in stocks:
        volatility = 0.02 * np.exp(0.8 * np.sin(np.arange(days) / 15 + rng.uniform(0, 6)))
        close = 50 * np.exp(np.cumsum(rng.normal(0, volatility)))
        opened = np.concatenate([[50.0], close[:-1]]) * np.exp(rng.normal(0, volatility / 3))
        reach = np.abs(rng.normal(0, volatility / 2, (2, days)))
        tables.append(
            pd.DataFrame(
                {
                    "Ticker": name,
                    "Date": pd.bdate_range("2020-01-01", periods=days).strftime("%Y-%m-%d"),
                    "Open": opened,
                    "High": np.maximum(opened, close) * np.exp(reach[0]),
                    "Low": np.minimum(opened, close) * np.exp(-reach[1]),
                    "Close": close,
                    "Volume": rng.integers(1_000, 9_000, days),
                    "Adj Close": close * 0.5,
                }
            )
        )
    return pd.concat(tables, ignore_index=True)
