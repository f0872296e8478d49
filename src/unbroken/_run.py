"""Run: what a user holds. Its arguments, what may be tracked, and nothing that can live below."""

import operator
import os
import sys
import weakref
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import torch
from torch.utils.data import DataLoader

from unbroken.console import show_log
from unbroken.course import loops
from unbroken.course.batches import BatchLoops
from unbroken.course.course import Course
from unbroken.course.csvlog import CsvLog
from unbroken.course.iterables import Counted
from unbroken.course.stopping import STEP
from unbroken.course.triggers import Triggers
from unbroken.errors import DiskError, GuardError, UsageError
from unbroken.keep.arguments import seconds, whole_number
from unbroken.keep.cursor import Cursor
from unbroken.keep.origin import Origin, policy
from unbroken.keep.state import Parts
from unbroken.keep.unlike import require_replica
from unbroken.loop.loaders import Loaders, ResumableLoader
from unbroken.loop.numbers import StepNumbers
from unbroken.loop.ranks import At
from unbroken.loop.shares import Share
from unbroken.state.adapting import try_state
from unbroken.state.gradients import Gradients
from unbroken.state.history import Best, History
from unbroken.state.local import Local, Locals
from unbroken.state.origins import Mentions, users_frames
from unbroken.state.settings import Settings
from unbroken.state.tracked import Tracked
from unbroken.state.user import UserState


class Run:
    """One training run in one checkpoint folder, continued exactly after any interruption.

    Args:
        folder: where the checkpoints are, made if missing.
        every_epochs: keep a checkpoint of its own after every so many epochs.
        every_steps: renew the latest checkpoint after every so many batches.
        number_steps: keep a checkpoint of its own, ``checkpoint_step_N.pth``, after every so many batches.
        every: renew it after so much time: ``"10min"``, seconds, a timedelta, or None.
        best: the recorded metric by which ``checkpoint_best.pth`` is chosen.
        best_mode: whether its highest or its lowest value is best. A NaN is never the best.
        keep: how many checkpoints of their own to keep, the newest; without a rule of these all are kept.
        keep_best: keep those of the best so many epochs by ``best``; each such epoch gets one.
        keep_every: keep one of every so many epochs.
        keep_every_steps: keep one of every so many batches.
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

    Examples:
        >>> import torch, unbroken
        >>> from torch.utils.data import DataLoader, TensorDataset
        >>> model = torch.nn.Linear(1, 1)
        >>> loader = DataLoader(TensorDataset(torch.ones(8, 1)), batch_size=2)
        >>> with unbroken.Run("checkpoints", best="aucs", seed=7) as run:
        ...     run.track(model=model)
        ...     for epoch in run.epochs(2):
        ...         for (inputs,) in run.batches(loader):
        ...             run.average(train_losses=model(inputs).mean())
        ...         run.record(aucs=epoch / 10)
        >>> run.best.value, run.best.epoch, len(run.history["train_losses"])
        (0.2, 2, 2)
    """

    def __init__(
        self,
        folder: str | os.PathLike[str] = "checkpoints",
        *,
        every_epochs: int | None = None,
        every_steps: int | None = None,
        number_steps: int | None = None,
        every: str | float | timedelta | None = "10min",
        best: str | None = None,
        best_mode: Literal["max", "min"] = "max",
        keep: int | None = None,
        keep_best: int | None = None,
        keep_every: int | None = None,
        keep_every_steps: int | None = None,
        keep_space: str | int | None = None,
        config: Mapping[str, Any] | None = None,
        data: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
        allow_changed_data: bool = False,
        resume: str | os.PathLike[str] = "auto",
        seed: int | None = None,
        stop_after: str | float | timedelta | None = None,
    ) -> None:
        renewed = None if every is None else seconds(every, "every")
        triggers = Triggers(every_epochs, every_steps, renewed, number_steps, keep_every, keep_every_steps)
        kept = policy(keep, keep_space, keep_best, keep_every, keep_every_steps, metric=best)
        budget = None if stop_after is None else seconds(stop_after, "stop_after")
        given = None if seed is None else _seed(seed)
        said = {} if config is None else config
        origin = Origin(folder, resume, said, data, allow_changed_data, kept, given)
        tracked = Tracked()
        parts = Parts(
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
        self._course = Course(parts, triggers, budget, origin, first_seed)
        self._batches = BatchLoops(self._course, self._loaders)
        show_log()
        # Also when nobody holds the run any more, as in a notebook whose cell is run again, and at the end of Python.
        self._close = weakref.finalize(self, self._course.close)

    def track(self, *unnamed: Any, **objects: Any) -> None:
        """Make objects part of the saved state, under the names given.

        Anything with ``state_dict`` and ``load_state_dict``; torch, numpy and python generators; and dicts, lists,
        sets, deques, SimpleNamespaces and instances of dataclasses, which are filled in place.

        Examples:
            >>> import torch, unbroken
            >>> run, meta = unbroken.Run("checkpoints"), {"best": 0.0, "losses": []}
            >>> run.track(model=torch.nn.Linear(1, 1), meta=meta)
            >>> for epoch in run.epochs(1):
            ...     meta["losses"].append(0.5)
            >>> run.close()

        Raises:
            UnsavableStateError: an object's state has a value that no safe checkpoint can hold, or the object does
                not take its own state.
            GuardError: it has another part on each of several processes (FSDP, ZeRO).
            UsageError: a name is reserved, used twice, or the run has begun.

        Examples:
            >>> import torch, unbroken
            >>> with unbroken.Run("checkpoints") as run:
            ...     model = torch.nn.Linear(1, 1)
            ...     run.track(model=model, optimizer=torch.optim.Adam(model.parameters()), noise=torch.Generator())
        """
        if unnamed:
            raise UsageError("track_unnamed")
        if self._course.keeper is not None:
            raise UsageError("track_too_late", names=", ".join(objects))
        for name, tracked in objects.items():
            try:
                require_replica(name, tracked)
            except GuardError as error:
                raise self._course.ranks.refused(error) from None
            self._parts.tracked.add(name, tracked)
            try_state(name, tracked)

    def local(self, namespace: dict[str, Any] | None = None, /, **values: Any) -> Local:
        """Variables of the loop that come back: an object with these attributes, saved and restored with the run.

        With ``globals()`` as the first argument they are variables of that module, too, under their own names: for a
        script whose loop is not in a function, or one that says ``global``.

        Numbers, text, None, tensors, arrays, and lists, tuples, dicts, sets, deques, named tuples, dataclasses and
        SimpleNamespaces of these. What is given is where a fresh run starts from. Names that are one object stay one;
        views of a tensor's memory, and the order of a set, are not kept. A second call adds names.

        Examples:
            >>> import unbroken
            >>> run = unbroken.Run("checkpoints")
            >>> local = run.local(best=None, patience=0)
            >>> for epoch in run.epochs(2):
            ...     local.patience += 1
            >>> local
            local(best=None, patience=2)
            >>> run.close()

        Raises:
            UnsavableStateError: a value that no safe checkpoint can hold, here or where it is set; of a global, where
                it is saved.
            UsageError: a name is used twice, or the run has begun; the first argument is not ``globals()``, or a name
                is a variable of a function that is running.
            AttributeError: (where it is used) a name that was not declared.
        """
        if self._course.keeper is not None:
            raise UsageError("local_too_late", names=", ".join(values))
        if namespace is not None:
            _require_globals(namespace, values)
        self._parts.locals.declare(values, namespace)
        return self._parts.locals.local

    def start_from(self, path: str | os.PathLike[str], /, *, strict: bool = True, **names: str) -> None:
        """Let a new run begin with the weights of another checkpoint, or of any file that ``unbroken.load`` reads.

        Each keyword is a tracked name and its name in the file, as ``ema="model"``; without any, all tracked names that
        the file has. Names of wrappers (``module.``, ``_orig_mod.``) make no difference. Of the file's history and
        position nothing is taken. A run that is resumed has its own newest state, and this does nothing but say so.

        Examples:
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

        Examples:
            >>> import torch, unbroken
            >>> def train(epochs, lr):
            ...     model = torch.nn.Linear(1, 1)
            ...     optimizer = torch.optim.SGD(model.parameters(), lr=lr)
            ...     with unbroken.Run("checkpoints") as run:
            ...         run.track(model=model, optimizer=optimizer)
            ...         run.keep_built("optimizer.lr")
            ...         for epoch in run.epochs(epochs):
            ...             pass
            ...     return optimizer.param_groups[0]["lr"]
            >>> train(1, lr=0.1), train(2, lr=0.01)
            (0.1, 0.01)
        """
        if self._course.keeper is not None:
            raise UsageError("keep_built_too_late", names=", ".join(names))
        self._parts.settings.keep(names)

    def begin(self) -> None:
        """Find the newest good state and restore it now, so that ``step``, ``epoch``, ``state`` and ``id`` are true.

        Optional: the first loop does it else. Everything has to be tracked by then. ``with run:`` begins as well,
        if anything is tracked.

        Examples:
            >>> import tempfile, torch, unbroken
            >>> run = unbroken.Run(tempfile.mkdtemp())
            >>> run.track(model=torch.nn.Linear(2, 1))
            >>> run.begin()
            >>> run.step, run.resumed_from
            (0, None)
            >>> run.close()

        Raises:
            GuardError: the state found is not of this run's data or architecture, or the folder is in use.
            CheckpointDamagedError: there are checkpoints, and none is good.
            NothingToResumeError: the path to resume from is missing.
            DiskError: the folder can't be written, so that the very first state is not safe.
        """
        self._take_up()
        self._course.require_open()
        with self._course.refusals():
            self._course.begin()

    def epochs(self, count: int, *, start: int = 1) -> Counted[int]:
        """The numbers of the epochs still to be trained, from ``start`` on, ``count`` in the whole run.

        The run begins at the first of them, as by ``begin``. The end of an epoch is saved as
        ``checkpoint_latest.pth``, though not more than once a second where nothing else asks for it; that of the last
        one always. A loop left by ``break`` ends the run on purpose, with the epoch in hand.

        Examples:
            >>> import tempfile, torch, unbroken
            >>> run = unbroken.Run(tempfile.mkdtemp())
            >>> run.track(model=torch.nn.Linear(2, 1))
            >>> [epoch for epoch in run.epochs(3)]
            [1, 2, 3]
            >>> run.close()

        Raises:
            UnbrokenError: what ``begin`` raises. (Of a last state that is not safe, ``failure`` and exit code tell.)
            Stopped: in the loop, after a stop signal or at the end of the time budget, the state being saved.
        """
        count = whole_number(count, "epochs")
        if start not in (0, 1):
            raise UsageError("bad_start", value=repr(start))

        def initial() -> int:
            self._take_up()
            with self._course.refusals():
                loops.begin_epochs(self._course, count)
            return self._parts.cursor.epoch

        return Counted(count, initial, lambda: self._epochs(count, start))

    def steps(self, count: int | None, *, group: int = 1) -> Counted[int]:
        """The numbers of the steps still to be trained, from 1 to ``count`` in all: for loops without a loader.

        Saved when ``every`` or ``every_steps`` is due, and gone on with at the next step, all random streams as they
        were. With None it goes on until ``stop``, a signal or the time budget. Inside a loop over ``epochs``: the
        steps of the epoch in hand. Saves and stops fall between groups of ``group`` steps.

        Examples:
            >>> import tempfile, torch, unbroken
            >>> weight = torch.zeros(1)
            >>> run = unbroken.Run(tempfile.mkdtemp())
            >>> run.track(weight=weight)
            >>> for step in run.steps(100):
            ...     weight += torch.randn(1)  # a full batch, one made by hand, an episode
            >>> run.step
            100
            >>> run.close()

        Raises:
            UnbrokenError: what ``epochs`` raises.
        """
        goal = None if count is None else whole_number(count, "steps")
        group = whole_number(group, "group")
        self._take_up()
        if self._course.in_epoch:
            numbers = StepNumbers(goal)
            return Counted(goal, self._done_in_epoch, lambda: self._batches.iterate(numbers, None, group))
        last = sys.maxsize if goal is None else goal
        with self._course.refusals():
            loops.begin_steps(self._course, last)
        cursor = self._parts.cursor
        numbers = StepNumbers(None, base=cursor.step - cursor.batch)
        return Counted(goal, lambda: cursor.step, lambda: self._steps(numbers, last, group))

    def batches(self, loader: DataLoader[Any], *, steps: int | None = None, group: int = 1) -> Counted[Any]:
        """The batches of ``loader`` for this epoch, from the one after the last one trained.

        The first loop of an epoch that asks for a batch can be left and resumed at any of its batches, and so can
        loops that run beside it; a later loop of the same epoch runs whole again.

        With ``steps``, and no loop over ``epochs`` around it: as many batches as it takes until that many were
        trained in the whole run, pass after pass, each of them an epoch. ``len`` is then of all steps.

        Where several batches make up one step of the optimizer, taken by ``next`` or in a loop inside, ``group`` says
        how many: saves, stops and resumes fall between groups only.

        Raises:
            LoaderRefusedError: a loader whose position can't be restored exactly.
            UnbrokenError: and what ``epochs`` raises, with ``steps``.

        Examples:
            >>> import torch, unbroken
            >>> from torch.utils.data import DataLoader, TensorDataset
            >>> loader = DataLoader(TensorDataset(torch.arange(6.0)), batch_size=2)
            >>> with unbroken.Run("checkpoints") as run:
            ...     run.track(model=torch.nn.Linear(1, 1))
            ...     for (numbers,) in run.batches(loader, steps=4):
            ...         print(run.step, numbers.tolist())
            1 [0.0, 1.0]
            2 [2.0, 3.0]
            3 [4.0, 5.0]
            4 [0.0, 1.0]
        """
        group = whole_number(group, "group")
        if steps is None:
            self._batches.require_epoch()
            known = self._known(loader)
            return Counted(known.length, self._done_in_epoch, lambda: self._batches.iterate(known, None, group), loader)
        goal = whole_number(steps, "steps")
        self._take_up()
        with self._course.refusals():
            loops.begin_steps(self._course, goal)
        known = self._known(loader)
        cursor = self._parts.cursor
        return Counted(goal, lambda: cursor.step, lambda: self._steps(known, goal, group), loader)

    def average(self, weight: float | None = None, /, **values: Any) -> None:
        """Add one batch's values to the means recorded at the end of the epoch, e.g. ``train_losses=loss``.

        The means are over all processes. Without a ``weight`` each step counts alike, and each process for its part.
        """
        self._parts.history.average(values, weight)

    def record(self, **values: Any) -> None:
        """Record one value per metric for the epoch in hand, e.g. ``val_losses=0.2, aucs=0.6``."""
        self._parts.history.record(values)

    def stop(self, reason: str) -> None:
        """End the run on purpose when the epoch in hand is done; the reason is stored and logged.

        In ``run.steps`` behind the step in hand, and with several processes behind the next whose number 64 divides.

        Examples:
            >>> import torch, unbroken
            >>> with unbroken.Run("checkpoints") as run:
            ...     run.track(model=torch.nn.Linear(1, 1))
            ...     for epoch in run.epochs(100):
            ...         if epoch == 3:
            ...             run.stop("good enough")
            >>> run.epoch
            3
        """
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
        """A small mapping for the user's own counters, saved and restored with the rest.

        Examples:
            >>> import torch, unbroken
            >>> def train(epochs):
            ...     with unbroken.Run("checkpoints") as run:
            ...         run.track(model=torch.nn.Linear(1, 1))
            ...         for epoch in run.epochs(epochs):
            ...             run.state["waited"] = run.state.get("waited", 0) + 1
            ...     return run.state["waited"]
            >>> train(2), train(5)
            (2, 5)
        """
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
    def id(self) -> str:
        """The run's own name, the same after every resume: for loggers. Begins the run."""
        if self._course.run_id is None:
            self.begin()
        return str(self._course.run_id)

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

    def log_csv(self, path: str | os.PathLike[str]) -> CsvLog:
        """A function that appends a row to a CSV file, for each step once, however often the run is gone on with.

        Begins the run, and cuts the rows off that were written behind the step it goes on from. Where it starts anew, a
        file of a former run is renamed; where it goes back to an older state that was asked for, a copy stays.

        Examples:
            >>> import tempfile, torch, unbroken
            >>> folder = tempfile.mkdtemp()
            >>> run = unbroken.Run(folder)
            >>> run.track(weight=torch.zeros(1))
            >>> log = run.log_csv(f"{folder}/losses.csv")
            >>> for step in run.steps(2):
            ...     log(loss=1 / step)
            >>> print(open(f"{folder}/losses.csv").read(), end="")
            step,loss
            1,1.0
            2,0.5
            >>> run.close()

        Raises:
            DiskError: the file can't be written.
            UsageError: it is there, and no such CSV.
            UnbrokenError: and what ``begin`` raises.
        """
        self.begin()
        return CsvLog(Path(path).absolute(), lambda: self._course)

    def close(self) -> None:
        """Finish writing, release the folder's lock, and say so if the loop was left before its end."""
        self._close()
        self._course.hands.require_here()

    def __enter__(self) -> Self:
        if self._parts.tracked.names:
            self.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._course.left_by(error)
        self.close()

    @property
    def _parts(self) -> Parts:
        return self._course.parts

    def _take_up(self) -> None:
        """A run whose loop was broken off goes on as a restart does: in a notebook, the cell is run again."""
        if self._course.was_left:
            self._batches.end_all()  # a batch in hand is done with, and counts in the course that it belongs to
            self._course = self._course.again()
            self._batches = BatchLoops(self._course, self._loaders)
            self._close.detach()
            self._close = weakref.finalize(self, self._course.close)

    def _known(self, loader: DataLoader[Any]) -> ResumableLoader:
        compiled, ranks = self._parts.tracked.compiled, self._course.ranks
        identity = self._course.kept_by.identity
        share = Share(ranks.rank, ranks.size, identity.processes)
        with self._course.refusals():
            return ranks.together(
                At.LOADER, lambda: self._loaders.known(loader, self.seed, identity.loading, share, compiled=compiled)
            )

    def _done_in_epoch(self) -> int:
        return self._parts.cursor.batch if self._course.passes.lead is None else 0

    def _epochs(self, count: int, start: int) -> Iterator[int]:
        # A generator of this run's: it must not be closed in the meantime.
        self._take_up()
        with self._course.refusals():
            yield from loops.epochs(self._course, self._batches, count, start)

    def _steps(self, loader: ResumableLoader, goal: int, group: int) -> Iterator[Any]:
        with self._course.refusals():
            yield from loops.steps(self._course, self._batches, loader, goal, group)


def _require_globals(namespace: dict[str, Any], names: Iterable[str]) -> None:
    """Nothing is silently kept that the loop does not read: a function has variables of its own."""
    if not isinstance(namespace, dict) or "__builtins__" not in namespace:  # Python puts it into all globals
        raise UsageError("local_not_globals", names=", ".join(names))
    for frame in users_frames():
        code = frame.f_code
        own = [name for name in names if name in code.co_varnames + code.co_cellvars + code.co_freevars]
        if own and frame.f_globals is namespace:
            raise UsageError("local_of_a_function", name=own[0], function=code.co_qualname)


def _seed(seed: object) -> int:
    """Python's own integer: one of NumPy's 32 bits is another value once a checkpoint has held it."""
    try:
        number = operator.index(seed)  # type: ignore[arg-type]
    except TypeError as error:
        raise UsageError("bad_seed", value=repr(seed)) from error
    if not -(2**63) <= number < 2**64:  # what torch.manual_seed takes
        raise UsageError("bad_seed", value=number)
    return number
