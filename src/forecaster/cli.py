"""The two commands, ``Training.py`` and ``resume_training.py``: flags, log, exit codes; imports what trains late."""

import json
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import unbroken
from forecaster.errors import AccessError, InputError
from forecaster.flags import Parser, parse_flags
from forecaster.messages import text
from forecaster.needs import require_packages
from forecaster.options import Options, continued

if TYPE_CHECKING:
    from rich.console import Console

CACHE = Path("processed_data.npz")
LOG = Path("training.log")
RESULTS = Path("results.json")
PICTURE = Path("training_curves.png")

_log = logging.getLogger("forecaster")


def training(argv: Sequence[str]) -> int:
    """``Training.py``: from the start, or from ``--resume PATH``; returns the exit code."""
    given = parse_flags(argv, about="about_train")
    return _run(given, auto=False)


def resume(argv: Sequence[str], *, list_checkpoints: Callable[[str], int]) -> int:
    """``resume_training.py``: from the newest good checkpoint; exit code 3 and advice where there is none.

    ``--list`` hands the folder to ``list_checkpoints`` and imports nothing that trains.
    """
    given = parse_flags(argv, about="about_resume", extra=_add_list)
    if given.pop("list", False):
        return list_checkpoints(given.get("checkpoint_dir", Options.checkpoint_dir))
    return _run(given, auto=True)


def _add_list(parser: Parser) -> None:
    parser.add_argument("--list", action="store_true", help=text("help_list"))


def _run(given: Mapping[str, Any], *, auto: bool) -> int:
    from forecaster.logs import open_log

    try:
        require_packages()
        console = open_log(LOG)
    except (AccessError, InputError) as error:
        print(error, file=sys.stderr)
        return error.exit_code
    try:
        return _train(_choose_options(given, auto=auto), console)
    except unbroken.UnbrokenError as error:
        _log.error(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except Exception:
        _log.exception(text("unexpected"))
        return 1


def _choose_options(given: Mapping[str, Any], *, auto: bool) -> Options:
    """The run's options: of one that is resumed those it was started with, but for the flags given now."""
    if not auto and "resume" not in given:
        return replace(Options(), **given)
    from forecaster.former import newest_parameters, saved_parameters

    if "resume" in given:
        source = Path(given["resume"])
        saved = saved_parameters(source)
    else:
        source = Path(given.get("checkpoint_dir", Options.checkpoint_dir))
        saved = newest_parameters(source, CACHE)
        given = {**given, "resume": "auto"}
    options = continued(given, saved, source)
    if options.allow_changed_data:
        day = options.split_day()
        _log.info(text("split_stays", day=day)) if day else _log.warning(text("split_unknown"))
    return options


def _train(options: Options, console: "Console") -> int:
    given = {name: value for name, value in options.parameters().items() if value is not None}
    _log.info(text("parameters", parameters=json.dumps(given, ensure_ascii=False)))

    from forecaster.plots import draw, resumed_epochs
    from forecaster.progress import EpochReport
    from forecaster.results import write_results
    from forecaster.train import train

    outcome = train(options, cache=CACHE, report=EpochReport(console))
    _log.info(
        text(
            "result",
            last=outcome.correlations[-1],
            best=outcome.best,
            best_epoch=outcome.best_epoch,
            ridge=outcome.yardsticks.ridge,
            persistence=outcome.yardsticks.persistence,
        )
    )
    write_results(RESULTS, outcome, options)
    draw(PICTURE, outcome, options.target, resumed_epochs(LOG))
    _log.info(text("written", results=RESULTS, picture=PICTURE))
    return 0 if outcome.unsafe is None else outcome.unsafe.exit_code
