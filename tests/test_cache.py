"""The preprocessed-data cache: built once per key, mapped in place, and never trusted when it should not be."""

import json
import logging
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests import needs
from tests.small_disk import mounted
from unbroken.cache import Arrays, Cached, cached
from unbroken.disk.digest import bytes_digest
from unbroken.errors import UsageError

_KEY = {"data": "xxh3_128:00", "window": 60, "features": ("open", "close"), "code": 1}


class _Build:
    """A preprocessing that counts how often it ran."""

    def __init__(self, **arrays: Any) -> None:
        self.arrays = arrays or {"x": np.arange(12.0).reshape(3, 4), "日期": np.array(["2020-01-01"], "M8[D]")}
        self.runs = 0

    def __call__(self) -> Arrays:
        self.runs += 1
        return self.arrays


def _same(result: Cached, build: _Build) -> None:
    assert list(result.arrays) == list(build.arrays)
    for name, array in result.arrays.items():
        expected = np.asarray(build.arrays[name])
        assert (array.dtype, array.shape) == (expected.dtype, expected.shape)
        assert array.tobytes() == expected.tobytes()
        assert not array.flags.writeable


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_is_built_once_and_then_mapped_from_the_file(tmp_path: Path) -> None:
    build = _Build()
    path = tmp_path / "new" / "processed_data.npz"
    first = cached(path, build, key=_KEY)
    second = cached(str(path), build, key=dict(reversed(_KEY.items())))
    assert (first.reused, second.reused, build.runs) == (False, True, 1)
    assert _names(path.parent) == ["processed_data.npz"]
    maps = Path("/proc/self/maps").read_text()
    assert maps.count(str(path)) == 2  # in the first run too
    for result in (first, second):
        _same(result, build)
        with pytest.raises(ValueError, match="read-only"):
            result.arrays["x"][0] = 1
        with pytest.raises(TypeError):
            result.arrays["x"] = np.zeros(1)  # type: ignore[index]


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.text("aä数.- ", min_size=1, max_size=5),
        hnp.arrays(
            st.one_of(
                hnp.boolean_dtypes(),
                hnp.integer_dtypes(endianness="?"),
                hnp.floating_dtypes(endianness="?"),
                hnp.complex_number_dtypes(),
                hnp.datetime64_dtypes(),
                hnp.unicode_string_dtypes(max_len=3),
                hnp.byte_string_dtypes(max_len=3),
            ),
            hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
        ).flatmap(lambda array: st.sampled_from([array, array.T, array[..., ::2] if array.ndim else array])),
        max_size=3,
    )
)
def test_any_arrays_come_back_as_they_were_and_plain_numpy_opens_the_file(
    tmp_path_factory: pytest.TempPathFactory, arrays: dict[str, np.ndarray[Any, Any]]
) -> None:
    path = tmp_path_factory.mktemp("cache") / "x.npz"
    build = _Build()
    build.arrays = arrays
    for _ in range(2):
        result = cached(path, build, key={})
        assert list(result.arrays) == list(arrays)
        for name, array in arrays.items():
            assert result.arrays[name].dtype == array.dtype
            assert result.arrays[name].shape == array.shape
            assert result.arrays[name].tobytes() == array.tobytes()
            assert result.arrays[name].ctypes.data % 64 == 0 or array.size == 0
    assert build.runs == 1
    with np.load(path, allow_pickle=False) as plain:
        assert sorted(plain) == sorted([*arrays, "__unbroken__"])
        for name, array in arrays.items():
            assert plain[name].tobytes() == array.tobytes()
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


def test_the_file_says_what_it_was_made_from(tmp_path: Path) -> None:
    cached(tmp_path / "x.npz", _Build(), key=_KEY)
    with np.load(tmp_path / "x.npz") as plain:
        seal = json.loads(plain["__unbroken__"].item())
    assert seal["key"] == {**_KEY, "features": ["open", "close"]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"window": 30}, "window: 60 → 30"),
        ({"window": 60.0}, "window: 60 → 60.0"),
        ({"code": True}, "code: 1 → true"),
        ({"target": "return"}, 'target: — → "return"'),
        ({"features": ["close", "open"]}, 'features: ["open", "close"] → ["close", "open"]'),
    ],
)
def test_another_key_builds_anew_says_what_changed_and_keeps_the_old(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, object],
    said: str,
) -> None:
    monkeypatch.setenv("UNBROKEN_LANG", "en")
    path = tmp_path / "x.npz"
    before, after = _Build(x=np.zeros(3)), _Build(x=np.ones(3))
    cached(path, before, key=_KEY)
    old = path.read_bytes()
    caplog.clear()
    with caplog.at_level(logging.INFO, "unbroken"):
        result = cached(path, after, key={**_KEY, **change})
    _same(result, after)
    warning, note = (record.getMessage() for record in caplog.records)
    assert said in warning
    assert note == result.note
    (aside,) = (path for path in tmp_path.iterdir() if path.name.startswith("x.npz.old-"))
    assert str(aside) in warning
    assert aside.read_bytes() == old


def test_keys_that_come_back_are_not_built_again_and_do_not_pile_up(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    builds = {number: _Build(x=np.full(3, number)) for number in (1, 2, 3)}
    for number in (1, 2, 1, 3, 2, 2, 1):
        _same(cached(path, builds[number], key={"k": number}), builds[number])
    assert [build.runs for build in builds.values()] == [1, 1, 1]
    assert len(_names(tmp_path)) == 3
    path.unlink()  # killed between the two renames, or deleted by hand
    assert cached(path, builds[2], key={"k": 2}).reused
    assert len(_names(tmp_path)) == 2


def test_a_copy_of_an_old_cache_set_aside_is_replaced_by_its_like(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    builds = {number: _Build(x=np.full(3, number)) for number in (1, 2)}
    cached(path, builds[1], key={"k": 1})
    cached(path, builds[2], key={"k": 2})
    (first,) = tmp_path.glob("x.npz.old-*")
    copy = first.read_bytes()
    cached(path, builds[1], key={"k": 1})
    first.write_bytes(copy)
    assert cached(path, builds[2], key={"k": 2}).reused
    assert len(_names(tmp_path)) == 2
    first.write_bytes(copy[:100])  # one that was set aside and went bad is not used
    _same(cached(path, builds[1], key={"k": 1}), builds[1])
    assert builds[1].runs == 2


_WHOLE: list[bytes] = []


def _whole(folder: Path) -> bytes:
    if not _WHOLE:
        cached(folder / "whole.npz", _Build(), key=_KEY)
        _WHOLE.append((folder / "whole.npz").read_bytes())
    return _WHOLE[0]


@settings(max_examples=150, deadline=None)
@given(
    damage=st.one_of(
        st.tuples(st.just("cut"), st.floats(0, 1, exclude_max=True), st.just(0)),
        st.tuples(st.just("flip"), st.floats(0, 1, exclude_max=True), st.integers(1, 255)),
        st.tuples(st.just("append"), st.floats(0, 1), st.integers(0, 255)),
    )
)
@example(damage=("cut", 0.0, 0))
def test_no_damage_ever_changes_what_training_reads(
    tmp_path_factory: pytest.TempPathFactory, damage: tuple[str, float, int]
) -> None:
    folder = tmp_path_factory.mktemp("damage")
    kind, where, value = damage
    content = bytearray(_whole(folder))
    at = int(where * len(content))
    if kind == "cut":
        del content[at:]
    elif kind == "flip":
        content[at] ^= value
    else:
        content += bytes([value]) * (at + 1)
    path = folder / "x.npz"
    path.write_bytes(content)
    build = _Build()
    result = cached(path, build, key=_KEY)
    _same(result, build)
    assert result.reused == (build.runs == 0)
    if not result.reused:
        kept = [name for name in _names(folder) if name.startswith("x.npz.")]
        assert [(folder / name).read_bytes() for name in kept] == [bytes(content)]
    assert cached(path, build, key=_KEY).reused


def test_every_byte_of_the_arrays_is_verified(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    content = bytearray(_whole(tmp_path))
    content[content.index(np.float64(7.0).tobytes()) + 6] ^= 1
    path = tmp_path / "x.npz"
    for number in (1, 2):
        path.write_bytes(content)
        build = _Build()
        assert not cached(path, build, key=_KEY).reused
        assert (tmp_path / f"x.npz.damaged-{number}").read_bytes() == content
        assert f"x.npz.damaged-{number}" in caplog.text


def test_files_that_are_not_ours_are_kept_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, x=np.zeros(3))
    plain = path.read_bytes()
    build = _Build()
    _same(cached(path, build, key=_KEY), build)
    assert (tmp_path / "x.npz.foreign-1").read_bytes() == plain
    assert "x.npz.foreign-1" in caplog.text
    np.savez(path, x=np.zeros(3), __unbroken__=np.array(b'{"format": 2}'))  # of a later version
    _same(cached(path, build, key=_KEY), build)
    assert (tmp_path / "x.npz.foreign-2").exists()
    path.write_text("my notes")
    _same(cached(path, build, key=_KEY), build)
    assert (tmp_path / "x.npz.damaged-1").read_text() == "my notes"


def _sealed_by_hand(path: Path, **place: object) -> None:
    """A file that is right in all but its one array's place: 8 bytes of eighty before the seal, unless told."""
    content, member = BytesIO(), BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("x", bytes(80))
        array = {"offset": 40, "dtype": "<f8", "shape": [1], "fortran": False, **place}
        seal = {"format": 1, "key": {}, "arrays": {"x": array}, "digest": bytes_digest(content.getvalue())}
        np.save(member, np.array(json.dumps(seal).encode()))
        archive.writestr("__unbroken__.npy", member.getvalue())
    path.write_bytes(content.getvalue())


def test_a_seal_made_by_hand_is_good_if_it_is_right(tmp_path: Path) -> None:
    _sealed_by_hand(tmp_path / "x.npz")
    assert cached(tmp_path / "x.npz", _Build(), key={}).arrays["x"].tobytes() == bytes(8)


@pytest.mark.parametrize(
    "place",
    [
        {"offset": 1 << 20},
        {"offset": 1 << 70},
        {"offset": -8},
        {"offset": "0"},
        {"dtype": "|O"},
        {"dtype": "<f4, <f4"},
        {"dtype": "|V8"},
        {"dtype": "no such"},
        {"shape": [1 << 62]},
        {"shape": [1 << 40, 1 << 40]},
        {"shape": [-1]},
        {"shape": [-1, -1]},
        {"shape": [0.5]},
        {"shape": "x"},
    ],
)
def test_a_hostile_seal_is_damage(tmp_path: Path, place: Mapping[str, object]) -> None:
    path = tmp_path / "x.npz"
    _sealed_by_hand(path, **place)
    build = _Build()
    _same(cached(path, build, key={}), build)
    assert (tmp_path / "x.npz.damaged-1").exists()


def test_what_no_cache_can_hold_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    for arrays in (
        {"x": np.array([{}])},
        {"x": np.zeros(2, dtype="f8,f8")},
        {"x": np.ma.masked_array([1, 2], [True, False])},
        {"x": [1, 2]},
        {"": np.zeros(1)},
        {"a/b": np.zeros(1)},
        {"a\0b": np.zeros(1)},
        {"__unbroken__": np.zeros(1)},
        {1: np.zeros(1)},
    ):
        build = _Build()
        build.arrays = arrays  # type: ignore[assignment]
        with pytest.raises(UsageError) as refused:
            cached(path, build, key={})
        assert str(path) in str(refused.value)
    with pytest.raises(UsageError):
        cached(path, lambda: np.zeros(3), key={})  # type: ignore[arg-type, return-value]
    for key in ({"path": Path()}, {"nan": float("nan")}, {"set": {1}}):
        with pytest.raises(UsageError):
            cached(path, _Build(), key=key)
    with pytest.raises(UsageError):
        cached(tmp_path, _Build(), key={})
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError):
        cached(tmp_path / "pipe", _Build(), key={})
    (tmp_path / "file").touch()
    with pytest.raises(UsageError):
        cached(tmp_path / "file" / "x.npz", _Build(), key={})
    assert _names(tmp_path) == ["file", "pipe"]


def test_an_error_in_preprocessing_is_its_own_and_leaves_the_old_cache(tmp_path: Path) -> None:
    def fail() -> Arrays:
        raise ZeroDivisionError

    path = tmp_path / "x.npz"
    cached(path, _Build(), key={})
    with pytest.raises(ZeroDivisionError):
        cached(path, fail, key={"k": 2})
    assert cached(path, fail, key={}).reused
    assert _names(tmp_path) == ["x.npz"]


@pytest.mark.mounts
@pytest.mark.parametrize(("options", "said"), [("size=64k", "800.0 kB needed, 65.5 kB free"), ("ro", "Read-only")])
def test_a_disk_that_takes_no_cache_does_not_stop_training(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    options: str,
    said: str,
) -> None:
    monkeypatch.setenv("UNBROKEN_LANG", "en")
    build = _Build(x=np.zeros(100_000))
    with mounted(tmp_path / "disk", options) as disk:
        result = cached(disk / "x.npz", build, key=_KEY)
        _same(result, build)
        assert not result.reused
        assert str(disk) in caplog.text
        assert said in caplog.text
        assert _names(disk) == []


def test_a_link_to_a_larger_disk_stays_one(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    (tmp_path / "x.npz").symlink_to("scratch/x.npz")
    cached(tmp_path / "x.npz", _Build(), key={})
    cached(tmp_path / "x.npz", _Build(), key={"k": 2})
    assert (tmp_path / "x.npz").is_symlink()
    assert len(_names(tmp_path / "scratch")) == 2
    assert _names(tmp_path) == ["scratch", "x.npz"]


def test_processes_that_build_at_once_all_read_the_same(tmp_path: Path) -> None:
    results: list[Cached] = []
    build = _Build()
    threads = [
        threading.Thread(target=lambda: results.append(cached(tmp_path / "x.npz", build, key=_KEY))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    for result in results:
        _same(result, build)
    assert _names(tmp_path) == ["x.npz"]


@pytest.mark.strace
def test_what_a_killed_build_left_is_removed_by_the_next(tmp_path: Path) -> None:
    script = (
        "import numpy as np\nfrom unbroken.cache import cached\ncached('x.npz', lambda: {'x': np.zeros(9)}, key={})"
    )
    needs.require("strace")
    kill = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=fsync:signal=KILL"]
    killed = subprocess.run([*kill, sys.executable, "-B", "-c", script], cwd=tmp_path)
    assert killed.returncode == -9
    assert len(_names(tmp_path)) == 1
    cached(tmp_path / "x.npz", _Build(), key={})
    assert _names(tmp_path) == ["x.npz"]


def test_importing_it_does_not_import_torch() -> None:
    script = "import sys, unbroken.cache; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "False\n"


def test_the_sentences_are_there_in_both_languages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build: Callable[[], Arrays] = _Build()
    monkeypatch.setenv("UNBROKEN_LANG", "zh")
    assert "预处理" in cached(tmp_path / "x.npz", build, key={}).note
    monkeypatch.setenv("UNBROKEN_LANG", "en")
    assert "reused" in cached(tmp_path / "x.npz", build, key={}).note
