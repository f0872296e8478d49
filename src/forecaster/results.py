"""The figures a training ends with, as ``results.json``: the same bits whether or not the run was interrupted."""

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from forecaster.errors import AccessError
from forecaster.options import Options
from forecaster.train import Outcome


def write_results(path: Path, outcome: Outcome, options: Options) -> None:
    """Valid JSON without NaN (null instead), whole or not at all."""
    windows = outcome.windows
    figures = {
        "target": options.target,
        "metric": "Pearson correlation on the validation windows",
        "epochs": len(outcome.correlations),
        "correlation": {
            "network_last": outcome.correlations[-1],
            "network_best": outcome.best,
            "best_epoch": outcome.best_epoch,
            "ridge": outcome.yardsticks.ridge,
            "persistence": outcome.yardsticks.persistence,
        },
        "ridge_penalty": outcome.yardsticks.ridge_penalty,
        "windows": {"training": len(windows.training), "validation": len(windows.validation)},
        "train_end": str(windows.train_end),
        "history": {
            "train_losses": outcome.train_losses,
            "val_losses": outcome.val_losses,
            "aucs": outcome.correlations,
        },
        "parameters": options.parameters(),
    }
    text = json.dumps(_without_nan(figures), ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    replace_whole(path, lambda draft: draft.write_text(text, encoding="utf-8"))


def replace_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Have ``write`` make a draft beside ``path``, then give it that name: readers never see half a file.

    Raises:
        AccessError: the folder can't be written to.
    """
    draft = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        write(draft)
        draft.replace(path)
    except OSError as error:
        raise AccessError("output_unwritable", path=path, reason=error.strerror or error) from error
    finally:
        draft.unlink(missing_ok=True)


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inner) for inner in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value
