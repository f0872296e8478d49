"""Both languages say the same things, each in one line; what is said has a sentence, and every sentence is said."""

import ast
import re
import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import forecaster.messages
from unbroken import messages
from unbroken.errors import ArchitectureChangedError
from unbroken.state.architecture import compare_architectures

SRC = Path(messages.__file__).parents[2]
CATALOGUES = {"unbroken": messages.sentences, "forecaster": forecaster.messages.sentences}
EACH = pytest.mark.parametrize("package", CATALOGUES)
# No words of a language, but a list of fonts.
NOT_TRANSLATED = {"picture_fonts"}
# What asks for a sentence, its key first.
ASKS = re.compile(r"text|Sentence|_Unusable|\w+Error|Refused")


def sources(package: str) -> Iterator[tuple[Path, ast.Module]]:
    """The modules of a package, but for its sentences."""
    for path in sorted((SRC / package).rglob("*.py")):
        if path.stem not in messages.LANGUAGES:
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def texts(package: str) -> set[str]:
    """Every text that stands whole in a source."""
    return {
        node.value
        for _, tree in sources(package)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def fields(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


@EACH
def test_every_language_has_the_same_sentences_in_the_same_order(package: str) -> None:
    first, *others = (list(CATALOGUES[package](language)) for language in messages.LANGUAGES)
    assert len(first) > 100
    assert all(other == first for other in others)


@EACH
def test_a_sentence_is_one_line_with_the_same_values_in_every_language(package: str) -> None:
    chinese, english = (CATALOGUES[package](language) for language in messages.LANGUAGES)
    assert [key for key in english if fields(english[key]) != fields(chinese[key])] == []
    assert [key for key in english if not (english[key] + chinese[key]).isprintable()] == []
    assert [key for key in english if re.search(r"[\u2e80-\uffff]", english[key])] == []
    assert [key for key in chinese if chinese[key].isascii() and key not in NOT_TRANSLATED] == []


@EACH
def test_chinese_has_the_punctuation_of_chinese(package: str) -> None:
    odd = re.compile(r"[\u4e00-\u9fff][,;:?! ][\u4e00-\u9fff]|[\u4e00-\u9fff][,;:?!]|[，。；：、？] |[，。；：、？]{2}")
    chinese = CATALOGUES[package](messages.CHINESE)
    assert [key for key in chinese if odd.search(chinese[key])] == []


@EACH
def test_every_sentence_is_said(package: str) -> None:
    said = texts(package)
    assert [key for key in CATALOGUES[package](messages.FALLBACK) if key not in said] == []


@EACH
def test_what_is_said_has_a_sentence(package: str) -> None:
    known = CATALOGUES[package](messages.FALLBACK).keys()
    asked = {
        first.value
        for _, tree in sources(package)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ASKS.fullmatch(ast.unparse(node.func).rpartition(".")[2])
        for first in node.args[:1]
        if isinstance(first, ast.Constant) and re.fullmatch(r"[a-z]+(_[a-z0-9]+)+", str(first.value))
    }
    assert len(asked) > 20
    assert asked <= known


@EACH
def test_a_language_is_spelled_nowhere_else(package: str) -> None:
    spelled = {
        path.relative_to(SRC)
        for path, tree in sources(package)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in messages.LANGUAGES
    }
    assert spelled <= {Path("unbroken/messages/__init__.py")}
    beside = {path.stem for path in (SRC / package / "messages").glob("*.py")} - {"__init__"}
    assert beside == set(messages.LANGUAGES)


def test_a_sentence_is_found_when_no_file_can_be_opened_any_more() -> None:
    script = """
import resource
from unbroken import messages
resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
print(messages.text("cli_yes"))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() in {messages.sentences(language)["cli_yes"] for language in messages.LANGUAGES}


def test_parts_of_a_sentence_are_joined_in_the_users_language(monkeypatch: pytest.MonkeyPatch) -> None:
    saved, built = {"a": ((2,), "float32"), "b": ((3,), "float32")}, {"c": ((3,), "float32")}
    for language, stop in (("en", "; "), ("zh", "；")):
        monkeypatch.setenv("UNBROKEN_LANG", language)
        with pytest.raises(ArchitectureChangedError) as caught:
            compare_architectures(saved, built)
        assert str(caught.value.values["differences"]).count(stop) == 2


@pytest.mark.parametrize(("count", "said"), [(0, "0 files"), (1, "1 file"), ("1", "1 file"), (2, "2 files")])
def test_one_of_a_thing_is_told_from_more(count: object, said: str) -> None:
    assert messages._LIBRARY.text_in("en", "cli_deleted", count=count, size="1 kB") == f"Deleted {said}, 1 kB freed."
