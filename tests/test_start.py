"""The start of a program: what is imported, read and looked through before the first step. Counted, not timed."""

import importlib.metadata
import pydoc
import subprocess
import sys
from pathlib import Path

import pytest

import unbroken
from tests.counting import calls
from unbroken.state import guards
from unbroken.state.rehearsal import Arrivals


def test_importing_the_package_imports_nothing_else() -> None:
    program = "import sys; before = {*sys.modules}; import unbroken; print(sorted({*sys.modules} - before))"
    said = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert said == "['unbroken', 'unbroken.version']\n"


def test_every_public_name_is_there_at_its_first_use_and_no_other() -> None:
    public = [name for name in dir(unbroken) if name[0].isupper() or name in ("cached", "load")]
    assert {"Run", "load", "cached", "Stopped", "UsageError"} <= {*public}
    for name in public:
        if name != "TYPE_CHECKING":
            assert getattr(unbroken, name).__name__ == name
    every: dict[str, object] = {}
    exec("from unbroken import *", every)
    assert {*public} - {"TYPE_CHECKING"} <= every.keys()
    with pytest.raises(AttributeError, match="no attribute 'run'"):
        unbroken.run  # type: ignore[attr-defined]  # noqa: B018


def test_a_star_imports_the_public_names_and_help_tells_of_them() -> None:
    public = {name for name in dir(unbroken) if name[0].isupper() or name in ("cached", "load")} - {"TYPE_CHECKING"}
    namespace: dict[str, object] = {}
    exec("from unbroken import *", namespace)
    assert {*namespace} - {"__builtins__"} == public | {"__version__"}
    assert namespace["Run"] is unbroken.Run
    assert "class UsageError" in pydoc.render_doc(unbroken, renderer=pydoc.plaintext)


def test_packages_are_told_as_the_standard_library_tells_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder, file, text in (
        (
            "odd-1.dist-info",
            "METADATA",
            "Metadata-Version: 2.1\nname: Odd\nVERSION:  1.5\n\nVersion: 9\nName: other\n",
        ),
        ("old.egg-info", "PKG-INFO", "Metadata-Version: 1.0\nVersion: 0.1\nName: Old\n"),
        ("bare-2.dist-info", "METADATA", "Name: bare\nVersion: 2"),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / file).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    expected: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        name = (distribution.metadata["Name"] or "").lower()
        if name and name not in ("torch", "numpy"):
            expected.setdefault(f"package {name}", distribution.version)
    found = {name: value for name, value in guards.environment().items() if name.startswith("package ")}
    assert found == expected
    assert (found["package odd"], found["package old"], found["package bare"]) == ("1.5", "0.1", "2")


def test_remains_of_packages_are_texts_that_a_checkpoint_may_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, metadata in (
        ("rest-1.dist-info", b"Name: rest\n\nbody"),
        ("nameless-1.dist-info", b"Version: 1\n\nbody"),
        ("bytes-1.dist-info", b"Name: b\xff\nVersion: 1\n\n"),
        ("gone-2.dist-info", None),
    ):
        (tmp_path / folder).mkdir()
        if metadata is not None:
            (tmp_path / folder / "METADATA").write_bytes(metadata)
    monkeypatch.syspath_prepend(tmp_path)
    found = guards.environment()
    assert found["package rest"] == ""
    assert {type(value) for value in found.values()} == {str}


def test_of_a_package_only_the_head_of_its_metadata_is_looked_at() -> None:
    guards.environment()
    count = len([*importlib.metadata.distributions()])
    assert calls(guards.environment) < 200 * count + 1500  # parsed whole, it is 1,000 and more for each


def test_one_process_does_not_look_through_the_memory_for_wrapped_modules() -> None:
    assert calls(lambda: Arrivals({})) < 20
