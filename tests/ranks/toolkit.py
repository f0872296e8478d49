"""Starts the processes of one training, forked from this one, kills or signals some of them, and gathers their ends."""

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.ranks.program import KINDS, Kind, child

_PATIENCE = 120.0
_GRACE = 3.0  # seconds


@dataclass(frozen=True)
class Strike:
    """A signal to some ranks, when ``watched`` has told its line number ``line``, and so many seconds later."""

    ranks: tuple[int, ...]
    watched: int
    line: int
    later: float = 0.0
    number: signal.Signals = signal.SIGKILL


@dataclass
class Attempt:
    """The processes of one start: exit codes (negative: the signal), log, what was told and what they ended with."""

    codes: list[int]
    logs: list[str]
    told: list[list[str]]
    ends: list[Any]
    seconds: float

    @property
    def done(self) -> bool:
        return all(code == 0 for code in self.codes)


def start(
    kind: Kind | str,
    size: int,
    folder: Path,
    strike: Strike | None = None,
    run: Callable[..., int] = child,
    grace: float = _GRACE,
    **options: Any,
) -> Attempt:
    """Train with ``size`` processes until all have ended; ``grace`` is how long the others may go on after a strike."""
    known = KINDS[kind] if isinstance(kind, str) else kind
    place = Path(f"{folder}.attempts")
    place.mkdir(exist_ok=True)
    number = len(list(place.iterdir()))
    outs = [place / f"{number}-{rank}" for rank in range(size)]
    meeting = Path(f"{folder}.meeting{number}")
    began = time.monotonic()
    processes = [
        forked(lambda r=rank: run(known, r, size, folder, meeting, outs[r], **options)) for rank in range(size)
    ]
    codes: dict[int, int] = {}
    struck_at: float | None = None
    while len(codes) < size:
        for rank, process in enumerate(processes):
            if rank not in codes:
                found, status = os.waitpid(process, os.WNOHANG)
                if found:
                    codes[rank] = os.waitstatus_to_exitcode(status)
        now = time.monotonic()
        if strike is not None and struck_at is None and len(_lines(f"{outs[strike.watched]}.told")) > strike.line:
            time.sleep(strike.later)
            for rank in strike.ranks:
                if rank not in codes:
                    os.kill(processes[rank], strike.number)
            struck_at = now
        # A launcher ends the others when one has died; not all of them notice by themselves before their time-out.
        if now - began > _PATIENCE or (struck_at is not None and codes and now - struck_at > grace):
            for rank, process in enumerate(processes):
                if rank not in codes:
                    os.kill(process, signal.SIGKILL)
        time.sleep(0.0005 if struck_at is None else 0.005)
    meeting.unlink(missing_ok=True)
    seconds = time.monotonic() - began
    logs = [Path(f"{out}.log").read_text() if Path(f"{out}.log").exists() else "" for out in outs]
    ends = [json.loads(Path(f"{out}.json").read_text()) if Path(f"{out}.json").exists() else None for out in outs]
    return Attempt([codes[r] for r in range(size)], logs, [_lines(f"{out}.told") for out in outs], ends, seconds)


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except FileNotFoundError:
        return []


def forked(do: Callable[[], int]) -> int:
    """The number of a new process that does this and ends with the code it comes to."""
    process = os.fork()
    if process:
        return process
    code = 70
    try:
        code = do()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def differences(ends: Sequence[Mapping[str, Any]], whole: Sequence[Mapping[str, Any]]) -> list[str]:
    """Where the ends of the ranks are not those of the run left alone."""
    return [
        f"rank {rank}: {name}"
        for rank, (one, other) in enumerate(zip(ends, whole, strict=True))
        for name in other
        if one[name] != other[name]
    ]
