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
from unbroken.disk.space import parse_size, require_space
from unbroken.errors import CheckpointDamagedError, DataChangedError, UsageError
from unbroken.loop.randomness import capture_streams
from unbroken.loop.triggers import whole_number
from unbroken.state import guards
from unbroken.state.snapshot import reserve
from unbroken.store import lineage, torchfile
from unbroken.store import manifest as manifests
from unbroken.store import payload as keys
from unbroken.store.ancestry import newest_first
from unbroken.store.folder import CheckpointFolder
from unbroken.store.lineage import ResumePoint, RunRecord
from unbroken.store.retention import All, LatestN, Policy, WithinSpace

_log = logging.getLogger("unbroken")

# Set by the scheduler when it starts the same job again; a job that started over then would lose its run.
_REQUEUE_COUNTERS = ("SLURM_RESTART_COUNT", "TORCHELASTIC_RESTART_COUNT")

_NEEDED = {"config", "data", "environment", "extras", "grads", "in_epoch", "metrics", "optimizer_parameters", "order"}
_NEEDED |= {"parent", "partial", "passes", "replays", "seed", "state", "stop_requested", "streams"}


@dataclass(frozen=True)
class Origin:
    """What the user said about where the run comes from and what it is made of."""

    folder: str | os.PathLike[str]
    resume: str | os.PathLike[str]
    config: Mapping[str, Any]
    data: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None
    allow_changed_data: bool
    keep: int | None
    keep_space: str | int | None

    def __post_init__(self) -> None:
        data = self.data if isinstance(self.data, Sequence) and not isinstance(self.data, str) else [self.data]
        if not isinstance(self.resume, str | os.PathLike) or _is_mere_word(self.resume):
            raise UsageError("bad_resume", value=self.resume)
        paths = [("folder", self.folder), *(("data", one) for one in data if one is not None)]
        for option, path in paths:
            if not isinstance(path, str | os.PathLike):
                raise UsageError("bad_path", option=option, value=path)
        if not isinstance(self.config, Mapping):
            raise UsageError("bad_config", kind=type(self.config).__name__)
        if self.keep is not None:
            whole_number(self.keep, "keep")
        if self.keep_space is not None:
            parse_size(self.keep_space)

    @property
    def policy(self) -> Policy | None:
        """Which checkpoints of their own to keep; None keeps all."""
        policy: Policy | None = None if self.keep is None else LatestN(self.keep)
        return policy if self.keep_space is None else WithinSpace(parse_size(self.keep_space), policy or All())

    @property
    def starts_over(self) -> bool:
        """Whether the same command, run again, would not go on with this run."""
        return os.fspath(self.resume) == "never"


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
    folder = CheckpointFolder(Path(origin.folder))
    folder.prepare()
    lock = FolderLock.acquire(folder.lock_path, folder.path)
    try:
        lineage.clean(folder)
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
            "config": guards.plain_config(origin.config),
            "environment": guards.environment(),
            "data": None if origin.data is None else guards.fingerprint_data(origin.data),
            "architecture": parts.tracked.architecture(),
            "planned_epochs": planned_epochs,
            "replays": [],
        }

    def begin(self) -> Beginning:
        self._parts.tracked.remember_built()
        point = self._find()
        require_space(self._folder.path, self._parts.tracked.expected_bytes())
        beginning = self._start() if point is None else self._go_on(point)
        if self._parts.tracked.size_is_known:
            reserve(self._parts.tracked.expected_bytes())
        return beginning

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
        run_id = uuid.uuid4().hex
        self._write_record(run_id, branch=0)
        saver = self._saver(run_id, branch=0, parent=None, seed=self._seed)
        self._save_first(saver, self._state_as_built(saver, "start"))
        _log.info(messages.text("started", folder=self._folder.path))
        return Beginning(saver, self._seed, payload=None, resumed_from=None, stop_requested=None)

    def _move_former_run_aside(self) -> None:
        if not self._folder.checkpoints():
            return
        readable = newest_first(manifests.describe_all(self._folder))
        if not readable:
            archive = lineage.archive_run(self._folder, "run-damaged")
            _log.warning(messages.text("damaged_run_archived", archive=archive))
            return
        former = readable[0]
        own = keys.own_of(torchfile.read_metadata(self._folder.path / former.name))
        archive = lineage.archive_run(self._folder, f"run-{(former.progress.run_id or 'plain')[:8]}")
        progress = former.progress
        newest = archive / former.name
        if not newest.exists():
            return  # only other programs' files were there, and they stay
        _log.warning(
            messages.text(
                "former_run_archived", archive=archive, epoch=progress.epoch, batch=progress.batch, newest=newest
            )
        )
        planned = own.get("planned_epochs")
        if planned is not None and progress.epoch < planned and not progress.finished:
            _log.warning(messages.text("former_run_unfinished", epoch=progress.epoch, planned=planned))

    def _go_on(self, point: ResumePoint) -> Beginning:
        payload = point.payload
        own = payload.get(keys.OWN)
        if own is not None:
            self._check_own(point.path, own)
            self._check_data(own["data"])
        else:
            _log.warning(messages.text("plain_checkpoint", path=point.path))
        restore_parts(self._parts, payload, prologue_follows=own is not None and own["in_epoch"])
        self._facts["replays"] = [] if own is None else own["replays"]
        explicit = os.fspath(self._origin.resume) not in ("auto", "never")
        seed = self._seed if own is None else own["seed"]
        if own is None or (explicit and not self._is_newest(point)):
            saver = self._branch_off(point, seed)
        else:
            saver = self._saver(own["run_id"], own["branch"], own["parent"], seed, protected=point.path.name)
        self._say_where(point)
        if own is not None:
            self._show_changes(own)
        return Beginning(
            saver,
            seed,
            payload=None if own is None else payload,
            resumed_from=point.path,
            stop_requested=None if own is None or explicit else own["stop_requested"],
        )

    def _is_newest(self, point: ResumePoint) -> bool:
        """Whether nothing in the folder is ahead of this state of the same run."""
        here = lineage.candidates(self._folder)
        mine = point.manifest.progress
        return bool(here) and (here[0].progress.run_id, here[0].progress.order) == (mine.run_id, mine.order)

    def _branch_off(self, point: ResumePoint, seed: int) -> Saver:
        """Make the state resumed from the first file of a new branch; what it leaves behind moves aside after."""
        progress = point.manifest.progress
        run_id = progress.run_id or uuid.uuid4().hex
        here = manifests.describe_all(self._folder)
        taken = [info.progress.branch for info in here if info.progress.run_id == run_id]
        branch = 1 + max([progress.branch, *taken])
        parent = {
            "run_id": progress.run_id,
            "branch": progress.branch,
            "epoch": progress.epoch,
            "batch": progress.batch,
            "step": progress.step,
        }
        saver = self._saver(run_id, branch, parent, seed, protected=point.path.name)
        own = point.payload.get(keys.OWN)
        if own is None:
            first = self._state_as_built(saver, "branch")
        else:
            changed = {**saver.facts, "reason": "branch", "finished": None, "stop_requested": None}
            first = {**point.payload, keys.OWN: {**own, **changed}}
        self._save_first(saver, first)
        self._write_record(run_id, branch)
        return saver

    def _state_as_built(self, saver: Saver, reason: str) -> dict[str, Any] | None:
        streams = {"now": capture_streams(), "epoch_start": None}
        passes: dict[str, Any] = {"lead": None, "opened": []}
        return saver.snapshot(reason, streams=streams, in_epoch=False, passes=passes, stop_requested=None)

    def _save_first(self, saver: Saver, payload: dict[str, Any] | None) -> None:
        saver.save(payload, self._folder.latest)
        saver.finish()

    def _write_record(self, run_id: str, branch: int) -> None:
        now = datetime.now().strftime("%Y-%m-%d %H:%M:%S")
        record = RunRecord(run_id, branch, now, shlex.join(sys.argv), self._facts["config"])
        lineage.write_run_record(self._folder, record)

    def _check_own(self, path: Path, own: Mapping[str, Any]) -> None:
        missing = sorted(_NEEDED - own.keys())
        if missing:
            raise CheckpointDamagedError("store_keys_missing", path=path, keys=", ".join(missing))

    def _check_data(self, saved: Mapping[str, Any] | None) -> None:
        try:
            guards.compare_data(saved, self._facts["data"])
        except DataChangedError as changed:
            if not self._origin.allow_changed_data:
                raise
            _log.warning(messages.text("data_change_allowed", change=changed))

    def _show_changes(self, own: Mapping[str, Any]) -> None:
        for kind in ("config", "environment"):
            for change in guards.differences(own[kind], self._facts[kind]):
                _log.warning(messages.text(f"{kind}_changed", change=change))

    def _say_where(self, point: ResumePoint) -> None:
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

    def _saver(
        self, run_id: str, branch: int, parent: Mapping[str, Any] | None, seed: int, protected: str = ""
    ) -> Saver:
        identity = {"run_id": run_id, "branch": branch, "parent": parent, "seed": seed}
        return Saver(
            self._folder,
            self._lock,
            self._parts,
            facts={**identity, **self._facts},
            policy=self._origin.policy,
            protected=frozenset({protected}),
        )


def _is_mere_word(resume: str | os.PathLike[str]) -> bool:
    """Whether somebody has guessed at a word, as ``"latest"``, that is none of ours and no file."""
    word = os.fspath(resume)
    return word not in ("auto", "never") and word.isidentifier() and not Path(word).exists()


def _is_positive(count: str | None) -> bool:
    return count is not None and count.isdigit() and int(count) > 0
