"""The table of the README, the network over several seeds beside its yardsticks: ``python -m forecaster.compare``."""

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console

import unbroken
from forecaster.errors import InputError
from forecaster.flags import Parser, integer, parse_flags
from forecaster.logs import open_log
from forecaster.messages import text
from forecaster.needs import require_packages
from forecaster.options import Options
from forecaster.progress import EpochReport

if TYPE_CHECKING:
    from forecaster.train import Outcome

SEEDS = 5


def compare(options: Options, seeds: int, folder: Path, console: Console) -> "list[Outcome]":
    """One whole training per seed, from 1 on, each with a checkpoint folder of its own under ``folder``."""
    from forecaster.train import train

    outcomes = []
    for seed in range(1, seeds + 1):
        own = replace(options, seed=seed, checkpoint_dir=str(folder / f"seed-{seed}"), resume="never")
        outcomes.append(train(own, cache=folder / "processed_data.npz", report=EpochReport(console)))
    return outcomes


def table(outcomes: "Sequence[Outcome]") -> str:
    """Markdown: correlation on the validation windows, mean ± standard deviation over the seeds."""
    seeds = len(outcomes)
    best = [outcome.best for outcome in outcomes]
    last = [outcome.correlations[-1] for outcome in outcomes]
    epochs = [outcome.best_epoch for outcome in outcomes]
    yardsticks = outcomes[0].yardsticks
    rows = [
        ("compare_last", f"{np.mean(last):.4f} ± {_deviation(last):.4f}", f"{min(last):.4f} – {max(last):.4f}"),
        ("compare_best", f"{np.mean(best):.4f} ± {_deviation(best):.4f}", f"{min(best):.4f} – {max(best):.4f}"),
        ("picture_ridge", f"{yardsticks.ridge:.4f}", ""),
        ("picture_persistence", f"{yardsticks.persistence:.4f}", ""),
    ]
    head = f"| {text('compare_forecast', seeds=seeds)} | {text('picture_correlation')} | {text('compare_range')} |"
    lines = [head, "|---|---|---|"]
    count = len(outcomes[0].correlations)
    lines += [f"| {text(key, epochs=count)} | {value} | {span} |" for key, value, span in rows]
    lines += ["", text("compare_epochs", epochs=", ".join(map(str, epochs)))]
    return "\n".join(lines)


def main(argv: Sequence[str]) -> int:
    """All training flags, and ``--seeds``; prints the table."""
    given = parse_flags(argv, about="about_compare", extra=_add_seeds)
    seeds = given.pop("seeds", SEEDS)
    try:
        require_packages()
    except InputError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    with tempfile.TemporaryDirectory() as folder:
        console = open_log(Path(folder) / "training.log")
        try:
            outcomes = compare(replace(Options(), **given), seeds, Path(folder), console)
        except unbroken.UnbrokenError as error:
            print(error, file=sys.stderr)
            return error.exit_code
    print(table(outcomes))
    return 0


def _add_seeds(parser: Parser) -> None:
    parser.add_argument("--seeds", type=integer(1, 1000), metavar="N", help=text("help_seeds", default=SEEDS))


def _deviation(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
