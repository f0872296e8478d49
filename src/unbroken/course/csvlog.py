"""A CSV of a run: one row per call, each step's once, however often the run was killed and gone on with."""

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from unbroken.course.course import Course
from unbroken.course.stopping import STEP as IN_STEP
from unbroken.disk import durable
from unbroken.errors import UsageError

_STEP = "step"

Row = dict[str, str]


class CsvLog:
    """``log(loss=0.3)`` appends a row: the step, and the values under their names; new names get a column behind.

    When the run is gone on with, rows behind the step of its state are cut off, durably: these steps are trained, and
    written, again. Where an older state was asked for, a copy of the file as it was stays beside it. A
    row is with the system when the call returns: a kill loses none, a power cut may.
    """

    def __init__(self, path: Path, course: Callable[[], Course]) -> None:
        self._path = path
        self._course = course
        self._columns: list[str] = []
        self._begun: Course | None = None
        self._again: Counter[object] = Counter()
        self._go_on()

    def __call__(self, **values: Any) -> None:
        """Append one row for the step in hand; between batches for the last one done.

        Raises:
            UsageError: a value is named ``step``.
            DiskError: the row could not be written; the file is as it was.
        """
        if _STEP in values:
            raise UsageError("csv_step")
        self._go_on()
        if not self._course().ranks.is_first:
            return  # one file has the rows of one rank
        row = {_STEP: str(self._step()), **{name: _text(value) for name, value in values.items()}}
        if self._was_written(row):
            return
        new = [name for name in row if name not in self._columns]
        if new:
            rows = list(self._rows())
            self._columns += new
            self._rewrite([*rows, row])
        else:
            durable.append(self._path, _lines(self._columns, [row]))

    def rows(self) -> list[Row]:
        """All rows so far, as text by column: for a logger that loses points when its process is killed."""
        self._go_on()
        return list(self._rows())

    def _go_on(self) -> None:
        """Once for each beginning of the run, also in a process that lives on."""
        course = self._course()
        if course is self._begun:
            return
        self._begun = course
        if not course.ranks.is_first:
            return
        rows = list(self._rows())
        if course.resumed_from is None and rows:
            durable.move_durably(self._path, _free_name(self._path))
            rows, self._columns = [], []
        done, first = course.begun_at, course.begun_at - course.begun_in_batch
        kept = [row for row in rows if row[_STEP].isdecimal() and int(row[_STEP]) <= done]
        if len(kept) != len(rows) or self._is_torn():
            if len(kept) != len(rows) and _leaves_rows_for_good(course):
                self._copy_aside()
            self._rewrite(kept)
        # The code before the batches of an epoch runs again, with the step before that epoch.
        last = [row for row in kept if int(row[_STEP]) == first]
        self._again = Counter(self._known_by(row) for row in last)

    def _was_written(self, row: Row) -> bool:
        key = self._known_by(row)
        if self._again[key] == 0:
            return False
        self._again[key] -= 1
        return True

    def _known_by(self, row: Row) -> object:
        """Inside an epoch all that its beginning writes is there; between two it may be, if it is the very same."""
        filled = {name: text for name, text in row.items() if text}
        inside = self._begun is not None and self._begun.begun_in_batch > 0
        return (row[_STEP], *sorted(filled if inside else filled.items()))

    def _step(self) -> int:
        course = self._course()
        cursor = course.cursor
        if course.mid_epoch is not None:
            return cursor.step - cursor.batch
        return cursor.step + (1 if course.stopping.phase is IN_STEP else 0)

    def _rows(self) -> Iterator[Row]:
        if not self._path.exists():
            return
        with self._path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file)
            self._columns = next(reader, [])
            if self._columns and self._columns[0] != _STEP:
                raise UsageError("csv_not_ours", path=self._path)
            for cells in reader:
                if len(cells) == len(self._columns):
                    yield dict(zip(self._columns, cells, strict=True))

    def _is_torn(self) -> bool:
        content = self._path.read_bytes() if self._path.exists() else b""
        return bool(content) and not content.endswith(b"\n")

    def _copy_aside(self) -> None:
        content = self._path.read_bytes()

        def write(file: BinaryIO) -> None:
            file.write(content)

        # The file itself stays until the new one is there: a kill in between loses nothing.
        durable.write_durably(_free_name(self._path), write)

    def _rewrite(self, rows: list[Row]) -> None:
        content = _lines(self._columns, [dict(zip(self._columns, self._columns, strict=True)), *rows])

        def write(file: BinaryIO) -> None:
            file.write(content)

        durable.write_durably(self._path, write)


def _leaves_rows_for_good(course: Course) -> bool:
    """Whether the run went back to an older state that was asked for: what follows need not become what it was."""
    parent = course.kept_by.identity.parent
    return parent is not None and parent["step"] == course.begun_at


def _lines(columns: list[str], rows: list[Row]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([row.get(name, "") for name in columns] for row in rows)
    return text.getvalue().encode()


def _text(value: Any) -> str:
    """A number with all its digits; of a tensor or an array of one element, that element."""
    item = getattr(value, "item", None)
    return str(item() if callable(item) else value)


def _free_name(path: Path) -> Path:
    number = 1
    while (name := path.with_name(f"{path.stem}.former-{number}{path.suffix}")).exists():
        number += 1
    return name
