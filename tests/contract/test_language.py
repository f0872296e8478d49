"""Chinese or English: by --lang, UNBROKEN_LANG, the locale; the contract's lines are Chinese in both."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.contract.commands import DONE, USAGE, assert_refused, run
from tests.contract.conftest import Trained

CHINESE = re.compile("[一-鿿]")
# The lines that are Chinese in every language.
LITERAL = re.compile(
    r"恢复训练，从 epoch \d+ 开始|当前最佳相关系数: .*|第 \d+ 轮已完成 \d+/\d+ 批|已重放 \d+ 步，与中断前逐位一致"
)


def test_english_but_for_the_contracts_lines(finished: Trained, resumed: Trained) -> None:
    said = finished.ended.said + LITERAL.sub("", resumed.ended.said)
    assert not CHINESE.search(said), said
    assert len(LITERAL.findall(resumed.ended.out)) == 4


def test_chinese_from_the_first_line_to_the_last(interrupted: Trained, by_hand: Trained) -> None:
    for trained in (interrupted, by_hand):
        silent = [line for line in trained.ended.said.splitlines() if not CHINESE.search(line)]
        assert not silent
    assert len(LITERAL.findall(by_hand.ended.out)) == 3
    assert "SIGTERM" in interrupted.ended.out


@pytest.mark.parametrize(
    ("variables", "flags", "chinese"),
    [
        ({"UNBROKEN_LANG": "zh"}, (), True),
        pytest.param({"UNBROKEN_LANG": "en", "LANG": "zh_CN.UTF-8"}, (), False, marks=pytest.mark.slow),
        ({"UNBROKEN_LANG": "", "LANG": "zh_CN.UTF-8"}, (), True),
        pytest.param(
            {"UNBROKEN_LANG": "", "LC_ALL": "en_US.UTF-8", "LANG": "zh_CN.UTF-8"}, (), False, marks=pytest.mark.slow
        ),
        pytest.param({"UNBROKEN_LANG": "en"}, ("--lang", "zh"), True, marks=pytest.mark.slow),
        ({"UNBROKEN_LANG": "zh"}, ("--lang", "en"), False),
    ],
)
def test_who_decides_the_language(
    tmp_path: Path, variables: Mapping[str, str], flags: tuple[str, ...], chinese: bool
) -> None:
    for command in (("Training.py", "--epochs", "0"), ("resume_training.py",), ("unbroken", "list")):
        ended = run(tmp_path, *command, *flags, variables=variables)
        assert len(ended.err.splitlines()) == 1, ended.said
        assert bool(CHINESE.search(ended.err)) == chinese, ended.said


def test_help_is_whole_in_both_languages(tmp_path: Path) -> None:
    for program in ("Training.py", "resume_training.py"):
        english = run(tmp_path, program, "--help", "--lang", "en")
        chinese = run(tmp_path, program, "--help", "--lang", "zh")
        assert (english.code, chinese.code) == (DONE, DONE)
        flags = set(re.findall(r"--[a-z-]+", english.out))
        assert flags >= {"--resume", "--checkpoint-freq", "--checkpoint-every-steps", "--checkpoint-every", "--keep"}
        assert set(re.findall(r"--[a-z-]+", chinese.out)) >= flags
        assert not CHINESE.search(english.out) and CHINESE.search(chinese.out)


def test_a_terminal_that_knows_no_chinese_ends_nothing(tmp_path: Path) -> None:
    variables = {"UNBROKEN_LANG": "zh", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    ended = run(tmp_path, "Training.py", "--epochs", "0", variables=variables)
    assert_refused(ended, USAGE, "--epochs")
