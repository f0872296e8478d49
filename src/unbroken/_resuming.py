"""How a run begins: afresh, or from the newest good state, with the guards between that state and the objects."""

import logging
import os
import shlex
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from unbroken import messages
from unbroken._saving import Parts, Saver, restore_parts
from unbroken.disk.lock import FolderLock
from unbroken.disk.space import require_space
from unbroken.disk.temporaries import remove_temporaries
from unbroken.errors import ArchitectureChangedError, DataChangedError, UnsavableStateError
from unbroken.loop.randomness import capture_streams
from unbroken.state import guards
from unbroken.state.snapshot import encode
from unbroken.store import lineage
from unbroken.store import payload as keys
from unbroken.store.folder import CheckpointFolder
from unbroken.store.lineage import ResumePoint
from unbroken.store.writer import Writer

_log = logging.getLogger("unbroken")

# Set by the scheduler when it starts the same job again; a job that started over then would lose its run.
_REQUEUE_COUNTERS = ("SLURM_RESTART_COUNT", "TORCHELASTIC_RESTART_COUNT")


@dataclass(frozen=True)
class Origin:
    """What the user said about where the run comes from and what it is made of."""

    folder: Path
    resume: str | os.PathLike[str]
    config: Mapping[str, Any]
    data: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None
    allow_changed_data: bool
    keep: int | None


@dataclass(frozen=True)
class Beginning:
    """A run that has begun: its saver, and the payload it goes on from, if there is one."""

    saver: Saver
    seed: int
    payload: dict[str, Any] | None
    resumed_from: Path | None
    stop_requested: str | None


def begin_run(origin: Origin, parts: Parts, *, seed: int, planned_epochs: int | None) -> Beginning:
    """Take the folder, find the state to go on from, check it against what is tracked, restore it.

    On return a state of this run is durable in the folder: the one it goes on from, or its very first.
    """
    folder = CheckpointFolder(origin.folder)
    folder.prepare()
    lock = FolderLock.acquire(folder.lock_path)
    try:
        remove_temporaries(folder.path)
        return _Beginner(origin, folder, lock, parts, seed, planned_epochs).begin()
    except BaseException:
        lock.release()
        raise


class _Beginner:
    """The steps of one beginning, with what they share."""

    def __init__(
        self,
        origin: Origin,
        folder: CheckpointFolder,
        lock: FolderLock,
        parts: Parts,
        seed: int,
        planned_epochs: int | None,
    ) -> None:
        self._origin = origin
        self._folder = folder
        self._lock = lock
        self._parts = parts
        self._seed = seed
        self._facts: dict[str, Any] = {
            "config": _plain_config(origin.config),
            "environment": guards.environment(),
            "data": None if origin.data is None else guards.fingerprint_data(origin.data),
            "architecture": parts.tracked.architecture(),
            "planned_epochs": planned_epochs,
        }

    def begin(self) -> Beginning:
        point = self._find()
        require_space(self._folder.path, self._parts.tracked.expected_bytes())
        return self._start() if point is None else self._go_on(point)

    def _find(self) -> ResumePoint | None:
        resume = os.fspath(self._origin.resume)
        counter = next((name for name in _REQUEUE_COUNTERS if _is_positive(os.environ.get(name))), None)
        if resume == "never" and counter is None:
            return None
        if resume in ("auto", "never"):
            if resume == "never" and self._folder.checkpoints():
                _log.info(messages.text("requeue_resumes", counter=counter))
            point = lineage.find_resume_point(self._folder)
        else:
            point = lineage.open_checkpoint(Path(resume))
        for rejected in point.rejected if point else ():
            aside = self._folder.set_aside(rejected.path, "damaged")
            _log.warning(messages.text("fell_back", path=rejected.path, reason=rejected.reason, aside=aside))
        return point

    def _start(self) -> Beginning:
        self._move_former_run_aside()
        record = lineage.RunRecord(run_id=uuid.uuid4().hex, created=_now(), command=shlex.join(sys.argv))
        lineage.write_run_record(self._folder, record)
        saver = self._saver(record.run_id, branch=0, parent=None, seed=self._seed)
        streams = {"now": capture_streams(), "epoch_start": None}
        saver.save(
            saver.snapshot("start", streams=streams, in_epoch=False, stop_requested=None), self._folder.latest
        )
        saver.finish()
        _log.info(messages.text("started", folder=self._folder.path))
        return Beginning(saver, self._seed, payload=None, resumed_from=None, stop_requested=None)

    def _move_former_run_aside(self) -> None:
        former = lineage.candidates(self._folder) if self._folder.checkpoints() else []
        if not former:
            return
        newest = former[0].progress
        archive = self._folder.archive_run(f"run-{(newest.run_id or 'plain')[:8]}")
        _log.warning(
            messages.text(
                "former_run_archived", archive=archive, epoch=newest.epoch, batch=newest.batch, latest=archive
            )
        )

    def _go_on(self, point: ResumePoint) -> Beginning:
        payload = point.payload
        own = payload.get(keys.OWN)
        self._check_guards(point.path, payload)
        restore_parts(self._parts, payload)
        explicit = os.fspath(self._origin.resume) not in ("auto", "never")
        seed = self._seed if own is None else own["seed"]
        stop_requested = None if own is None or explicit else own["stop_requested"]
        branches = own is None or (explicit and not self._is_newest(point))
        if not branches:
            assert own is not None
            saver = self._saver(own["run_id"], own["branch"], own["parent"], seed)
        else:
            saver = self._branch_off(point, seed)
        self._say_where(point, saver)
        return Beginning(saver, seed, payload if own else None, point.path, stop_requested)

    def _is_newest(self, point: ResumePoint) -> bool:
        """Whether nothing in the folder is ahead of this state of the same run."""
        here = lineage.candidates(self._folder) if self._folder.checkpoints() else []
        progress = point.manifest.progress
        return bool(here) and (here[0].progress.run_id, here[0].progress.order) == (
            progress.run_id,
            progress.order,
        )

    def _branch_off(self, point: ResumePoint, seed: int) -> Saver:
        """Make the state resumed from the first file of a new branch, durable before older files move aside."""
        progress = point.manifest.progress
        run_id = progress.run_id or uuid.uuid4().hex
        branch = lineage.next_branch(self._folder, run_id, progress.branch)
        parent = {
            "run_id": progress.run_id,
            "branch": progress.branch,
            "epoch": progress.epoch,
            "batch": progress.batch,
            "step": progress.step,
        }
        saver = self._saver(run_id, branch, parent, seed)
        own = point.payload.get(keys.OWN)
        if own is None:
            streams = {"now": capture_streams(), "epoch_start": None}
            first = saver.snapshot("branch", streams=streams, in_epoch=False, stop_requested=None)
        else:
            facts = saver.facts
            first = {**point.payload, keys.OWN: {**own, **facts, "reason": "branch", "finished": None}}
            first[keys.OWN]["stop_requested"] = None
        saver.save(first, self._folder.latest)
        saver.finish()
        record = lineage.RunRecord(run_id=run_id, created=_now(), command=shlex.join(sys.argv))
        lineage.write_run_record(self._folder, record)
        for path in lineage.retire(self._folder, run_id, branch, after=progress):
            _log.info(messages.text("retired", path=path))
        return saver

    def _check_guards(self, path: Path, payload: Mapping[str, Any]) -> None:
        own = payload.get(keys.OWN)
        if own is None:
            _log.warning(messages.text("plain_checkpoint", path=path))
            return
        if own["data"] is not None and self._facts["data"] is not None:
            try:
                guards.compare_data(own["data"], self._facts["data"])
            except DataChangedError as changed:
                if not self._origin.allow_changed_data:
                    raise
                _log.warning(messages.text("data_change_allowed", change=changed))
        missing = sorted(set(own["tracked"]) - set(self._parts.tracked.names))
        new = sorted(set(self._parts.tracked.names) - set(own["tracked"]))
        if missing or new:
            raise ArchitectureChangedError(
                "tracked_changed", path=path, missing=", ".join(missing) or "-", new=", ".join(new) or "-"
            )
        self._parts.tracked.compare_architecture(own["architecture"])
        for kind in ("environment", "config"):
            for change in guards.differences(own[kind], self._facts[kind]):
                _log.warning(messages.text(f"{kind}_changed", key=change.key, old=change.old, new=change.new))

    def _say_where(self, point: ResumePoint, saver: Saver) -> None:
        """The contract's lines, Chinese in every language; what else there is to say stands after them."""
        history, cursor = self._parts.history, self._parts.cursor
        _log.info(f"恢复训练，从 epoch {cursor.epoch + 1} 开始")
        label = "相关系数" if history.metric in (None, "aucs") else f" {history.metric}"
        best = history.best
        _log.info(f"当前最佳{label}: " + (f"{best.value:.6f} (epoch {best.epoch})" if best.epoch else "暂无"))
        if cursor.batch:
            _log.info(f"第 {cursor.epoch + 1} 轮已完成 {cursor.batch}/{cursor.batches or '?'} 批")
        _log.info(
            messages.text(
                "resumed",
                path=point.path,
                epoch=cursor.epoch + 1,
                batch=cursor.batch,
                timestamp=point.payload["timestamp"],
            )
        )

    def _saver(self, run_id: str, branch: int, parent: Mapping[str, Any] | None, seed: int) -> Saver:
        identity = {"run_id": run_id, "branch": branch, "parent": parent, "seed": seed}
        writer = Writer(self._folder, keep=self._origin.keep)
        return Saver(self._folder, self._lock, writer, self._parts, {**identity, **self._facts})


def _plain_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as values that compare across processes; what can't be stored is named instead."""
    plain: dict[str, Any] = {}
    for key, value in config.items():
        try:
            plain[str(key)] = encode(value, f"config[{key!r}]")
        except UnsavableStateError:
            plain[str(key)] = getattr(value, "__qualname__", type(value).__qualname__)
    return plain


def _is_positive(count: str | None) -> bool:
    return count is not None and count.isdigit() and int(count) > 0


def _now() -> str:
    return datetime.now().strftime("%Y-%m-%d %H:%M:%S")
