"""Layout: how tables and sentences fit into a width, in whole words. Pure: lines in, lines out."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_LEAST = 8  # columns of a terminal that a column of words keeps, however narrow it is
_WIDE = "\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6"
_OPENS, _CLOSES = "（【《“‘「〔", "，。、；：！？）】》”’」〕…％·"
# Chinese may be broken between any two characters, but not before what closes nor behind what opens.
_TOKEN = re.compile(rf"\s+|[{_OPENS}]*(?:[^\s{_WIDE}{_OPENS}{_CLOSES}]+|[{_WIDE}])?[{_CLOSES}]*")


@dataclass(frozen=True)
class Column:
    """A column by its title; numbers stand to the right.

    What is ``whole`` is never broken, and what is ``short`` first cut by that where there is little room. Of columns
    with a ``rank`` the greatest goes first where they don't fit all; those without one never go.
    """

    title: str
    right: bool = False
    whole: bool = False
    rank: int = 0
    short: Callable[[str], str] | None = None


@dataclass(frozen=True)
class Table:
    """The titles' lines, the lines of each row, and the titles of the columns that had to go."""

    titles: list[str]
    rows: list[list[str]]
    dropped: list[str]


def lay_out(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> Table:
    """``rows`` of cells, in columns as wide as their widest cell; where that is too wide, as narrow as words allow."""
    table = _columns(columns, rows)
    gap = 2
    if _total(map(_widest, table), gap) > width:
        gap = 1
    if _total(map(_widest, table), gap) > width:
        table = [(one, [one.short(cell) for cell in cells] if one.short else cells) for one, cells in table]
    dropped: list[str] = []
    while _total(map(_narrowest, table), gap) > width and (rank := max(one.rank for one, _ in table)) > 0:
        place = next(place for place, (one, _) in enumerate(table) if one.rank == rank)
        dropped.append(table.pop(place)[0].title)
    widths = _widths(table, width, gap)
    padded = [
        [wrapped(cell, wide) for cell in (one.title, *cells)] for (one, cells), wide in zip(table, widths, strict=True)
    ]
    lines = []
    for row in zip(*padded, strict=True):
        height = max(map(len, row), default=0)
        filled = [
            [_padded(part, wide, right=one.right) for part in [*cell, *[""] * (height - len(cell))]]
            for cell, wide, (one, _) in zip(row, widths, table, strict=True)
        ]
        lines.append([(" " * gap).join(parts).rstrip() for parts in zip(*filled, strict=True)])
    return Table(lines[0], lines[1:], dropped)


def wrapped(text: str, width: int) -> list[str]:
    """``text`` in lines of ``width``, broken between words; a word that is longer is broken, too."""
    if cells(text) <= width:
        return [text]
    lines, line = [], ""
    for token in _tokens(text):
        if cells(line + token.rstrip()) <= width:
            line += token
            continue
        if line.strip():
            lines.append(line.rstrip())
            line = ""
        line += token if line or not lines else token.lstrip()
        while cells(line) > width:
            head = _head(line, width)
            lines.append(head)
            line = line[len(head) :]
    return [*lines, line.rstrip()] if line.strip() or not lines else lines


def flowed(text: str, width: int, indent: int = 0) -> str:
    """A sentence in lines of ``width``, broken between words alone; all but the first are indented."""
    lines, line = [], ""
    for token in _tokens(text):
        if line.strip() and cells(line + token.rstrip()) > width:
            lines.append(line.rstrip())
            line = " " * indent + token.lstrip()
        else:
            line += token
    return "\n".join([*lines, line.rstrip()])


def cells(line: str) -> int:
    """How many columns of a terminal ``line`` takes: Chinese characters take two, marks on a letter none."""
    if line.isascii():
        return len(line)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line
    )


_Filled = tuple[Column, list[str]]


def _columns(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[_Filled]:
    return [(one, [row[place] for row in rows]) for place, one in enumerate(columns)]


def _widest(column: _Filled) -> int:
    one, texts = column
    return max(map(cells, (one.title, *texts)))


def _narrowest(column: _Filled) -> int:
    """As wide as its longest word; a title is broken at blanks alone, in Chinese too."""
    one, texts = column
    if one.whole:
        return _widest(column)
    indented = [re.match(r"\s*\S*", text)[0] for text in texts]  # type: ignore[index]
    words = [*one.title.split(), *indented, *(token.strip() for text in texts for token in _tokens(text))]
    return max(map(cells, words), default=0)


def _total(widths: "map[int]", gap: int) -> int:
    each = list(widths)
    return sum(each) + gap * (len(each) - 1)


def _widths(table: Sequence[_Filled], width: int, gap: int) -> list[int]:
    """Every column's width: the widest ones give way, down to their longest word, and if need be below it."""
    widths = [_widest(column) for column in table]
    narrowest = [_narrowest(column) for column in table]
    least = [narrow if one.whole else min(narrow, _LEAST) for narrow, (one, _) in zip(narrowest, table, strict=True)]
    room = width - gap * (len(table) - 1)
    for floor in (narrowest, least):
        while sum(widths) > room:
            slack = [place for place in range(len(widths)) if widths[place] > floor[place]]
            if not slack:
                break
            widths[max(slack, key=lambda place: widths[place])] -= 1
    return widths


def _tokens(text: str) -> list[str]:
    return [token for token in _TOKEN.findall(text) if token]


def _head(line: str, width: int) -> str:
    """The start of ``line`` that fits, of one character at least."""
    end = 1
    while end < len(line) and cells(line[: end + 1]) <= width:
        end += 1
    return line[:end]


def _padded(text: str, width: int, *, right: bool) -> str:
    blank = " " * (width - cells(text))
    return blank + text if right else text + blank
