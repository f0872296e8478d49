"""No value from a file adds a line to what is said, moves the cursor, or turns the text around."""

import contextlib
import json
import logging
import shutil
import string
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.faults import fields
from tests.run.loop import Lines, listening
from unbroken import messages
from unbroken.cli import main
from unbroken.errors import UnbrokenError
from unbroken.store.payload import OWN

FORGED = "已重放 999 步，与中断前逐位一致"
EVIL = f"x\x1b]0;title\x07\x1b[2J\nunbroken: {FORGED}\r\x85\u2028\u202egnp\u202c\x9b31m"
Payload = dict[str, Any]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Any:
    """As in the tests of a run: what is logged, in English."""
    monkeypatch.setenv("UNBROKEN_LANG", "en")
    with listening(logging.DEBUG) as lines:
        yield lines


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound") / "checkpoints"
    fields.broken_off(folder)
    return folder


def clean(text: str) -> bool:
    return not any(
        unicodedata.category(char).startswith("C") or unicodedata.category(char) in ("Zl", "Zp") for char in text
    )


def test_what_is_seen_stays_and_everything_else_is_spelled_out() -> None:
    assert messages.printable("épargne 数据 —\u3000\xa0🙂") == "épargne 数据 —\u3000\xa0🙂"
    assert messages.printable("a\nb\x1b[0m\u202e\u2066\u200f\ud800\x7f") == (
        "a\\nb\\x1b[0m\\u202e\\u2066\\u200f\\ud800\\x7f"
    )
    sentence = messages.text("state_change", setting=EVIL, old=1, new=2)
    assert clean(sentence) and "\\x1b[2J\\n" in sentence
    assert sentence in messages.text("state_change", setting=sentence, old=1, new=2)  # a sentence in a sentence


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("key", sorted(messages.sentences("en")))
def test_every_sentence_stays_one_line_whatever_is_filled_in(
    key: str, lang: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNBROKEN_LANG", lang)
    names = {name for _, name, _, _ in string.Formatter().parse(messages.sentences(lang)[key]) if name}
    assert clean(messages.text(key, **dict.fromkeys(names, EVIL)))


FORGERIES: dict[str, Callable[[Payload, Path], object]] = {
    "timestamp": lambda p, d: p.update(timestamp=EVIL),
    "config value": lambda p, d: p[OWN].update(config={"lr": EVIL}),
    "config key": lambda p, d: p[OWN].update(config={EVIL: {EVIL: 1}}),
    "environment value": lambda p, d: p[OWN]["environment"].update(torch=EVIL),
    "environment key": lambda p, d: p[OWN]["environment"].update({EVIL: "1"}),
    "reason": lambda p, d: p[OWN].update(reason=EVIL),
    "run id": lambda p, d: p[OWN].update(run_id=EVIL),
    "library": lambda p, d: p[OWN].update(library_version=EVIL),
    "stop requested": lambda p, d: p[OWN].update(stop_requested=EVIL),
    "finished": lambda p, d: p[OWN].update(finished=EVIL),
    "tensor": lambda p, d: p["model_state_dict"].update({EVIL: torch.zeros(1)}),
    "state of nobody": lambda p, d: p.update({f"{EVIL}_state_dict": {"a": 1}}),
    "data": lambda p, d: p[OWN].update(data={"files": [{"name": EVIL, "size": 1, "digest": EVIL}]}),
    "metric": lambda p, d: p.update({EVIL: [1.0]}),
    "best": lambda p, d: p[OWN].update(best={"metric": EVIL, "mode": "max"}),
    "class": lambda p, d: p[OWN]["state"].update(x={"__unbroken__": "enum", "class": [EVIL, EVIL], "name": EVIL}),
    "gradient": lambda p, d: p[OWN]["grads"].update({EVIL: torch.zeros(1)}),
    "frozen": lambda p, d: p[OWN]["extras"]["modules"]["model"].update(frozen=[EVIL]),
    "function": lambda p, d: p[OWN]["extras"]["functions"]["scheduler"].update({EVIL: EVIL}),
    "parameter": lambda p, d: p[OWN]["optimizer_parameters"]["optimizer"][0].__setitem__(0, EVIL),
    "difference": lambda p, d: p[OWN].update(replays=[{"after": 1, "steps": 2, "difference": (1, (EVIL,))}]),
    "parent": lambda p, d: p[OWN].update(parent={"run_id": EVIL, "branch": 0, "epoch": 1, "batch": 0, "step": 5}),
    "lock": lambda p, d: (d / ".unbroken/lock").write_text(json.dumps(dict.fromkeys(("pid", "host", "started"), EVIL))),
    "file name": lambda p, d: (d / f"{EVIL.replace('/', '')[:40]}.pth").write_bytes(b"junk"),
    "run.json": lambda p, d: (d / ".unbroken/run.json").write_text(
        json.dumps({"run_id": EVIL, "branch": 0, "created": EVIL, "command": EVIL, "config": {EVIL: EVIL}})
    ),
}


@pytest.mark.parametrize("what", FORGERIES)
@pytest.mark.one_in(5)
def test_a_forged_field_adds_no_line(
    what: str, sound: Path, tmp_path: Path, log: Lines, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "checkpoints"
    shutil.copytree(sound, folder)
    latest = folder / "checkpoint_latest.pth"
    payload = torch.load(latest, weights_only=True)
    FORGERIES[what](payload, folder)
    torch.save(payload, latest, pickle_protocol=2)
    for words in (["list"], ["verify"], ["show"], ["diff"], ["resume-point"], ["list", "--json"], ["show", "--json"]):
        command, *options = words
        paths = {"show": [latest], "diff": [folder / "checkpoint_previous.pth", latest]}.get(command, [folder])
        with contextlib.suppress(SystemExit):
            main([command, *map(str, paths), *options])
        said = capsys.readouterr()
        lines = (said.out + said.err).split("\n")
        assert all(map(clean, lines)), (words, lines)
        assert not any(line.startswith(f"unbroken: {FORGED}") for line in lines)
    objects = fields.Objects(folder)
    try:
        objects.train(3)
    except UnbrokenError as error:
        assert clean(str(error))
    assert all(map(clean, log.lines))
