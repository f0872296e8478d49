"""RawTable: a panel as its file has it: one column per role, one row per bar, nothing checked."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecaster.columns import ROLES, Role


@dataclass(frozen=True)
class RawTable:
    """``values`` has a column for each of ROLES; ``rows`` says for every row which one of the file it is."""

    values: pd.DataFrame
    rows: npt.NDArray[np.int64]


def by_role(table: pd.DataFrame, chosen: Mapping[Role, Hashable], first_row: int) -> RawTable:
    """The columns ``chosen`` of a table whose rows are bars; ``first_row`` is the number of its first one."""
    renamed = table[list(chosen.values())].set_axis(list(chosen), axis=1)
    return completed(renamed, np.arange(len(table)) + first_row)


def completed(table: pd.DataFrame, rows: npt.NDArray[np.int64]) -> RawTable:
    """With what stands in for a role that may be lacking."""
    if "stock" not in table:
        table["stock"] = "-"
    if "adjusted" not in table:
        table["adjusted"] = table["close"]
    return RawTable(table[list(ROLES)].reset_index(drop=True), rows)
