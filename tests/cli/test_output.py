"""JSON as the commands print it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unbroken.cli.output import indented, print_json

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
)


@given(DOCUMENTS)
def test_it_is_indented_as_the_standard_library_does_it(document: Any) -> None:
    assert indented(document) == json.dumps(document, indent=2, ensure_ascii=False)


@pytest.mark.parametrize("text", ["plain", "模型", "\x1b[2J", "line\nend", "\u202e", "\x7f", "a\u2028b"])
def test_no_text_moves_the_cursor_and_every_text_comes_back(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_json({text: [text, 1.5, None]})
    said = capsys.readouterr().out
    assert json.loads(said) == {text: [text, 1.5, None]}
    assert not {"\x1b", "\u202e", "\x7f", "\u2028"} & {*said}
    assert said.count("\n") == 7
