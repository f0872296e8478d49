"""The command line: every flag with its help and its range, in the user's language; wrong ones end with exit code 2."""

import argparse
import math
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import date
from typing import Any, NoReturn

from forecaster.messages import LANGUAGES, text
from forecaster.options import COLUMN_FLAGS, Options

_DURATION = re.compile(r"\d+(\.\d+)?(s|sec|min|m|h|d)?")
_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d{1,3})?")

_DEFAULT = {field.name: field.default for field in fields(Options)}


def parse_flags(
    argv: Sequence[str], *, about: str, extra: Callable[["Parser"], object] | None = None
) -> dict[str, Any]:
    """The flags that were given, by field name of Options; ``--lang`` takes effect at once.

    ``extra`` adds a command's own flags.

    Exits with code 2 and one line where a flag is unknown or out of range, with 0 after ``--help``.
    """
    _apply_language(argv)
    parser = make_parser(text(about))
    if extra is not None:
        extra(parser)
    given = vars(parser.parse_args(argv))
    given.pop("lang", None)
    if "train_end" in given and "train_fraction" in given:
        parser.error(text("both_splits"))
    return given


def make_parser(description: str) -> "Parser":
    """The parser of all training flags; what is not given is absent from its result."""
    parser = Parser(
        description=description,
        formatter_class=_HelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
        add_help=False,
    )
    _add_task(parser.add_argument_group(text("group_task")))
    _add_training(parser.add_argument_group(text("group_training")))
    _add_saving(parser.add_argument_group(text("group_saving")))
    other = parser.add_argument_group(text("group_other"))
    other.add_argument("--lang", type=_choice(*LANGUAGES), metavar=f"{{{','.join(LANGUAGES)}}}", help=text("help_lang"))
    other.add_argument("-h", "--help", action="help", help=text("help_help"))
    return parser


class Parser(argparse.ArgumentParser):
    """An argument parser whose own few sentences are in the user's language too."""

    def error(self, message: str) -> NoReturn:
        if unknown := re.fullmatch(r"unrecognized arguments: (.*)", message, re.DOTALL):
            message = text("unknown_flags", flags=unknown[1])
        elif lacking := re.fullmatch(r"argument (\S+): expected .* argument.*", message):
            message = text("needs_value", flag=lacking[1])
        else:
            message = re.sub(r"^argument (?:-\w/)?(\S+): ", r"\1: ", message)
        self.exit(2, text("error", program=self.prog, message=message) + "\n")


class _HelpFormatter(argparse.HelpFormatter):
    def format_help(self) -> str:
        # argparse puts a colon of ASCII behind every heading.
        return re.sub(r"(?m)^(\S.*[^\x00-\x7f]):$", r"\1：", super().format_help())

    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: str | None = None) -> None:
        super().add_usage(usage, actions, groups, text("usage") if prefix is None else prefix)


def _apply_language(argv: Sequence[str]) -> None:
    """Before the parser is built, which has sentences of its own; a wrong value is refused by the parser."""
    for flag, value in zip(argv, [*argv[1:], ""], strict=False):
        chosen = value if flag == "--lang" else flag.removeprefix("--lang=") if flag.startswith("--lang=") else ""
        if chosen in LANGUAGES:
            os.environ["UNBROKEN_LANG"] = chosen


def _add_task(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--data", metavar="FILE", help=text("help_data"))
    targets = ("volatility", "return")
    group.add_argument("--target", type=_choice(*targets), metavar="{volatility,return}", help=text("help_target"))
    group.add_argument("--train-end", type=_day, metavar="YYYY-MM-DD", help=text("help_train_end"))
    group.add_argument("--train-fraction", type=_number(0, 1), metavar="F", help=text("help_train_fraction"))
    group.add_argument("--drop-bad-rows", action=argparse.BooleanOptionalAction, help=text("help_drop_bad_rows"))
    for name in COLUMN_FLAGS:
        role = name.removesuffix("_column")
        group.add_argument(f"--{role}-column", metavar="NAME", help=text("help_column", role=role))


def _add_training(group: argparse._ArgumentGroup) -> None:
    _add(group, "epochs", integer(1, 1_000_000), "N", "help_epochs")
    _add(group, "batch_size", integer(1, 1_000_000), "N", "help_batch_size")
    _add(group, "lr", _number(0, 1, closed=True), "X", "help_lr")
    _add(group, "weight_decay", _number(0, 1, closed=True, from_zero=True), "X", "help_weight_decay")
    _add(group, "seed", integer(0, 2**63 - 1), "N", "help_seed")
    _add(group, "device", _device, "NAME", "help_device")
    _add(group, "threads", integer(1, 1024), "N", "help_threads")
    _add(group, "num_workers", integer(0, 1024), "N", "help_num_workers")
    group.add_argument("--amp", action=argparse.BooleanOptionalAction, help=text("help_amp"))


def _add_saving(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--resume", metavar="PATH", help=text("help_resume"))
    _add(group, "checkpoint_dir", str, "FOLDER", "help_checkpoint_dir")
    _add(group, "checkpoint_freq", integer(1, 1_000_000), "N", "help_checkpoint_freq")
    _add(group, "checkpoint_freq_steps", integer(1, 2**63 - 1), "N", "help_checkpoint_freq_steps")
    _add(group, "checkpoint_every_steps", integer(1, 2**63 - 1), "N", "help_checkpoint_every_steps")
    _add(group, "checkpoint_every", _duration_or_off, "TIME", "help_checkpoint_every")
    _add(group, "keep", integer(1, 1_000_000), "N", "help_keep")
    _add(group, "keep_best", integer(1, 1_000_000), "N", "help_keep_best")
    _add(group, "keep_every", integer(1, 1_000_000), "N", "help_keep_every")
    _add(group, "keep_every_steps", integer(1, 2**63 - 1), "N", "help_keep_every_steps")
    _add(group, "stop_after", _duration, "TIME", "help_stop_after")
    group.add_argument("--allow-changed-data", action="store_true", help=text("help_allow_changed_data"))


def _add(group: argparse._ArgumentGroup, name: str, kind: Callable[[str], object], metavar: str, key: str) -> None:
    flag = "--" + name.replace("_", "-")
    group.add_argument(flag, type=kind, metavar=metavar, help=text(key, default=_DEFAULT[name]))


def _choice(*choices: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in choices:
            raise argparse.ArgumentTypeError(text("bad_choice", value=value, choices=", ".join(choices)))
        return value

    return parse


def integer(low: int, high: int) -> Callable[[str], int]:
    """The type of a flag that takes a whole number from ``low`` to ``high``."""

    def parse(value: str) -> int:
        if not re.fullmatch(r"\d{1,19}", value, re.ASCII) or not low <= int(value) <= high:
            raise argparse.ArgumentTypeError(text("bad_integer", value=value, low=low, high=high))
        return int(value)

    return parse


def _number(low: float, high: float, *, closed: bool = False, from_zero: bool = False) -> Callable[[str], float]:
    def parse(value: str) -> float:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        above = number >= low if from_zero else number > low
        below = number <= high if closed else number < high
        if not (above and below):
            limits = f"{'>=' if from_zero else '>'} {low:g}, {'<=' if closed else '<'} {high:g}"
            raise argparse.ArgumentTypeError(text("bad_number", value=value, range=limits))
        return number

    return parse


def _duration(value: str) -> str:
    written = value.strip().lower()
    if not _DURATION.fullmatch(written) or float(re.match(r"[\d.]+", written)[0]) <= 0:  # type: ignore[index]
        raise argparse.ArgumentTypeError(text("bad_duration", value=value))
    return written


def _duration_or_off(value: str) -> str:
    return "off" if value.strip().lower() == "off" else _duration(value)


def _day(value: str) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise argparse.ArgumentTypeError(text("bad_day", value=value)) from None


def _device(value: str) -> str:
    if not _DEVICE.fullmatch(value):
        raise argparse.ArgumentTypeError(text("bad_device", value=value))
    return value
