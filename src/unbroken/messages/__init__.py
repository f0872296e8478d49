"""Every sentence a user reads, in Chinese and in English, and the choice between the two."""

import os
import string
import unicodedata
from collections.abc import Iterable
from typing import Any, Literal

from unbroken.messages import _audit, _cli, _disk, _loop, _run, _saving, _state, _store

Language = Literal["zh", "en"]

_SENTENCES: dict[str, tuple[str, str]] = {
    **_disk.SENTENCES,
    **_store.SENTENCES,
    **_state.SENTENCES,
    **_loop.SENTENCES,
    **_run.SENTENCES,
    **_saving.SENTENCES,
    **_audit.SENTENCES,
    **_cli.SENTENCES,
}


def language() -> Language:
    """The user's language: ``UNBROKEN_LANG``, then the locale's variables, else English."""
    for variable in ("UNBROKEN_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(variable, "")
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


def text(key: str, /, **values: object) -> str:
    """The sentence ``key`` in the user's language, with its values filled in.

    Values come from files, whoever wrote them: what could break the line, move the cursor or turn the text around is
    spelled out, so a sentence is one line and says nothing but itself.
    """
    english, chinese = _SENTENCES[key]
    return _FORMATTER.vformat(chinese if language() == "zh" else english, (), values)


def printable(line: str) -> str:
    """``line`` with everything spelled out that is not seen as it is: control characters, line ends, bidi marks."""
    if line.isprintable():
        return line
    return "".join(char if _is_seen(char) else char.encode("unicode_escape").decode() for char in line)


def _is_seen(char: str) -> bool:
    return char.isprintable() or unicodedata.category(char) == "Zs"  # wide and unbreakable spaces, too


class _Formatter(string.Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        return printable(format(value, format_spec))


_FORMATTER = _Formatter()


def listed(parts: Iterable[str]) -> str:
    """Several parts of a sentence with the commas of the user's language."""
    return ("、" if language() == "zh" else ", ").join(parts)
