"""EXACT needs a resume that was seen. Real scripts that save and never load, load and ignore, or do it rightly."""

import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.audit.conftest import Audit
from tests.audit.told import Told, line
from unbroken.audit import evidence, opens
from unbroken.audit.candidates import Left, survey
from unbroken.audit.evidence import Process, Restarts, Whole
from unbroken.audit.report import Outcome
from unbroken.audit.trace import Line
from unbroken.audit.verdict import Verdict
from unbroken.errors import UsageError
from unbroken.loop.trace import Kind

HERE = Path(__file__).parent
KEEPING, CLASSIC = HERE / "keeping.py", HERE / "classic.py"
FILES = {"final": Path("final.txt"), "checkpoints": Path("ckpt")}


@pytest.mark.parametrize(
    ("kind", "key", "says"),
    [
        ("never loads", "audit_never_opened", "ckpt/latest.pkl"),
        ("never loads, npz", "audit_never_opened", "ckpt/step-"),
        ("never loads, safetensors", "audit_never_opened", "ckpt/latest.safetensors"),
        ("never loads json", "audit_no_checkpoint", "ckpt/state.json"),
        ("opens and ignores", "audit_as_long", "ckpt/latest.pkl"),
        ("logs only", "audit_no_checkpoint", "ckpt/events.out.tfevents"),
    ],
)
@pytest.mark.one_in(3)
def test_a_script_that_starts_over_is_not_resumed_though_it_ends_the_same(
    audited: Audit, kind: str, key: str, says: str
) -> None:
    report = audited(KEEPING, "--kind", kind, kills=3, **FILES)
    assert (report.verdict, report.findings) == (Verdict.NOT_RESUMED, [])
    assert [why.key for why in report.not_resumed] == [key]
    assert says in str(report.not_resumed[0])
    if key != "audit_no_checkpoint":
        assert Outcome.NOT_RESUMED in [run.outcome for run in report.runs]


@pytest.mark.parametrize(
    "kind", ["right", "right, as json", "right, in folders", "opens in another process", "opens natively"]
)
@pytest.mark.one_in(3)
def test_a_script_that_resumes_is_exact(audited: Audit, kind: str) -> None:
    report = audited(KEEPING, "--kind", kind, kills=3, **FILES)
    assert (report.verdict, report.findings, report.not_resumed) == (Verdict.EXACT, [], [])


def test_the_folder_of_the_checkpoints_need_not_be_named(audited: Audit) -> None:
    assert audited(KEEPING, kills=3, final=FILES["final"]).verdict is Verdict.EXACT
    report = audited(KEEPING, "--kind", "never loads", kills=3, final=FILES["final"])
    assert report.verdict is Verdict.NOT_RESUMED


def test_a_script_that_saves_nothing_proves_nothing(audited: Audit, tmp_path: Path) -> None:
    script = tmp_path / "none.py"
    script.write_text("import time; time.sleep(0.4); open('final.txt', 'w').write('x')")
    with pytest.raises(UsageError) as refused:
        audited(script, kills=2, final=FILES["final"])
    assert refused.value.key == "audit_no_resume"


OFFERED = Left(offered=frozenset({"ckpt/a.pt"}))
WHOLE = Whole(seconds=100.0, work=90.0, saves=10)


def process(
    left: Left = OFFERED,
    opened: frozenset[str] | None = frozenset({"ckpt/a.pt"}),
    saves: int = 5,
    seconds: float = 50.0,
    work: float = 50.0,
    *,
    ended: bool = True,
) -> Process:
    return Process(left, opened, saves, seconds, work, ended)


@pytest.mark.parametrize(
    ("processes", "seen"),
    [
        ([process(Left(), frozenset(), ended=False), process()], Restarts.RESUMED),
        # A slow start, and few steps left: it took as long, and saved less.
        ([process(Left(), frozenset(), 4, ended=False), process(saves=6, seconds=120.0)], Restarts.RESUMED),
        ([process(Left(), frozenset(), 4, ended=False), process(saves=10, seconds=99.0)], Restarts.AS_LONG),
        # Killed behind the last save: with nothing left to train, a forgotten stream is not missed.
        ([process(Left(), frozenset(), 10, ended=False), process(saves=0, seconds=10.0)], Restarts.NOTHING_LEFT),
        (
            [process(Left(), frozenset(), 4, ended=False), process(saves=6, ended=False), process(saves=0)],
            Restarts.RESUMED,
        ),
        # The whole runs had to share the machine.
        ([process(Left(), frozenset(), 4, ended=False), process(saves=10, work=89.0)], Restarts.AS_LONG),
        ([process(Left(), frozenset(), 4, ended=False), process(saves=9, work=89.0)], Restarts.AS_LONG),  # one unseen
        # Quick saves one behind the other are taken for one.
        ([process(Left(), frozenset(), 4, ended=False), process(saves=10)], Restarts.RESUMED),
        ([process(Left(), frozenset(), ended=False), process(opened=frozenset())], Restarts.NEVER_OPENED),
        ([process(Left(), frozenset(), ended=False), process(opened=frozenset({"data.csv"}))], Restarts.NEVER_OPENED),
        # Ended again before it could open anything: nothing is held against it.
        (
            [process(Left(), frozenset(), ended=False), process(opened=frozenset(), saves=0, ended=False), process()],
            Restarts.RESUMED,
        ),
        ([process(Left(), frozenset(), ended=False), process(Left(), frozenset())], Restarts.NOTHING_THERE),
        ([process(Left(), None, ended=False), process(opened=None)], Restarts.UNSEEN),
        ([process(Left(), None, 5, ended=False), process(opened=None, saves=10, seconds=100.0)], Restarts.AS_LONG),
    ],
)
def test_what_is_seen_of_the_restarts(processes: list[Process], seen: Restarts) -> None:
    found, why = evidence.of_run(processes, WHOLE)
    assert found is seen
    assert (why is None) == (seen not in (Restarts.NEVER_OPENED, Restarts.AS_LONG))


FRESH, GONE_ON = line(Kind.BEGIN, 0, {}, epoch=0), {"resumed_from": "latest"}


@pytest.mark.parametrize(
    ("restart", "seen"),
    [
        ([line(Kind.BEGIN, 8, {}, **GONE_ON), line(Kind.STEP, 9, {})], Restarts.RESUMED),
        ([line(Kind.BEGIN, 0, {}, epoch=5, **GONE_ON), line(Kind.EPOCH, 0, {}, epoch=6)], Restarts.RESUMED),  # no steps
        ([line(Kind.BEGIN, 9, {}, epoch=2, **GONE_ON), line(Kind.END, 9, {}, epoch=2)], Restarts.NOTHING_LEFT),
        ([line(Kind.BEGIN, 0, {}, epoch=0, **GONE_ON), line(Kind.STEP, 1, {})], Restarts.NOTHING_THERE),
        ([FRESH, line(Kind.STEP, 1, {})], Restarts.NOTHING_THERE),
    ],
)
def test_what_is_seen_of_a_run_that_tells(restart: list[Line], seen: Restarts) -> None:
    first = Told([FRESH, line(Kind.STEP, 1, {})])
    assert evidence.of_traced([first, Told(restart)]) == (seen, None)


@pytest.mark.parametrize("words", [(), ("-E",), ("-S",), ("-I",)])
def test_a_read_is_seen_in_one_way_or_the_other(tmp_path: Path, words: tuple[str, ...]) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "a.pt").write_bytes(b"a")
    (folder / "b.pt").write_bytes(b"b")
    accesses = opens.Accesses(folder)
    accesses.begin(["a.pt", "b.pt"])
    environment = opens.environment({**os.environ, "UNBROKEN_TRACE_ROOT": str(folder)}, tmp_path / "opens")
    source = "import sitecustomize, sys; open('a.pt', 'rb').read(); open('b.pt', 'ab').close(); print(len(sys.path))"
    source = source if not words else source.replace("sitecustomize, ", "")
    subprocess.run([sys.executable, *words, "-c", source], cwd=folder, env=environment, check=True)
    accesses.look()
    reported = opens.reported(tmp_path / "opens")
    assert reported.seen == (not words)
    assert reported.inside | accesses.read == {"a.pt"}
    assert accesses.read == {"a.pt"} or not opens.accesses_are_kept(tmp_path)


def test_a_sitecustomize_of_the_users_own_still_runs(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text("import builtins; builtins.THEIRS = 1")
    before = {**os.environ, "UNBROKEN_TRACE_ROOT": str(tmp_path), "PYTHONPATH": str(tmp_path / "site")}
    source = "import sys; print(THEIRS, sys.modules['sitecustomize'].__file__, [p for p in sys.path if 'hook' in p])"
    environment = opens.environment(before, tmp_path / "opens")
    done = subprocess.run([sys.executable, "-c", source], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == f"1 {tmp_path}/site/sitecustomize.py []\n"


def test_what_can_be_a_checkpoint_is_told_by_what_is_in_it(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(3)}, tmp_path / "torch.bin")
    torch.save({"a": torch.ones(3)}, tmp_path / "legacy", _use_new_zipfile_serialization=False)
    torch.save(torch.ones(3), tmp_path / "half.pt")
    (tmp_path / "half.pt").write_bytes((tmp_path / "half.pt").read_bytes()[:300])
    torch.save(torch.ones(3), tmp_path / "whole.pt.tmp")
    (tmp_path / "state.pkl").write_bytes(pickle.dumps({"step": 1}))
    save_file({"w": torch.ones(2)}, str(tmp_path / "model.safetensors"))
    np.savez(tmp_path / "arrays.npz", a=np.ones(2))
    (tmp_path / "deep").mkdir()
    torch.save({}, tmp_path / "deep/ckpt")
    with zipfile.ZipFile(tmp_path / "source.zip", "w") as archive:
        archive.writestr("train.py", "pass")
    for name in ("events.out.tfevents.1.h.2.0", "train.log", "curve.png", "metrics.csv", "notes.txt", "config.yaml"):
        (tmp_path / name).write_bytes(b"\x80\x04.")
    (tmp_path / "state.json").write_text("{}")
    left = survey(tmp_path, tmp_path, frozenset({"arrays.npz"}))
    assert left.offered == {"torch.bin", "legacy", "state.pkl", "model.safetensors", "deep/ckpt"}
    assert left.unknown == {"half.pt", "whole.pt.tmp", "source.zip", "state.json"}
    assert len(left.others) == 6
    assert left.lacking["torch.bin"] == {"optimizer", "streams", "count"} == left.lacking["model.safetensors"]


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("fault", "verdict", "lacks"),
    [
        ("none", Verdict.EXACT, None),
        ("never loads", Verdict.NOT_RESUMED, None),
        ("model only", Verdict.DIFFERS, "has no state of an optimizer, random streams, count of steps or epochs"),
        ("model and step", Verdict.DIFFERS, "has no state of an optimizer, random streams:"),
    ],
)
def test_scripts_with_torch_of_their_own(audited: Audit, fault: str, verdict: Verdict, lacks: str | None) -> None:
    where = {"checkpoints": Path("ckpt"), "final": Path("final.pt")}
    report = audited(CLASSIC, "--fault", fault, kills=3, **where)
    assert report.verdict is verdict
    if lacks is not None:
        finding = report.findings[0]
        assert finding.cause.key == "audit_cause_files_lack"
        assert "ckpt/last.pt" in str(finding.cause) and lacks in str(finding.cause)
