"""Reads a panel from Parquet, with what pandas had as index in it: dates, stocks or both, with names or without."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecaster.columns import Role, choose_columns, is_unnamed
from forecaster.errors import InputError
from forecaster.messages import shortened
from forecaster.raw import RawTable, by_role
from forecaster.unnamed import by_content
from forecaster.wide import from_wide, wide_header

_SHOWN = 50  # rows, by which a column without a name is known


def read_parquet(path: Path, named: Mapping[Role, str], limit: int) -> RawTable:
    """The panel in a Parquet file that takes no more than ``limit`` bytes of memory.

    Raises:
        InputError: pyarrow is missing, it is no Parquet, or a column is missing.
        OverflowError: there is more than ``limit``.
    """
    try:
        from pyarrow import ArrowException, parquet  # type: ignore[import-untyped]
    except ImportError as error:
        raise InputError("data_needs_pyarrow", path=path) from error
    try:
        with parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            if _is_wide(file):
                _refuse_too_large(file, len(names), limit)
                return _from_wide(file.read().to_pandas(), named, path)
            places = choose_columns(names, named, path, by_content=_by_content(file))
            _refuse_too_large(file, len(places), limit)
            # What pandas had as index is a column like any other here.
            table = file.read(columns=[names[place] for place in places.values()]).to_pandas(ignore_metadata=True)
    except ArrowException as error:
        raise InputError("data_not_a_table", path=path, reason=one_line(error)) from error
    return by_role(table, {role: names[place] for role, place in places.items()}, 1)


def one_line(error: Exception) -> str:
    """What an error of a library says, in one line of some length."""
    return shortened(" ".join(str(error).split()), 200)


def _refuse_too_large(file: Any, columns: int, limit: int) -> None:
    if file.metadata.num_rows * columns * 8 > limit:
        raise OverflowError(f"{file.metadata.num_rows} rows")


def _is_wide(file: Any) -> bool:
    """Whether it is of a table of pandas whose columns have names in two levels."""
    metadata = file.schema_arrow.pandas_metadata or {}
    return len(metadata.get("column_indexes", [])) == 2


def _from_wide(table: pd.DataFrame, named: Mapping[Role, str], path: Path) -> RawTable:
    levels = [
        [str(table.columns.names[level] or ""), *map(str, table.columns.get_level_values(level))] for level in (0, 1)
    ]
    index = [str(table.index.name or ""), *("" for _ in table.columns)]
    header = wide_header([*levels, index], named)
    if header is None or table.index.nlevels > 1:
        columns = ", ".join(shortened(" ".join(map(str, names)), 30) for names in table.columns[:20])
        raise InputError("data_two_levels", path=path, columns=columns)
    places = table.set_axis(range(1, len(table.columns) + 1), axis=1)
    places.insert(0, 0, table.index)
    return from_wide(places.reset_index(drop=True), header, named, path, np.arange(len(table)) + 1)


def _by_content(file: Any) -> dict[Role, list[int]]:
    names = file.schema_arrow.names
    places = [place for place, name in enumerate(names) if is_unnamed(name)]
    if not places or file.metadata.num_rows == 0:
        return {}
    some = next(file.iter_batches(_SHOWN, columns=[names[place] for place in places])).to_pandas(ignore_metadata=True)
    return by_content({place: some[names[place]].astype("string").fillna("").tolist() for place in places})
