"""``unbroken export``: what safetensors' own reader finds in the file is what the checkpoint holds."""

import sys
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file

from tests.cli.conftest import Command
from tests.cli.damage import cut
from tests.store.states import put, put_with_manifest, state
from unbroken.cli.export import write
from unbroken.errors import DiskError, UsageError
from unbroken.store.folder import CheckpointFolder

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"]
DTYPES += ["uint16", "uint32", "uint64", "complex64", "float8_e4m3fn", "float8_e5m2"]


def bits(tensor: torch.Tensor) -> bytes:
    raw: bytes = tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    return raw


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=20).filter(lambda name: name != "__metadata__"),
        st.tuples(st.sampled_from(DTYPES), st.lists(st.integers(0, 3), max_size=3)),
        max_size=6,
    )
)
def test_what_is_written_is_what_their_reader_reads(tmp_path: Path, wanted: dict[str, tuple[str, list[int]]]) -> None:
    tensors = {}
    for name, (dtype, shape) in wanted.items():
        kind = getattr(torch, dtype)
        raw = torch.randint(0, 2, [torch.Size(shape).numel() * kind.itemsize], dtype=torch.uint8)
        tensors[name] = raw.view(kind).reshape(shape) if raw.numel() else torch.empty(shape, dtype=kind)
    write(tmp_path / "a.safetensors", tensors, {"format": "pt"})
    found = load_file(tmp_path / "a.safetensors")
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert (found[name].dtype, found[name].shape) == (tensor.dtype, tensor.shape)
        assert bits(found[name]) == bits(tensor)


def test_the_weights_of_a_checkpoint(run: CheckpointFolder, unbroken: Command, here: Path) -> None:
    said = unbroken("export", run.epoch(10), "-o", "model.safetensors")
    assert said.code == 0 and said.out.startswith("Wrote model.safetensors: 2 tensors")
    found = load_file(here / "model.safetensors")
    assert torch.equal(found["weight"], torch.full((8,), 100.0)) and torch.equal(found["bias"], torch.ones(2))
    with safe_open(here / "model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt", "epoch": "10", "step": "100", "source": "checkpoint_epoch_10.pth"}


def test_odd_weights(folder: CheckpointFolder, unbroken: Command, here: Path) -> None:
    payload = state(1)
    tied = torch.arange(6.0).reshape(2, 3)
    payload["model_state_dict"] = {"a": tied, "b": tied, "turned": tied.T, "part": tied[:, 1], "extra": 5}
    put_with_manifest(folder, folder.latest, payload)
    said = unbroken("export", folder.latest, "-o", "m.safetensors", "--json").json
    assert (said["tensors"], said["left_out"]) == (4, ["extra"])
    found = load_file(here / "m.safetensors")
    for name in ("a", "b", "turned", "part"):
        assert torch.equal(found[name], payload["model_state_dict"][name])


def test_one_element_keeps_any_stride_and_is_still_a_row_of_bytes(here: Path, unbroken: Command) -> None:
    payload = state(1)
    payload["model_state_dict"] = {"one": torch.arange(10.0)[3::7][:1], "none": torch.ones(0, 4)[:, ::3]}
    assert payload["model_state_dict"]["one"].stride() == (7,)
    put(here / "c.pth", payload)
    assert unbroken("export", "c.pth", "-o", "c.safetensors").code == 0
    found = load_file(here / "c.safetensors")
    assert found["one"].tolist() == [3.0] and found["none"].shape == (0, 2)


def test_without_the_library_it_says_how_to_get_it(
    run: CheckpointFolder, unbroken: Command, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    said = unbroken("export", run.latest, "-o", "o.safetensors")
    assert said.code == 2 and "pip install 'unbroken[safetensors]'" in said.err
    assert len(said.err.splitlines()) == 1
    assert not (here / "o.safetensors").exists()


def test_another_tracked_state(run: CheckpointFolder, unbroken: Command, here: Path) -> None:
    assert unbroken("export", run.latest, "-o", "o.safetensors", "--state", "optimizer").code == 0
    assert list(load_file(here / "o.safetensors")) == ["state.0.step"]
    missing = unbroken("export", run.latest, "-o", "e.safetensors", "--state", "ema")
    assert missing.code == 2 and "Tracked: model, optimizer" in missing.err


def test_nothing_is_overwritten_and_nothing_damaged_is_exported(
    run: CheckpointFolder, unbroken: Command, here: Path
) -> None:
    (here / "mine.safetensors").write_text("mine")
    assert unbroken("export", run.latest, "-o", "mine.safetensors").code == 2
    assert (here / "mine.safetensors").read_text() == "mine"
    assert unbroken("export", run.latest, "-o", "no/where.safetensors").code == 2
    assert unbroken("export", run.latest, "-o", "/proc/a.safetensors").code == DiskError.exit_code
    assert unbroken("export", "checkpoints/none.pth", "-o", "a.safetensors").code == 3
    assert unbroken("export", "checkpoints", "-o", "a.safetensors").code == 2
    cut(run.latest)
    assert unbroken("export", run.latest, "-o", "a.safetensors").code == 5
    assert not (here / "a.safetensors").exists()


def test_what_the_format_cannot_hold_is_refused_by_name(tmp_path: Path, unbroken: Command, here: Path) -> None:
    with pytest.raises(UsageError, match=r"embedding\.weight \(float32, sparse_coo\)"):
        write(tmp_path / "a", {"embedding.weight": torch.eye(2).to_sparse()}, {})
    payload = state(1)
    payload["model_state_dict"] = {"z": torch.ones(2, dtype=torch.complex128)}
    put(here / "c.pth", payload)
    said = unbroken("export", "c.pth", "-o", "c.safetensors")
    assert said.code == 2 and "z (complex128, strided)" in said.err
    assert not (here / "c.safetensors").exists()
