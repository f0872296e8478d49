"""Manifests: what listing knows without opening a checkpoint, and when it must not believe it."""

import json
import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.states import plain_state, put, put_with_manifest, state
from unbroken.disk.digest import file_digest
from unbroken.errors import CheckpointDamagedError, NothingToResumeError
from unbroken.store import manifest as manifests
from unbroken.store import torchfile
from unbroken.store.folder import CheckpointFolder
from unbroken.store.manifest import Manifest
from unbroken.store.payload import ForkPoint, Progress
from unbroken.store.tensors import tensor_digests

COUNTS = st.integers(0, 2**62)
FORKS = st.builds(ForkPoint, run_id=st.none() | st.text(), branch=COUNTS, epoch=COUNTS, batch=COUNTS, step=COUNTS)
OURS = st.builds(
    Progress,
    run_id=st.text(min_size=1),
    branch=COUNTS,
    epoch=COUNTS,
    batch=COUNTS,
    batches=st.none() | COUNTS,
    step=COUNTS,
    reason=st.text(min_size=1),
    finished=st.none() | st.text(st.characters(exclude_categories=())),
    parent=st.none() | FORKS,
)
PLAIN = st.builds(lambda epoch: Progress(None, 0, epoch, 0, None, 0, "epoch", None), COUNTS)
MANIFESTS = st.builds(
    Manifest,
    name=st.just("a.pth"),
    size=COUNTS,
    mtime_ns=COUNTS,
    digest=st.text(),
    progress=OURS | PLAIN,
    metrics=st.dictionaries(st.text(st.characters(exclude_categories=())), st.floats(allow_nan=False)),
    best_corr=st.floats(allow_nan=False),
    best_epoch=COUNTS,
    timestamp=st.text(),
    tensors=st.dictionaries(st.text(), st.text()),
    library_version=st.text(),
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> CheckpointFolder:
    folder = CheckpointFolder(tmp_path_factory.mktemp("place"))
    folder.prepare()
    return folder


@settings(max_examples=100, deadline=None)
@given(MANIFESTS)
def test_what_is_written_is_read_and_is_strict_json(place: CheckpointFolder, manifest: Manifest) -> None:
    manifests.write(place, manifest)
    found = manifests.read(place, "a.pth")
    assert found == manifest
    assert found is not None and dict(found.tensors) == dict(manifest.tensors)
    assert all(found.tensors[path] == digest for path, digest in manifest.tensors.items())

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    text = place.manifest("a.pth").read_text()
    assert json.loads(text, parse_constant=refuse)["tensors"] == dict(manifest.tensors)
    assert manifests.read(place, "b.pth") is None


def test_a_nan_and_the_infinities_survive(place: CheckpointFolder) -> None:
    path = put_with_manifest(place, place.path / "n.pth", state(2, aucs=[math.inf, math.nan]))
    found = manifests.read(place, "n.pth")
    assert found is not None and math.isnan(found.metrics["aucs"]) and found.best_corr == math.inf
    path.unlink()


def test_listing_believes_a_manifest_only_for_the_very_file(folder: CheckpointFolder) -> None:
    put_with_manifest(folder, folder.latest, state(3))
    known = manifests.describe(folder, folder.latest)
    assert known.digest == file_digest(folder.latest)
    assert known.progress.epoch == 3
    assert known.metrics == pytest.approx({"train_losses": 1.0, "val_losses": 1.0, "aucs": 0.3})
    assert list(known.tensors) == [
        "model_state_dict.bias",
        "model_state_dict.weight",
        "optimizer_state_dict.state.0.step",
    ]
    seal = folder.manifest("checkpoint_latest.pth").read_bytes()
    put(folder.latest, state(4))  # as a plain torch.save of the user's would
    rebuilt = manifests.describe(folder, folder.latest)
    assert (rebuilt.progress.epoch, rebuilt.digest, dict(rebuilt.tensors)) == (4, "", {})
    assert folder.manifest("checkpoint_latest.pth").read_bytes() == seal  # listing writes nothing
    put(folder.latest, state(3))
    os.utime(folder.latest, ns=(known.mtime_ns + 1, known.mtime_ns + 1))
    assert manifests.describe(folder, folder.latest).digest == ""


@pytest.mark.parametrize(
    "spoil", [lambda text: text[: len(text) // 2], lambda text: text.replace('"epoch": 3', '"epoch": "3"')]
)
def test_a_spoilt_or_lost_manifest_is_rebuilt_from_its_file(folder: CheckpointFolder, spoil: Any) -> None:
    put_with_manifest(folder, folder.latest, state(3))
    whole = manifests.describe(folder, folder.latest)
    place = folder.manifest("checkpoint_latest.pth")
    place.write_text(spoil(place.read_text()))
    assert manifests.describe(folder, folder.latest) == replace(whole, digest="")
    place.unlink()
    assert manifests.describe(folder, folder.latest) == replace(whole, digest="")


def test_a_manifest_that_contradicts_a_sound_file_loses(folder: CheckpointFolder) -> None:
    put_with_manifest(folder, folder.latest, state(3))
    known = manifests.describe(folder, folder.latest)
    torchfile.verify(folder.latest, "xxh3_128:" + "0" * 32)
    torchfile.verify(folder.latest)
    raw = bytearray(folder.latest.read_bytes())
    raw[raw.index(torch.ones(2).numpy().tobytes())] ^= 1
    folder.latest.write_bytes(raw)
    with pytest.raises(CheckpointDamagedError, match="checksum"):
        torchfile.verify(folder.latest, known.digest)


def test_a_plain_file_is_described_by_its_ten_keys(folder: CheckpointFolder) -> None:
    torch.save(plain_state(7), folder.epoch(7))
    found = manifests.describe(folder, folder.epoch(7))
    assert found.progress == Progress(None, 0, 7, 0, None, 0, "epoch", None)
    assert (found.best_epoch, found.timestamp) == (7, "2026-01-02 03:04:05")


def test_describing_what_is_not_there_says_so(folder: CheckpointFolder) -> None:
    with pytest.raises(NothingToResumeError):
        manifests.describe(folder, folder.latest)
    assert manifests.describe_all(folder) == []


def test_a_file_that_retention_removes_while_it_is_read_is_simply_not_there(folder: CheckpointFolder) -> None:
    with pytest.raises(NothingToResumeError):
        manifests.of_payload(state(1), folder.latest)


BREAKS: dict[str, Any] = {
    "epoch": ["1", True, -1, None, 1.0, torch.tensor(1)],
    "model_state_dict": [[], 1],
    "train_losses": [None, (1.0,), [None], [torch.tensor(1.0)], [True]],
    "best_corr": [None, "x", torch.tensor(1.0), 2**70],
    "best_epoch": [None, -1],
    "timestamp": [None, 0],
    "unbroken": [None, {}, [], {"format": 1}, {"format": -1}],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in BREAKS.items() for value in values])
def test_a_checkpoint_with_a_wrong_key_is_refused_by_its_name(tmp_path: Path, key: str, value: object) -> None:
    path = tmp_path / "a.pth"
    torch.save({**state(1), key: value}, path)
    with pytest.raises(CheckpointDamagedError, match=key) as caught:
        manifests.describe(CheckpointFolder(tmp_path), path)
    assert caught.value.key == "store_keys_wrong"


@pytest.mark.parametrize("key", list(plain_state(0)))
def test_a_checkpoint_without_a_key_is_refused_by_its_name(tmp_path: Path, key: str) -> None:
    payload = plain_state(1)
    del payload[key]
    torch.save(payload, tmp_path / "a.pth")
    with pytest.raises(CheckpointDamagedError, match=f"missing: {key}"):
        manifests.describe(CheckpointFolder(tmp_path), tmp_path / "a.pth")


@pytest.mark.parametrize("key", ["run_id", "branch", "batch", "step", "reason"])
def test_our_own_part_must_be_whole(tmp_path: Path, key: str) -> None:
    payload = state(1)
    del payload["unbroken"][key]
    torch.save(payload, tmp_path / "a.pth")
    with pytest.raises(CheckpointDamagedError, match=f"unbroken.{key}"):
        manifests.describe(CheckpointFolder(tmp_path), tmp_path / "a.pth")


def test_a_newer_format_asks_for_an_upgrade(tmp_path: Path) -> None:
    payload = state(1)
    payload["unbroken"] = {"format": 2, "unknown": True}
    torch.save(payload, tmp_path / "a.pth")
    with pytest.raises(CheckpointDamagedError, match="Upgrade with: pip install -U unbroken"):
        manifests.describe(CheckpointFolder(tmp_path), tmp_path / "a.pth")


def test_a_tensor_s_digest_tells_its_bytes_shape_and_dtype_and_not_how_it_lies_in_memory() -> None:
    def digest(tensor: torch.Tensor) -> str:
        return tensor_digests({"a": [tensor]})["a[0]"]

    base = torch.arange(6.0).reshape(2, 3)
    assert digest(base) == digest(base.t().contiguous().t()) == digest(torch.nn.Parameter(base))
    others = [base + 1, base.reshape(3, 2), base.double(), base.to_sparse(), base.to_sparse_csr(), torch.tensor(0.0)]
    assert len({digest(tensor) for tensor in [base, *others]}) == len(others) + 1
    zero, minus = torch.tensor([0.0]), torch.tensor([-0.0])
    assert digest(zero) != digest(minus)
    assert digest(torch.tensor([1 + 1j]).conj()) == digest(torch.tensor([1 - 1j]))
    assert digest(torch.zeros(0)) != digest(torch.zeros(0, 1))


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(0, 3000), max_size=40),
    st.lists(st.floats(), max_size=300),
    st.text(max_size=300),
    st.booleans(),
)
def test_the_size_told_before_is_never_less_than_the_file(
    place: CheckpointFolder, sizes: list[int], history: list[float], text: str, tied: bool
) -> None:
    tensors = [torch.zeros(size) for size in sizes]
    payload = {"a": tensors + tensors * tied, "b": history, "c": {text: text}, "d": torch.eye(30).to_sparse()}
    path = put(place.path / "estimated.pth", payload)
    assert path.stat().st_size <= torchfile.LaidOut(payload).size <= path.stat().st_size * 2 + 200_000
    torchfile.verify(path)
    path.unlink()
