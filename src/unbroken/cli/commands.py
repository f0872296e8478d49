"""Commands: their names, and the parser of a command line that may hold any of them."""

import argparse
import importlib
from collections.abc import Collection
from typing import Protocol

from unbroken import __version__
from unbroken.cli.parsing import Parser
from unbroken.messages import LANGUAGES, text

NAMES = (
    "list",
    "show",
    "verify",
    "diff",
    "resume-point",
    "keep",
    "prune",
    "backup",
    "restore",
    "export",
    "audit",
    "completion",
)


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
    for name in NAMES:
        said = text(f"cli_help_{name.replace('-', '_')}")
        child = children.add_parser(
            name, help=said, description=said, parents=[common], add_help=False, allow_abbrev=False
        )
        if name in words:
            command = _command(name)
            command.add_arguments(child)
            child.add_argument("--json", action="store_true", help=text("cli_help_json"))
            child.set_defaults(run=command.run)
    return parser


def _command(name: str) -> Command:
    module: Command = importlib.import_module(f"unbroken.cli.{name.replace('-', '_')}")
    return module
