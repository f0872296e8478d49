"""Hostile files are inert: they are refused, they run nothing, and they allocate nothing to speak of."""

import itertools
import os
import pickle
import pickletools
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.store import forge
from tests.store.forge import called, integer, storage, tensor, text
from unbroken.errors import CheckpointDamagedError
from unbroken.store import pickles, torchfile
from unbroken.store.pickling import pickled
from unbroken.store.stubs import Storages
from unbroken.store.trees import Refused


def refused(path: Path) -> str:
    """The reason all three readers give."""
    keys = set()
    tracemalloc.start()
    try:
        for reader in (torchfile.verify, torchfile.read_metadata, torchfile.read):
            with pytest.raises(CheckpointDamagedError) as caught:
                reader(path)
            keys.add(caught.value.key)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000 + 20 * path.stat().st_size
    finally:
        tracemalloc.stop()
    assert len(keys) == 1
    return keys.pop()


COMMAND = text("touch executed")
ATTACKS: dict[str, bytes] = {
    "GLOBAL and REDUCE": b"\x80\x02" + called("os", "system", COMMAND) + b".",
    "posix": b"\x80\x02" + called("posix", "system", COMMAND) + b".",
    "STACK_GLOBAL": b"\x80\x04" + text("os") + text("system") + b"\x93" + COMMAND + b"\x85R.",
    "INST": b"(" + COMMAND + b"ios\nsystem\n.",
    "OBJ": b"(cos\nsystem\n" + COMMAND + b"o.",
    "builtins": b"\x80\x02" + called("builtins", "exec", text("open('executed', 'w')")) + b".",
    "python 2 name": b"\x80\x02" + called("__builtin__", "eval", text("open('executed', 'w')")) + b".",
    "in a payload": forge.payload(called("subprocess", "getoutput", COMMAND)),
    "getattr chain": b"\x80\x02"
    + called("builtins", "getattr", called("builtins", "__import__", text("os")), text("system"))
    + COMMAND
    + b"\x85R.",
    "under a dict key": b"\x80\x02}" + called("os", "system", COMMAND) + b"Ns.",
    "after the end": b"\x80\x02}." + called("os", "system", COMMAND) + b".",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_code_in_a_pickle_is_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = forge.torch_file(tmp_path / "a.pth", ATTACKS[name])
    assert refused(path) in ("store_global", "store_unsupported", "store_opcode", "store_pickle")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("name", sorted(ATTACKS.keys() - {"after the end"}))
def test_the_attacks_are_real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    pickle.loads(ATTACKS[name])
    assert (tmp_path / "executed").exists()


def _ordered(attributes: bytes) -> bytes:
    return called("collections", "OrderedDict") + attributes + b"b"


NESTED = b"".join([b"K\x01", *[b"q\x01h\x01h\x01\x86"] * 60])
REFUSED: dict[str, tuple[bytes, str]] = {
    "storage larger than its bytes": (tensor("0", [10**9], count=10**9), "store_storage"),
    "tensor larger than its storage": (tensor("0", [10**9], count=4), "store_tensor"),
    "offset outside": (tensor("0", [1], count=4, offset=4), "store_tensor"),
    "stride outside": (tensor("0", [2], count=4, stride=[4]), "store_tensor"),
    "negative size": (tensor("0", [-1], count=4), "store_pickle"),
    "negative stride": (tensor("0", [2], count=4, stride=[-1]), "store_pickle"),
    "negative offset": (tensor("0", [1], count=4, offset=-1), "store_pickle"),
    "absurd size beside a zero": (tensor("0", [0, 2**62], count=4), "store_tensor"),
    "expanded beyond reason": (tensor("0", [2**40], count=4, stride=[0]), "store_tensor"),
    "expanded many times": (
        b"(" + tensor("0", [2**26], count=4, stride=[0]) * 2 + b"t",
        "store_tensor",
    ),
    "storage that is not there": (tensor("1", [1], count=1), "store_storage"),
    "storage with a path": (tensor("../data.pkl", [1], count=1), "store_storage"),
    "storage described twice": (
        b"(" + storage("0", 1) + storage("0", 2, "DoubleStorage") + b"t",
        "store_storage",
    ),
    "torch.Tensor(n) allocates": (called("torch", "Tensor", integer(2**33)), "store_unsupported"),
    "a tensor class allocates": (called("torch", "FloatTensor", integer(2**33)), "store_unsupported"),
    "a storage called": (called("torch", "FloatStorage", integer(2**33)), "store_pickle"),
    "bytearray(n) allocates": (called("builtins", "bytearray", integer(2**33)), "store_pickle"),
    "a memo as large as memory": (b"Nr\xff\xff\xff\x7f0N", "store_opcode"),
    "a text longer than the file": (b"X\xff\xff\xff\xffabc", "store_pickle"),
    "bytes by another codec": (called("_codecs", "encode", text("a"), text("zip")), "store_pickle"),
    "a key that takes for ever to hash": (b"}" + NESTED + b"Ns", "store_pickle"),
    "a set of such": (called("builtins", "set", b"](" + NESTED + b"e"), "store_pickle"),
    "keys that all hash alike": (b"}" + integer(7 * (2**61 - 1)) + b"Ns", "store_pickle"),
    "a tree that grows for ever": (b"](NNe" + b"q\x01](h\x01h\x01e" * 60, "store_pickle"),
    "a list that holds itself": (b"]q\x01h\x01a", "store_pickle"),
    "very deep": (b"](" * 5000 + b"N" + b"e" * 5000, "store_pickle"),
    "methods shadowed": (_ordered(b"}" + text("items") + b"Ns"), "store_pickle"),
    "attributes too deep": (_ordered(b"}" + text("a") + b"]" * 5000 + b"a" * 4999 + b"s"), "store_pickle"),
    "an attribute that holds itself": (_ordered(b"}" + text("a") + b"]q\x01h\x01as"), "store_pickle"),
    "attributes that grow for ever": (
        _ordered(b"}" + text("a") + b"](NNe" + b"q\x01](h\x01h\x01e" * 60 + b"s"),
        "store_pickle",
    ),
    "attributes of a dict": (b"}}b", "store_pickle"),
    "items for a tuple": (b")Na", "store_pickle"),
    "a call of what was called": (called("torch", "Size", b")") + b")R", "store_pickle"),
    "hooks": (
        tensor("0", [1], count=1).replace(
            called("collections", "OrderedDict"),
            called("collections", "OrderedDict") + text("a") + b"Ns",
        ),
        "store_pickle",
    ),
    "a call without its arguments": (called("torch._utils", "_rebuild_tensor_v2"), "store_pickle"),
    "a reference to no storage": (text("module") + b"Q", "store_pickle"),
    "a reference by text": (b"Pdata\n", "store_opcode"),
    "an extension": (b"\x82\x01", "store_opcode"),
    "a mark remembered": (b"(q\x01th\x01Nt\x86", "store_pickle"),
    "numpy": (called("numpy.core.multiarray", "scalar"), "store_numpy"),
    "a whole module pickled": (called("torch.nn.modules.linear", "Linear"), "store_unsupported"),
    "typed storage": (called("torch.storage", "TypedStorage"), "store_unsupported"),
    "nothing on the stack": (b"0", "store_opcode"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_claims_that_would_harm_are_refused(tmp_path: Path, name: str) -> None:
    value, key = REFUSED[name]
    path = forge.torch_file(tmp_path / "a.pth", forge.payload(value), ("data/0", bytes(16)))
    assert refused(path) == key


def test_the_forger_can_write_honest_files_too(tmp_path: Path) -> None:
    honest = tensor("0", [2, 2], count=4, stride=[2, 1])
    path = forge.torch_file(tmp_path / "a.pth", forge.payload(honest), ("data/0", bytes(16)))
    assert torchfile.read(path)["key0"].equal(torch.zeros(2, 2))


def test_what_is_taken_at_once_means_what_it_means_one_by_one(tmp_path: Path) -> None:
    """A tensor as torch writes it, of whose memo places each pair is made one, and each is asked for behind it."""
    written = pickled({f"t{number}": torch.zeros(2, 3) for number in range(3)}).pickle
    starts = [place for _, _, place in pickletools.genops(written)]
    ops = [written[start:end] for start, end in zip(starts, [*starts[1:], len(written)], strict=True)]
    last = max(number for number, op in enumerate(ops) if op == b"Q") - 5
    puts = [number for number in range(last, len(ops)) if ops[number][:1] == b"q"]
    sizes = {str(number): 24 for number in range(3)}

    def one_by_one(raw: bytes) -> object:
        return pickles._read(pickles._Reader(raw, Storages(sizes), None))

    assert len(puts) == 7
    for one, other, asked in itertools.permutations(puts, 3):
        for place in (one, other, asked):
            mixed = [*ops[:-2], text("z") + b"h" + ops[place][1:], *ops[-2:]]
            mixed[other] = mixed[one]
            raw = b"".join(mixed)
            assert _outcome(lambda raw: pickles.read(raw, sizes), raw) == _outcome(one_by_one, raw)


def _outcome(reading: Callable[[bytes], object], raw: bytes) -> str:
    try:
        return repr(reading(raw))
    except Refused as refusal:
        return repr(refusal)


def test_torch_itself_would_have_allocated(tmp_path: Path) -> None:
    claims = (called("torch", "Tensor", integer(2**20)), called("builtins", "bytearray", integer(2**20)))
    path = forge.torch_file(tmp_path / "a.pth", forge.payload(*claims))
    assert path.stat().st_size < 1000
    assert [len(value) for value in torch.load(path, weights_only=True).values()] == [2**20, 2**20]


def test_a_pickle_that_ends_anywhere_is_refused(tmp_path: Path) -> None:
    whole = forge.payload(tensor("0", [2, 2], count=4, stride=[2, 1]), text("x"), integer(5))
    for length in range(len(whole)):
        forge.torch_file(tmp_path / "a.pth", whole[:length], ("data/0", bytes(16)))
        with pytest.raises(CheckpointDamagedError) as caught:
            torchfile.read_metadata(tmp_path / "a.pth")
        assert caught.value.key in ("store_pickle", "store_global", "store_opcode", "store_unsupported")


HONEST = (("data.pkl", forge.payload(tensor("0", [4], count=4))), ("data/0", bytes(16)))


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressed_members_are_refused(tmp_path: Path, method: int) -> None:
    bomb = (("data.pkl", HONEST[0][1]), ("data/0", bytes(10_000_000)))
    path = forge.archive(tmp_path / "a.pth", *bomb, method=method)
    assert path.stat().st_size < 100_000
    assert refused(path) == "store_compressed"


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["data.pkl", "data/0", "DATA.PKL", "data/0\0x"])
def test_two_members_of_one_name_are_refused(tmp_path: Path, name: str) -> None:
    evil = forge.payload(called("os", "system", COMMAND))
    path = forge.archive(tmp_path / "a.pth", *HONEST, (name, evil))
    assert refused(path) == "store_duplicate_member"


@pytest.mark.parametrize("name", ["/other/data.pkl", "/data.pkl", "/archive/", "../x", "a/../../x", "/archive\\x/y"])
def test_members_with_strange_names_are_refused(tmp_path: Path, name: str) -> None:
    path = forge.archive(tmp_path / "a.pth", *HONEST, (name, b"x"))
    assert refused(path) == "store_layout"


def _header(field: int, layout: str, *values: int) -> Callable[[bytes], bytes]:
    """Patch a field of the local header of ``data/0``."""
    return lambda raw: forge.patched(raw, forge.entries(raw)["archive/data/0"][0] + field, layout, *values)


def _entry(field: int, layout: str, *values: int) -> Callable[[bytes], bytes]:
    """Patch a field of the directory entry of ``data/0``."""
    return lambda raw: forge.patched(raw, forge.entries(raw)["archive/data/0"][1] + field, layout, *values)


def _end(field: int, layout: str, *values: int) -> Callable[[bytes], bytes]:
    return lambda raw: forge.patched(raw, len(raw) - 22 + field, layout, *values)


def _overlapping(raw: bytes) -> bytes:
    found = forge.entries(raw)
    return forge.patched(raw, found["archive/data/0"][1] + 42, "I", found["archive/data.pkl"][0])


def test_a_member_inside_another_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "inner.zip", "w") as file:
        file.writestr("archive/data/1", bytes(16))
    inner = (tmp_path / "inner.zip").read_bytes()
    path = forge.archive(tmp_path / "a.pth", HONEST[0], ("data/0", inner), ("data/1", bytes(16)))
    torchfile.verify(path)
    raw = path.read_bytes()
    entry = forge.entries(raw)["archive/data/1"][1]
    path.write_bytes(forge.patched(raw, entry + 42, "I", raw.index(inner)))
    assert refused(path) == "store_member_outside"


@pytest.mark.parametrize(
    ("name", "forgery", "key"),
    [
        ("encrypted", _entry(8, "H", 1), "store_compressed"),
        ("encrypted by its header only", _header(6, "H", 1), "store_local_header"),
        ("compressed by its header only", _header(8, "H", 8), "store_local_header"),
        ("another name in its header", _header(30, "B", ord("X")), "store_local_header"),
        ("no header there", _entry(42, "I", 3), "store_local_header"),
        ("header outside the file", _entry(42, "I", 2**31), "store_member_outside"),
        ("size outside the file", _entry(20, "II", 2**31, 2**31), "store_member_outside"),
        ("size into the directory", _entry(20, "II", 400, 400), "store_member_outside"),
        ("two sizes", _entry(20, "II", 15, 16), "store_compressed"),
        ("marked as a folder", _entry(38, "I", 0x10), "store_layout"),
        ("on another volume", _entry(34, "H", 1), "store_layout"),
        ("on another member's bytes", _overlapping, "store_local_header"),
        ("a comment", lambda raw: raw[:-2] + b"\x04\x00abcd", "store_truncated"),
        ("several volumes", _end(4, "H", 1), "store_layout"),
        ("more entries than there are", _end(8, "HH", 9, 9), "store_layout"),
        ("fewer entries than there are", _end(8, "HH", 1, 1), "store_layout"),
        ("directory elsewhere", _end(16, "I", 0), "store_layout"),
        ("something before the end", lambda raw: raw[:-22] + b"\0" + raw[-22:], "store_layout"),
        ("something in front", lambda raw: b"PK\x03\x04" + raw, "store_layout"),
        ("entry name beyond the directory", _entry(28, "H", 60000), "store_layout"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_containers_on_which_readers_could_disagree_are_refused(
    tmp_path: Path, name: str, forgery: Callable[[bytes], bytes], key: str
) -> None:
    path = forge.archive(tmp_path / "a.pth", *HONEST)
    torchfile.verify(path)
    path.write_bytes(forgery(path.read_bytes()))
    assert refused(path) == key


def test_a_million_members_cost_no_more_than_their_bytes(tmp_path: Path) -> None:
    path = forge.archive(tmp_path / "a.pth", *HONEST)
    path.write_bytes(_end(8, "HH", 65535, 65535)(path.read_bytes()))
    assert refused(path) == "store_layout"


def test_hostile_manifests_and_run_records_count_as_none(tmp_path: Path) -> None:
    from unbroken.store import manifest as manifests
    from unbroken.store.folder import CheckpointFolder
    from unbroken.store.record import read_run_record

    folder = CheckpointFolder(tmp_path)
    folder.prepare()
    place = folder.manifest("a.pth")
    for raw in (b"", b"[" * 100_000, b"{}", b"[]", b"\xff\xfe", b"null", b'{"size": 1e999}', b"1" * 5000):
        place.write_bytes(raw)
        folder.run_json.write_bytes(raw)
        assert manifests.read(folder, "a.pth") is None
        assert read_run_record(folder) is None
    place.unlink()
    os.mkfifo(place)
    assert manifests.read(folder, "a.pth") is None
