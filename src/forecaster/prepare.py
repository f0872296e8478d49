"""From the data file to windows, through the cache: nothing is preprocessed twice."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy.typing as npt

import unbroken
from forecaster import (
    columns,
    csvfile,
    days,
    encodings,
    panel,
    parquetfile,
    raw,
    splits,
    unnamed,
    values,
    wide,
    windows,
)
from forecaster.columns import ROLES, Role
from forecaster.messages import text
from forecaster.options import BUNDLED, Options
from forecaster.panel import PanelFormat, bundled_panel, content_digest, read_panel
from forecaster.splits import Split
from forecaster.windows import Target, Windows, make_windows

# What decides what the windows of a file are: of another version of these they are made anew.
_CODE = (columns, csvfile, days, encodings, panel, parquetfile, raw, splits, unnamed, values, wide, windows)

_log = logging.getLogger("forecaster")


def data_path(options: Options) -> Path:
    """The data file the options name."""
    return bundled_panel() if options.data == BUNDLED else Path(options.data)


def prepare(options: Options, cache: Path) -> Windows:
    """The windows of the data file: from ``cache`` where it was made of the same content, parameters and code.

    Raises:
        InputError: the data can't be used.
    """
    path = data_path(options)
    target = cast(Target, options.target)
    named: Mapping[Role, str] = {
        role: name for role in ROLES if (name := getattr(options, f"{role}_column")) is not None
    }
    split = Split(options.split_day(), options.train_fraction or Split.fraction)

    def build() -> Mapping[str, npt.NDArray[Any]]:
        table = read_panel(path, PanelFormat(named, options.drop_bad_rows))
        return make_windows(table, target, split, source=path).to_arrays()

    key = {
        "data": content_digest(path),
        "target": target,
        "train_end": str(split.last_day),
        "train_fraction": split.fraction,
        "columns": dict(named),
        "drop_bad_rows": options.drop_bad_rows,
        "code": [content_digest(Path(str(module.__file__))) for module in _CODE],
    }
    prepared = Windows.from_arrays(unbroken.cached(cache, build, key=key).arrays)
    _log.info(
        text(
            "prepared",
            training=len(prepared.training),
            validation=len(prepared.validation),
            train_end=prepared.train_end,
            stocks=len(prepared.names),
            target=target,
        )
    )
    return prepared
