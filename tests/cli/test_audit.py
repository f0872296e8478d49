"""``unbroken audit`` as it is typed: what it prints, in both languages and as JSON, and its exit codes."""

import contextlib
import os
import pty
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import unbroken as library
from tests.cli.conftest import Command

TELLING = Path(__file__).parents[1] / "audit" / "telling.py"


@pytest.fixture(autouse=True)
def project(here: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a script that starts at once."""
    monkeypatch.setenv("PYTHONPATH", str(Path(library.__file__).parents[1]))
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("scratch")))
    shutil.copy(TELLING, here / "train.py")
    return here


def test_exact(unbroken: Command, project: Path) -> None:
    said = unbroken("audit", "--kills", 2, "--seed", 1, "--", sys.executable, "train.py")
    assert said.code == 0
    assert "EXACT. Killed 2 times in 1 run" in said.out
    assert "--seed 1" in said.out
    rows = said.out.split("\n\n")[0].splitlines()
    assert [row.split("  ")[0] for row in rows] == [
        "run",
        "whole, PYTHONHASHSEED=1",
        "whole, PYTHONHASHSEED=2",
        "a stop signal inside an epoch",
        "killed again, soon after a resume",
        "run on to its end",
    ]
    # The progress is told beside the report, never in it.
    assert "Whole run 1, PYTHONHASHSEED=1" in said.err and "Whole run" not in said.out
    assert [path.name for path in project.iterdir()] == ["train.py"]


def test_a_difference_is_told_with_its_cause(unbroken: Command) -> None:
    said = unbroken("audit", "--kills", 1, "--seed", 1, "--", sys.executable, "train.py", "--fault", "counter")
    assert said.code == 1
    assert "RESUMES, BUT DIFFERS" in said.out
    assert "1 step after the resume from step" in said.out
    assert "loss: train_losses" in said.out
    assert "count in the script is" in said.out
    assert 'run.state["count"]' in said.out


def test_json(unbroken: Command) -> None:
    options = ("--kills", 1, "--seed", 1, "--json")
    said = unbroken("audit", *options, "--", sys.executable, "train.py", "--fault", "counter")
    told = said.json
    assert (said.code, told["verdict"], told["exit_code"], told["kills"]) == (1, "differs", 1, 1)
    finding = told["findings"][0]
    assert finding["group"] == "average"
    assert finding["step"] == finding["resumed_from_step"] + 1
    assert (finding["begins_at_resume"], finding["cause_key"]) == (True, "audit_cause_variable")
    assert [run["outcome"] for run in told["runs"]] == ["reference", "same", "differs"]
    assert told["runs"][2]["kills"] == [{"kind": "stop", "step": finding["resumed_from_step"]}]


def test_chinese(unbroken: Command) -> None:
    said = unbroken("audit", "--lang", "zh", "--kills", 1, "--", sys.executable, "train.py", "--fault", "hash order")
    assert said.code == 1
    assert "脚本自身的结果不确定" in said.out and "数据顺序：batches" in said.out
    assert "请排序" in said.out


def test_a_script_that_does_not_resume(unbroken: Command) -> None:
    command = (sys.executable, "train.py", "--fault", "fails at restart")
    said = unbroken("audit", "--kills", 1, "--", *command)
    assert said.code == 1
    assert "DOES NOT RESUME" in said.out and "RuntimeError: cannot open my own file" in said.out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "after two dashes"),
        (["python", "train.py"], "after two dashes"),
        (["--"], "after two dashes"),
        (["--time", "soon", "--", "python", "train.py"], "--time"),
        (["--kills", "0", "--", "python", "train.py"], "--kills"),
        (["--final", "../model.pt", "--", "python", "train.py"], "outside this folder"),
        (["--checkpoints", "/tmp/ckpt", "--", "python", "train.py"], "outside this folder"),
        (["--checkpoints", ".", "--", "python", "train.py"], ". is this folder itself"),
        (["--", "no-such-command"], "no-such-command"),
        (["--", sys.executable, "-c", "pass"], "--final FILE --checkpoints FOLDER"),
        (["--", sys.executable, "-c", "raise SystemExit('no GPU')"], "no GPU"),
        (["--time", "1ms", "--", sys.executable, "train.py"], "--time"),
    ],
)
def test_what_cannot_be_audited_is_a_usage_error(unbroken: Command, words: list[str], says: str) -> None:
    said = unbroken("audit", *words)
    assert said.code == 2
    assert said.out == ""
    assert says in said.err


def test_the_progress_is_one_line_on_a_terminal_and_gone_at_the_end(project: Path) -> None:
    ours, theirs = pty.openpty()
    words = ["-m", "unbroken", "audit", "--kills", "1", "--seed", "1", "--", sys.executable, "train.py"]
    done = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, stderr=theirs, text=True)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # how a terminal tells that nobody has it open any more
        while data := os.read(ours, 4096):
            shown += data
    assert done.communicate()[0].startswith("run ")
    assert done.returncode == 0
    assert b"\n" not in shown
    assert b"Whole run 1" in shown and b"Kill 1 of 1" in shown
    assert shown.endswith(b"\r\x1b[K")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_who_ends_the_audit_ends_the_script(project: Path, number: signal.Signals) -> None:
    (project / "endless.py").write_text("open('pid', 'w').write(str(__import__('os').getpid()))\nwhile True: pass")
    words = ["-m", "unbroken", "audit", "--final", "pid", "--", sys.executable, "endless.py"]
    environment = {**os.environ, "TMPDIR": tempfile.gettempdir()}
    audit = subprocess.Popen([sys.executable, *words], stderr=subprocess.PIPE, text=True, env=environment)
    script = None
    try:
        assert audit.stderr is not None
        assert audit.stderr.readline().startswith("Whole run 1")
        scratch = Path(tempfile.gettempdir())
        while not [path for path in scratch.glob("*/run/pid") if path.read_text()]:
            assert audit.poll() is None
        script = int(next(scratch.glob("*/run/pid")).read_text())
        audit.send_signal(number)
        assert audit.wait(30) == 128 + number
        assert not Path(f"/proc/{script}").exists()
        assert list(scratch.iterdir()) == []
    finally:  # left over, the script would keep a core busy for ever
        audit.kill()
        with contextlib.suppress(ProcessLookupError):
            if script is not None:
                os.kill(script, signal.SIGKILL)


def test_the_commands_own_options_are_not_ours(unbroken: Command) -> None:
    """What stands behind the dashes goes to the script as it is, also what looks like an option of this command."""
    work = (
        "import hashlib, pickle, sys\nfrom pathlib import Path\nstate = Path('state.pkl')\n"
        "done = pickle.loads(state.read_bytes()) if state.exists() else 0\n"
        "for part in range(done, 8):\n"
        "    for _ in range(100_000):\n        hashlib.sha256(b'').digest()\n"
        "    Path('state.tmp').write_bytes(pickle.dumps(part + 1))\n    Path('state.tmp').replace(state)\n"
    )
    words = ("--json", "--lang", "zh", "--", "--kills")
    Path("echo.py").write_text(f"{work}open('final', 'w').write(' '.join(sys.argv[1:]))")
    said = unbroken(
        "audit", "--kills", 1, "--final", "final", "--keep-runs", "--json", "--", sys.executable, "echo.py", *words
    )
    kept = Path(said.json["kept"])
    assert (kept / "whole-1/folder/final").read_text() == " ".join(words)
    assert said.json["verdict"] == "exact"
