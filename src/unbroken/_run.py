"""Run: what a user holds. Its arguments, its small surface, and nothing that can live below."""

import logging
import operator
import os
import weakref
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import torch
from torch.utils.data import DataLoader

from unbroken.course import loops
from unbroken.course.batches import BatchLoops
from unbroken.course.course import Course
from unbroken.course.stopping import STEP
from unbroken.course.triggers import Triggers
from unbroken.errors import DiskError, UsageError
from unbroken.keep.arguments import seconds, whole_number
from unbroken.keep.cursor import Cursor
from unbroken.keep.origin import Origin
from unbroken.keep.state import Parts
from unbroken.loop.loaders import Loaders, ResumableLoader
from unbroken.state.gradients import Gradients
from unbroken.state.history import Best, History
from unbroken.state.local import Local, Locals
from unbroken.state.origins import Mentions
from unbroken.state.settings import Settings
from unbroken.state.tracked import Tracked, try_state
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
        keep_space: how much room all checkpoints of the run may take, such as ``"20GB"``: the oldest of their own go.
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
        keep_space: str | int | None = None,
        config: Mapping[str, Any] | None = None,
        data: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
        allow_changed_data: bool = False,
        resume: str | os.PathLike[str] = "auto",
        seed: int | None = None,
        stop_after: str | float | timedelta | None = None,
    ) -> None:
        triggers = Triggers(every_epochs, every_steps, None if every is None else seconds(every, "every"))
        budget = None if stop_after is None else seconds(stop_after, "stop_after")
        given = None if seed is None else _seed(seed)
        said = {} if config is None else config
        origin = Origin(folder, resume, said, data, allow_changed_data, keep, keep_space, given)
        tracked = Tracked()
        self._parts = Parts(
            tracked,
            History(best, best_mode),
            UserState(),
            Gradients(tracked, Mentions("grad")),
            Cursor(),
            Settings(tracked),
            Locals(tracked.objects_by_name),
        )
        self._loaders = Loaders()
        first_seed = torch.initial_seed() if given is None else given
        self._course = Course(self._parts, triggers, budget, origin, first_seed)
        self._batches = BatchLoops(self._course, self._loaders)
        _give_log_a_console()
        # Also when nobody holds the run any more, as in a notebook whose cell is run again, and at the end of Python.
        self._close = weakref.finalize(self, self._course.close)

    def track(self, *unnamed: Any, **objects: Any) -> None:
        """Make objects part of the saved state, under the names given.

        Anything with ``state_dict`` and ``load_state_dict``; torch, numpy and python generators; and dicts, lists,
        sets, deques, SimpleNamespaces and instances of dataclasses, which are filled in place.

        >>> import torch, unbroken
        >>> run, meta = unbroken.Run("checkpoints"), {"best": 0.0, "losses": []}
        >>> run.track(model=torch.nn.Linear(1, 1), meta=meta)
        >>> for epoch in run.epochs(1):
        ...     meta["losses"].append(0.5)
        >>> run.close()

        Raises:
            UnsavableStateError: an object's state has a value that no safe checkpoint can hold, or the object does
                not take its own state.
            UsageError: a name is reserved, used twice, or the run has begun.
        """
        if unnamed:
            raise UsageError("track_unnamed")
        if self._course.keeper is not None:
            raise UsageError("track_too_late", names=", ".join(objects))
        for name, tracked in objects.items():
            self._parts.tracked.add(name, tracked)
            try_state(name, tracked)

    def local(self, /, **values: Any) -> Local:
        """Variables of the loop that come back: an object with these attributes, saved and restored with the run.

        Numbers, text, None, tensors, arrays, and lists, tuples, dicts, sets, deques, named tuples, dataclasses and
        SimpleNamespaces of these. What is given is where a fresh run starts from. Names that are one object stay one;
        views of a tensor's memory, and the order of a set, are not kept. A second call adds names.

        >>> import unbroken
        >>> run = unbroken.Run("checkpoints")
        >>> local = run.local(best=None, patience=0)
        >>> for epoch in run.epochs(2):
        ...     local.patience += 1
        >>> local
        local(best=None, patience=2)
        >>> run.close()

        Raises:
            UnsavableStateError: a value that no safe checkpoint can hold, here or where it is set.
            UsageError: a name is used twice, or the run has begun.
            AttributeError: (where it is used) a name that was not declared.
        """
        if self._course.keeper is not None:
            raise UsageError("local_too_late", names=", ".join(values))
        self._parts.locals.declare(values)
        return self._parts.locals.local

    def start_from(self, path: str | os.PathLike[str], /, *, strict: bool = True, **names: str) -> None:
        """Let a new run begin with the weights of another checkpoint, or of any file that ``unbroken.load`` reads.

        Each keyword is a tracked name and its name in the file, as ``ema="model"``; without any, all tracked names that
        the file has. Names of wrappers (``module.``, ``_orig_mod.``) make no difference. Of the file's history and
        position nothing is taken. A run that is resumed has its own newest state, and this does nothing but say so.

        >>> import torch, unbroken
        >>> torch.save(torch.nn.Linear(2, 1).state_dict(), "body.pth")
        >>> model = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Linear(1, 3))
        >>> run = unbroken.Run("checkpoints")
        >>> run.track(body=model[0], head=model[1])
        >>> run.start_from("body.pth", body="")  # the file itself is the state_dict
        >>> for epoch in run.epochs(1):
        ...     pass
        >>> run.close()

        Args:
            strict: refuse a file that has more, or less, than what is to be taken; else take what fits by name and
                shape. The log says what was taken, left and missing.

        Raises:
            UsageError: a name is of nothing tracked (so far), or the run has begun.
            GuardError: (at the beginning) with ``strict``, something is left or missing; a name is not in the file.
        """
        if self._course.keeper is not None:
            raise UsageError("start_too_late", path=path)
        self._course.starting.add(path, names, strict, self._parts.tracked)

    def keep_built(self, *names: str) -> None:
        """From here on have these settings as the script builds them now, where a resume would restore the saved ones.

        ``"optimizer.lr"``, any setting of a tracked optimizer's groups, ``"optimizer"`` for all of them, or the name of
        a tracked scheduler, which is kept as a whole, at the place where the saved one stands. Only what is built
        otherwise than it was is put in force, and once: afterwards a schedule goes on from there, and the same command
        again changes nothing. A learning rate under a schedule is scaled, as if it had been built with the new one.

        Raises:
            UsageError: the run has begun. (At its beginning: a name of nothing.)
        """
        if self._course.keeper is not None:
            raise UsageError("keep_built_too_late", names=", ".join(names))
        self._parts.settings.keep(names)

    def epochs(self, count: int) -> Iterator[int]:
        """Yield the numbers of the epochs still to be trained, from 1 to ``count``.

        The run begins at the first of them: the newest state is found, verified, checked against what is
        tracked, and restored. Every epoch ends with a save of ``checkpoint_latest.pth``.

        Raises:
            GuardError: the state found is not of this run's data or architecture, or the folder is in use.
            CheckpointDamagedError: there are checkpoints, and none is good.
            NothingToResumeError: the path to resume from is missing.
            DiskError: the folder can't be written, so that the very first state is not safe. (Of a last one that is
                not, ``failure`` and the exit code tell.)
            Stopped: in the loop, after a stop signal or at the end of the time budget, the state being saved.
        """
        return self._epochs(whole_number(count, "epochs"))

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
        if steps is None:
            self._batches.require_epoch()
            known = self._known(loader)
            return Batches(known.length, lambda: self._batches.iterate(known))
        goal = whole_number(steps, "steps")
        loops.begin_steps(self._course)
        known = self._known(loader)
        return Batches(max(goal - self._parts.cursor.step, 0), lambda: self._steps(known, goal))

    def average(self, weight: float = 1.0, /, **values: Any) -> None:
        """Add one batch's values to the means recorded at the end of the epoch, e.g. ``train_losses=loss``."""
        self._parts.history.average(values, weight)

    def record(self, **values: Any) -> None:
        """Record one value per metric for the epoch in hand, e.g. ``val_losses=0.2, aucs=0.6``."""
        self._parts.history.record(values)

    def stop(self, reason: str) -> None:
        """End the run on purpose when the epoch in hand is done; the reason is stored and logged."""
        self._course.asking.stop_reason = str(reason)

    @property
    def epoch(self) -> int:
        """The epoch in hand, from 1; between epochs the last one done."""
        return self._parts.cursor.epoch + (1 if self._course.in_epoch else 0)

    @property
    def batch(self) -> int:
        """The batch in hand within its epoch, from 1; between batches the last one done."""
        return self._parts.cursor.batch + (1 if self._course.stopping.phase is STEP else 0)

    @property
    def step(self) -> int:
        """The batch in hand counted over the whole run, from 1; between batches the last one done."""
        return self._parts.cursor.step + (1 if self._course.stopping.phase is STEP else 0)

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
        return self._course.seed

    @property
    def resumed_from(self) -> Path | None:
        """The checkpoint this process went on from, or None for a fresh start."""
        return self._course.resumed_from

    @property
    def failure(self) -> DiskError | None:
        """Why the newest state is not safe on disk; None if it is.

        A last state that is not is tried again until the run is closed; then the process ends with exit code 74.
        """
        return self._course.failure

    def save(self) -> None:
        """Renew ``checkpoint_latest.pth`` now; in the midst of a step, at the next boundary between batches.

        Raises:
            UsageError: the run has not begun.
        """
        self._course.save()

    def flush(self) -> None:
        """Return when all that was saved is durable on disk.

        Raises:
            DiskError: the newest state is not.
        """
        self._course.flush()

    def close(self) -> None:
        """Finish writing, release the folder's lock, and say so if the loop was left before its end."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._course.left_by(error)
        self.close()

    def _known(self, loader: DataLoader[Any]) -> ResumableLoader:
        compiled = self._parts.tracked.compiled
        loading = self._course.kept_by.identity.loading
        return self._loaders.known(loader, self.seed, loading, compiled=compiled)

    def _epochs(self, count: int) -> Iterator[int]:
        # A generator of this run's: it must not be closed in the meantime.
        yield from loops.epochs(self._course, self._batches, count)

    def _steps(self, loader: ResumableLoader, goal: int) -> Iterator[Any]:
        yield from loops.steps(self._course, self._batches, loader, goal)


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


def _seed(seed: object) -> int:
    """Python's own integer: one of NumPy's 32 bits is another value once a checkpoint has held it."""
    try:
        number = operator.index(seed)  # type: ignore[arg-type]
    except TypeError as error:
        raise UsageError("bad_seed", value=repr(seed)) from error
    if not -(2**63) <= number < 2**64:  # what torch.manual_seed takes
        raise UsageError("bad_seed", value=number)
    return number


def _give_log_a_console() -> None:
    """Messages must be seen in a script that never heard of logging; one that did has its own handlers."""
    if not _log.handlers:
        console = logging.StreamHandler()
        console.setFormatter(logging.Formatter("unbroken: %(message)s"))
        console.addFilter(lambda _: not logging.getLogger().handlers)
        _log.addHandler(console)
        if _log.level == logging.NOTSET:
            _log.setLevel(logging.INFO)
