"""Parsing: argparse, with what it says by itself in the user's language; arguments that several commands take."""

import argparse
import difflib
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from unbroken.cli.layout import cells, flowed
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
_UNBOUNDED = 10_000
_GLUE = "\ue000"  # a blank within an option and its value, which belong together
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
    """A parser of ours; children made by ``add_subparsers`` are too.

    ``child``: the parser of the command that was typed, which knows options that this one does not.
    """

    child: "Parser | None" = None

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, formatter_class=_unfolded)

    def error(self, message: str) -> NoReturn:
        """Raises WrongWordsError."""
        teller = self.child or self
        complaint = _complaint(message)
        if meant := teller.meant(message):
            complaint = text("cli_did_you_mean", complaint=complaint, word=meant)
        raise WrongWordsError(teller.format_usage(), program=teller.prog, complaint=complaint)

    def meant(self, message: str) -> str:
        """The word that may have been meant by the one that argparse complains of; empty if there is none like it."""
        if found := re.fullmatch(r".*invalid choice: '?(.*?)'? \((?:choose from )?(.+)\)", message, re.DOTALL):
            return _close(found[1], re.findall(r"[\w-]+", found[2]))
        if found := re.fullmatch(r"unrecognized arguments: (.+)", message, re.DOTALL):
            options = re.findall(r"(?<![\w-])--[a-z][a-z-]*", self.format_help())
            unknown = [word.partition("=")[0] for word in found[1].split() if word.startswith("-")]
            return _close(unknown[0], options) if unknown else ""
        return ""

    def format_usage(self) -> str:
        return _folded(_with_headings(super().format_usage()))

    def format_help(self) -> str:
        return _folded(_with_headings(super().format_help()))


def _unfolded(prog: str) -> argparse.HelpFormatter:
    """argparse folds by counting characters, of which Chinese ones are twice as wide: folded is afterwards."""
    return argparse.HelpFormatter(prog, width=_UNBOUNDED, max_help_position=28)


def _folded(shown: str) -> str:
    """Each line in whole words, what follows the first below where its text begins; as it is where nobody looks on."""
    width = shutil.get_terminal_size().columns
    first, *rest = shown.splitlines()
    usage = re.sub(r"\[[^]]*\]", lambda group: group[0].replace(" ", _GLUE), first)
    lines = [flowed(line, width, indent=_text_begins(line, width)) for line in (usage, *rest)]
    return "\n".join([*lines, ""]).replace(_GLUE, " ")


def _text_begins(line: str, width: int) -> int:
    """Behind the blanks that part an option from its help, or the program from what it takes; else a little in."""
    gap = re.match(r"\s+\S.*?\s{2,}(?=\S)|\s{8,}(?=\S)|\S.*?(?=\[)", line)
    return cells(gap[0]) if gap and cells(gap[0]) < width // 2 else 4


def _close(word: str, words: Sequence[str]) -> str:
    return next(iter(difflib.get_close_matches(word, words, n=1)), "")


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
