"""The page on the format, against real files: its code is run, its tables are complete."""

import collections
import datetime
import enum
import json
import logging
import pathlib
import pickletools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import xxhash
from torch.utils.data import DataLoader, TensorDataset

import unbroken
from tests.docs.pages import codes_in, page
from tests.run.loop import BrokenOffError, Trial, break_off_at
from unbroken.contract import KEYS
from unbroken.state.encoding import MARK, encode
from unbroken.state.revalued import KINDS
from unbroken.state.snapshot import copy_to_host, equal_bits
from unbroken.store import pickles, stubs
from unbroken.store.payload import OWN
from unbroken.store.runstate import Reason

PAGE = page("docs/format.md")
EPOCHS = 3


class Colour(enum.Enum):
    RED = 1


class Point(NamedTuple):
    x: int


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    """What the page's Python blocks define."""
    names: dict[str, Any] = {}
    for block in PAGE.blocks_in("python"):
        exec(compile(block.text, "docs/format.md", "exec"), names)
    return names


@pytest.fixture(scope="module")
def broken_off(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose newest state lies inside an epoch."""
    folder = tmp_path_factory.mktemp("run") / "checkpoints"
    with pytest.raises(BrokenOffError):
        trial = Trial(folder, every_steps=1, every_epochs=1)
        trial.run.local(best=None)
        trial.train(EPOCHS, break_off_at("batch 2 4"))
    return folder


@pytest.fixture(scope="module")
def payload(broken_off: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = torch.load(broken_off / "checkpoint_latest.pth", weights_only=True)
    return loaded


def keys_of(line: str, column: int = 0) -> list[str]:
    return [key for row in PAGE.table_after(line) for key in codes_in(row[column])]


def test_the_order_of_samples_is_as_described(tmp_path: Path, described: dict[str, Any]) -> None:
    loader = DataLoader(TensorDataset(torch.arange(37)), batch_size=4, shuffle=True)
    run = unbroken.Run(tmp_path, seed=123)
    seen: list[list[int]] = []
    with run:
        for _ in run.epochs(2):
            seen.append([int(index) for (batch,) in run.batches(loader) for index in batch])
    assert seen == [described["order_of_samples"](123, epoch, 37) for epoch in (1, 2)]


def test_the_digest_of_the_order_is_as_described(payload: dict[str, Any], described: dict[str, Any]) -> None:
    own = payload[OWN]
    assert own["batch"] == 3
    order, digest = described["order_of_samples"](own["seed"], payload["epoch"] + 1, 20), 0
    for start in (0, 4, 8):
        digest = xxhash.xxh3_64_intdigest(repr(order[start : start + 4]).encode(), seed=digest)
    assert own["order"] == digest


def test_what_a_batch_draws_is_as_described(tmp_path: Path, described: dict[str, Any]) -> None:
    class Drawing(TensorDataset):
        def __getitem__(self, index: int) -> Any:
            return torch.rand(()), np.random.rand()

    run = unbroken.Run(tmp_path, seed=123)
    with run:
        for epoch in run.epochs(1):
            for draws, numbers in run.batches(DataLoader(Drawing(torch.arange(6)), batch_size=3)):
                described["seed_streams"](described["seeds"](123, epoch, loop=0, batch=run.batch - 1))
                assert draws.tolist() == [float(torch.rand(())) for _ in range(3)]
                assert numbers.tolist() == [np.random.rand() for _ in range(3)]


def test_manifest_and_digests_are_as_described(broken_off: Path, described: dict[str, Any]) -> None:
    names = [path.name for path in broken_off.glob("*.pth")]
    assert len(names) == 4
    for name in names:
        assert described["check"](broken_off, name)["epoch"] >= 0
    changed = broken_off.parent / "changed"
    for part in ("", ".unbroken/manifests"):
        (changed / part).mkdir(parents=True, exist_ok=True)
    content = bytearray((broken_off / "checkpoint_latest.pth").read_bytes())
    content[len(content) // 2] ^= 1
    (changed / "checkpoint_latest.pth").write_bytes(content)
    manifest = ".unbroken/manifests/checkpoint_latest.pth.json"
    (changed / manifest).write_bytes((broken_off / manifest).read_bytes())
    with pytest.raises(AssertionError):
        described["check"](changed, "checkpoint_latest.pth")


def test_a_checkpoint_written_as_described_is_resumed_from(tmp_path: Path, described: dict[str, Any]) -> None:
    former = Trial(tmp_path / "former").train(2)
    history = [list(former.run.history[name]) for name in ("train_losses", "val_losses", "aucs")]
    (tmp_path / "plain").mkdir()
    path = tmp_path / "plain" / "checkpoint_latest.pth"
    described["save_plain"](path, 2, former.model, former.optimizer, former.scheduler, *history)
    resumed = Trial(tmp_path / "plain").train(3)
    assert resumed.trained[0] == (3, 1)
    assert list(resumed.run.history["aucs"])[:2] == history[2]
    assert resumed.run.best.epoch in (1, 2, 3)


def test_the_table_of_the_payload_is_complete(payload: dict[str, Any]) -> None:
    described = keys_of("## 3.")
    assert described == [*KEYS, OWN]
    assert set(payload) == set(described)


def test_the_table_of_our_own_part_is_complete(payload: dict[str, Any]) -> None:
    in_table = sorted(row[0].strip("`") for row in PAGE.table_after("## 4."))
    assert in_table == sorted([*payload[OWN], "ranks"])  # which only several processes have
    for key, words in (("parent", ["run_id", "branch", "epoch", "batch", "step"]), ("best", ["metric", "mode"])):
        row = next(row for row in PAGE.table_after("## 4.") if row[0] == f"`{key}`")
        assert all(word in codes_in(row[3]) for word in words)
    assert set(payload[OWN]["best"]) == {"metric", "mode"}
    assert set(payload[OWN]["partial"]) == {"sums", "recorded"}
    extras = PAGE.text.partition("### 4.1")[2].partition("### 4.2")[0]
    assert set(payload[OWN]["extras"]) == set(re.findall(r"^(\w+) +name → ", extras, re.MULTILINE))
    assert set(payload[OWN]["extras"]["modules"]["model"]) == {"eval", "frozen", "buffers"}
    assert set(payload[OWN]["passes"]) == {"lead", "opened"}
    assert set(payload[OWN]["passes"]["opened"][0]) == {"given", "order", "exhausted", "facts"}
    streams = payload[OWN]["streams"]
    assert set(streams) == {"now", "epoch_start"}
    assert set(streams["now"]) == {"python", "numpy", "torch"}
    assert set(streams["epoch_start"]) == {"python", "numpy", "torch", "generators", "state", "locals"}
    assert set(streams["now"]["python"]) == {"version", "words", "cached_normal"}
    assert set(streams["now"]["numpy"]) == {"bit_generator", "state", "has_gauss", "gauss"}


def test_the_kinds_of_trees_are_all_named() -> None:
    described = PAGE.text.partition("### 4.4")[2].partition("## 5.")[0]
    assert {kind for kind in KINDS if kind is not None} <= set(re.findall(r"[A-Za-z]+", described))


def test_every_reason_to_save_is_named() -> None:
    row = next(row for row in PAGE.table_after("## 4.") if row[0] == "`reason`")
    assert set(codes_in(row[3])) == {reason.value for reason in Reason}


def _needed() -> dict[str, str]:
    return {row[0].strip("`"): row[1] for row in PAGE.table_after("## 4.")}


@pytest.mark.parametrize("key", [key for key, needed in _needed().items() if needed == "yes" and key != "parent"])
def test_what_is_called_needed_is_refused_without(tmp_path: Path, payload: dict[str, Any], key: str) -> None:
    with pytest.raises(unbroken.UnbrokenError):
        _resumed_without(tmp_path, payload, key)


def test_nothing_else_is_needed(tmp_path: Path, payload: dict[str, Any]) -> None:
    others = [key for key, needed in _needed().items() if needed == "no"]
    assert len(others) >= 5
    resumed = _resumed_without(tmp_path / "less", payload, *others)
    whole = Trial(tmp_path / "whole").train(EPOCHS)
    assert resumed.trained[0] == (2, 4)
    assert equal_bits(copy_to_host(resumed.result()), copy_to_host(whole.result())) is None


def _resumed_without(folder: Path, payload: Mapping[str, Any], *keys: str) -> Trial:
    logging.getLogger("unbroken").addHandler(logging.NullHandler())
    folder.mkdir(exist_ok=True)
    own = {key: value for key, value in payload[OWN].items() if key not in keys}
    torch.save({**payload, OWN: own}, folder / "checkpoint_latest.pth")
    return Trial(folder).train(EPOCHS)


def test_the_table_of_the_manifest_is_complete(broken_off: Path) -> None:
    text = (broken_off / ".unbroken" / "manifests" / "checkpoint_latest.pth.json").read_text(encoding="utf-8")
    manifest = json.loads(text)
    assert sorted(keys_of("## 8.")) == sorted(manifest)
    assert list(manifest)[-1] == "tensors" and '\n"tensors": ' in text


@pytest.mark.parametrize("name", ["run.json", "lock"])
def test_the_keys_of_the_other_files_are_named(broken_off: Path, name: str) -> None:
    found = json.loads((broken_off / ".unbroken" / name).read_text(encoding="utf-8"))
    section = PAGE.text.partition("## 9.")[2].partition("## 10.")[0]
    assert [key for key in found if key not in codes_in(section)] == []


def test_the_seal_of_the_cache_is_as_described(tmp_path: Path) -> None:
    path = tmp_path / "processed_data.npz"
    unbroken.cached(path, lambda: {"x": np.arange(5.0)}, key={"data": 1})
    with np.load(path) as archive:
        assert archive.files[-1] == "__unbroken__"
        seal = json.loads(bytes(archive["__unbroken__"][()]))
    assert keys_of("## 11.") == list(seal)
    (row,) = (row for row in PAGE.table_after("## 11.") if row[0] == "`arrays`")
    assert codes_in(row[1]) == list(seal["arrays"]["x"])
    place = seal["arrays"]["x"]
    assert np.frombuffer(path.read_bytes(), place["dtype"], 5, place["offset"]).tolist() == [0, 1, 2, 3, 4]
    assert place["offset"] % 64 == 0


def test_the_key_of_the_programs_cache_is_as_described() -> None:
    from forecaster import prepare

    (row,) = (row for row in PAGE.table_after("## 11.") if row[0] == "`key`")
    source = Path(prepare.__file__).read_text(encoding="utf-8")
    spelled = re.findall(r'^ {8}"(\w+)": ', source, re.MULTILINE)
    assert codes_in(row[1]) == spelled


VALUES = [
    1 << 5000,
    {1 << 100: 0},
    collections.OrderedDict({1 << 100: 0}),
    collections.Counter({1 << 100: 0}),
    collections.defaultdict(list, a=[]),
    {1},
    frozenset({1}),
    b"x",
    bytearray(b"x"),
    np.zeros(2),
    np.float32(1),
    pathlib.Path("x"),
    pathlib.PurePosixPath("x"),
    pathlib.PureWindowsPath("x"),
    datetime.datetime(2026, 1, 1),
    datetime.date(2026, 1, 1),
    datetime.time(1),
    datetime.timedelta(1),
    Colour.RED,
    Point(1),
]


def test_the_kinds_of_encoded_values_are_as_described() -> None:
    table = {kind: row[1] for row in PAGE.table_after("## 5.") for kind in codes_in(row[0])}
    seen = set()
    for value in VALUES:
        encoded = encode(value, "value")
        assert isinstance(encoded, dict)
        kind = encoded[MARK]
        seen.add(kind)
        assert [key for key in encoded if key != MARK and key not in codes_in(table[kind])] == [], kind
    assert seen == set(table)


def test_opcodes_and_callables_are_those_that_are_read() -> None:
    section = PAGE.text.partition("## 2.")[2].partition("## 3.")[0]
    opcodes = {pickletools.code2op[chr(code)].name for code in pickles._HANDLERS} | {"STOP"}
    named = [
        name.removesuffix(" 2") for name in codes_in(section.partition("5. In the pickle")[2].partition("6. Of")[0])
    ]
    assert {name for name in named if name != "OrderedDict"} == opcodes
    callables = codes_in(section.partition("6. Of globals")[2].partition("7. Every")[0])
    assert set(callables) == set(stubs.CALLS)
