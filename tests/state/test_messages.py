"""Every sentence of the floor is used, is one line, and says the same in both languages."""

import re
from pathlib import Path
from string import Formatter

import pytest

import unbroken.state
from unbroken import messages
from unbroken.messages._state import SENTENCES

SOURCE = "\n".join(p.read_text(encoding="utf-8") for p in Path(unbroken.state.__path__[0]).glob("*.py"))


def fields(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


@pytest.mark.parametrize("key", SENTENCES)
def test_a_sentence_is_used_and_both_languages_say_the_same(key: str) -> None:
    english, chinese = SENTENCES[key]
    assert f'"{key}"' in SOURCE
    assert fields(english) == fields(chinese)
    assert "\n" not in english + chinese
    assert not fields(english) & {"key", "lang"}


def test_every_key_used_has_a_sentence() -> None:
    for key in set(re.findall(r'"(state_[a-z_]+)"', SOURCE)) - {"state_dict"}:
        assert messages.text(key, **dict.fromkeys(fields(messages._SENTENCES[key][0]), "x"))
