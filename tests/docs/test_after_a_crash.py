"""The pages on a crash and on what is promised: their blocks as printed, and what they say may be deleted."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import CRASH, PROMISES, page
from tests.ranks.launched import Launched, environment

_SLURM = page(CRASH).block("slurm").text
_ENDLESS = """import torch
import unbroken

run = unbroken.Run("checkpoints")
run.track(model=torch.nn.Linear(1, 1))
for step in run.steps(None):
    if step == 1:
        print("training", flush=True)
"""
_MODEL = """import torch

model = torch.nn.Linear(2, 1)
"""
_TRAINED = """import unbroken

run = unbroken.Run("checkpoints", best="aucs", every_epochs=1)
run.track(model=model)
for epoch in run.epochs(5):
    with torch.no_grad():
        model.weight += 1
    run.record(aucs=epoch)
"""
_WITHOUT_UNBROKEN = "import sys\n\nsys.modules['unbroken'] = None\n"

# A training with saving of its own, which keeps its random stream, so that it is exact.
_OF_ITS_OWN = """import os
import time

import torch

torch.manual_seed(1)
model = torch.nn.Linear(4, 1)
optimizer = torch.optim.AdamW(model.parameters())
done = 0
os.makedirs("ckpt", exist_ok=True)
if os.path.exists("ckpt/last.pth"):
    saved = torch.load("ckpt/last.pth")
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    torch.set_rng_state(saved["random"])
    done = saved["done"]
for epoch in range(done, 40):
    for _ in range(10):
        optimizer.zero_grad()
        model(torch.randn(8, 4)).square().mean().backward()
        optimizer.step()
        time.sleep(0.02)
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "done": epoch + 1}
    torch.save({**state, "random": torch.get_rng_state()}, "ckpt/writing")
    os.replace("ckpt/writing", "ckpt/last.pth")
torch.save(model.state_dict(), "final.pth")
"""


@pytest.fixture
def slurm(tmp_path: Path) -> dict[str, str]:
    """The commands of Slurm as far as the job script needs them: one task, and a note of what is queued again."""
    binaries = tmp_path / "slurm"
    binaries.mkdir()
    for name, text in {
        "srun": f'echo $$ > "{tmp_path}/task"\nexec "$@"',
        "scontrol": f'echo "$@" > "{tmp_path}/asked"',
        "python": f'exec "{sys.executable}" "$@"',
    }.items():
        (binaries / name).write_text(f"#!/bin/sh\n{text}\n")
        (binaries / name).chmod(0o755)
    return {"PATH": f"{binaries}:{os.environ['PATH']}", "SLURM_JOB_ID": "7"}


@pytest.mark.parametrize("begun", [True, False], ids=["in training", "before it"])
def test_a_job_that_is_told_to_stop_is_queued_again(tmp_path: Path, slurm: dict[str, str], begun: bool) -> None:
    waiting = "import time\nprint('training', flush=True)\ntime.sleep(100)\n"
    (tmp_path / "train.py").write_text(_ENDLESS if begun else waiting + _ENDLESS)
    job = Launched(["bash", "-c", _SLURM], tmp_path, **slurm)
    job.wait_for("training")
    os.kill(int((tmp_path / "task").read_text()), signal.SIGTERM)
    assert job.wait() == (75 if begun else 143), job.said
    assert (tmp_path / "asked").read_text() == "requeue 7\n"
    assert (tmp_path / "checkpoints" / "checkpoint_latest.pth").exists() == begun


@pytest.mark.parametrize(("end", "code"), [("", 0), ("raise SystemExit(5)", 5), ("1 / 0", 1)])
def test_a_job_that_ends_otherwise_is_not_queued_again(
    tmp_path: Path, slurm: dict[str, str], end: str, code: int
) -> None:
    (tmp_path / "train.py").write_text(end)
    job = Launched(["bash", "-c", _SLURM], tmp_path, **slurm)
    assert job.wait() == code, job.said
    assert not (tmp_path / "asked").exists()


def _python(text: str, folder: Path) -> str:
    command = [sys.executable, "-c", text]
    ended = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout + ended.stderr


def test_a_checkpoint_opens_without_the_library(tmp_path: Path) -> None:
    _python(_MODEL + _TRAINED, tmp_path)
    assert _python(_WITHOUT_UNBROKEN + _MODEL + page(CRASH).block("without unbroken").text, tmp_path) == "5 5 5.0\n"


@pytest.mark.slow
def test_no_resume_needs_the_archive_or_what_is_damaged(tmp_path: Path) -> None:
    """They may be deleted by hand, as the page says."""
    _python(_MODEL + _TRAINED, tmp_path)
    back = 'resume="checkpoints/checkpoint_epoch_3.pth", every_epochs=1'
    _python(_MODEL + _TRAINED.replace("every_epochs=1", back), tmp_path)
    folder = tmp_path / "checkpoints"
    with (folder / "checkpoint_latest.pth").open("r+b") as file:
        file.write(b"no zip")
    assert "set aside" in _python(_MODEL + _TRAINED, tmp_path)
    shutil.rmtree(folder / "archive")
    (folder / "checkpoint_latest.pth.damaged").unlink()
    said = _python(_MODEL + _TRAINED.replace("run.epochs(5)", "run.epochs(6)"), tmp_path)
    assert re.search(r"Resumed from .*: goes on in epoch 6, 0 of its batches done", said), said
    verified = subprocess.run([sys.executable, "-m", "unbroken", "verify"], cwd=tmp_path, env=environment())
    assert verified.returncode == 0


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("keeps_its_stream", [True, False])
def test_the_audit_judges_a_script_with_saving_of_its_own(tmp_path: Path, keeps_its_stream: bool) -> None:
    forgetful = _OF_ITS_OWN.replace('    torch.set_rng_state(saved["random"])\n', "")
    (tmp_path / "train.py").write_text(_OF_ITS_OWN if keeps_its_stream else forgetful)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    audit = Launched(["bash", "-c", page(PROMISES).block("audit").text], tmp_path, PATH=path)
    assert audit.wait(1000) == (0 if keeps_its_stream else 1), audit.said
    assert ("EXACT" if keeps_its_stream else "BUT DIFFERS") in audit.said
