"""Real training scripts with one planted fault each: the verdict, where it begins, in what, and why."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.audit.conftest import Audit
from unbroken.audit.report import Report
from unbroken.audit.verdict import Verdict
from unbroken.loop.trace import Group, Kind

SCRIPT = Path(__file__).with_name("script.py")
CLASSIC = Path(__file__).with_name("classic.py")


@dataclass(frozen=True)
class Expected:
    """``after``: steps between the resume and the first difference; ``step``: where that is in any run."""

    verdict: Verdict
    group: Group
    cause: str
    says: str
    kind: Kind = Kind.STEP
    after: int | None = None
    step: int | None = None


def of_resume(group: Group, cause: str, says: str, *, after: int | None = 1, kind: Kind = Kind.STEP) -> Expected:
    return Expected(Verdict.DIFFERS, group, f"audit_cause_{cause}", says, kind, after)


def of_itself(group: Group, cause: str, says: str, *, step: int, kind: Kind = Kind.STEP) -> Expected:
    return Expected(Verdict.NOT_DETERMINISTIC, group, f"audit_cause_{cause}", says, kind, step=step)


FAULTS = {
    "hash order": of_itself(Group.ORDER, "hash_held", "order in main()", step=1),
    "clock": of_itself(Group.STREAM, "seed", "Torch's random stream", step=0, kind=Kind.BEGIN),
    "optimizer from set": of_itself(Group.MODEL, "optimizer_set", "optimizer gets its parameters", step=1),
    "kernels": of_itself(Group.AVERAGE, "kernels", "the clock", step=1),
    "unseeded": of_itself(Group.AVERAGE, "unseeded", "numpy", step=1),
    "own stream": of_resume(Group.STREAM, "untracked", "dice (Generator, in main()) is not tracked"),
    "dataset state": of_resume(Group.DATA, "data_held", "points.calls"),
    "scheduler": of_resume(Group.SCHEDULER, "untracked", "scheduler (StepLR, in main()) is not tracked"),
    "ema": of_resume(Group.MODEL, "untracked", "ema (AveragedModel, in main()) is not tracked"),
    "ema by hand": of_resume(Group.HISTORY, "variable", "by_hand in main()", after=None, kind=Kind.EPOCH),
    "counter": of_resume(Group.AVERAGE, "variable", "seen in main() is"),
    "accumulation": of_resume(Group.MODEL, "variable", "i in main() is", after=None),
    "patience": of_resume(Group.COURSE, "variable", "waited in main() is", after=None),
}


def check(report: Report, expected: Expected) -> None:
    assert report.verdict is expected.verdict
    finding = report.findings[0]
    assert (finding.group, finding.cause.key) == (expected.group, expected.cause)
    assert expected.says in str(finding.cause)
    assert str(finding.remedy)
    assert finding.moment is not None
    assert finding.moment.kind is expected.kind
    assert finding.at_resume == (expected.verdict is Verdict.DIFFERS)
    if expected.step is not None:
        assert finding.moment.step == expected.step
    if expected.after is not None:
        assert finding.steps_after == expected.after


@pytest.mark.slow
def test_a_counter_in_the_loss_is_named(audited: Audit) -> None:
    """The one of its kind that every run of the tests makes; the others take their time."""
    check(audited(SCRIPT, "--fault", "counter", kills=1), FAULTS["counter"])


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "counter"])
def test_a_planted_fault_is_named(audited: Audit, fault: str) -> None:
    report = audited(SCRIPT, "--fault", fault, kills=2)
    check(report, FAULTS[fault])
    if fault not in ("own stream", "patience", "ema by hand"):
        assert report.findings[0].largest or report.findings[0].group in (Group.SCHEDULER, Group.MODEL)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_dataset_that_counts_in_its_workers(audited: Audit, workers: str) -> None:
    report = audited(SCRIPT, "--fault", "dataset state", "--workers", workers, kills=2)
    # There the count is in a copy of the dataset that this process never sees.
    check(report, of_resume(Group.DATA, "data", "a worker's copy of it"))


@pytest.mark.slow
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("words", [(), ("--workers", "2"), ("--record-time",)])
def test_a_clean_script_is_exact(audited: Audit, words: tuple[str, ...]) -> None:
    report = audited(SCRIPT, *words, final=Path("final.pt"))
    assert (report.verdict, report.findings, report.kills) == (Verdict.EXACT, [], 7)
    notes = {note.key: str(note) for note in report.notes}
    assert ("seconds" in notes.get("audit_note_records", "")) == ("--record-time" in words)
    assert "seen in main()" in notes["audit_note_left_over"]


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("fault", "key", "says"),
    [
        ("starts over", "audit_starts_over", 'resume="never"'),
        ("fails at restart", "audit_restart_failed", "FileExistsError"),
    ],
)
def test_a_script_that_does_not_resume(audited: Audit, fault: str, key: str, says: str) -> None:
    report = audited(SCRIPT, "--fault", fault, kills=1)
    assert report.verdict is Verdict.DOES_NOT_RESUME
    assert [failure.key for failure in report.failures] == [key]
    assert says in str(report.failures[0])


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("fault", "verdict", "group"),
    [
        ("none", Verdict.EXACT, None),
        ("optimizer forgotten", Verdict.DIFFERS, Group.MODEL),
        ("optimizer from set", Verdict.DIFFERS, Group.MODEL),
        ("order starts anew", Verdict.DIFFERS, Group.MODEL),
    ],
)
def test_a_classic_script_without_the_library(
    audited: Audit, fault: str, verdict: Verdict, group: Group | None
) -> None:
    where = {"checkpoints": Path("ckpt"), "final": Path("final.pt")}
    report = audited(CLASSIC, "--fault", fault, kills=5, **where)
    assert report.verdict is verdict
    if group is not None:
        finding = report.findings[0]
        assert (finding.group, finding.cause.key) == (group, "audit_cause_files")
        assert finding.largest and finding.largest[0].difference


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_a_compiled_model_that_meets_its_shapes_in_another_order(
    audited: Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped just before the smaller last batch, it compiles for that one first when it goes on."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    report = audited(SCRIPT, "--fault", "recompiled", kills=1)
    check(report, of_resume(Group.MODEL, "compiled", "torch.compile made other graphs"))


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_a_compiled_model_is_exact(audited: Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    report = audited(SCRIPT, "--compile", kills=2)
    assert (report.verdict, report.findings) == (Verdict.EXACT, [])
