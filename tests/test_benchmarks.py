"""The benchmarks' command line; their figures are nobody's test."""

import sys

import pytest
from benchmarks.__main__ import main


def test_a_folder_that_is_not_there_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--only", "none", "--folder", "/no/such/folder"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith("no folder /no/such/folder")
