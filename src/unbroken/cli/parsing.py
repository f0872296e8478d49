"""Parsing: argparse, with what it says by itself in the user's language; arguments that several commands take."""

import argparse
import re
from pathlib import Path
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


def add_folder(
    parser: argparse.ArgumentParser, name: str = "folder", shown: str = "FOLDER", help_key: str = "cli_help_folder"
) -> None:
    """``[FOLDER]``, the checkpoint folder."""
    parser.add_argument(name, metavar=shown, nargs="?", type=Path, default=Path("checkpoints"), help=text(help_key))


def positive(word: str) -> int:
    """A count of at least 1."""
    if (number := int(word)) < 1:
        raise ValueError(word)
    return number


def _complaint(message: str) -> str:
    for pattern, key in _COMPLAINTS.items():
        if match := re.fullmatch(pattern, message, re.DOTALL):
            return text(key, **match.groupdict())
    return message


def _with_headings(shown: str) -> str:
    for pattern, key in _HEADINGS.items():
        shown = re.sub(pattern, text(key), shown, flags=re.MULTILINE)
    return shown
