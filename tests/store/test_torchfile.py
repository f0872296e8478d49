"""Torch files: what is written is read again, by us and by torch; what is not one is told precisely."""

import io
import os
import socket
import subprocess
import sys
import warnings
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.states import plain_state, put, same, state
from unbroken import load
from unbroken.disk.digest import file_digest
from unbroken.errors import CheckpointDamagedError, NothingToResumeError, UnsavableStateError, UsageError
from unbroken.store import torchfile
from unbroken.store.stubs import ITEM_SIZES, STORAGES
from unbroken.store.tensors import tensor_digests
from unbroken.store.torchfile import TensorStub

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

with warnings.catch_warnings():  # torch warns of what it will drop; here it is only saved
    warnings.simplefilter("ignore", UserWarning)
    ZOO: dict[str, Any] = {
        "state_dict": torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)).state_dict(),
        "scalar": torch.tensor(3),
        "empty": torch.zeros(0, 5),
        "view": torch.arange(10)[2:5],
        "transposed": torch.arange(6).reshape(2, 3).t(),
        "expanded": torch.ones(1).expand(7),
        "tied": [torch.ones(4)] * 2,
        "parameter": torch.nn.Parameter(torch.ones(3)),
        "conjugated": torch.tensor([1 + 2j]).conj(),
        "coo": torch.eye(3).to_sparse(),
        "dtypes": {name: torch.zeros(3).to(getattr(torch, name)) for name in ITEM_SIZES},
        "dtype": torch.bfloat16,
        "size": torch.Size([2, 3]),
        "device": torch.device("cuda:1"),
        "big": 2**2000,
        "negative": -(2**70),
        "complex": 1 + 2j,
        "bytes": b"\x00\xff",
        "set": {1, "a"},
        "counter": Counter("aab"),
        "ordered": OrderedDict(b=1, a=2),
        "text": "训练 \ud800 \n",
        "keys": {1: 1, None: 2, False: 3, (1, "a"): 4, 2.5: 5},
        "floats": [float("nan"), float("-inf"), 1e-320, -0.0],
    }
    QUANTIZED = torch.quantize_per_tensor(torch.ones(1), 1.0, 0, torch.qint8)


@pytest.mark.parametrize("name", ZOO)
def test_every_kind_of_value_comes_back_and_its_metadata_without_torch(tmp_path: Path, name: str) -> None:
    path = put(tmp_path / "a.pth", {name: ZOO[name]})
    torchfile.verify(path)
    assert same(torchfile.read(path), torch.load(path, weights_only=True))
    assert same(torchfile.read(path)[name], torch.load(path, weights_only=True)[name])
    assert list(torchfile.read_metadata(path)) == [name]


def test_metadata_is_the_payload_with_stubs_for_tensors(tmp_path: Path) -> None:
    path = put(tmp_path / "a.pth", {"a": [torch.zeros(2, 3), 1.5], "b": {"c": torch.tensor(1, dtype=torch.int8)}})
    assert torchfile.read_metadata(path) == {
        "a": [TensorStub("float32", (2, 3)), 1.5],
        "b": {"c": TensorStub("int8", ())},
    }


def test_the_table_of_dtypes_is_torch_s() -> None:
    for name, size in ITEM_SIZES.items():
        assert getattr(torch, name).itemsize == size
    for name, dtype in STORAGES.items():
        if name != "torch.storage.UntypedStorage":
            assert getattr(torch, name.removeprefix("torch.")).dtype == getattr(torch, dtype)


@pytest.mark.parametrize("name", ["模型.pth", "no extension", "dots.in.name.pt"])
def test_plain_torch_files_are_read_whatever_their_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    torch.save(plain_state(3), path)
    assert same(load(str(path)), plain_state(3))
    assert torchfile.read_metadata(path)["epoch"] == 3


def test_a_program_that_switched_checksums_off_still_gets_files_with_them(tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        path = put(tmp_path / "a.pth", state(1))
        assert torch.serialization.get_crc32_options() is False
    finally:
        torch.serialization.set_crc32_options(True)
    torchfile.verify(path)


def test_sparse_tensors_with_indices_outside_are_refused(tmp_path: Path) -> None:
    bad = torch.sparse_coo_tensor(torch.tensor([[7]]), torch.ones(1), (3,), check_invariants=False)
    torch.save({"bad": bad}, tmp_path / "a.pth")
    with pytest.raises(CheckpointDamagedError) as caught:
        torchfile.read(tmp_path / "a.pth")
    assert caught.value.key == "store_torch_refused"


def test_a_known_digest_stands_in_for_checksums_and_a_wrong_one_proves_nothing(tmp_path: Path) -> None:
    path = put(tmp_path / "a.pth", state(1))
    torchfile.verify(path, file_digest(path))
    torchfile.verify(path, "xxh3_128:" + "0" * 32)
    whole = path.read_bytes()
    at = whole.index(torch.full((8,), 10.0).numpy().tobytes())
    path.write_bytes(whole[:at] + b"\x01" + whole[at + 1 :])
    for digest in ("", "xxh3_128:" + "0" * 32):
        with pytest.raises(CheckpointDamagedError) as caught:
            torchfile.verify(path, digest)
        assert caught.value.key == "store_crc"


class Subclassed(torch.Tensor):
    pass


def _with_attribute() -> torch.Tensor:
    tensor = torch.ones(1)
    tensor.note = "x"  # type: ignore[attr-defined]
    return tensor


def _attached(name: Any, value: object) -> "OrderedDict[str, int]":
    """What an attribute of that name hangs on."""
    ordered = OrderedDict(a=1)
    vars(ordered)[name] = value
    return ordered


def _deep(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


def _looped() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def _bomb() -> list[Any]:
    value: list[Any] = [1]
    for _ in range(60):
        value = [value, value]
    return value


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (object(), "a[0].b is a builtins.object"),
        (2**2040, "a[0].b is a builtins.int"),
        (Path("x"), "a[0].b is a pathlib"),
        (frozenset(), "a[0].b is a builtins.frozenset"),
        ({frozenset(): 1}, "a[0].b[frozenset()] is a builtins.frozenset"),
        ({(1, (2,)): 1}, "a[0].b[(1, (2,))] is a builtins.tuple"),
        ({2**80: 1}, "is a builtins.int"),
        ({(1, 2, (3,))}, "a[0].b is a builtins.set"),
        (torch.ones(1).as_subclass(Subclassed), "a[0].b is a tests.store.test_torchfile.Subclassed"),
        (_with_attribute(), "a[0].b is a torch.Tensor"),
        (torch.empty(1, device="meta"), "a[0].b is a torch.Tensor"),
        (QUANTIZED, "a[0].b is a torch.Tensor"),
        (_attached("copy", 1), "a[0].b.copy is a builtins.int"),
        (_attached(5, None), "a[0].b.5 is a builtins.NoneType"),
        (_attached("kept", torch.ones(1).untyped_storage()), "a[0].b.kept is a torch.storage.UntypedStorage"),
        (_attached("deep", _deep(197)), "deep"),
        (_deep(200), "deep"),
        (_looped(), "itself"),
        (_bomb(), "often"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_could_not_be_read_is_refused_with_its_path_before_a_byte_is_written(value: object, where: str) -> None:
    file = io.BytesIO()
    with pytest.raises(UnsavableStateError) as caught:
        torchfile.write({"a": [{"b": value}]}, file)
    assert where in str(caught.value)
    assert file.getvalue() == b""


SCALARS = st.none() | st.booleans() | st.integers(-(2**2039) + 1, 2**2039 - 1) | st.floats() | st.text(max_size=5)
KEYS = st.text(max_size=3) | st.integers(-(2**63) + 1, 2**63 - 1) | st.tuples(st.booleans(), st.text(max_size=2))
VALUES = st.recursive(
    SCALARS | st.sampled_from([torch.arange(4), torch.eye(2)[0], b"x", b"", 2j, torch.int8]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | inner.map(lambda value: [value, value])
    ),
    max_leaves=20,
)


@settings(max_examples=60, deadline=None)
@given(VALUES)
def test_whatever_can_be_written_can_be_read_by_us_and_by_torch(tmp_path_factory: Any, value: object) -> None:
    path = tmp_path_factory.mktemp("any") / "a.pth"
    put(path, {"value": value})
    assert same(torchfile.read(path), {"value": value})
    assert same(torch.load(path, weights_only=True), {"value": value})
    torchfile.read_metadata(path)


def test_shared_containers_have_the_paths_of_the_payload_whatever_their_keys() -> None:
    shared = {"": {"a": torch.ones(1)}, "b": torch.zeros(2), (): [torch.ones(2)]}
    payload = {"one": {"": shared}, "two": shared, "three": [shared]}
    assert torchfile.write(payload, io.BytesIO()) == tensor_digests(payload)


@pytest.mark.parametrize(
    "value", [torch.ones(3).untyped_storage(), OrderedDict, [{"a": (OrderedDict,)}], _attached("k", Counter)]
)
def test_what_is_no_training_state_in_a_plain_file_comes_back_as_torch_reads_it(tmp_path: Path, value: object) -> None:
    torch.save({"value": value}, tmp_path / "a.pth")
    ours, theirs = torchfile.read(tmp_path / "a.pth"), torch.load(tmp_path / "a.pth", weights_only=True)
    assert repr(ours) == repr(theirs)
    assert repr(getattr(ours["value"], "k", None)) == repr(getattr(theirs["value"], "k", None))


def test_the_deepest_state_that_can_be_written_can_be_read(tmp_path: Path) -> None:
    put(tmp_path / "a.pth", {"a": _deep(198)})
    torchfile.read(tmp_path / "a.pth")
    with pytest.raises(UnsavableStateError):
        torchfile.LaidOut({"a": _deep(199)})


def test_a_missing_file_is_told_with_what_is_there_instead(tmp_path: Path) -> None:
    for found, words in (
        (tmp_path / "none" / "a.pth", "neither does the folder"),
        (tmp_path / "a.pth", "no .pth file"),
    ):
        with pytest.raises(NothingToResumeError, match=words):
            torchfile.read(found)
    put(tmp_path / "b.pth", state())
    with pytest.raises(NothingToResumeError, match=r"holds: b\.pth"):
        torchfile.read(tmp_path / "a.pth")
    with pytest.raises(UsageError, match="is a folder"):
        torchfile.read(tmp_path)


def test_links_are_followed_within_their_folder_and_never_out_of_it(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    put(inside / "a.pth", state(1))
    (inside / "near.pth").symlink_to("a.pth")
    assert torchfile.read(inside / "near.pth")["epoch"] == 1
    put(outside / "b.pth", state(2))
    (inside / "far.pth").symlink_to(outside / "b.pth")
    (inside / "hop.pth").symlink_to("far.pth")
    (inside / "loop.pth").symlink_to("loop.pth")
    for name in ("far.pth", "hop.pth"):
        with pytest.raises(CheckpointDamagedError, match="leads out of its folder"):
            torchfile.read(inside / name)
    with pytest.raises(CheckpointDamagedError, match=r"loop\.pth.*link to nothing"):
        torchfile.read(inside / "loop.pth")
    linked_folder = tmp_path / "linked"
    linked_folder.symlink_to(inside)
    assert torchfile.read(linked_folder / "near.pth")["epoch"] == 1


def test_pipes_and_sockets_and_devices_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pth")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.pth"))
    for path in (tmp_path / "pipe.pth", tmp_path / "socket.pth", Path("/dev/zero")):
        with pytest.raises(CheckpointDamagedError, match="not a regular file"):
            torchfile.read(path)


def test_nothing_but_reading_and_writing_tensors_needs_torch(tmp_path: Path) -> None:
    put(tmp_path / "checkpoint_latest.pth", state(2))
    program = f"""
import sys
from pathlib import Path
import unbroken.store, unbroken.store.writer
from unbroken.store import lineage, manifest, torchfile
from unbroken.store.folder import CheckpointFolder
folder = CheckpointFolder({str(tmp_path)!r})
assert manifest.describe(folder, folder.latest).progress.epoch == 2
assert lineage.explain(folder).chosen.name == "checkpoint_latest.pth"
torchfile.verify(folder.latest)
assert "torch" not in sys.modules and "numpy" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_payload_can_be_changed_and_saved_over_the_file_it_came_from(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    torch.save({"w": torch.arange(1 << 20)}, path)
    payload = load(path)
    payload["note"] = "mine"
    torch.save(payload, path)
    assert torch.equal(load(path)["w"], torch.arange(1 << 20))


_WITH_LITTLE_MEMORY = """
import resource, sys
from pathlib import Path
import torch
from unbroken.errors import UnbrokenError
from unbroken.store import lineage
from unbroken.store.folder import CheckpointFolder

folder = CheckpointFolder(Path(sys.argv[1]))
lineage.find_resume_point(folder)
in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (in_use + int(sys.argv[2]) * 2**20,) * 2)
try:
    lineage.find_resume_point(folder)
except UnbrokenError as error:
    print(error.exit_code, error)
"""


def test_a_process_without_the_memory_takes_no_file_for_damaged(tmp_path: Path) -> None:
    for name in ("checkpoint_latest.pth", "checkpoint_previous.pth"):
        torch.save({**plain_state(3), "model_state_dict": {"w": torch.zeros(20 << 20)}}, tmp_path / name)
    command = [sys.executable, "-c", _WITH_LITTLE_MEMORY, str(tmp_path), "50"]
    told = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "UNBROKEN_LANG": "en"})
    assert told.stdout.startswith("71 ")
    assert "not at fault" in told.stdout
    assert {path.name for path in tmp_path.glob("*.pth*")} == {"checkpoint_latest.pth", "checkpoint_previous.pth"}
