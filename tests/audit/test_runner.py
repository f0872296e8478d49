"""The course of an audit, with real processes that start at once: what is run, killed, found, and left behind."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.audit.conftest import Audit
from unbroken.audit.moments import Kill
from unbroken.audit.report import Outcome, Request, Watcher
from unbroken.audit.runner import audit
from unbroken.audit.verdict import Verdict
from unbroken.errors import UsageError
from unbroken.loop.trace import Group, Kind

HERE = Path(__file__).parent
TELLING, PLAIN = HERE / "telling.py", HERE / "plain.py"
FILES = {"final": Path("final.txt"), "checkpoints": Path("ckpt")}

pytestmark = pytest.mark.usefixtures("scratch")


def test_a_clean_script_is_exact_through_every_kind_of_kill(audited: Audit, scratch: Path) -> None:
    report = audited(TELLING)
    assert (report.verdict, report.findings, report.failures) == (Verdict.EXACT, [], [])
    assert sorted(kill.kill for run in report.runs for kill, _ in run.kills) == sorted(Kill)
    assert [run.outcome for run in report.runs] == [Outcome.REFERENCE, *[Outcome.SAME] * 3]
    assert {run.last and run.last.step for run in report.runs} == {20}
    # A variable that nothing depends on is only mentioned.
    assert [note.key for note in report.notes] == ["audit_note_left_over"]
    assert list(scratch.iterdir()) == []


def test_every_kill_comes_at_its_moment(audited: Audit) -> None:
    report = audited(TELLING)
    kills = {kill.kill: (kill, moment) for run in report.runs for kill, moment in run.kills}
    stop, at = kills[Kill.STOP]
    assert stop.place is not None and at is not None
    assert at.kind is Kind.SAVE and at.step == stop.place.number  # it saved, as it was told to stop
    again, at = kills[Kill.AGAIN]
    assert again.place is not None and at is not None and at.step == again.place.number
    at = kills[Kill.BEFORE_FIRST_SAVE][1]
    assert at is not None and at.kind is Kind.START
    for kill in (Kill.AFTER_SAVE, Kill.IN_SAVE):
        at = kills[kill][1]
        assert at is not None and at.kind is Kind.SAVE
    at = kills[Kill.EPOCH_END][1]
    assert at is not None and (at.kind, at.step % 5) == (Kind.STEP, 0)


def test_every_process_has_another_hash_seed(audited: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    report = audited(TELLING, kills=2)
    assert [run.hash_seeds for run in report.runs] == [("1",), ("2",), ("3", "4", "5")]
    monkeypatch.setenv("PYTHONHASHSEED", "9")  # the user's own: then it is part of how the script is run
    report = audited(TELLING, kills=1)
    assert [run.hash_seeds for run in report.runs] == [("9",), ("9",), ("9", "9")]


def test_a_counter_is_found_where_the_resume_is(audited: Audit) -> None:
    report = audited(TELLING, "--fault", "counter")
    assert report.verdict is Verdict.DIFFERS
    finding = report.findings[0]
    assert (finding.group, finding.at_resume, finding.steps_after) == (Group.AVERAGE, True, 1)
    assert finding.cause.key == "audit_cause_variable" and "count" in str(finding.cause)
    assert {run.outcome for run in report.runs if run.kills} == {Outcome.DIFFERS}
    assert len(report.findings) == 1  # though several runs show it


def test_a_state_that_comes_back_changed_is_found_at_once(audited: Audit) -> None:
    finding = audited(TELLING, "--fault", "lossy", kills=1).findings[0]
    assert (finding.group, finding.steps_after, finding.cause.key) == (Group.MODEL, 0, "audit_cause_not_restored")


def test_hash_order_is_the_scripts_own_and_its_resume_is_judged_all_the_same(audited: Audit) -> None:
    report = audited(TELLING, "--fault", "hash order", kills=2)
    assert report.verdict is Verdict.NOT_DETERMINISTIC
    assert [run.outcome for run in report.runs] == [Outcome.REFERENCE, Outcome.DIFFERS, Outcome.SAME, Outcome.SAME]
    finding = report.findings[0]
    assert (finding.group, finding.at_resume, finding.cause.key) == (Group.ORDER, False, "audit_cause_hash_held")
    assert finding.moment is not None and finding.moment.step == 1


def test_the_clock_is_the_scripts_own_and_one_run_shows_whether_it_resumes(audited: Audit) -> None:
    report = audited(TELLING, "--fault", "clock")
    assert report.verdict is Verdict.NOT_DETERMINISTIC
    assert [run.outcome for run in report.runs if run.kills] == [Outcome.UNKNOWN]
    assert not report.findings[0].at_resume
    assert "audit_note_replayed" in [note.key for note in report.notes]


@pytest.mark.parametrize(
    ("fault", "key"), [("fails at restart", "audit_restart_failed"), ("starts over", "audit_starts_over")]
)
def test_a_script_that_does_not_resume(audited: Audit, fault: str, key: str) -> None:
    report = audited(TELLING, "--fault", fault, kills=1)
    assert report.verdict is Verdict.DOES_NOT_RESUME
    assert [failure.key for failure in report.failures] == [key]
    if fault == "fails at restart":
        assert "RuntimeError: cannot open my own file" in str(report.failures[0])


def test_a_final_file_counts_as_well(audited: Audit) -> None:
    report = audited(TELLING, "--fault", "final", kills=1, final=Path("final.txt"))
    assert report.verdict is Verdict.DIFFERS
    assert report.findings[0].names == ("final.txt",)
    assert report.findings[0].cause.key == "audit_cause_final_held" and "count" in str(report.findings[0].cause)


def test_a_plain_script_is_judged_by_its_final_file(audited: Audit) -> None:
    report = audited(PLAIN, **FILES)
    assert (report.verdict, report.traced) == (Verdict.EXACT, False)
    # On a busy machine the clock is a poor guide: what comes too late is counted, and said.
    late = sum(int(str(note.values["count"])) for note in report.notes if note.key == "audit_note_late")
    assert report.kills >= 1 and report.kills + late == 7


@pytest.mark.parametrize(
    ("fault", "verdict", "cause"),
    [
        ("forgets", Verdict.DIFFERS, "audit_cause_files"),
        ("hash order", Verdict.NOT_DETERMINISTIC, "audit_cause_hash"),
        ("clock", Verdict.NOT_DETERMINISTIC, "audit_cause_kernels"),
    ],
)
@pytest.mark.one_in(3)
def test_a_plain_script_with_a_fault(audited: Audit, fault: str, verdict: Verdict, cause: str) -> None:
    report = audited(PLAIN, "--fault", fault, kills=3, **FILES)
    assert report.verdict is verdict
    assert report.findings[0].cause.key == cause


def test_a_plain_script_that_does_not_resume(audited: Audit) -> None:
    report = audited(PLAIN, "--fault", "fails at restart", kills=3, **FILES)
    assert report.verdict is Verdict.DOES_NOT_RESUME


def test_kills_that_come_before_any_checkpoint_prove_nothing(audited: Audit) -> None:
    with pytest.raises(UsageError) as refused:
        audited(PLAIN, "--fault", "never saves", kills=5, **FILES)
    assert refused.value.key == "audit_no_resume"


@pytest.mark.parametrize(
    ("script", "options", "key"),
    [
        (PLAIN, {"final": None}, "audit_nothing_to_compare"),
        (PLAIN, {"final": Path("none.txt")}, "audit_final_missing"),
        (PLAIN, {**FILES, "seconds": 0.1}, "audit_needs_time"),
    ],
)
def test_what_cannot_be_audited(
    audited: Audit, script: Path, options: dict[str, object], key: str, scratch: Path
) -> None:
    with pytest.raises(UsageError) as refused:
        audited(script, **options)
    assert refused.value.key in (key, "audit_whole_too_long")
    assert list(scratch.iterdir()) == []


def test_a_command_that_fails_or_is_none(audited: Audit, tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    for command, key in (
        ((sys.executable, "-c", "print('no GPU'); raise SystemExit(3)"), "audit_script_fails"),
        (("no-such-command",), "audit_no_command"),
    ):
        with pytest.raises(UsageError) as refused:
            audit(Request(command, tmp_path / "project", 1, 60.0), Watcher())
        assert refused.value.key == key
        assert "no" in str(refused.value)


def test_the_users_folder_is_not_touched(audited: Audit, tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "checkpoints/.unbroken").mkdir(parents=True)
    (project / "checkpoints/checkpoint_latest.pth").write_text('{"step": 19, "weight": 1.0, "loss": 0.5}')

    def state() -> dict[str, tuple[int, int]]:
        found = {str(path): path.stat() for path in project.rglob("*") if path.name != "train.py"}
        return {path: (about.st_mtime_ns, about.st_size) for path, about in found.items()}

    before = state()
    report = audited(TELLING, kills=1)
    assert report.verdict is Verdict.EXACT
    assert report.runs[0].last and report.runs[0].last.step == 20  # from the start, not from that checkpoint
    assert state() == before


def test_a_path_into_the_folder_leads_into_the_copy(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    shutil.copy(HERE / "telling.py", project / "train.py")
    command = (sys.executable, str(project / "train.py"))
    report = audit(Request(command, project, 1, 600.0, seed=1), Watcher())
    assert report.verdict is Verdict.EXACT
    assert [path.name for path in project.iterdir()] == ["train.py"]


def test_runs_are_kept_if_asked(audited: Audit) -> None:
    report = audited(TELLING, kills=1, keep_runs=True)
    assert report.kept is not None
    kept = {str(path.relative_to(report.kept)) for path in report.kept.rglob("*")}
    assert {"whole-1/folder/final.txt", "killed-1/trace-2.jsonl", "killed-1/log-1.txt"} <= kept


def test_nothing_is_left_running(audited: Audit, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copy(HERE / "telling.py", folder / "inner.py")
    start = "subprocess.Popen(['sleep', '987'])"
    script = f"import runpy, subprocess; {start}; runpy.run_path('inner.py', run_name='__main__')"
    (folder / "outer.py").write_text(script)
    report = audit(Request((sys.executable, "outer.py"), folder, 1, 600.0, seed=1), Watcher())
    assert report.verdict is Verdict.EXACT
    running = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not any(b"sleep\x00987" in line for line in running)
