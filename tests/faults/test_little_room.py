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
        run._loop.saver.wait()
        in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (in_use + 2**25,) * 2)
    print("step", run.step, flush=True)
"""


def test_a_snapshot_without_the_memory_for_it_fails_alone(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _TRAINS_WITH_LITTLE_MEMORY]
    environment = {**os.environ, "UNBROKEN_LANG": "en"}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, env=environment)
    assert done.stdout.splitlines()[-1] == "step 9"
    assert "could not be copied" in done.stderr
    assert (tmp_path / "checkpoints" / "checkpoint_latest.pth").is_file()


def test_a_journal_that_does_not_fit_takes_no_room(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=500k") as disk:
        with pytest.raises(OSError, match="No space left"):
            Journal(disk / "journal", "key")
        assert (disk / "journal").stat().st_size == 0
