"""Run: ties a training loop to its state, its checkpoints and its position."""

import atexit
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from datetime import timedelta
from enum import Enum, auto
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NoReturn, Self

import torch
from torch.utils.data import DataLoader

from unbroken import messages
from unbroken._resuming import Origin, begin_run
from unbroken._saving import Parts, Saver
from unbroken.errors import EXIT_STOPPED, DiskError, LoaderRefusedError, Stopped, UsageError
from unbroken.loop.batches import PositionedLoader
from unbroken.loop.cursor import Cursor
from unbroken.loop.randomness import capture_streams, restore_streams
from unbroken.loop.signals import StopSignals
from unbroken.loop.triggers import Triggers, seconds
from unbroken.state.encoding import decode
from unbroken.state.gradients import Gradients
from unbroken.state.history import Best, History
from unbroken.state.snapshot import own_copy
from unbroken.state.tracked import Tracked
from unbroken.state.user import UserState
from unbroken.store.payload import OWN

_log = logging.getLogger("unbroken")


class _Phase(Enum):
    """Who is at work; decides what a stop signal may do at once."""

    LIBRARY = auto()  # remember it
    STEP = auto()  # the user's code has a batch in hand: remember it
    WAITING = auto()  # a worker is loading and the state is whole: break off the wait
    OUTSIDE = auto()  # the user's code between epochs and batches, or after them: stop now


class _WaitBrokenOffError(BaseException):
    """Raised by the signal handler to leave the wait for a worker."""


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
        self._triggers = Triggers(every_epochs, every_steps, None if every is None else seconds(every, "every"))
        self._budget = None if stop_after is None else seconds(stop_after, "stop_after")
        if keep is not None and keep < 1:
            raise UsageError("bad_count", option="keep", value=keep)
        self._origin = Origin(
            folder=Path(folder),
            resume=resume,
            config=dict(config or {}),
            data=data,
            allow_changed_data=allow_changed_data,
            keep=keep,
        )
        self._seed = torch.initial_seed() if seed is None else seed
        self._tracked = Tracked()
        self._history = History(best, best_mode)
        self._user_state = UserState()
        self._gradients = Gradients(self._tracked)
        self._cursor = Cursor()
        self._parts = Parts(self._tracked, self._history, self._user_state, self._gradients, self._cursor)
        self._signals = StopSignals(self._on_signal)
        self._phase = _Phase.OUTSIDE
        self._saver: Saver | None = None
        self._started = time.monotonic()
        self._loaders: dict[int, tuple[DataLoader[Any], PositionedLoader]] = {}
        self._mid_epoch: Mapping[str, Any] | None = None
        self._kept: dict[str, Any] | None = None
        self._epoch_start: Mapping[str, Any] = {}
        self._loops_opened = 0
        self._in_epoch = False
        self._stopped = False
        self._planned: int | None = None
        self._stop_reason: str | None = None
        self._resumed_from: Path | None = None

    def track(self, **objects: Any) -> None:
        """Make objects part of the saved state, under the names given.

        Anything with ``state_dict`` and ``load_state_dict``, and torch, numpy and python generators.

        Raises:
            UnsavableStateError: an object's state has a value that no safe checkpoint can hold.
            UsageError: a name is reserved, used twice, or the run has begun.
        """
        if self._saver is not None:
            raise UsageError("track_too_late", names=", ".join(objects))
        for name, tracked in objects.items():
            self._tracked.add(name, tracked)

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
        if count < 1:
            raise UsageError("bad_count", option="epochs", value=count)
        self._planned = count
        saver = self._begin()
        installed = self._signals.install()
        if not installed:
            _log.warning(messages.text("signals_unavailable"))
        try:
            while self._mid_epoch is not None or (self._stop_reason is None and self._cursor.epoch < count):
                self._open_epoch()
                yield self._cursor.epoch + 1
                self._close_epoch(saver)
            self._phase = _Phase.LIBRARY
            saver.finish()
            _log.info(self._end_message(count))
        finally:
            self._signals.remove()
            self._phase = _Phase.OUTSIDE

    def batches(self, loader: DataLoader[Any]) -> "Batches":
        """The batches of ``loader`` for this epoch, from the one after the last one trained.

        The first such loop of an epoch can be left and resumed at any batch; further loops of the same epoch
        run whole again.

        Raises:
            LoaderRefusedError: a loader whose position can't be restored exactly.
        """
        if not self._in_epoch:
            raise UsageError("batches_outside_epochs")
        if id(loader) not in self._loaders:
            self._loaders[id(loader)] = (loader, PositionedLoader(loader, self._seed))
            positioned = self._loaders[id(loader)][1]
            _log.info(messages.text("exact_loader", batches=positioned.length or "?", workers=loader.num_workers))
        return Batches(self._loaders[id(loader)][1], self._iterate)

    def average(self, weight: float = 1.0, /, **values: Any) -> None:
        """Add one batch's values to the means recorded at the end of the epoch, e.g. ``train_losses=loss``."""
        self._history.average(values, weight)

    def record(self, **values: Any) -> None:
        """Record one value per metric for the epoch in hand, e.g. ``val_losses=0.2, aucs=0.6``."""
        self._history.record(values)

    def stop(self, reason: str) -> None:
        """End the run on purpose when the epoch in hand is done; the reason is stored and logged."""
        self._stop_reason = str(reason)

    @property
    def epoch(self) -> int:
        """The epoch in hand, from 1; between epochs the last one done."""
        return self._cursor.epoch + 1 if self._in_epoch else self._cursor.epoch

    @property
    def batch(self) -> int:
        """The batch in hand within its epoch, from 1; between batches the last one done."""
        return self._cursor.batch + 1 if self._phase is _Phase.STEP else self._cursor.batch

    @property
    def step(self) -> int:
        """The batch in hand counted over the whole run, from 1; between batches the last one done."""
        return self._cursor.step + 1 if self._phase is _Phase.STEP else self._cursor.step

    @property
    def state(self) -> MutableMapping[str, Any]:
        """A small mapping for the user's own counters, saved and restored with the rest."""
        return self._user_state

    @property
    def history(self) -> Mapping[str, Sequence[float]]:
        """Every metric's values, one per completed epoch."""
        return {metric: tuple(values) for metric, values in self._history.columns.items()}

    @property
    def best(self) -> Best:
        """The best value so far of the metric named ``best``, and its epoch: minus infinity and 0 before one."""
        return self._history.best

    @property
    def seed(self) -> int:
        """The seed of the sample order and the loading randomness; a resumed run has its first one."""
        return self._seed

    @property
    def resumed_from(self) -> Path | None:
        """The checkpoint this process went on from, or None for a fresh start."""
        return self._resumed_from

    def close(self) -> None:
        """Finish writing, give the folder free, and say so if the loop was left before its end."""
        if self._saver is None:
            return
        saver, self._saver = self._saver, None
        atexit.unregister(self.close)
        saver.close()
        if self._in_epoch and not self._stopped:
            _log.warning(messages.text("left_early", epoch=self.epoch, latest=saver.folder.latest))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self._saver is not None and self._in_epoch and not self._stopped:
            self._stopped = True
            latest = self._saver.folder.latest
            _log.error(messages.text("left_by_error", error=type(error).__name__, epoch=self.epoch, latest=latest))
        self.close()

    def _begin(self) -> Saver:
        if self._saver is not None:
            return self._saver
        _give_log_a_console()
        beginning = begin_run(self._origin, self._parts, seed=self._seed, planned_epochs=self._planned)
        self._saver = beginning.saver
        self._seed = beginning.seed
        self._resumed_from = beginning.resumed_from
        self._stop_reason = beginning.stop_requested
        if beginning.payload is not None:
            own = beginning.payload[OWN]
            streams = decode(own["streams"])
            if own["in_epoch"]:
                self._mid_epoch = beginning.payload
                self._epoch_start = streams["epoch_start"]
            else:
                restore_streams(streams["now"])
        atexit.register(self.close)
        return self._saver

    def _open_epoch(self) -> None:
        # The code before the batches runs again when the epoch is resumed inside, and what it draws must be the same.
        if self._mid_epoch is not None:
            restore_streams(self._epoch_start)
            self._tracked.restore_generators(self._epoch_start["generators"])
            self._user_state.restore(self._epoch_start["state"])
        else:
            self._epoch_start = {
                **capture_streams(),
                "generators": self._tracked.generators(),
                "state": own_copy(self._user_state.values_to_save(), "state"),
            }
        self._loops_opened = 0
        self._in_epoch = True
        self._enter_user_code()

    def _close_epoch(self, saver: Saver) -> None:
        self._phase = _Phase.LIBRARY
        self._in_epoch = False
        self._kept = None
        self._cursor.finish_epoch()
        improved = self._history.finish_epoch()
        folder = saver.folder
        names = [folder.latest]
        if self._triggers.names_epoch(self._cursor.epoch):
            names.append(folder.epoch(self._cursor.epoch))
        if improved:
            names.append(folder.best)
        saver.wait_until_free()
        saver.save(self._snapshot(saver, "epoch"), *names)
        if self._signals.received or self._budget_is_spent():
            self._stop_now(saver)

    def _iterate(self, loader: PositionedLoader) -> Iterator[Any]:
        saver = self._saver
        if saver is None or not self._in_epoch:
            raise UsageError("batches_outside_epochs")
        self._phase = _Phase.LIBRARY
        loop = self._loops_opened
        self._loops_opened += 1
        if loop > 0:
            return self._second_loop(loader, loop)
        self._check_length(loader)
        self._cursor.batches = loader.length
        batches = loader.iterate(epoch=self._cursor.epoch + 1, loop=0, start=self._cursor.batch)
        if self._mid_epoch is not None:
            saver.restore(self._mid_epoch)
            restore_streams(decode(self._mid_epoch[OWN]["streams"]["now"]))
            self._mid_epoch = None
        return self._first_loop(saver, loader, batches)

    def _first_loop(self, saver: Saver, loader: PositionedLoader, batches: Iterator[Any]) -> Iterator[Any]:
        self._gradients.note_boundary()
        while True:
            try:
                batch = self._fetch(saver, loader, batches)
            except StopIteration:
                break
            if self._cursor.batch + 1 == loader.length:
                # For a stop after the batches. Not the state after the last one: a resume from there would give
                # the loop no batch at all, and code behind a loop reads the variables that its body sets.
                self._kept = self._snapshot(saver, "signal")
            self._at_boundary(saver)
            self._phase = _Phase.STEP
            try:
                yield batch
            finally:
                # Also when the loop is left by a break: the batch was in hand, and the epoch is at its end.
                self._phase = _Phase.LIBRARY
                self._cursor.finish_batch()
                self._gradients.note_boundary()
        self._enter_user_code()

    def _second_loop(self, loader: PositionedLoader, loop: int) -> Iterator[Any]:
        batches = loader.iterate(epoch=self._cursor.epoch + 1, loop=loop, start=0)
        self._enter_user_code()
        yield from batches

    def _fetch(self, saver: Saver, loader: PositionedLoader, batches: Iterator[Any]) -> Any:
        """The next batch; while it is loaded the state is whole, so a failure here still saves it."""
        try:
            if not loader.in_process:
                self._phase = _Phase.WAITING
            try:
                return next(batches)
            finally:
                self._phase = _Phase.LIBRARY
        except StopIteration:
            raise
        except _WaitBrokenOffError:
            self._stop_now(saver, self._snapshot(saver, "signal"))
        except Exception:
            saver.save(self._snapshot(saver, "loader_error"), saver.folder.latest)
            saver.wait()
            raise

    def _at_boundary(self, saver: Saver) -> None:
        if self._signals.received:
            self._stop_now(saver, self._snapshot(saver, "signal"))
        if self._budget_is_spent():
            self._stop_now(saver, self._snapshot(saver, "budget"))
        if not saver.busy:
            reason = self._triggers.due(self._cursor.step - saver.saved_step, saver.seconds_since_save)
            if reason is not None:
                saver.save(self._snapshot(saver, reason), saver.folder.latest)

    def _snapshot(self, saver: Saver, reason: str) -> dict[str, Any]:
        return saver.snapshot(
            reason,
            streams={
                "now": capture_streams(),
                "epoch_start": self._epoch_start if self._in_epoch else None,
            },
            in_epoch=self._in_epoch,
            stop_requested=self._stop_reason,
        )

    def _check_length(self, loader: PositionedLoader) -> None:
        before = self._cursor.batches
        if self._cursor.batch and before != loader.length:
            raise LoaderRefusedError(
                "epoch_length_changed",
                old=before,
                new=loader.length,
                epoch=self.epoch,
                batch=self._cursor.batch,
            )

    def _enter_user_code(self) -> None:
        self._phase = _Phase.OUTSIDE
        if self._signals.received and self._saver is not None:
            self._on_signal()

    def _on_signal(self) -> None:
        if self._phase is _Phase.WAITING:
            self._phase = _Phase.LIBRARY
            raise _WaitBrokenOffError
        if self._phase is not _Phase.OUTSIDE or self._saver is None:
            return
        # Before its batches an epoch starts from the state saved last; after them, from the copy kept then.
        # A loop left by a break has no such copy: its end of epoch is near, and saves.
        if self._kept is not None or self._loops_opened == 0:
            self._phase = _Phase.LIBRARY
            self._stop_now(self._saver, self._kept)

    def _stop_now(self, saver: Saver, state: dict[str, Any] | None = None) -> NoReturn:
        if state is not None:
            saver.save(state, saver.folder.latest)
        saver.wait()
        self._stopped = True
        cause = "budget" if self._signals.received is None else self._signals.received.name
        if saver.failure is not None:
            _log.error(messages.text("stopped_unsaved", cause=cause, error=saver.failure))
            raise Stopped(DiskError.exit_code)
        _log.info(messages.text("stopped_saved", cause=cause, latest=saver.folder.latest))
        raise Stopped(EXIT_STOPPED)

    def _budget_is_spent(self) -> bool:
        return self._budget is not None and time.monotonic() - self._started >= self._budget

    def _end_message(self, count: int) -> str:
        if self._stop_reason is not None:
            return messages.text("ended_on_purpose", epoch=self._cursor.epoch, reason=self._stop_reason)
        return messages.text("ended", epoch=self._cursor.epoch, count=count)


class Batches:
    """The batches of one loop over a loader; iterate it once. ``len`` is that of the whole epoch."""

    def __init__(self, loader: PositionedLoader, iterate: Callable[[PositionedLoader], Iterator[Any]]) -> None:
        self._loader = loader
        self._iterate = iterate

    def __len__(self) -> int:
        if self._loader.length is None:
            raise TypeError("this loader's sampler has no length")
        return self._loader.length

    def __iter__(self) -> Iterator[Any]:
        return self._iterate(self._loader)


def _give_log_a_console() -> None:
    """Messages must be seen in a script that never heard of logging; one that did has its own handlers."""
    if not _log.hasHandlers():
        console = logging.StreamHandler()
        console.setFormatter(logging.Formatter("unbroken: %(message)s"))
        _log.addHandler(console)
        _log.setLevel(logging.INFO)
