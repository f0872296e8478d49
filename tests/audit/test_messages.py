"""The audit's sentences: both languages, one line each, each of them used."""

import re
from pathlib import Path
from string import Formatter

import pytest

import unbroken
from unbroken.messages._audit import SENTENCES

ROOT = Path(unbroken.__file__).parent
FILES = [*(ROOT / "audit").glob("*.py"), ROOT / "cli/audit.py", ROOT / "loop/trace.py"]
SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in FILES)


def fields(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


@pytest.mark.parametrize("key", SENTENCES)
def test_both_languages_say_the_same_in_one_line(key: str) -> None:
    english, chinese = SENTENCES[key]
    assert fields(english) == fields(chinese)
    assert "\n" not in english + chinese
    assert not chinese.isascii()


def test_every_sentence_is_used_and_every_key_has_one() -> None:
    def is_used(key: str) -> bool:
        built = re.match(r"audit_(kill|outcome|verdict|group|cause|remedy|part)_", key)
        return f'"{key}"' in SOURCE or bool(built and f'f"audit_{built[1]}_{{' in SOURCE)

    assert [key for key in SENTENCES if not is_used(key)] == []
    assert set(re.findall(r'"(audit_[a-z_]+)"', SOURCE)) <= set(SENTENCES)
