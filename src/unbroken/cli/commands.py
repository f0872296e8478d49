"""Commands: their names, and the parser of a command line that may hold any of them."""

import argparse
import importlib
from collections.abc import Collection
from typing import Protocol

from unbroken import __version__
from unbroken.cli.parsing import Parser
from unbroken.messages import LANGUAGES, text

NAMES = {
    "list": "cli_help_list",
    "show": "cli_help_show",
    "report": "cli_help_report",
    "watch": "cli_help_watch",
    "verify": "cli_help_verify",
    "diff": "cli_help_diff",
    "resume-point": "cli_help_resume_point",
    "keep": "cli_help_keep",
    "prune": "cli_help_prune",
    "backup": "cli_help_backup",
    "restore": "cli_help_restore",
    "export": "cli_help_export",
    "audit": "cli_help_audit",
    "completion": "cli_help_completion",
}
"""Each with the sentence of its help."""


class Command(Protocol):
    """What a module of this package is, to be a command."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, arguments: argparse.Namespace) -> int: ...


def parser_for(words: Collection[str]) -> Parser:
    """The parser of ``unbroken``; of the commands only those among ``words`` know their own arguments.

    For a module is imported only for the command that was typed, as some take longer than a listing may.
    """
    common = Parser(add_help=False)
    common.add_argument("--lang", choices=LANGUAGES, default=argparse.SUPPRESS, help=text("cli_help_lang"))
    common.add_argument("--help", "-h", action="help", help=text("cli_help_help"))
    parser = Parser(
        prog="unbroken", description=text("cli_description"), parents=[common], add_help=False, allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=__version__, help=text("cli_help_version"))
    children = parser.add_subparsers(metavar="COMMAND", dest="command", required=True)
    words_first = next((word for word in words if not word.startswith("-")), None)
    for name, key in NAMES.items():
        said = text(key)
        child = children.add_parser(
            name, help=said, description=said, parents=[common], add_help=False, allow_abbrev=False
        )
        if name in words:
            command = _command(name)
            command.add_arguments(child)
            child.add_argument("--json", action="store_true", help=text("cli_help_json"))
            child.set_defaults(run=command.run)
            if words_first == name:
                parser.child = child
    return parser


def _command(name: str) -> Command:
    module: Command = importlib.import_module(f"unbroken.cli.{name.replace('-', '_')}")
    return module
