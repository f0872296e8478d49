"""Flags out of range end with code 2 and one line, in either language; what is not given is absent."""

import sys

import pytest

from forecaster import messages
from forecaster.flags import parse_flags


def test_only_what_is_given() -> None:
    assert parse_flags([], about="about_train") == {}
    given = parse_flags(["--checkpoint-freq", "3", "--lr", "1e-3", "--amp", "--lang", "en"], about="about_train")
    assert given == {"checkpoint_freq": 3, "lr": 1e-3, "amp": True}


@pytest.mark.parametrize(
    "argv",
    [
        ["--epochs", "0"],
        ["--epochs", "-1"],
        ["--epochs", "1.5"],
        ["--epochs", "９"],
        ["--epochs", "9" * 5000],
        ["--batch-size", "0"],
        ["--lr", "0"],
        ["--lr", "nan"],
        ["--lr", "inf"],
        ["--lr", "fast"],
        ["--weight-decay", "-0.1"],
        ["--seed", "-1"],
        ["--seed", str(2**63)],
        ["--device", "tpu"],
        ["--device", "cuda:"],
        ["--num-workers", "-1"],
        ["--threads", "0"],
        ["--checkpoint-freq", "0"],
        ["--checkpoint-every-steps", "0"],
        ["--checkpoint-every", "soon"],
        ["--checkpoint-every", "0s"],
        ["--stop-after", "off"],
        ["--keep", "0"],
        ["--target", "price"],
        ["--train-end", "yesterday"],
        ["--train-fraction", "1"],
        ["--train-fraction", "0"],
        ["--train-fraction", "0.5", "--train-end", "2020-01-01"],
        ["--lang", "fr"],
        ["--epoch", "3"],
        ["--no-such-flag"],
        ["--epochs"],
        ["checkpoints"],
    ],
)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_wrong_flags(argv: list[str], lang: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_flags(
            [*argv, "--lang", lang] if "--lang" not in argv and argv[-1] != "--epochs" else argv, about="about_train"
        )
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert len(said) < 6000
    if "--lang" not in argv and argv[-1] != "--epochs":
        assert ("错误" in said) == (lang == "zh")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_help_is_whole(lang: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["Training.py"])
    with pytest.raises(SystemExit) as caught:
        parse_flags(["--help", f"--lang={lang}"], about="about_train")
    assert caught.value.code == 0
    said = capsys.readouterr().out
    assert said.startswith("用法：Training.py" if lang == "zh" else "usage: Training.py")
    for flag in ("--epochs", "--checkpoint-freq", "--resume", "--data", "--keep", "--allow-changed-data"):
        assert flag in said
    colon = "：" if lang == "zh" else ":"
    headings = [line for line in said.splitlines() if line.rstrip(":：") != line and line[0] != " "]
    assert len(headings) == 4 and all(line.endswith(colon) for line in headings)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"UNBROKEN_LANG": "zh", "LANG": "en_US.UTF-8"}, "zh"),
        ({"LC_ALL": "zh_CN.UTF-8", "LANG": "en_US.UTF-8"}, "zh"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({}, "en"),
    ],
)
def test_language(variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UNBROKEN_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert messages.language() == expected
