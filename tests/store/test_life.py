"""Whole lives of a folder: runs that go on, branch off, start over and are killed anywhere, in any order."""

from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.crash import killed_before
from tests.store.states import folder_in_memory, state
from unbroken.store import lineage, torchfile
from unbroken.store.folder import CheckpointFolder, is_numbered
from unbroken.store.lineage import RunRecord
from unbroken.store.payload import ForkPoint, Payload, Progress, progress_of
from unbroken.store.save import SaveJob, save

Order = tuple[str | None, int, int, int]


@dataclass(frozen=True)
class Trainer:
    """Where a training program stands."""

    run: str
    branch: int
    epoch: int
    batch: int
    parent: ForkPoint | None

    def payload(self) -> Payload:
        return state(self.epoch, self.batch, run=self.run, branch=self.branch, parent=self.parent)

    @property
    def order(self) -> Order:
        return (self.run, self.branch, self.epoch, self.batch)


def order(progress: Progress) -> Order:
    return (progress.run_id, progress.branch, progress.epoch, progress.batch)


class Life:
    """A folder and its trainer. Every step may be killed; what must be true then is checked after each."""

    def __init__(self, folder: CheckpointFolder) -> None:
        self.folder = folder
        self.runs = 0
        self.kept: set[Order] = set()
        self.trainer = self.start_over(0)

    def start_over(self, kill: int) -> Trainer:
        self.runs += 1
        trainer = Trainer(f"run-{self.runs}", 0, 0, 0, None)

        def work() -> None:
            if self.folder.checkpoints():
                lineage.archive_run(self.folder, "old")
            lineage.write_run_record(self.folder, RunRecord(trainer.run, 0, "", ""))
            self.save(trainer)

        before = self.trainer.order if self.runs > 1 else None
        if not killed_before(kill, work):
            assert self.found() == trainer.order
            self.left(before)
            return trainer
        found = self.found()
        if found is None:  # all of it is in the archive, and nothing new is here yet
            archived = [lineage.find_resume_point(CheckpointFolder(path)) for path in self.folder.archive.iterdir()]
            assert before in [order(point.manifest.progress) for point in archived if point]
            self.left(before)
            return self.start_over(0)
        assert found in (before, trainer.order)
        if found == trainer.order:
            self.left(before)
        return self.resumed()

    def go_on(self, kill: int, *, whole_epoch: bool) -> Trainer:
        now = self.trainer
        after = replace(now, epoch=now.epoch + 1, batch=0) if whole_epoch else replace(now, batch=now.batch + 1)
        return self.saved(after, kill)

    def branch_off(self, kill: int, choice: int) -> Trainer:
        files = self.folder.checkpoints()
        fork = lineage.open_checkpoint(files[choice % len(files)]).manifest.progress
        if order(fork) == self.trainer.order or fork.run_id != self.trainer.run:
            return self.trainer
        parent = ForkPoint(fork.run_id, fork.branch, fork.epoch, fork.batch, fork.step)
        taken = [info.progress.branch for info in lineage.candidates(self.folder)]
        before = self.trainer.order
        now = self.saved(Trainer(self.trainer.run, 1 + max(taken), fork.epoch, fork.batch, parent), kill)
        if now.order != before:
            self.left(before)
        return now

    def left(self, newest: Order | None) -> None:
        """A branch or a run was left behind at this state, which must never be lost."""
        if newest is not None:
            self.kept.add(newest)

    def saved(self, after: Trainer, kill: int) -> Trainer:
        killed = killed_before(kill, lambda: self.save(after))
        assert self.found() in ((self.trainer.order, after.order) if killed else (after.order,))
        return self.resumed()

    def save(self, trainer: Trainer) -> None:
        lineage.clean(self.folder)
        numbered = trainer.batch == 0 and trainer.epoch > 0
        names = (self.folder.epoch(trainer.epoch), self.folder.best) if numbered else ()
        report = save(self.folder, SaveJob(trainer.payload(), (self.folder.latest, *names)), set())
        assert report.error is None, report.error

    def found(self) -> Order | None:
        point = lineage.find_resume_point(self.folder)
        assert point is None or not point.rejected
        return order(point.manifest.progress) if point else None

    def resumed(self) -> Trainer:
        point = lineage.find_resume_point(self.folder)
        assert point is not None
        progress = progress_of(point.payload)
        assert progress.run_id is not None
        return Trainer(progress.run_id, progress.branch, progress.epoch, progress.batch, progress.parent)

    def check(self) -> None:
        """Every file is whole, no two names share one; no numbered state, and no newest one left behind, is lost."""
        inodes = []
        here: set[Order] = set()
        for path in [*self.folder.path.rglob("*.pth"), *self.folder.interrupted()]:
            torchfile.verify(path)
            if path.suffix == ".pth":
                inodes.append(path.stat().st_ino)
            progress = progress_of(torchfile.read_metadata(path))
            here.add(order(progress))
            if is_numbered(path.name):
                self.kept.add(order(progress))
        assert len(inodes) == len(set(inodes))
        assert self.kept <= here


STEPS = st.tuples(
    st.sampled_from(["batch", "epoch", "epoch", "branch", "branch", "restart"]), st.integers(0, 40), st.integers(0, 9)
)


@settings(max_examples=15, deadline=None)
@given(st.lists(STEPS, min_size=3, max_size=12))
def test_whatever_happens_the_newest_good_state_is_found_and_nothing_is_lost(steps: list[tuple[str, int, int]]) -> None:
    with folder_in_memory() as folder:
        life = Life(folder)
        for kind, kill, choice in steps:
            if kind == "branch":
                life.trainer = life.branch_off(kill, choice)
            elif kind == "restart":
                life.trainer = life.start_over(kill)
            else:
                life.trainer = life.go_on(kill, whole_epoch=kind == "epoch")
            life.check()
