"""Little memory, little disk: training outlives what there is no room for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.small_disk import mounted
from unbroken.loop.journal import Journal

_TRAINS_WITH_LITTLE_MEMORY = """
import resource, torch, unbroken
from pathlib import Path
from torch.utils.data import DataLoader, TensorDataset

class Large:  # sparse: copied by torch's own allocator, which raises no MemoryError
    kept = torch.sparse_coo_tensor(torch.arange(10**7)[None], torch.ones(10**7), (10**7,))
    def state_dict(self):
        return {"kept": self.kept}
    def load_state_dict(self, state):
        pass

run = unbroken.Run("checkpoints", every_steps=2)
run.track(model=torch.nn.Linear(1, 1), large=Large())
for _ in run.batches(DataLoader(TensorDataset(torch.zeros(9, 1))), steps=9):
    if run.step == 1:
        run.flush()
        in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (in_use + 2**25,) * 2)
    print("step", run.step, flush=True)
"""


def test_a_snapshot_without_the_memory_for_it_fails_alone(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _TRAINS_WITH_LITTLE_MEMORY]
    environment = {**os.environ, "UNBROKEN_LANG": "en"}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert done.stdout.splitlines()[-1] == "step 9"
    assert "could not be copied" in done.stderr
    assert (tmp_path / "checkpoints" / "checkpoint_latest.pth").is_file()


_RESUMES_WITH_LITTLE_MEMORY = """
import os, resource, sys, torch, unbroken
from pathlib import Path
from torch.utils.data import DataLoader, TensorDataset

torch.set_num_threads(1)
extra = int(sys.argv[1])
model = torch.nn.Sequential(*(torch.nn.Linear(1000, 2000) for _ in range(4)))
optimizer = torch.optim.Adam(model.parameters())
run = unbroken.Run("checkpoints", every_steps=1)
run.track(model=model, optimizer=optimizer)
if extra:
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + (extra << 20),) * 2)
for _ in run.epochs(1):
    for (batch,) in run.batches(DataLoader(TensorDataset(torch.randn(4, 1000)))):
        if extra:
            print("resumed", flush=True)
            os._exit(0)
        loss = sum(layer(batch).mean() for layer in model)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if run.step == 3:
            run.flush()
            os._exit(0)
"""


@pytest.mark.slow
def test_a_resume_without_the_memory_for_it_says_so_whatever_it_is_doing_then(tmp_path: Path) -> None:
    environment = {**os.environ, "UNBROKEN_LANG": "en", "OMP_NUM_THREADS": "1"}

    def went(extra: int) -> tuple[int, str, str]:
        command = [sys.executable, "-c", _RESUMES_WITH_LITTLE_MEMORY, str(extra)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
        return done.returncode, done.stdout, done.stderr

    assert went(0)[0] == 0
    files = {path.name: path.read_bytes() for path in tmp_path.glob("checkpoints/*.pth")}
    refusals = set()
    for extra in (120, 280, 500):
        code, said, wrong = went(extra)
        if code == 0:
            assert said == "resumed\n" and "Traceback" not in wrong
            continue
        ends = [line for line in wrong.splitlines() if "Error: " in line and not line.startswith(" ")]
        assert ends and ends[-1].startswith("unbroken.errors.ResourcesError: "), (extra, wrong)
        refusals.add("was not loaded" in ends[-1])
        assert "unbroken-memory" not in wrong
    assert {path.name: path.read_bytes() for path in tmp_path.glob("checkpoints/*.pth")} == files
    assert refusals == {True, False}  # some limits leave enough to load the file, and not to apply it


@pytest.mark.mounts
def test_a_journal_that_does_not_fit_takes_no_room(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=500k") as disk:
        with pytest.raises(OSError, match="No space left"):
            Journal(disk / "journal", "key")
        assert (disk / "journal").stat().st_size == 0
