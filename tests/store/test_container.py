"""The container we write is torch's own, to the byte, and everything that reads torch's files reads it."""

import io
import mmap
import os
import pickle
import tempfile
import warnings
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from torch.utils.serialization import config

from tests.store.generated import state_dicts
from tests.store.states import same
from unbroken.disk.durable import write_durably
from unbroken.errors import UnsavableStateError
from unbroken.store import torchfile
from unbroken.store.container import read_members
from unbroken.store.tensors import tensor_digests

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

ID = ".data/serialization_id"


def by_us(payload: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torchfile.write(payload, buffer)
    return buffer.getvalue()


def by_torch(payload: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torch.save(payload, buffer, pickle_protocol=2)
    return buffer.getvalue()


@contextmanager
def file_of(content: bytes) -> Iterator[Path]:
    with tempfile.NamedTemporaryFile(dir="/dev/shm", suffix=".pth") as file:
        file.write(content)
        file.flush()
        yield Path(file.name)


@contextmanager
def offsets_worked_out() -> Iterator[None]:
    """Torch then computes where a storage lies, from what it knows of its own writer."""
    os.environ["TORCH_SERIALIZATION_DEBUG"] = "1"  # and compares that with where it is
    config.load.calculate_storage_offsets = True
    try:
        yield
    finally:
        config.load.calculate_storage_offsets = False
        del os.environ["TORCH_SERIALIZATION_DEBUG"]


def check_written(payload: dict[str, Any]) -> None:
    """Every claim there is about one state that is written and read again."""
    buffer = io.BytesIO()
    digests = torchfile.write(payload, buffer)
    ours, theirs = buffer.getvalue(), by_torch(payload)
    assert digests == tensor_digests(payload)

    # The one thing that differs is the name torch gives to the content, which nothing reads.
    name = read_members(io.BytesIO(theirs), len(theirs), Path("theirs"))[ID]
    assert ours[: name.offset] == theirs[: name.offset]
    assert len(ours) == len(theirs)

    with file_of(ours) as path:
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
        assert same(torch.load(path, weights_only=True), payload)
        assert same(torch.load(path, weights_only=True, mmap=True), payload)
        with offsets_worked_out():
            assert same(torch.load(path, weights_only=True, mmap=True), payload)
        torchfile.verify(path)
        assert same(torchfile.read(path), payload)
    with file_of(theirs) as path:
        assert same(torchfile.read(path), payload)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(state_dicts())
def test_what_we_write_is_torch_s_file_to_the_byte_and_every_reader_reads_it(payload: dict[str, Any]) -> None:
    check_once(payload)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(state_dicts())
def test_ten_thousand_state_dicts(payload: dict[str, Any]) -> None:
    check_once(payload)


def check_once(payload: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_written(payload)


def test_sharing_survives() -> None:
    base = torch.arange(12.0)
    with file_of(by_us({"base": base, "row": base.view(3, 4)[1], "again": base})) as path:
        for loaded in (torch.load(path, weights_only=True), torchfile.read(path)):
            loaded["base"][4] = 99.0
            assert loaded["row"][0] == 99.0
            assert loaded["again"] is loaded["base"]


def test_one_memory_as_two_dtypes_is_refused_in_words_before_anything_is_written() -> None:
    memory = torch.zeros(4)
    buffer = io.BytesIO()
    with pytest.raises(UnsavableStateError, match=r"torch\.float32.*torch\.int32"):
        torchfile.write({"a": memory, "b": memory.view(torch.int32)}, buffer)
    assert buffer.getvalue() == b""


@pytest.mark.slow
def test_more_members_than_sixteen_bits_count(tmp_path: Path) -> None:
    path = tmp_path / "many.pth"
    payload = {"many": list(torch.arange(66_000, dtype=torch.int16).split(1))}
    payload["many"] = [tensor.clone() for tensor in payload["many"]]
    with path.open("wb") as file:
        torchfile.write(payload, file)
    with zipfile.ZipFile(path) as archive:
        assert len(archive.namelist()) == 66_006
        assert pickle.PROTO in archive.read("archive/data.pkl")
    torchfile.verify(path)
    loaded = torch.load(path, weights_only=True, mmap=True)["many"]
    assert torch.cat(loaded).equal(torch.arange(66_000, dtype=torch.int16))
    ours = torchfile.read(path)["many"]
    assert torch.cat(ours).equal(torch.cat(loaded))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_file_above_four_gib_whose_members_lie_on_both_sides_of_the_limit(tmp_path: Path) -> None:
    large = torch.frombuffer(mmap.mmap(-1, (4 << 30) + 12_345), dtype=torch.uint8)  # memory that is never touched
    payload: dict[str, Any] = {"before": torch.arange(5.0), "large": large, "after": torch.arange(7)}
    payload["empty"] = torch.zeros(0)
    path = tmp_path / "large.pth"
    digests: dict[str, str] = {}
    written = write_durably(path, lambda file: digests.update(torchfile.write(payload, file)))
    try:
        assert written.size == path.stat().st_size > 4 << 30
        with zipfile.ZipFile(path) as archive:
            assert archive.getinfo("archive/data/1").file_size == large.numel()
            assert archive.getinfo("archive/data/2").header_offset > 4 << 30
            assert archive.testzip() is None
        torchfile.verify(path)
        torchfile.verify(path, written.digest)
        for read in (
            lambda: torch.load(path, weights_only=True, mmap=True),
            lambda: torchfile.read(path, written.digest),
        ):
            with offsets_worked_out():
                loaded = read()
            assert {name: tensor.shape for name, tensor in loaded.items()} == {n: t.shape for n, t in payload.items()}
            assert tensor_digests(loaded) == digests
            del loaded
    finally:
        path.unlink()


@pytest.mark.parametrize("count", [1, 2, 3, 255, 256, 999, 1000, 1001, 2000, 2001])
@pytest.mark.one_in(4)
def test_what_a_batch_of_a_pickle_holds_is_as_torch_has_it(count: int) -> None:
    numbers, names = list(range(count)), [f"n{number}" for number in range(count)]
    payload = {
        "list": names,
        "floats": [0.5] * count,
        "dict": dict.fromkeys(names, 1),
        "ordered": OrderedDict.fromkeys(names, 2),
        "counter": Counter(names),
        "numbers": {number: [-number, 1 << number % 70] for number in numbers},
        "tensors": {name: torch.full((2, count % 7), 1.5) for name in names},
        "scalars": [torch.tensor(0.5) for _ in names],
        "more": [torch.zeros(1, 2, 3, 4, dtype=torch.int64), "cpu", "storage", "0", "7"],
    }
    payload["again"] = [payload["tensors"], payload["dict"]]
    check_once(payload)
