"""Two trainers in one folder at the same moment, and a trainer whose workers outlive it."""

import os
import re
import signal
from pathlib import Path

import pytest

from tests.faults.trainers import EPOCHS, server, train_at_once, train_with_slow_workers
from unbroken.store import torchfile
from unbroken.store.folder import CheckpointFolder


def both(folder: Path) -> list[tuple[str, str]]:
    """What two trainers, started together in ``folder``, say in the end."""
    context = server()
    barrier, answers, done = context.Barrier(2), context.Queue(), context.Event()
    trainers = [context.Process(target=train_at_once, args=(folder, barrier, answers, done)) for _ in range(2)]
    for trainer in trainers:
        trainer.start()
    said = sorted(answers.get() for _ in trainers)
    pids = {str(trainer.pid) for trainer in trainers}
    for trainer in trainers:
        trainer.join()
        assert trainer.exitcode == 0
    told = re.search(r"pid (\d+)", said[0][1])
    assert told is not None and told[1] in pids, said
    return said


def one_trains_and_one_is_told(folder: CheckpointFolder) -> None:
    said = both(folder.path)
    assert [kind for kind, _ in said] == ["FolderLockedError", "trained"]
    assert "is in use by another training run" in said[0][1]
    names = {"latest", "previous", *(f"epoch_{epoch}" for epoch in range(1, EPOCHS + 1))}
    assert {path.name for path in folder.path.iterdir()} == {".unbroken", *(f"checkpoint_{n}.pth" for n in names)}
    for path in folder.checkpoints():
        torchfile.verify(path)
    assert not list(folder.path.rglob("*.tmp"))


def test_of_two_trainers_one_trains_and_the_other_is_told_who(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNBROKEN_LANG", "en")
    for number in range(3):
        one_trains_and_one_is_told(CheckpointFolder(tmp_path / str(number)))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_of_two_trainers_one_trains_and_the_other_is_told_who_100_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNBROKEN_LANG", "en")
    for number in range(100):
        one_trains_and_one_is_told(CheckpointFolder(tmp_path / str(number)))
    print("\n100 times: one trained, one was told who has the folder")


@pytest.mark.slow
def test_a_restart_is_not_refused_for_workers_that_outlived_their_trainer(tmp_path: Path) -> None:
    context = server()
    answers = context.Queue()
    trainer = context.Process(target=train_with_slow_workers, args=(tmp_path, answers, 30.0))
    trainer.start()
    workers: list[int] = []
    for _ in range(2):
        kind, workers, _ = answers.get()
        assert kind == "batch"
    assert trainer.pid is not None and len(workers) == 2
    os.kill(trainer.pid, signal.SIGKILL)
    trainer.join()
    try:
        for pid in workers:
            os.kill(pid, 0)  # they are still there, loading
        answers = context.Queue()  # who was killed may have held the lock of the former one
        again = context.Process(target=train_with_slow_workers, args=(tmp_path, answers, 0.0))
        again.start()
        kind, _, step = answers.get()
        assert kind == "batch" and step in (2, 3)
        again.join()
        assert again.exitcode == 0
        for pid in workers:
            os.kill(pid, 0)
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
