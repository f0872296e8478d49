"""The page on ``--json`` against what the commands print."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import ROOT
from tests.store.states import put_with_manifest, state
from unbroken.cli import main
from unbroken.store.folder import CheckpointFolder

Printed = Callable[[list[str]], Any]

PAGE = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")

COMMANDS = {
    "list": ["list"],
    "show": ["show", "checkpoints/checkpoint_latest.pth"],
    "report": ["report"],
    "watch": ["watch"],
    "verify": ["verify"],
    "diff": ["diff", "checkpoints/checkpoint_epoch_1.pth", "checkpoints/checkpoint_epoch_2.pth"],
    "resume-point": ["resume-point"],
    "keep": ["keep", "checkpoints/checkpoint_epoch_1.pth"],
    "prune": ["prune", "--keep", "1", "--dry-run"],
    "backup": ["backup", "checkpoints", "backup"],
    "restore": ["restore", "checkpoints", "restored"],
    "export": ["export", "checkpoints/checkpoint_latest.pth", "-o", "model.safetensors"],
    "completion": ["completion", "bash"],
    "an error": ["show", "nothing.pth"],
}


def rows(mark: str) -> list[list[str]]:
    table = PAGE.partition(f"<!-- {mark} -->")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[3:]]


def keys_of_an_entry() -> set[str]:
    return {key for keys, _ in rows("entry") for key in re.findall(r"`(\w+)`", keys)}


def documented(name: str) -> set[str]:
    [cell] = [keys for command, keys in rows("documents") if command.strip("`") == name]
    entry = keys_of_an_entry() if "those of an entry" in cell else set()
    return entry | set(re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", cell)))


@pytest.fixture
def printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Printed:
    monkeypatch.chdir(tmp_path)
    folder = CheckpointFolder("checkpoints")
    folder.prepare()
    for epoch in (1, 2):
        put_with_manifest(folder, folder.epoch(epoch), state(epoch))
    put_with_manifest(folder, folder.latest, state(2))

    def run(words: list[str]) -> Any:
        capsys.readouterr()
        main([*words, "--json"])
        return json.loads(capsys.readouterr().out)

    return run


@pytest.mark.parametrize("name", COMMANDS)
def test_every_document_has_the_keys_that_the_page_names(name: str, printed: Printed) -> None:
    assert set(printed(COMMANDS[name])) == documented(name)


def test_an_entry_has_the_keys_that_the_page_names(printed: Printed) -> None:
    [first, *_] = printed(["verify"])["checkpoints"]
    assert set(first) == keys_of_an_entry()
