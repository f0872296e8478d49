"""Run: what a user holds. Its arguments, its small surface, and nothing that can live below."""

import atexit
import logging
import operator
import os
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import torch
from torch.utils.data import DataLoader

from unbroken import messages
from unbroken._loop import Loop, Phase
from unbroken._resuming import Beginning, Origin, begin_run
from unbroken._saving import Parts
from unbroken.errors import UsageError
from unbroken.loop.cursor import Cursor
from unbroken.loop.loaders import ResumableLoader, resumable
from unbroken.loop.triggers import Triggers, seconds
from unbroken.state.gradients import Gradients
from unbroken.state.history import Best, History
from unbroken.state.tracked import Tracked
from unbroken.state.user import UserState

_log = logging.getLogger("unbroken")


class Run:
    """One training run in one checkpoint folder, continued exactly after any interruption.

    Args:
        folder: where the checkpoints are, made if missing.
        every_epochs: keep a checkpoint of its own after every so many epochs.
        every_steps: renew the latest checkpoint after every so many batches.
        every: renew it after so much time: ``"10min"``, seconds, a timedelta, or None.
        best: the recorded metric by which ``checkpoint_best.pth`` is chosen.
        best_mode: whether its highest or its lowest value is best. A NaN is never the best.
        keep: how many checkpoints of their own to keep; None keeps all.
        config: the run's parameters, stored, and compared on a resume.
        data: the data file or files, recognised by content; other data are refused on a resume.
        allow_changed_data: go on with other data all the same.
        resume: ``"auto"`` continues the newest good state there is, else starts; ``"never"`` starts and moves
            a former run aside (except under a requeue); a path resumes from that file.
        seed: of the sample order and the loading randomness; default ``torch.initial_seed()``.
        stop_after: a time budget; at its end the state is saved and the run stops with exit code 75.

    Raises:
        UsageError: an argument is out of range.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str] = "checkpoints",
        *,
        every_epochs: int | None = None,
        every_steps: int | None = None,
        every: str | float | timedelta | None = "10min",
        best: str | None = None,
        best_mode: Literal["max", "min"] = "max",
        keep: int | None = None,
        config: Mapping[str, Any] | None = None,
        data: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
        allow_changed_data: bool = False,
        resume: str | os.PathLike[str] = "auto",
        seed: int | None = None,
        stop_after: str | float | timedelta | None = None,
    ) -> None:
        triggers = Triggers(every_epochs, every_steps, None if every is None else seconds(every, "every"))
        budget = None if stop_after is None else seconds(stop_after, "stop_after")
        if keep is not None and keep < 1:
            raise UsageError("bad_count", option="keep", value=keep)
        self._origin = Origin(Path(folder), resume, dict(config or {}), data, allow_changed_data, keep)
        self._seed = torch.initial_seed() if seed is None else _whole(seed)
        tracked = Tracked()
        self._parts = Parts(tracked, History(best, best_mode), UserState(), Gradients(tracked), Cursor())
        self._loop = Loop(self._parts, triggers, budget, self._begin, starts_over=os.fspath(resume) == "never")
        self._loaders: dict[int, tuple[DataLoader[Any], ResumableLoader]] = {}

    def track(self, **objects: Any) -> None:
        """Make objects part of the saved state, under the names given.

        Anything with ``state_dict`` and ``load_state_dict``, and torch, numpy and python generators.

        Raises:
            UnsavableStateError: an object's state has a value that no safe checkpoint can hold.
            UsageError: a name is reserved, used twice, or the run has begun.
        """
        if self._loop.saver is not None:
            raise UsageError("track_too_late", names=", ".join(objects))
        for name, tracked in objects.items():
            self._parts.tracked.add(name, tracked)

    def epochs(self, count: int) -> Iterator[int]:
        """Yield the numbers of the epochs still to be trained, from 1 to ``count``.

        The run begins at the first of them: the newest state is found, verified, checked against what is
        tracked, and restored. Every epoch ends with a save of ``checkpoint_latest.pth``.

        Raises:
            GuardError: the state found is not of this run's data or architecture, or the folder is in use.
            CheckpointDamagedError: there are checkpoints, and none is good.
            NothingToResumeError: the path to resume from is missing.
            DiskError: the folder can't be written.
            Stopped: in the loop, after a stop signal or at the end of the time budget, the state being saved.
        """
        if not isinstance(count, int) or count < 1:
            raise UsageError("bad_count", option="epochs", value=count)
        return self._loop.epochs(count)

    def batches(self, loader: DataLoader[Any], *, steps: int | None = None) -> "Batches":
        """The batches of ``loader`` for this epoch, from the one after the last one trained.

        The first loop of an epoch that asks for a batch can be left and resumed at any of its batches, and so can
        loops that run beside it; a later loop of the same epoch runs whole again.

        With ``steps``, and no loop over ``epochs`` around it: as many batches as it takes until that many were
        trained in the whole run, pass after pass, each of them an epoch.

        Raises:
            LoaderRefusedError: a loader whose position can't be restored exactly.
            And what ``epochs`` raises, with ``steps``.
        """
        if steps is not None and (not isinstance(steps, int) or steps < 1):
            raise UsageError("bad_count", option="steps", value=steps)
        if (steps is None) != self._loop.in_epoch:
            raise UsageError("batches_outside_epochs" if steps is None else "steps_inside_epochs")
        if steps is not None:
            self._loop.begin_if_needed()
        if id(loader) not in self._loaders:
            known = resumable(loader, self._seed)
            self._loaders[id(loader)] = (loader, known)
            _log.info(messages.text(known.promise, batches=known.length or "?", workers=known.workers))
        known = self._loaders[id(loader)][1]
        if steps is None:
            return Batches(known.length, lambda: self._loop.iterate(known))
        return Batches(max(steps - self._parts.cursor.step, 0), lambda: self._loop.steps(known, steps))

    def average(self, weight: float = 1.0, /, **values: Any) -> None:
        """Add one batch's values to the means recorded at the end of the epoch, e.g. ``train_losses=loss``."""
        self._parts.history.average(values, weight)

    def record(self, **values: Any) -> None:
        """Record one value per metric for the epoch in hand, e.g. ``val_losses=0.2, aucs=0.6``."""
        self._parts.history.record(values)

    def stop(self, reason: str) -> None:
        """End the run on purpose when the epoch in hand is done; the reason is stored and logged."""
        self._loop.stop_reason = str(reason)

    @property
    def epoch(self) -> int:
        """The epoch in hand, from 1; between epochs the last one done."""
        return self._parts.cursor.epoch + (1 if self._loop.in_epoch else 0)

    @property
    def batch(self) -> int:
        """The batch in hand within its epoch, from 1; between batches the last one done."""
        return self._parts.cursor.batch + (1 if self._loop.phase is Phase.STEP else 0)

    @property
    def step(self) -> int:
        """The batch in hand counted over the whole run, from 1; between batches the last one done."""
        return self._parts.cursor.step + (1 if self._loop.phase is Phase.STEP else 0)

    @property
    def state(self) -> MutableMapping[str, Any]:
        """A small mapping for the user's own counters, saved and restored with the rest."""
        return self._parts.user_state

    @property
    def history(self) -> Mapping[str, Sequence[float]]:
        """Every metric's values, one per completed epoch."""
        return {metric: tuple(values) for metric, values in self._parts.history.columns.items()}

    @property
    def best(self) -> Best:
        """The best value so far of the metric named ``best``, and its epoch: minus infinity and 0 before one."""
        return self._parts.history.best

    @property
    def seed(self) -> int:
        """The seed of the sample order and the loading randomness; a resumed run has its first one."""
        return self._seed

    @property
    def resumed_from(self) -> Path | None:
        """The checkpoint this process went on from, or None for a fresh start."""
        return self._loop.resumed_from

    def close(self) -> None:
        """Finish writing, give the folder free, and say so if the loop was left before its end."""
        atexit.unregister(self.close)
        saver = self._loop.close()
        if saver is not None and self._loop.in_epoch and not self._loop.stopped:
            _log.warning(messages.text("left_early", epoch=self.epoch, latest=saver.folder.latest))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        loop = self._loop
        if error is not None and loop.saver is not None and loop.in_epoch and not loop.stopped:
            loop.stopped = True
            latest = loop.saver.folder.latest
            name = type(error).__name__
            _log.error(messages.text("left_by_error", error=name, epoch=self.epoch, latest=latest))
        self.close()

    def _begin(self, planned_epochs: int | None) -> Beginning:
        _give_log_a_console()
        self._loop.open_trace(self._origin.folder)
        beginning = begin_run(self._origin, self._parts, seed=self._seed, planned_epochs=planned_epochs)
        self._seed = beginning.seed
        atexit.register(self.close)
        return beginning


class Batches:
    """The batches of one loop over a loader; iterate it once. ``len`` is that of the whole epoch, or of all steps."""

    def __init__(self, length: int | None, iterate: Callable[[], Iterator[Any]]) -> None:
        self._length = length
        self._iterate = iterate

    def __len__(self) -> int:
        if self._length is None:
            raise TypeError("this loader has no length")
        return self._length

    def __iter__(self) -> Iterator[Any]:
        return self._iterate()


def _whole(seed: object) -> int:
    """Python's own integer: one of NumPy's 32 bits is another value once a checkpoint has held it."""
    try:
        return operator.index(seed)  # type: ignore[arg-type]
    except TypeError as error:
        raise UsageError("bad_seed", value=repr(seed)) from error


def _give_log_a_console() -> None:
    """Messages must be seen in a script that never heard of logging; one that did has its own handlers."""
    if not _log.hasHandlers():
        console = logging.StreamHandler()
        console.setFormatter(logging.Formatter("unbroken: %(message)s"))
        _log.addHandler(console)
        _log.setLevel(logging.INFO)
