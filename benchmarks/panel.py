"""The training program's preprocessing on a made-up panel: ``python -m benchmarks.panel [STOCKS [DAYS [csv]]]``."""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd


def generate(path: Path, stocks: int, days: int) -> None:
    rng = np.random.default_rng(7)
    dates = pd.bdate_range("2014-01-01", periods=days).strftime("%Y-%m-%d")
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, (stocks, days)), axis=1))
    opened = close * np.exp(rng.normal(0, 0.01, close.shape))
    reach = np.exp(np.abs(rng.normal(0, 0.01, close.shape)))
    names = [f"{number:06d}" for number in range(stocks)]
    table = pd.DataFrame(
        {
            "Ticker": pd.Categorical.from_codes(np.repeat(np.arange(stocks), days), names),
            "Date": pd.Categorical.from_codes(np.tile(np.arange(days), stocks), list(dates)),
            "Open": opened.ravel(),
            "High": (np.maximum(opened, close) * reach).ravel(),
            "Low": (np.minimum(opened, close) / reach).ravel(),
            "Close": close.ravel(),
            "Volume": rng.integers(1_000, 9_000, close.size),
        }
    )
    table = table.astype({"Ticker": str, "Date": str})
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path)


def prepare(path: Path, cache: Path) -> None:
    """In a process of its own, for its memory."""
    import forecaster.prepare
    from forecaster.options import Options

    options = Options(data=str(path))
    for what in ("preprocessing", "again, from the cache"):
        start = time.perf_counter()
        windows = forecaster.prepare.prepare(options, cache)
        taken = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(f"{what}: {taken:.1f} s, peak memory {peak / 1e9:.2f} GB, {len(windows.training)} training windows")


def main() -> None:
    if sys.argv[1:2] == ["prepare"]:
        prepare(Path(sys.argv[2]), Path(sys.argv[3]))
        return
    stocks, days = (int(text) for text in (sys.argv[1:3] if len(sys.argv) > 2 else ("5000", "2500")))
    suffix = ".csv" if "csv" in sys.argv else ".parquet"
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix="benchmarks-") as folder:
        path = Path(folder, "panel").with_suffix(suffix)
        generate(path, stocks, days)
        print(f"{stocks} stocks x {days} days, {path.stat().st_size / 1e6:.0f} MB of {suffix[1:]}", flush=True)
        subprocess.run(
            [sys.executable, "-m", "benchmarks.panel", "prepare", str(path), f"{folder}/cache.npz"], check=True
        )
        print(f"the cache: {Path(folder, 'cache.npz').stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
