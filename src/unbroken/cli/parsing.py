"""Parsing: argparse, with what it says by itself in the user's language."""

import argparse
import re
from typing import NoReturn

from unbroken.errors import UsageError
from unbroken.messages import text

# What argparse says, and the sentence of ours for it; its other complaints (a defect of ours) stay as they are.
_COMPLAINTS = {
    r"the following arguments are required: (?P<names>.+)": "cli_words_missing",
    r"unrecognized arguments: (?P<words>.+)": "cli_words_unknown",
    r"argument (?P<name>.+?): invalid choice: (?P<word>.+?) \((?:choose from )?(?P<choices>.+)\)": "cli_word_no_choice",
    r"argument (?P<name>.+?): invalid (?P<kind>\w+) value: (?P<word>.+)": "cli_word_bad",
    r"argument (?P<name>.+?): expected one argument": "cli_word_needs_value",
    r"argument (?P<name>.+?): ignored explicit argument (?P<word>.+)": "cli_word_takes_no_value",
    r"argument (?P<name>.+?): not allowed with argument (?P<other>.+)": "cli_words_exclude",
    r"one of the arguments (?P<names>.+) is required": "cli_one_of_words",
}
_HEADINGS = {
    r"^usage: ": "cli_heading_usage",
    r"^positional arguments:$": "cli_heading_positional",
    r"^options:$": "cli_heading_options",
}


class WrongWordsError(UsageError):
    """A command line that is not understood. ``usage`` is what would be."""

    def __init__(self, usage: str, **values: object) -> None:
        super().__init__("cli_wrong_words", **values)
        self.usage = usage


class Parser(argparse.ArgumentParser):
    """A parser of ours; children made by ``add_subparsers`` are too."""

    def error(self, message: str) -> NoReturn:
        """Raises WrongWordsError."""
        raise WrongWordsError(self.format_usage(), program=self.prog, complaint=_complaint(message))

    def format_usage(self) -> str:
        return _with_headings(super().format_usage())

    def format_help(self) -> str:
        return _with_headings(super().format_help())


def _complaint(message: str) -> str:
    for pattern, key in _COMPLAINTS.items():
        if match := re.fullmatch(pattern, message, re.DOTALL):
            return text(key, **match.groupdict())
    return message


def _with_headings(shown: str) -> str:
    for pattern, key in _HEADINGS.items():
        shown = re.sub(pattern, text(key), shown, flags=re.MULTILINE)
    return shown
