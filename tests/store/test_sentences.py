"""Every sentence of the store exists in both languages, says the same things, and is said somewhere."""

import re
import string
from pathlib import Path

import pytest

import unbroken.store
from unbroken.messages._store import SENTENCES

SOURCE = "".join(path.read_text() for path in Path(unbroken.store.__file__).parent.glob("*.py"))


def values(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


@pytest.mark.parametrize("key", SENTENCES)
def test_both_languages_are_one_line_with_the_same_values(key: str) -> None:
    english, chinese = SENTENCES[key]
    assert values(english) == values(chinese)
    assert "\n" not in english + chinese
    assert english.isascii() and re.search(r"[一-龥]", chinese)


def test_what_is_said_has_a_sentence_and_every_sentence_is_said() -> None:
    assert set(re.findall(r'"(store_[a-z_0-9]+)"', SOURCE)) == set(SENTENCES)
