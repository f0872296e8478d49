import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

import unbroken
from unbroken.audit.report import Report, Request, Watcher
from unbroken.audit.runner import audit
from unbroken.errors import UsageError

Audit = Callable[..., Report]

# On a machine that others use, too, a whole run may take several times as long as the one that is to be killed then.
_TRIES = 4


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where audits make their copies; English; no hash seed set by whoever runs the tests."""
    monkeypatch.setenv("UNBROKEN_LANG", "en")
    monkeypatch.setenv("PYTHONPATH", str(Path(unbroken.__file__).parents[1]))
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    return scratch


@pytest.fixture
def audited(tmp_path: Path, scratch: Path) -> Audit:
    """``audited(path, "--fault", "counter", kills=7)`` audits a script that lies alone in a folder as train.py."""

    def run(script: Path, *words: str, kills: int = 7, seconds: float = 1200.0, **options: object) -> Report:
        folder = tmp_path / "project"
        folder.mkdir(exist_ok=True)
        (folder / "train.py").write_bytes(script.read_bytes())
        command = (sys.executable, "train.py", *words)
        known = {"seed": 1, **options}
        for left in reversed(range(_TRIES)):
            try:
                return audit(Request(command, folder, kills, seconds, **known), Watcher())  # type: ignore[arg-type]
            except UsageError as refused:
                if refused.key != "audit_no_kill" or not left:
                    raise
        raise AssertionError("not reached")

    return run
