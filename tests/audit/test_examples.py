"""The examples resume exactly: each is audited as its reader is told to."""

from pathlib import Path

import pytest

from tests.audit.conftest import Audit
from unbroken.audit.verdict import Verdict

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SMALL = {
    "char_gpt": ("--steps", "40", "--sentences", "20"),
    "vae": ("--epochs", "3", "--pictures", "700"),
    "gan": ("--epochs", "3", "--points", "1300"),
    "cnn": ("--epochs", "3", "--pictures", "320"),
    "lstm": ("--epochs", "3", "--windows", "500"),
    "ddp": ("--epochs", "3", "--points", "720"),
}


@pytest.mark.slow
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("name", SMALL)
def test_an_example_is_exact(audited: Audit, name: str) -> None:
    report = audited(EXAMPLES / f"{name}.py", *SMALL[name])
    assert (report.verdict, report.findings, report.kills) == (Verdict.EXACT, [], 7)


def test_every_example_is_listed_and_audited() -> None:
    scripts = {path.stem for path in EXAMPLES.glob("*.py")}
    assert scripts == set(SMALL)
    listed = (EXAMPLES / "README.md").read_text()
    assert all(f"`{name}.py`" in listed for name in scripts)


@pytest.mark.parametrize("name", SMALL)
def test_what_was_changed_is_marked(name: str) -> None:
    text = (EXAMPLES / f"{name}.py").read_text()
    assert "# (1)" in text and "(2)" in text and "(3)" in text
    assert "run.track(" in text and "run.batches(" in text
