"""Entry: from the words of a command line to the command, and from its errors to an exit code."""

import argparse
import io
import os
import sys
from collections.abc import Sequence

from unbroken.cli.commands import parser_for
from unbroken.cli.output import fail
from unbroken.cli.parsing import Parser, WrongWordsError
from unbroken.errors import UnbrokenError, UsageError
from unbroken.messages import LANGUAGES

_INTERRUPTED = 130  # 128 + SIGINT, as shells report it
_NOBODY_READS = 141  # 128 + SIGPIPE


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; whatever goes wrong is said in one line, without a traceback.

    ``--lang`` sets ``UNBROKEN_LANG`` for this process. With ``--json`` standard output holds exactly one JSON
    document, an error's too.
    """
    _print_what_cannot_be_encoded()
    words = sys.argv[1:] if argv is None else argv
    try:
        arguments = _parse(words)
    except WrongWordsError as error:
        print(error.usage, end="", file=sys.stderr)
        return fail(UsageError(error.key, **error.values), as_json="--json" in words)
    except SystemExit as end:  # argparse has said what is wrong, or has shown the help
        return end.code if isinstance(end.code, int) else 2
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except UnbrokenError as error:
        return fail(error, as_json=arguments.json)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Python flushes once more at its end, and would complain then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _NOBODY_READS
    return code


def _parse(words: Sequence[str]) -> argparse.Namespace:
    language = Parser(prog="unbroken", add_help=False, allow_abbrev=False)
    language.add_argument("--lang", choices=LANGUAGES, default=argparse.SUPPRESS)
    words, behind_dashes = _split(list(words))
    chosen = language.parse_known_args(words)[0]  # first of all: the help below is in this language
    if "lang" in chosen:
        os.environ["UNBROKEN_LANG"] = chosen.lang
    parser = parser_for(words)
    if not words:
        parser.print_help(sys.stderr)
        raise SystemExit(2)
    return parser.parse_args(words, argparse.Namespace(behind_dashes=behind_dashes))


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """For the audit, the user's command apart from ours: none of its words is an option here."""
    asked = words[2:] if words[:1] == ["--lang"] else words[1:] if words and words[0].startswith("--lang=") else words
    if "--" not in words or asked[:1] != ["audit"]:
        return words, []
    place = words.index("--")
    return words[:place], words[place + 1 :]


def _print_what_cannot_be_encoded() -> None:
    """A file name, or Chinese on a terminal without it, must not end the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
