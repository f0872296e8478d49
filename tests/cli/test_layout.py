"""Tables and sentences at any width: words whole, dates whole, what matters least gone first; real terminals."""

import itertools
import os
import pty
import re
import subprocess
import sys
import termios
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.conftest import Command
from unbroken.cli.layout import Column, cells, flowed, lay_out, wrapped
from unbroken.cli.output import columns
from unbroken.store.folder import CheckpointFolder

WORDS = st.lists(st.text("ab中文，。（）()-.", min_size=1, max_size=9), max_size=12).map(
    lambda words: " ".join(word.lstrip("，。）") or "a" for word in words)
)
LIST = (
    *("cli_column_file", "cli_column_epoch", "cli_column_batch", "cli_column_step", "cli_column_best"),
    *("cli_column_size", "cli_column_saved", "cli_column_state", "cli_column_verified"),
)
ROW = [
    *("checkpoint_epoch_100.pth", "100", "123/500", "50123", "0.734512 (87)", "1.2 GB", "2026-01-02 03:04:05"),
    *("good", "2026-01-03"),
]


def on_terminal(width: int, *words: str, variables: Mapping[str, str] | None = None) -> str:
    """What ``unbroken WORDS`` shows on a terminal of that width, escape sequences and all."""
    keyboard, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (50, width))
    env = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    env |= {"TERM": "xterm", **(variables or {})}
    command = [sys.executable, "-m", "unbroken", *words]
    with subprocess.Popen(command, stdout=terminal, stderr=terminal, env=env):
        os.close(terminal)
        shown = b""
        try:
            while chunk := os.read(keyboard, 4096):
                shown += chunk
        except OSError:  # the other end is closed
            pass
    os.close(keyboard)
    return shown.decode().replace("\r\n", "\n")


def plain(shown: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)


@given(WORDS, st.integers(20, 60))
def test_wrapped_loses_nothing_and_fits(text: str, width: int) -> None:
    lines = wrapped(text, width)
    assert all(cells(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())
    for line, following in itertools.pairwise(lines):
        assert not following.startswith(("，", "。", "）"))
        if line[-1].isascii() and following[0].isascii():  # broken at a blank, not in a word
            assert f"{line[-1]} {following[0]}" in text


@given(WORDS, st.integers(20, 60))
def test_a_sentence_flows_in_whole_words(text: str, width: int) -> None:
    lines = flowed(text, width, indent=2).split("\n")
    assert all(cells(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_a_word_longer_than_the_line_is_broken_in_a_cell_only() -> None:
    assert wrapped("see /a/very/long/path", 8) == ["see", "/a/very/", "long/pat", "h"]
    assert flowed("see /a/very/long/path now", 8) == "see\n/a/very/long/path\nnow"


@given(st.integers(24, 140))
def test_a_listing_fits_at_any_width_and_breaks_no_name_and_no_date(width: int) -> None:
    table = lay_out(columns(*LIST), [ROW], width)
    shown = "\n".join(table.rows[0])
    dropped = set(table.dropped)
    if width >= 40:
        assert all(cells(line) <= width for line in [*table.titles, *table.rows[0]])
    assert "checkpoint_epoch_100.pth" in shown
    assert ("2026-01-02 03:04" in shown) == ("saved" not in dropped)
    assert ("1.2GB" in shown.replace("1.2 GB", "1.2GB")) == ("size" not in dropped)
    order = ["verified", "step", "best (epoch)", "batch", "size", "saved"]
    assert table.dropped == order[: len(table.dropped)]
    if width >= 110:
        assert not dropped and len(table.rows[0]) == 1
    if width >= 78:
        assert not dropped - {"verified", "step"}


def test_what_is_indented_stays_so() -> None:
    rows = [["  threads", "1"], ["  float32_matmul_precision", "highest and more"], ["platform", "a" * 40]]
    table = lay_out([Column(""), Column("")], rows, 44)
    assert all(row[0].startswith(first[:4]) for row, (first, _) in zip(table.rows, rows, strict=True))


def test_columns_of_words_give_way_before_others_go() -> None:
    long = "the file is cut off, and nothing of it can be read"
    table = lay_out([Column("name", whole=True), Column("why not")], [["checkpoint_latest.pth", long]], 50)
    assert table.rows[0][0].startswith("checkpoint_latest.pth the file")
    assert " ".join(line[21:].strip() for line in table.rows[0]) == long


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.one_in(3)
def test_nothing_is_wider_than_a_real_terminal(run: CheckpointFolder, width: int, language: str) -> None:
    assert on_terminal(width, "verify", variables={"UNBROKEN_LANG": language})
    for words in (
        ["list"],
        ["verify"],
        ["prune", "--keep", "1", "--dry-run"],
        ["resume-point"],
        ["--help"],
        ["prune", "--help"],
    ):
        shown = plain(on_terminal(width, *words, variables={"UNBROKEN_LANG": language}))
        for line in shown.splitlines():
            assert cells(line) <= width, (words, line)
        if words == ["list"]:
            assert shown.count("2026-01-02 03:04") == len(run.checkpoints())
            for path in run.checkpoints():
                assert f"{path.name} " in shown


@pytest.mark.parametrize("words", [["list"], ["lsit"]])
def test_colours_are_for_terminals_that_want_them(run: CheckpointFolder, unbroken: Command, words: list[str]) -> None:
    run.manifest("checkpoint_epoch_5.pth").unlink()  # unverified is yellow
    if words == ["list"]:
        assert "\x1b[33m" in on_terminal(120, *words)
    for variables in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b[" not in on_terminal(120, *words, variables=variables)
    said = unbroken(*words)
    assert "\x1b[" not in said.out + said.err


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["lsit"], "did you mean list?"),
        (["ls"], "did you mean list?"),
        (["verfy", "--deep"], "did you mean verify?"),
        (["resume_point"], "did you mean resume-point?"),
        (["prune", "--kepe", "3"], "did you mean --keep?"),
        (["prune", "--keep-bst=3"], "did you mean --keep-best?"),
        (["completion", "fsh"], "did you mean fish?"),
    ],
)
def test_a_slip_of_the_fingers_is_answered(unbroken: Command, words: list[str], meant: str) -> None:
    said = unbroken(*words)
    assert said.code == 2 and meant in said.err


def test_what_is_like_nothing_is_not_guessed_at(unbroken: Command) -> None:
    assert "did you mean" not in unbroken("xyzzy").err + unbroken("list", "--frobnicate").err
