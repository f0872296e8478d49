"""An audit starts, kills and judges the processes of torchrun, which have process groups of their own."""

import sys
from pathlib import Path

import pytest

from unbroken.audit.report import Report, Request, Watcher
from unbroken.audit.runner import audit
from unbroken.audit.verdict import Verdict

SCRIPT = Path(__file__).with_name("ranked.py")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600), pytest.mark.usefixtures("scratch")]


def _audited(folder: Path, *words: str) -> Report:
    folder.mkdir()
    (folder / "train.py").write_bytes(SCRIPT.read_bytes())
    command = (sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "3", "train.py", *words)
    return audit(Request(command, folder, kills=2, seconds=3000, seed=4), Watcher())


def test_three_ranks_are_exact(tmp_path: Path) -> None:
    report = _audited(tmp_path / "project")
    assert (report.verdict, report.findings) == (Verdict.EXACT, [])
    assert report.kills == 2


def test_what_a_rank_keeps_to_itself_is_found(tmp_path: Path) -> None:
    report = _audited(tmp_path / "project", "counter")
    assert report.verdict is Verdict.DIFFERS
    assert any("stepped" in str(finding.cause) for finding in report.findings), report.findings
