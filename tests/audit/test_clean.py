"""A clean script is never accused."""

from pathlib import Path

import pytest

from tests.audit.conftest import Audit
from unbroken.audit.verdict import Verdict

SCRIPT = Path(__file__).with_name("script.py")

AUDITS = 50


@pytest.mark.slow
def test_an_audit_finds_nothing_in_a_script_with_variables_that_are_not_kept(audited: Audit) -> None:
    report = audited(SCRIPT, kills=2, seed=0, final=Path("final.pt"))
    assert (report.verdict, report.findings, report.kills) == (Verdict.EXACT, [], 2)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_fifty_audits_find_nothing(audited: Audit) -> None:
    kills = 0
    for seed in range(AUDITS):
        report = audited(SCRIPT, kills=2, seed=seed, final=Path("final.pt"))
        assert (report.verdict, report.findings) == (Verdict.EXACT, []), f"seed {seed}"
        kills += report.kills
    print(f"{AUDITS} audits of a clean script, {kills} kills: exact, each of them")
    assert kills == 2 * AUDITS
