"""Other data are refused by content, and every setting that differs is shown."""

import enum
import importlib.metadata
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from unbroken.errors import DataChangedError, UsageError
from unbroken.state.guards import (
    ABSENT,
    Change,
    compare_data,
    data_change,
    differences,
    environment,
    fingerprint_data,
    plain_config,
)


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    path = tmp_path / "prices.csv"
    path.write_bytes(b"date,close\n2020-01-01,1\n")
    return path


def test_data_are_known_by_content_not_by_name_or_time(prices: Path, tmp_path: Path) -> None:
    saved = fingerprint_data(prices)
    moved = tmp_path / "elsewhere" / "renamed.csv"
    moved.parent.mkdir()
    moved.write_bytes(prices.read_bytes())
    os.utime(moved, (0, 0))
    compare_data(saved, fingerprint_data(str(moved)))
    assert saved["files"][0]["name"] == "prices.csv"
    assert json.loads(json.dumps(saved)) == saved


def test_one_changed_byte_is_refused_naming_both_and_the_way_on(prices: Path) -> None:
    saved = fingerprint_data(prices)
    prices.write_bytes(prices.read_bytes().replace(b",1", b",2"))
    current = fingerprint_data(prices)
    with pytest.raises(DataChangedError) as raised:
        compare_data(saved, current)
    said = str(raised.value)
    for word in (
        saved["files"][0]["digest"],
        current["files"][0]["digest"],
        "prices.csv",
        "--allow-changed-data",
        "allow_changed_data=True",
    ):
        assert word in said
    assert raised.value.exit_code == 4
    found = data_change(raised.value)  # said where it was allowed: no advice any more
    assert "prices.csv" in found and "→" in found and "Use" not in found


def test_of_several_files_the_order_counts_and_the_changed_one_is_named(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.csv", "b.csv", "c.csv")]
    for path in paths:
        path.write_text(path.name)
    saved = fingerprint_data(paths)
    compare_data(saved, fingerprint_data(paths))
    with pytest.raises(DataChangedError, match=r"b\.csv.*c\.csv"):
        compare_data(saved, fingerprint_data([paths[0], paths[2], paths[1]]))
    with pytest.raises(DataChangedError, match=r"3 files then, 2 now.*c\.csv"):
        compare_data(saved, fingerprint_data(paths[:2]))
    with pytest.raises(DataChangedError, match=r"2 files then, 3 now.*c\.csv") as raised:
        compare_data(fingerprint_data(paths[:2]), saved)
    assert data_change(raised.value).startswith("2 files → 3; ")


def test_a_folder_is_all_that_is_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    (folder / "cats").mkdir(parents=True)
    (folder / "cats" / "1.png").write_bytes(b"cat")
    (folder / "0.png").write_bytes(b"dog")
    saved = fingerprint_data(folder)
    assert [entry["name"] for entry in saved["files"]] == ["images/0.png", "images/cats/1.png"]
    for i in range(40):
        (folder / f"{i * 7 % 40:02}.jpg").touch()
    names = [entry["name"] for entry in fingerprint_data(folder)["files"]]
    assert names == sorted(names)
    (folder / "cats" / "2.png").write_bytes(b"")
    with pytest.raises(DataChangedError, match="jpg"):
        compare_data(saved, fingerprint_data(folder))


@pytest.mark.parametrize("current", [None, {}, {"files": []}])
def test_what_is_not_known_is_not_compared(current: Any, prices: Path) -> None:
    if current is None or not current:
        compare_data(fingerprint_data(prices), current)
        compare_data(current, fingerprint_data(prices))
    else:
        with pytest.raises(DataChangedError):
            compare_data(fingerprint_data(prices), current)


def test_data_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gone\.csv.*No such file"):
        fingerprint_data(tmp_path / "gone.csv")


def test_the_environment_names_versions_hardware_and_switches() -> None:
    found = environment()
    assert found["torch"] == torch.__version__
    assert found["numpy"] == np.__version__
    assert found["package xxhash"] == importlib.metadata.version("xxhash")
    assert found["cpu_capability"] == torch.backends.cpu.get_cpu_capability()
    assert all(type(key) is str and type(value) is str for key, value in found.items())
    assert differences(found, environment()) == []


def test_every_switch_that_changes_bits_shows() -> None:
    before = environment()
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(threads + 1)
        torch.set_default_dtype(torch.float64)
        torch.set_float32_matmul_precision("medium")
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.backends.mkldnn.enabled = False  # type: ignore[assignment]
        torch.backends.cudnn.benchmark = True
        changes = {change.key: (change.old, change.new) for change in differences(before, environment())}
    finally:
        torch.set_num_threads(threads)
        torch.set_default_dtype(torch.float32)
        torch.set_float32_matmul_precision("highest")
        torch.use_deterministic_algorithms(False)
        torch.backends.mkldnn.enabled = True  # type: ignore[assignment]
        torch.backends.cudnn.benchmark = False
    assert changes == {
        "threads": (str(threads), str(threads + 1)),
        "default_dtype": ("torch.float32", "torch.float64"),
        "float32_matmul_precision": ("highest", "medium"),
        "deterministic_algorithms": ("False", "warn"),
        "mkldnn": ("True", "False"),
        "cudnn_benchmark": ("False", "True"),
    }


def test_another_hash_seed_shows_in_another_process() -> None:
    code = "from unbroken.state.guards import environment; print(environment()['PYTHONHASHSEED'])"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == "7"


def test_differences_are_found_at_every_depth_and_shown_old_to_new() -> None:
    old = {"lr": 0.1, "optimizer": {"name": "sgd", "betas": [0.9, 0.99]}, "gone": 1, "same": math.nan, "tuple": (1, 2)}
    new = {
        "lr": 0.01,
        "optimizer": {"name": "adam", "betas": (0.9, 0.99)},
        "same": math.nan,
        "tuple": [1, 2],
        "new": None,
    }
    changes = differences(old, new)
    assert changes == [
        Change("lr", 0.1, 0.01),
        Change("optimizer.name", "sgd", "adam"),
        Change("gone", 1, ABSENT),
        Change("new", ABSENT, None),
    ]
    assert [str(change) for change in changes] == [
        "lr: 0.1 → 0.01",
        "optimizer.name: sgd → adam",
        "gone: 1 → (absent)",
        "new: (absent) → None",
    ]


@pytest.mark.parametrize(("old", "new"), [(1, 1.0), (1, True), (0.0, -0.0), ([1], [1, 2]), ({"a": 1}, 3)])
def test_a_change_of_type_is_a_change(old: Any, new: Any) -> None:
    assert [change.key for change in differences({"x": old}, {"x": new})] == ["x"]


class Size(enum.Enum):
    SMALL = 1


def test_settings_become_plain_data_of_the_same_look_in_every_process() -> None:
    config = plain_config(
        {
            "lr": np.float32(0.5),
            "n": np.int64(3),
            "path": Path("a/b"),
            "size": Size.SMALL,
            "names": {"b", "a"},
            "nested": {"t": (1, None), 2: True},
            "dtype": torch.float32,
            "when": np.datetime64("2020-01-01"),
        }
    )
    assert config == {
        "lr": 0.5, "n": 3, "path": "a/b", "size": "Size.SMALL", "names": ["a", "b"],
        "nested": {"t": [1, None], "2": True}, "dtype": "torch.float32", "when": "2020-01-01",
    }  # fmt: skip
    assert json.loads(json.dumps(config)) == config


def test_an_object_in_the_settings_is_the_same_in_every_process() -> None:
    """``repr`` would show its address, and every resume a change that is none."""
    assert plain_config({"f": print, "o": object(), "l": lambda: 1}) == plain_config(
        {"f": print, "o": object(), "l": lambda: 1}
    )
