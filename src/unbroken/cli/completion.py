"""``unbroken completion``: a script by which a shell completes this command's words."""

import argparse

from unbroken.cli.commands import NAMES, parser_for
from unbroken.cli.output import print_json
from unbroken.messages import text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", metavar="SHELL", choices=("bash", "zsh", "fish", "tcsh"), help=text("cli_help_shell"))


def run(arguments: argparse.Namespace) -> int:
    """Prints the script; it is to be read by the shell: ``eval "$(unbroken completion bash)"``."""
    import shtab

    script: str = shtab.complete(parser_for(NAMES), shell=arguments.shell)
    if arguments.json:
        print_json({"shell": arguments.shell, "script": script})
    else:
        print(script)
    return 0
