"""Traces as the audit reads them: line by line, never a whole one in memory, and a torn end is no line."""

import json
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from unbroken.loop.trace import Kind, Name, folder_of

_HEAD = frozenset({"line", "run", "step", "epoch", "batch", "at", "values"})


@dataclass(frozen=True)
class Moment:
    """Where a line was written: comparable between processes, and between runs."""

    run: str
    kind: Kind
    step: int
    epoch: int
    batch: int

    @property
    def key(self) -> tuple[str, Kind, int]:
        """The same moment in another process. A save and the beginning of a run have no counterpart."""
        return self.run, self.kind, self.epoch if self.kind is Kind.EPOCH else self.step


@dataclass(frozen=True)
class Line:
    """One line: when and where it was written, and what the run was made of then."""

    moment: Moment
    at: float
    values: Mapping[Name, str]
    facts: Mapping[str, Any]

    @property
    def resumed(self) -> bool:
        """For the beginning of a run: whether it went on from a checkpoint."""
        return self.facts.get("resumed_from") is not None


class Traced(Protocol):
    """The lines of one process; ``find`` gives the one of the same key in it."""

    def lines(self) -> Iterator[Line]: ...

    def find(self, key: tuple[str, Kind, int]) -> Line | None: ...

    def last(self) -> Line | None: ...


class Trace:
    """The trace file of one process, read as asked. One that was never written has no lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: dict[tuple[str, Kind, int], tuple[int, list[Name]]] | None = None

    def lines(self) -> Iterator[Line]:
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            yield from (line for _, _, line in _read(file))

    def find(self, key: tuple[str, Kind, int]) -> Line | None:
        if not self._path.exists():
            return None
        with self._path.open("rb") as file:
            if self._places is None:
                self._places = {line.moment.key: (offset, names) for offset, names, line in _read(file)}
            if key not in self._places:
                return None
            offset, names = self._places[key]
            file.seek(offset)
            return _line(json.loads(file.readline()), names)

    def last(self) -> Line | None:
        """Where the process was when it ended; of several ranks the first, for the others end in any order."""
        of_first = (line for line in self.lines() if folder_of(line.moment.run) == line.moment.run)
        return next(iter(deque(of_first, maxlen=1)), None)


class Tail:
    """Follows a trace that is being written: ``new`` gives the lines that came since it was last asked."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._rest = b""

    def new(self) -> list[Moment]:
        if self._file is None:
            if not self._path.exists():
                return []
            self._file = self._path.open("rb")
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        told = [json.loads(line) for line in lines]
        return [_moment(line) for line in told if line["line"] != "names"]

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _read(file: BinaryIO) -> Iterator[tuple[int, list[Name], Line]]:
    """Every whole line, where it starts, and the names of its values."""
    names: dict[str, list[Name]] = {}
    known: dict[str, Name] = {}
    offset = 0
    for data in file:
        if not data.endswith(b"\n"):
            return  # the process was killed in the middle of the line
        told = json.loads(data)
        if told["line"] == "names":
            names[told["run"]] = [known.setdefault(text, Name.parse(text)) for text in told["names"]]
        else:
            here = names.get(told["run"], [])
            yield offset, here, _line(told, here)
        offset += len(data)


def _line(told: Mapping[str, Any], names: list[Name]) -> Line:
    values = dict(zip(names, told["values"], strict=True)) if told["values"] else {}
    facts = {key: value for key, value in told.items() if key not in _HEAD}
    return Line(_moment(told), told["at"], values, facts)


def _moment(told: Mapping[str, Any]) -> Moment:
    return Moment(told["run"], Kind(told["line"]), told["step"], told["epoch"], told["batch"])
