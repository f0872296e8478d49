"""What ``benchmarks.instructions`` counts, as one program under callgrind: prints the instructions of each by name."""

import gc
import json
import logging
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, TensorDataset

import unbroken
from benchmarks.callgrind import count
from benchmarks.ours import Ours
from benchmarks.state import training
from unbroken.course.proof import ReplayProof
from unbroken.state.snapshot import copy_to_host
from unbroken.store.save import SaveJob, save

_STEPS = 32  # as many as there are between two turns of what is looked at now and then
_ROUNDS = 3


def measured(folder: Path) -> dict[str, int]:
    """Instructions by name: the least of some rounds, per step, boundary, or save."""
    return {
        "run.batches, a batch": _loop(folder / "batches", lambda run: run.batches(_loader(), steps=10_000)),
        "run.steps, a step": _loop(folder / "steps", lambda run: run.steps(10_000)),
        **_within(folder / "within"),
        "a save of four tensors": _save(folder, 1),
        "a save of 400 tensors": _save(folder, 100),
    }


def _loader() -> DataLoader[Any]:
    return DataLoader(TensorDataset(torch.arange(4096.0).view(-1, 1)), batch_size=4, shuffle=True)


def _model() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    model = torch.nn.Sequential(*(torch.nn.Linear(8, 8) for _ in range(6)))
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(2, 8)).sum().backward()
    optimizer.step()
    return model, optimizer


def _least(work: Callable[[], object], per: int) -> int:
    work()  # what is imported, cached and seen for the first time
    return min(count(work) for _ in range(_ROUNDS)) // per


def _loop(folder: Path, batches: Callable[[unbroken.Run], Iterator[Any]]) -> int:
    """The whole of a loop with an empty body."""
    with unbroken.Run(folder, every=None, seed=1) as run:
        model, optimizer = _model()
        run.track(model=model, optimizer=optimizer)
        steps = iter(batches(run))
        next(steps)

        def work() -> None:
            for _ in range(_STEPS):
                next(steps)

        found = _least(work, _STEPS)
        run.stop("measured")
        for _ in steps:
            pass
    return found


def _within(folder: Path) -> dict[str, int]:
    """The two parts of every step: the question whether to save or to stop, and the witness."""
    with unbroken.Run(folder, every="10min", seed=1) as run:
        model, optimizer = _model()
        run.track(model=model, optimizer=optimizer)
        run.begin()
        course = run._course
        keeper = course.kept_by
        batch = [torch.ones(4, 8), torch.ones(4, 1)]

        def boundaries() -> None:
            for _ in range(_STEPS):
                course.asking.asked(keeper, 1, 0, named=False)
                course.parts.gradients.note_boundary()

        proof = ReplayProof(keeper, course.parts, resumed=False)

        def witnessed() -> None:
            for _ in range(_STEPS):
                proof.given(0, batch)
                course.parts.history.average({"loss": 0.5})
                course.cursor.step += 1
                proof.stepped()

        found = {"a boundary": _least(boundaries, _STEPS), "the witness of a step": _least(witnessed, _STEPS)}
        proof.closed()
        course.cursor.step = 0
    return found


def _save(folder: Path, parameters: int) -> int:
    """A snapshot and the writing of it, by one thread."""
    place = folder / str(parameters)
    place.mkdir()
    ours = Ours(training(0.1, tensors=parameters), place)

    def work() -> None:
        report = save(ours.folder, SaveJob(copy_to_host(ours.payload()), (ours.folder.latest,)), set())
        assert report.error is None, report.error

    found = _least(work, 1)
    ours.close()
    return found


def main() -> None:
    logging.getLogger("unbroken").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    torch.manual_seed(1)
    gc.collect()
    gc.disable()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measured(Path(folder))))


if __name__ == "__main__":
    main()
