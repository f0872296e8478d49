"""Our own side of the comparisons: the parts that a run puts together, without the run around them."""

import shutil
import time
from pathlib import Path
from typing import Any

from benchmarks.state import Training
from unbroken.state.snapshot import copy_to_host
from unbroken.state.tracked import Tracked
from unbroken.store import lineage
from unbroken.store import payload as keys
from unbroken.store.folder import CheckpointFolder
from unbroken.store.payload import Payload
from unbroken.store.writer import SaveJob, Writer

OURS = "unbroken"


class Ours:
    """A snapshot, and the writer in the background: verified names, digests, fsync, manifest and all."""

    name = OURS

    def __init__(self, state: Training, folder: Path) -> None:
        self.folder = CheckpointFolder(folder / "ours")
        self.folder.prepare()
        self.tracked = Tracked()
        self.tracked.add("model", state.model)
        self.tracked.add("optimizer", state.optimizer)
        self._writer = Writer(self.folder)
        self._saves = 0
        self.durable_after = 0.0

    def payload(self) -> Payload:
        own: dict[str, Any] = {
            "run_id": "benchmark", "branch": 0, "parent": None, "reason": "steps", "batch": self._saves,
            "batches": None, "step": self._saves, "finished": None,
            "extras": self.tracked.extras(), "optimizer_parameters": self.tracked.optimizer_parameters(),
        }  # fmt: skip
        return keys.build(
            epoch=1, states=self.tracked.state(), histories={}, best_corr=0.0, best_epoch=0,
            timestamp=time.strftime("%Y-%m-%d %H:%M:%S"), own=own,
        )  # fmt: skip

    def save(self) -> None:
        """Returns when the optimizer may step."""
        self._saves += 1
        self._writer.submit(SaveJob(copy_to_host(self.payload()), (self.folder.latest,)))

    @property
    def busy(self) -> bool:
        """A run does not wait for an earlier save to be written: its next trigger comes later."""
        return self._writer.busy

    def finish(self) -> None:
        """Returns when the save is done with; ``durable_after`` are the seconds that it took from ``save`` on."""
        self._writer.wait()
        for report in self._writer.take_reports():
            if report.error is not None:
                raise report.error
            self.durable_after = report.seconds

    def begin_anew(self) -> None:
        """As another process begins in the same folder: what is known of it is looked up again."""
        self._writer.close()
        self._writer = Writer(self.folder)

    def close(self) -> None:
        self._writer.close()
        shutil.rmtree(self.folder.path)


def resume(state: Training, folder: CheckpointFolder) -> tuple[float, float]:
    """Bring ``state`` to the newest in ``folder``: the seconds to find, verify and map that, and those of all."""
    tracked = Tracked()
    tracked.add("model", state.model)
    tracked.add("optimizer", state.optimizer)
    start = time.perf_counter()
    point = lineage.find_resume_point(folder)
    assert point is not None
    found = time.perf_counter() - start
    own = point.payload[keys.OWN]
    states = {name: point.payload[f"{name}_state_dict"] for name in ("model", "optimizer")}
    tracked.restore(states, own["optimizer_parameters"], own["extras"])
    return found, time.perf_counter() - start
