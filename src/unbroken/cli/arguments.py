"""Arguments that several commands take."""

import argparse
from pathlib import Path

from unbroken.messages import text

DEFAULT_FOLDER = Path("checkpoints")


def add_folder(parser: argparse.ArgumentParser) -> None:
    """``[FOLDER]``, the checkpoint folder."""
    parser.add_argument(
        "folder", metavar="FOLDER", nargs="?", type=Path, default=DEFAULT_FOLDER, help=text("cli_help_folder")
    )


def positive(word: str) -> int:
    """A count of at least 1."""
    number = int(word)
    if number < 1:
        raise ValueError(word)
    return number
