"""Damage: whatever happens to the bytes of a checkpoint, it is refused with a reason, or it is still the same state."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.states import put, same, state
from unbroken.errors import CheckpointDamagedError
from unbroken.store import torchfile


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return put(tmp_path_factory.mktemp("whole") / "a.pth", state(1, 3)).read_bytes()


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    return tmp_path / "checkpoint_latest.pth"


def refused(path: Path) -> str:
    """Why the file is refused; "" if it is not, and then it must hold the state that was written."""
    try:
        torchfile.verify(path)
    except CheckpointDamagedError as error:
        assert str(path) in str(error)
        return error.key
    assert same(torchfile.read(path), state(1, 3))
    return ""


def test_the_whole_file_is_read(victim: Path, whole: bytes) -> None:
    victim.write_bytes(whole)
    assert refused(victim) == ""


@pytest.mark.parametrize(
    ("name", "harm", "key"),
    [
        ("empty", lambda whole: b"", "store_empty"),
        ("zeros", lambda whole: bytes(len(whole)), "store_zeros"),
        ("one byte", lambda whole: whole[:1], "store_not_torch"),
        ("half", lambda whole: whole[: len(whole) // 2], "store_truncated"),
        ("last byte gone", lambda whole: whole[:-1], "store_truncated"),
        ("a byte more", lambda whole: whole + b"\0", "store_truncated"),
        ("tail never reached the disk", lambda whole: whole[:2048] + bytes(len(whole) - 2048), "store_truncated"),
        ("head lost", lambda whole: bytes(512) + whole[512:], "store_zeros"),
        ("another kind", lambda whole: b"\x89PNG\r\n\x1a\n" + whole, "store_not_torch"),
        ("text", lambda whole: b"404: Not Found", "store_not_torch"),
        ("written twice", lambda whole: whole + whole, "store_layout"),
    ],
)
def test_common_damage_is_told_by_its_name(
    victim: Path, whole: bytes, name: str, harm: Callable[[bytes], bytes], key: str
) -> None:
    victim.write_bytes(harm(whole))
    assert refused(victim) == key
    with pytest.raises(CheckpointDamagedError) as caught:
        torchfile.read(victim)
    assert caught.value.key == key


def flip_bits(victim: Path, whole: bytes, bits: Iterable[int]) -> int:
    """Flip one bit at a time; how many flips did not matter."""
    harmless = 0
    for bit in bits:
        broken = bytearray(whole)
        broken[bit // 8] ^= 1 << bit % 8
        victim.write_bytes(broken)
        harmless += refused(victim) == ""
    return harmless


def test_bits_all_over_the_file_are_guarded_or_do_not_matter(victim: Path, whole: bytes) -> None:
    bits = range(0, 8 * len(whole), 23)
    assert flip_bits(victim, whole, bits) < len(bits) / 2  # padding, times, attributes


def test_every_bit_of_the_directory_is_guarded_or_does_not_matter(victim: Path, whole: bytes) -> None:
    start = whole.index(b"PK\x01\x02")
    entry = [*range(start, start + 46), *range(len(whole) - 98, len(whole))]
    bits = [at * 8 + bit for at in entry for bit in range(8)]
    assert flip_bits(victim, whole, bits) < len(bits) / 2


@pytest.mark.slow
def test_every_bit_is_guarded_or_does_not_matter(victim: Path, whole: bytes) -> None:
    assert flip_bits(victim, whole, range(8 * len(whole))) < 4 * len(whole)


def test_cut_off_anywhere_it_is_refused(victim: Path, whole: bytes) -> None:
    for length in [*range(0, len(whole), 13), *range(len(whole) - 150, len(whole))]:
        victim.write_bytes(whole[:length])
        assert refused(victim)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_overwritten_stretch_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, whole: bytes, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(whole) - 1))
    stretch = data.draw(st.binary(min_size=1, max_size=300) | st.integers(1, 4096).map(bytes))
    victim = tmp_path_factory.mktemp("x") / "a.pth"
    victim.write_bytes(whole[:start] + stretch + whole[start + len(stretch) :])
    refused(victim)


def test_the_changed_part_is_named(victim: Path, whole: bytes) -> None:
    at = whole.index(b"train_losses")
    victim.write_bytes(whole[:at] + b"T" + whole[at + 1 :])
    for reader in (torchfile.read, torchfile.read_metadata):
        with pytest.raises(CheckpointDamagedError, match=r"data\.pkl have changed"):
            reader(victim)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_torch_file_that_is_no_checkpoint_is_told_apart(victim: Path) -> None:
    torch.save(torch.ones(3), victim)
    with pytest.raises(CheckpointDamagedError) as caught:
        torchfile.read(victim)
    assert caught.value.key == "store_not_a_dict"
    torch.save({"a": 1}, victim, _use_new_zipfile_serialization=False)
    with pytest.raises(CheckpointDamagedError) as caught:
        torchfile.read(victim)
    assert caught.value.key == "store_legacy"
    torch.jit.script(torch.nn.Linear(1, 1)).save(str(victim))  # type: ignore[no-untyped-call]
    with pytest.raises(CheckpointDamagedError) as caught:
        torchfile.read(victim)
    assert caught.value.key == "store_not_torch"
