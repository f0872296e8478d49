"""Every sentence a user reads: one module per language, and the choice between them."""

import importlib
import os
import string
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

# A language is the name of the module beside this one that holds its sentences; it is spelled nowhere else.
LANGUAGES = ("zh", "en")
FALLBACK = "en"
CHINESE = "zh"


def language() -> str:
    """The user's language: ``UNBROKEN_LANG``, then the locale's variables, else English."""
    for variable in ("UNBROKEN_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(variable, "").lower()
        if value:
            return next((name for name in LANGUAGES if value.startswith(name)), FALLBACK)
    return FALLBACK


class Catalogue:
    """The sentences of one package: each of its modules named by a language has them as ``SENTENCES``."""

    def __init__(self, package: str) -> None:
        self._package = package
        self._sentences: dict[str, Mapping[str, str]] = {}
        # Not at the first sentence: it may be about a process that can open no further file.
        self.sentences(language())

    def sentences(self, language: str) -> Mapping[str, str]:
        """All sentences of one language by their keys."""
        if language not in self._sentences:
            self._sentences[language] = importlib.import_module(f"{self._package}.{language}").SENTENCES
        return self._sentences[language]

    def text(self, key: str, /, **values: object) -> str:
        """The sentence ``key`` in the user's language, with its values filled in.

        Values come from files, whoever wrote them: what could break the line, move the cursor or turn the text around
        is spelled out, so a sentence is one line and says nothing but itself.
        """
        return self.text_in(language(), key, **values)

    def text_in(self, language: str, key: str, /, **values: object) -> str:
        """As ``text``, in a language that was chosen already."""
        return _FORMATTER.vformat(self.sentences(language)[key], (), values)


def printable(line: str) -> str:
    """``line`` with everything spelled out that is not seen as it is: control characters, line ends, bidi marks."""
    if line.isprintable():
        return line
    return "".join(char if _is_seen(char) else char.encode("unicode_escape").decode() for char in line)


def _is_seen(char: str) -> bool:
    return char.isprintable() or unicodedata.category(char) == "Zs"  # wide and unbreakable spaces, too


class _Formatter(string.Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec.startswith("|"):  # {steps:|step|steps}
            one, more = format_spec[1:].split("|")
            return printable(f"{value} {one if str(value) == '1' else more}")
        return printable(format(value, format_spec))


_FORMATTER = _Formatter()
_LIBRARY = Catalogue(__name__)
sentences = _LIBRARY.sentences
text = _LIBRARY.text


def listed(parts: Iterable[str]) -> str:
    """Several parts of a sentence with the commas of the user's language."""
    return text("comma").join(parts)


def clauses(parts: Iterable[str]) -> str:
    """Parts that are sentences themselves, or have commas in them, with the semicolons of the user's language."""
    return text("semicolon").join(parts)
