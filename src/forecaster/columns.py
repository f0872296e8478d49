"""Which column of a panel has which role: as the user named it, else by the names we know."""

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

from forecaster.errors import InputError
from forecaster.messages import shortened, text

Role = Literal["stock", "date", "open", "high", "low", "close", "volume", "adjusted"]

# The column names of vendors we know, in lower case without blanks, dashes, underscores and brackets' contents.
GUESSES: Mapping[Role, tuple[str, ...]] = {
    "stock": (
        *("stockid", "ticker", "symbol", "code", "tscode", "stock", "stockcode", "secid", "permno", "instrument"),
        *("代码", "股票代码", "证券代码", "股票"),
    ),
    "date": ("date", "tradedate", "datetime", "day", "timestamp", "日期", "交易日期", "交易日", "时间"),
    "open": ("open", "openprice", "开盘", "开盘价"),
    "high": ("high", "highprice", "最高", "最高价"),
    "low": ("low", "lowprice", "最低", "最低价"),
    "close": ("close", "closeprice", "收盘", "收盘价"),
    "volume": ("volume", "vol", "tradevolume", "成交量"),
    "adjusted": (
        *("adjclose", "adjustedclose", "closeadj", "closeadjusted", "adjprice"),
        *("复权收盘价", "后复权收盘价", "前复权收盘价", "复权收盘", "后复权价", "前复权价", "复权价"),
    ),
}
ROLES: tuple[Role, ...] = get_args(Role)
# What may be lacking, and the sentence that says what follows from it.
_OPTIONAL: dict[Role, str] = {"stock": "data_without_stock", "adjusted": "data_without_adjusted"}

_log = logging.getLogger("forecaster")


def choose_columns(present: Sequence[str], named: Mapping[Role, str], path: Path) -> dict[Role, str]:
    """The column of each role; those named by the user first, the optional ones may be missing, which is logged.

    Raises:
        InputError: a column is missing, several fit a role, or one has two roles.
    """
    chosen: dict[Role, str] = {}
    listed = ", ".join(map(shortened, present[:20])) or "-"
    for role, guesses in GUESSES.items():
        if role in named:
            if named[role] not in present:
                raise InputError(
                    "data_no_such_column", path=path, column=named[role], present=listed, flag=f"--{role}-column"
                )
            chosen[role] = named[role]
            continue
        found = [name for name in present if _plain(name) in guesses]
        if len(found) > 1:
            raise InputError(
                "data_ambiguous_column",
                path=path,
                role=role,
                found=", ".join(map(shortened, found)),
                flag=f"--{role}-column",
            )
        if found:
            chosen[role] = found[0]
        elif role not in _OPTIONAL:
            raise InputError("data_lacks_column", path=path, role=role, present=listed, flag=f"--{role}-column")
    taken = list(chosen.values())
    twice = next((name for name in taken if taken.count(name) > 1), None)
    if twice is not None:
        raise InputError("data_column_twice", path=path, column=twice)
    for role, lacking in _OPTIONAL.items():
        if role not in chosen:
            _log.warning(text(lacking, path=path, flag=f"--{role}-column"))
    return chosen


def _plain(name: str) -> str:
    """``"Adj Close"``, ``"adj_close"`` → ``"adjclose"``; ``"成交量(手)"`` → ``"成交量"``."""
    return re.sub(r"[\s_\-*]|[(（\[].*", "", name).lower()
