"""Runs a training loop whole, killed and stopped, each in forked processes, and tells how the ends compare.

A loop is a function of a ``Trial``: it makes its run by ``trial.run``, calls ``trial.at(step)`` in every step, and
returns what it ends with. Never silently wrong: an end that is not the whole run's must have been refused or told of.
"""

import logging
import os
import re
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import torch

import unbroken
from tests.kill.toolkit.digests import digest

_PATIENCE = 120  # seconds of processor time
# What is said of every resume in which this was changed, whether or not it is exact.
_NO_NEWS = re.compile(r"(Environment|Parameter)\b")

Loop = Callable[["Trial"], object]


@dataclass
class Outcome:
    """``end`` is empty if there was none. ``said``: lines of the log from WARNING up; ``log``: all lines."""

    code: int
    end: dict[str, str]
    said: list[str]
    log: list[str]

    @property
    def replayed(self) -> int:
        """How many steps a resume said to have trained again, bit for bit."""
        found = [re.search("已重放 ([0-9]+) 步，与中断前逐位一致", line) for line in self.log]
        return sum(int(match[1]) for match in found if match)


@dataclass
class Trial:
    """One process of a loop: ``how`` it is to end, and in which step."""

    how: str
    step: int
    options: dict[str, Any]
    runs: list[unbroken.Run] = field(default_factory=list)

    def run(self, **options: Any) -> unbroken.Run:
        run = unbroken.Run("checkpoints", **{"every_steps": 4, "every": None, **self.options, **options})
        self.runs.append(run)
        return run

    def at(self, step: int) -> None:
        """A moment at which the process may be ended."""
        if step != self.step or self.how == "whole":
            return
        if self.how == "kill":
            self.runs[-1].flush()  # what was handed over is on disk
            os.kill(os.getpid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGINT if self.how == "interrupt" else signal.SIGTERM)


def outcome(loop: Loop, folder: Path, *ends: tuple[str, int], **options: Any) -> Outcome:
    """Run ``loop`` in ``folder``: once for each of ``ends`` (kill, stop or interrupt, and the step), then whole."""
    folder.mkdir(parents=True, exist_ok=True)
    code = 0
    for number, (how, step) in enumerate((*ends, ("whole", 0))):
        code = _in_a_child(Trial(how, step, options), loop, folder, number)
    end, said, log = (folder / name for name in ("end", "said", "log"))
    lines = dict(line.split("\t", 1) for line in end.read_text().splitlines()) if end.exists() else {}
    return Outcome(code, lines, _lines(said), _lines(log))


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _in_a_child(trial: Trial, loop: Loop, folder: Path, number: int) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        _become(trial, loop, folder, number)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _become(trial: Trial, loop: Loop, folder: Path, number: int) -> NoReturn:
    """Never returns: an exception of the loop's must not reach the tests' own process."""
    code = 99
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (_PATIENCE, _PATIENCE))
        os.chdir(folder)
        os.environ["UNBROKEN_LANG"] = "en"
        output = os.open(f"output-{number}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        torch.set_num_threads(1)
        logger = logging.getLogger("unbroken")
        logger.setLevel(logging.INFO)
        for path, level in (("said", logging.WARNING), ("log", logging.INFO)):
            for one in (logger, logging.getLogger("unbroken.contract")):
                one.addHandler(_Kept(Path(path), level))
        code = _code_of(trial, loop)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _code_of(trial: Trial, loop: Loop) -> int:
    try:
        found = loop(trial)
        for run in trial.runs:
            run.close()
        Path("end").write_text("".join(f"{name}\t{bits}\n" for name, bits in digest(found, "").items()))
    except SystemExit as stopped:
        for run in trial.runs:
            run.close()
        return stopped.code if isinstance(stopped.code, int) else 1
    except unbroken.UnbrokenError as error:
        print(f"refused: {error}")
        return error.exit_code
    return 0


class _Kept(logging.Handler):
    def __init__(self, path: Path, level: int) -> None:
        super().__init__(level)
        self._path = path

    def emit(self, record: logging.LogRecord) -> None:
        line = record.getMessage().replace("\n", " ")
        if record.levelno < logging.WARNING or self.level < logging.WARNING or not _NO_NEWS.match(line):
            with self._path.open("a") as file:
                file.write(line + "\n")
