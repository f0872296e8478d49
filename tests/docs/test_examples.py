"""The examples in the docstrings of what the package exports: each runs as it stands, in a folder of its own."""

import doctest
from pathlib import Path

import pytest

import unbroken
import unbroken._run
import unbroken.cache
import unbroken.errors
import unbroken.store

EXAMPLES = [
    found
    for module in (unbroken, unbroken._run, unbroken.cache, unbroken.errors, unbroken.store)
    for found in doctest.DocTestFinder().find(module, globs={})
    if found.examples
]
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_it_runs_as_it_stands(example: doctest.DocTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNBROKEN_LANG", "en")
    said: list[str] = []
    doctest.DocTestRunner(optionflags=OPTIONS).run(example, out=said.append)
    assert said == [], "".join(said)


def test_what_can_be_called_has_one() -> None:
    shown = {example.name for example in EXAMPLES}
    assert {"unbroken", "unbroken.store.load", "unbroken.cache.cached", "unbroken.errors.Stopped"} <= shown
