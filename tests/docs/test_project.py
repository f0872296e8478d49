"""What the project's files promise is what its checks run: versions, commands, folders of tests."""

import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, metadata

import pytest
from packaging.specifiers import SpecifierSet

from tests.docs.pages import ROOT, codes_in, page
from tests.versions import spelled, supported

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOW = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
CHECKS = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_every_python_that_is_claimed_is_tried() -> None:
    claimed = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if re.search(r":: Python :: \d+\.\d+$", line)]
    (matrix,) = re.findall(r"^        python: \[(.*)\]$", WORKFLOW, re.MULTILINE)
    assert claimed and set(claimed) <= set(re.findall(r'"([\d.]+)"', matrix))
    assert claimed[0] == spelled(supported()[0])


@pytest.mark.skipif(sys.version_info[:2] != supported()[0][:2], reason="what installs on another Python may want it")
def test_what_is_pinned_installs_on_the_first_release_of_the_oldest_python() -> None:
    """Distributions stay with the patch release that they began with: Debian 12 has 3.11.2."""
    oldest = f"{spelled(supported()[0])}.0"
    pins = re.findall(r"^([\w.-]+)==", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    wants = {name: metadata(name)["Requires-Python"] for name in pins if _is_installed(name)}
    assert len(wants) > 50
    assert {name: want for name, want in wants.items() if want and oldest not in SpecifierSet(want)} == {}


def _is_installed(name: str) -> bool:
    try:
        return bool(metadata(name))
    except PackageNotFoundError:  # of an extra that is not installed
        return False


def test_the_oldest_torch_and_the_newest_are_tried() -> None:
    (matrix,) = re.findall(r"^        torch: \[(.*)\]$", WORKFLOW, re.MULTILINE)
    assert re.findall(r'"([^"]+)"', matrix) == [f"torch=={spelled(supported()[1])}.*", "torch"]


def test_hooks_and_workflow_run_the_checks_of_ci() -> None:
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    entries = re.findall(r"^ +entry: (.*)$", hooks, re.MULTILINE)
    runs = re.findall(r"^ +- run: (.*)$", WORKFLOW, re.MULTILINE)
    checks = [line for line in CHECKS if re.match(r"ruff|mypy|lint-imports", line)]
    assert entries and entries == [line.removesuffix(" .") for line in checks]
    assert [line for line in checks if line not in runs] == []


def test_every_folder_of_tests_is_on_the_page() -> None:
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/__init__.py")}
    rows = page("tests/README.md").table_after("# Which test goes where")
    assert {name for row in rows for name in codes_in(row[0])} == folders


def test_what_the_core_installs_is_what_the_library_imports() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src" / "unbroken").rglob("*.py"))
    imported = set(re.findall(r"^ *(?:import|from) (\w+)", source, re.MULTILINE))
    names = {re.split(r"[>=; \[]", line)[0] for line in PROJECT["dependencies"]}
    assert names <= imported
    extra = {re.split(r"[>=; \[]", line)[0] for line in PROJECT["optional-dependencies"]["forecaster"]}
    assert not extra & imported
