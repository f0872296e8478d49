"""Data that cannot be trained on, and flags out of range: one line, exit code 2, nothing touched."""

import gzip
import os
import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.contract.commands import USAGE, Ended, assert_refused, digests, run
from tests.contract.conftest import Trained, real_panel

Refusals = dict[str, "Future[Ended]"]

FAR_TOO_LARGE = 1 << 42  # bytes, of which none is on the disk


def _changed(line: int, column: str, value: str) -> str:
    """The panel with one field changed; line 1 is the header."""
    lines = real_panel().splitlines()
    fields = lines[line - 1].split(",")
    fields[lines[0].split(",").index(column)] = value
    lines[line - 1] = ",".join(fields)
    return "\n".join([*lines, ""])


def _constant(column: str) -> str:
    header, *rows = real_panel().splitlines()
    place = header.split(",").index(column)
    fields = [row.split(",") for row in rows]
    return "\n".join([header, *(",".join([*row[:place], "7", *row[place + 1 :]]) for row in fields), ""])


def _write(content: str | bytes) -> Callable[[Path], None]:
    return lambda path: (path.write_bytes if isinstance(content, bytes) else path.write_text)(content)  # type: ignore


def _write_huge(path: Path) -> None:
    path.write_text(real_panel())
    os.truncate(path, FAR_TOO_LARGE)


def _write_bomb(path: Path) -> None:
    """A few kilobytes of gzip whose only row is one field of megabytes."""
    with gzip.open(path, "wt", compresslevel=1) as file:
        file.write(real_panel() + "x" * (8 << 20))


@dataclass(frozen=True)
class Bad:
    """A data file and what must be said about it: beside its name what is wrong, where in it, and what to do."""

    write: Callable[[Path], object]
    said: tuple[str, ...]
    name: str = "bad.csv"


BAD = {
    "missing": Bad(lambda path: None, ("no data file", "--data")),
    "a folder": Bad(Path.mkdir, ("not a regular file", "--data")),
    "empty": Bad(_write(""), ("empty (0 bytes)", "--data")),
    "a header alone": Bad(_write(real_panel().splitlines()[0] + "\n"), ("no usable row", "--data")),
    "binary": Bad(_write(bytes(range(256)) * 100), ("binary", "CSV", "--data")),
    "no text": Bad(_write(b"\xff\xfe\x80\x81" * 1000 + b"\n"), ("not text", "UTF-8")),
    "damaged gzip": Bad(_write(gzip.compress(real_panel().encode())[:-100]), ("gzip", "get it again"), "bad.csv.gz"),
    "huge": Bad(_write_huge, ("too large", "fewer stocks")),
    "unpacks to megabytes in one field": Bad(_write_bomb, ("row 362", "--drop-bad-rows"), "bad.csv.gz"),
    "another table": Bad(_write("name,age\nann,3\nbob,4\n"), ("date", "name, age", "--date-column")),
    "without a column": Bad(_write(real_panel().replace("Close", "Fee", 1)), ("close", "Fee", "--close-column")),
    "rows longer than the header": Bad(
        _write(real_panel().replace("\n", ",1,2\n").replace(",1,2", "", 1)), ("more fields", "header")
    ),
    "shorter than a window": Bad(_write(real_panel(days=60)), ("81 rows", "120 rows in all", "more rows")),
    "too few days for a split": Bad(_write(real_panel(days=90)), ("validation windows", "104 days", "more days")),
    "too few days before the split": Bad(_write(real_panel(days=105)), ("validation windows", "--train-end from 20")),
    "a constant column": Bad(_write(_constant("Volume")), ("volume", "same value", "another column")),
    "NaN": Bad(_write(_changed(12, "Close", "NaN")), ("row 12", "AAPL", "close", "nan", "--drop-bad-rows")),
    "nothing in a field": Bad(_write(_changed(12, "Close", "")), ("row 12", "AAPL", "close", "--drop-bad-rows")),
    "infinite": Bad(_write(_changed(30, "Open", "inf")), ("row 30", "AAPL", "open", "inf", "--drop-bad-rows")),
    "minus infinity": Bad(_write(_changed(30, "Volume", "-inf")), ("row 30", "volume", "-inf", "--drop-bad-rows")),
    "text for a number": Bad(_write(_changed(5, "High", "n/k")), ("row 5", "high", "n/k", "--drop-bad-rows")),
    "a price of zero": Bad(_write(_changed(5, "Low", "0")), ("row 5", "low", "--drop-bad-rows")),
    "no date": Bad(_write(_changed(5, "Date", "05/01/2010")), ("row 5", "05/01/2010", "--drop-bad-rows")),
    "a day twice": Bad(_write(real_panel() + real_panel().splitlines()[-1] + "\n"), ("row 362", "IBM", "one row")),
    "what could move the cursor": Bad(
        _write(_changed(5, "Ticker", "\x1b[2J\x1b[31m").replace("\x1b[31m,20", "\x1b[31m,x20")), ("row 5", "\\x1b[2J")
    ),
}
QUICK = {
    *("missing", "empty", "binary", "huge", "without a column", "shorter than a window", "a constant column"),
    *("NaN", "infinite"),
}


@pytest.fixture(scope="module")
def refusals(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, finished: Trained
) -> Iterator[Refusals]:
    """What becomes of each bad file a test was asked for; two at a time, each in a folder that holds a finished run."""
    wanted = [
        item.callspec.params["kind"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.originalname == "test_bad_data_is_refused_in_one_line"
    ]

    def refuse(kind: str) -> Ended:
        folder = tmp_path_factory.mktemp("bad") / "work"
        shutil.copytree(finished.folder, folder)
        before = digests(folder)
        bad = BAD[kind]
        bad.write(folder / bad.name)
        ended = run(folder, "Training.py", "--data", bad.name)
        assert digests(folder, bad.name) == before
        return ended

    with ThreadPoolExecutor(max_workers=2) as both:
        yield {kind: both.submit(refuse, kind) for kind in wanted}


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, id=kind, marks=[] if kind in QUICK else pytest.mark.slow) for kind in BAD]
)
def test_bad_data_is_refused_in_one_line(refusals: Refusals, kind: str) -> None:
    ended = refusals[kind].result()
    assert_refused(ended, USAGE, BAD[kind].name, *BAD[kind].said)
    assert ended.err.rstrip("\n").isprintable()


@pytest.mark.slow
def test_bad_rows_are_dropped_if_asked_and_counted(fresh: Path) -> None:
    (fresh / "bad.csv").write_text(_changed(12, "Close", "NaN"))
    ended = run(fresh, "Training.py", "--data", "bad.csv", "--drop-bad-rows", "--epochs", "1")
    assert ended.code == 0 and "Dropped 1 row of bad.csv" in ended.out, ended.said


OUT_OF_RANGE = [
    ("--epochs", "0"),
    ("--epochs", "-3"),
    ("--epochs", "2.5"),
    ("--batch-size", "0"),
    ("--lr", "0"),
    ("--lr", "nan"),
    ("--seed", "-1"),
    ("--num-workers", "-1"),
    ("--threads", "0"),
    ("--device", "tpu"),
    ("--checkpoint-freq", "0"),
    ("--checkpoint-freq", "five"),
    ("--checkpoint-every-steps", "0"),
    ("--checkpoint-every", "0s"),
    ("--keep", "0"),
    ("--stop-after", "soon"),
    ("--train-fraction", "1.5"),
    ("--train-end", "2010-13-01"),
    ("--target", "price"),
    ("--lang", "fr"),
]


@pytest.mark.parametrize(("flag", "value"), OUT_OF_RANGE)
def test_a_flag_out_of_range_is_named_with_its_range(tmp_path: Path, flag: str, value: str) -> None:
    ended = run(tmp_path, "Training.py", flag, value)
    assert_refused(ended, USAGE, flag, value, "--help")
    assert ended.out == ""
    assert not any(tmp_path.iterdir())


def test_an_unknown_flag_is_named(tmp_path: Path) -> None:
    for program in ("Training.py", "resume_training.py"):
        assert_refused(run(tmp_path, program, "--epoch", "3"), USAGE, "--epoch", "--help")
    assert not any(tmp_path.iterdir())


@pytest.mark.slow
def test_a_batch_larger_than_the_data_is_one_batch(fresh: Path) -> None:
    ended = run(fresh, "Training.py", "--data", "panel.csv", "--epochs", "1", "--batch-size", "1000000")
    assert ended.code == 0 and re.search(r"\(1 batch per epoch", ended.out), ended.said


@pytest.mark.slow
def test_a_device_that_is_not_here_is_refused(fresh: Path) -> None:
    ended = run(fresh, "Training.py", "--data", "panel.csv", "--device", "cuda:97")
    assert_refused(ended, USAGE, "--device cuda:97", "--device auto")
