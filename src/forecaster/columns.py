"""Which column of a panel has which role: as the user named it, else by the names we know, else by what it holds."""

import logging
import re
from collections.abc import Collection, Mapping, Sequence
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
NEEDED: tuple[Role, ...] = ("open", "high", "low", "close", "volume")
# What may be lacking, and the sentence that says what follows from it.
_OPTIONAL: dict[Role, str] = {"stock": "data_without_stock", "adjusted": "data_without_adjusted"}

# What pandas calls an index without a name, in CSV and in Parquet.
_UNNAMED = re.compile(r"|index|level_\d+|unnamed: ?\d+(\.\d+)?|__index_level_\d+__", re.IGNORECASE)

_log = logging.getLogger("forecaster")


def choose_columns(
    present: Sequence[str],
    named: Mapping[Role, str],
    path: Path,
    *,
    by_content: Mapping[Role, Collection[int]] | None = None,
) -> dict[Role, int]:
    """The place of each role's column; those named by the user first, the optional ones may be missing: that is logged.

    ``by_content``: places of columns without a name that may have a role, as their values look.

    Raises:
        InputError: a column is missing, several fit a role or have the same name, or one has two roles.
    """
    chosen: dict[Role, int] = {}
    listed = ", ".join(map(shortened, present[:20])) or "-"
    for role in ROLES:
        flag = f"--{role}-column"
        found = _fitting(role, present, named)
        if not found and role in named:
            raise InputError("data_no_such_column", path=path, column=named[role], present=listed, flag=flag)
        if not found:
            found = sorted(set((by_content or {}).get(role, ())) - set(chosen.values()))[:1]
            if found:
                _log.info(text("data_unnamed_column", path=path, place=found[0] + 1, role=role))
        if len(found) > 1:
            names = [present[place] for place in found]
            if len(set(names)) < len(names):
                twice = next(name for name in names if names.count(name) > 1)
                raise InputError("data_named_twice", path=path, column=twice, count=names.count(twice))
            raise InputError(
                "data_ambiguous_column", path=path, role=role, found=", ".join(map(shortened, names)), flag=flag
            )
        if found:
            chosen[role] = found[0]
        elif role not in _OPTIONAL:
            raise InputError("data_lacks_column", path=path, role=role, present=listed, flag=flag)
    taken = list(chosen.values())
    twice_taken = next((place for place in taken if taken.count(place) > 1), None)
    if twice_taken is not None:
        raise InputError("data_column_twice", path=path, column=present[twice_taken])
    for role, lacking in _OPTIONAL.items():
        if role not in chosen:
            _log.warning(text(lacking, path=path, flag=f"--{role}-column"))
    return chosen


def looks_like(role: Role, name: str, named: Mapping[Role, str]) -> bool:
    """Whether a column of this name has this role, as the user named it or by the names we know."""
    return name == named[role] if role in named else plain(name) in GUESSES[role]


def is_unnamed(name: str) -> bool:
    """Whether it is what pandas writes for an index that has no name."""
    return _UNNAMED.fullmatch(name) is not None


def plain(name: str) -> str:
    """``"Adj Close"`` → ``"adjclose"``; ``"成交量(手)"`` → ``"成交量"``; ``"$close"`` → ``"close"``."""
    return re.sub(r"[\s_\-*$]|[(（\[].*", "", name).lower()


def _fitting(role: Role, present: Sequence[str], named: Mapping[Role, str]) -> list[int]:
    return [place for place, name in enumerate(present) if looks_like(role, name, named)]
