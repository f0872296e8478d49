"""How a run begins: afresh, or from the newest good state, with the guards between that state and the objects."""

import logging
import shlex
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from unbroken import _finding as finding
from unbroken import messages
from unbroken._finding import Found
from unbroken._origin import Origin as Origin
from unbroken._saving import Parts, Saver, restore_parts
from unbroken.disk.lock import FolderLock
from unbroken.disk.space import require_space
from unbroken.errors import DataChangedError, UnbrokenError
from unbroken.loop.batches import FIRST_VERSION, VERSION
from unbroken.loop.randomness import capture_streams
from unbroken.loop.ranks import require_one_rank
from unbroken.state import guards, schedules
from unbroken.state.drift import Built
from unbroken.state.settings import Setting
from unbroken.state.snapshot import reserve
from unbroken.store import lineage, torchfile
from unbroken.store import manifest as manifests
from unbroken.store import payload as keys
from unbroken.store.ancestry import newest_first
from unbroken.store.folder import CheckpointFolder
from unbroken.store.lineage import ResumePoint, RunRecord

_log = logging.getLogger("unbroken")

_CHANGES_KEPT = 50


@dataclass(frozen=True)
class Beginning:
    """A run that has begun: its saver, and the payload it goes on from, if there is one."""

    saver: Saver
    seed: int
    payload: dict[str, Any] | None
    resumed_from: Path | None
    stop_requested: str | None
    changed: tuple[str, ...] = ()  # settings and surroundings that are not what they were


def begin_run(origin: Origin, parts: Parts, *, seed: int, planned_epochs: int | None) -> Beginning:
    """Take the folder, find the state to go on from, check it against what is tracked, restore it.

    On return a state of this run is durable in the folder: the one it goes on from, or its very first.
    """
    require_one_rank()
    folder = CheckpointFolder(origin.place, origin.folder)
    try:
        return _begin_in(folder, origin, parts, seed=seed, planned_epochs=planned_epochs)
    except UnbrokenError as error:
        folder.retold(error)
        raise


def _begin_in(
    folder: CheckpointFolder, origin: Origin, parts: Parts, *, seed: int, planned_epochs: int | None
) -> Beginning:
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
        self._built = Built.of(parts.tracked)
        parts.settings.begin()
        self._facts: dict[str, Any] = {
            "config": guards.plain_config(origin.config),
            "environment": guards.environment(),
            "data": None if origin.data is None else guards.fingerprint_data(origin.data_paths),
            "request": None,
            "built": parts.settings.built,
            "changes": [],
            "architecture": parts.tracked.architecture(),
            "planned_epochs": planned_epochs,
            "replays": [],
            "loading": VERSION,
        }
        self._changed: list[str] = []

    def begin(self) -> Beginning:
        self._parts.tracked.remember_built()
        found = finding.find(self._origin, self._folder)
        require_space(self._folder.path, self._parts.tracked.expected_bytes())
        beginning = self._start() if found.point is None else self._go_on(found.point, found)
        if self._parts.tracked.size_is_known:
            reserve(self._parts.tracked.expected_bytes())
        return beginning

    def _start(self) -> Beginning:
        self._move_former_run_aside()
        run_id = uuid.uuid4().hex
        self._write_record(run_id, branch=0)
        saver = self._saver(run_id, branch=0, parent=None, seed=self._seed)
        self._save_first(saver, self._state_as_built(saver, "start"))
        _log.info(messages.text("started", folder=self._folder.shown(self._folder.path)))
        return Beginning(saver, self._seed, payload=None, resumed_from=None, stop_requested=None)

    def _move_former_run_aside(self) -> None:
        if not self._folder.checkpoints():
            return
        readable = newest_first(manifests.describe_all(self._folder))
        if not readable:
            archive = lineage.archive_run(self._folder, "run-damaged")
            _log.warning(messages.text("damaged_run_archived", archive=self._folder.shown(archive)))
            return
        former = readable[0]
        own = keys.own_of(torchfile.read_metadata(self._folder.path / former.name))
        archive = lineage.archive_run(self._folder, f"run-{(former.progress.run_id or 'plain')[:8]}")
        progress = former.progress
        newest = archive / former.name
        if not newest.exists():
            return  # only other programs' files were there, and they stay
        said = {"archive": self._folder.shown(archive), "newest": self._folder.shown(newest)}
        _log.warning(messages.text("former_run_archived", **said, epoch=progress.epoch, batch=progress.batch))
        planned = own.get("planned_epochs")
        if planned is not None and progress.epoch < planned and not progress.finished:
            _log.warning(messages.text("former_run_unfinished", epoch=progress.epoch, planned=planned))

    def _go_on(self, point: ResumePoint, found: Found) -> Beginning:
        payload = point.payload
        own = payload.get(keys.OWN)
        if own is not None:
            self._check_data(own["data"])
        else:
            _log.warning(messages.text("plain_checkpoint", path=self._shown(point.path)))
        self._parts.settings.resume(own or {}, keys.states_of(payload), self._facts["config"])
        restore_parts(self._parts, payload, prologue_follows=own is not None and own["in_epoch"])
        self._facts["replays"] = [] if own is None else own["replays"]
        if own is not None:
            self._facts["loading"] = own.get("loading", FIRST_VERSION)
        self._facts["request"] = found.request
        changes = self._changes(own or {})
        self._changed += [f"{one.name}: {one.then} → {one.now}" for one in changes]
        seed = self._seed if own is None else own["seed"]
        if own is None or (found.asked_for and not finding.is_newest(self._folder, point)):
            saver = self._branch_off(point, seed)
        else:
            saver = self._saver(own["run_id"], own["branch"], own["parent"], seed, protected=point.path.name)
        self._say_where(point)
        if own is not None:
            self._show_changes(own)
        self._show_settings(changes, own or {})
        return Beginning(
            saver,
            seed,
            payload=None if own is None else payload,
            resumed_from=point.path,
            stop_requested=None if own is None or found.asked_for else own["stop_requested"],
            changed=tuple(self._changed),
        )

    def _changes(self, own: Mapping[str, Any]) -> list[Setting]:
        """The settings that this start has changed as it was asked to; the lineage keeps them."""
        step, changes = self._parts.cursor.step, self._parts.settings.settle()
        earlier = own.get("changes")
        made = [{"step": step, "setting": one.name, "old": one.then, "new": one.now} for one in changes]
        self._facts["changes"] = [*(earlier if isinstance(earlier, list) else []), *made][-_CHANGES_KEPT:]
        self._facts["built"] = self._parts.settings.built
        return changes

    def _show_settings(self, changes: list[Setting], own: Mapping[str, Any]) -> None:
        for one in changes:
            values = {"setting": one.name, "old": one.then, "new": one.now, "in_force": one.in_force}
            _log.warning(messages.text("setting_changed", **values))
        for one in self._parts.settings.overruled():
            name = repr(self._parts.settings.to_keep(one.name))
            values = {"setting": one.name, "new": one.now, "in_force": one.in_force, "name": name}
            _log.warning(messages.text("setting_overruled", **values))
        if self._origin.seed is not None and own.get("seed", self._origin.seed) != self._origin.seed:
            _log.warning(messages.text("seed_overruled", new=self._origin.seed, old=own["seed"]))
        cursor, planned = self._parts.cursor, self._facts["planned_epochs"]
        done = cursor.epoch + (cursor.batch / cursor.batches if cursor.batches else 0.0)
        for said in schedules.told(self._parts.tracked, done, own.get("planned_epochs"), planned):
            _log.warning(said)

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
            # It is the old state still: settings are put in force in what is trained from here.
            as_it_was = {name: own.get(name, saver.facts[name]) for name in ("built", "changes")}
            changed = {**saver.facts, **as_it_was, "reason": "branch", "finished": None, "stop_requested": None}
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
        saver.begin()

    def _shown(self, path: Path) -> Path:
        """The state gone on from, as the user wrote it."""
        if self._origin.path is None or path.parent == self._folder.path:
            return self._folder.shown(path)
        return CheckpointFolder(path.parent, Path(self._origin.path).parent).shown(path)

    def _write_record(self, run_id: str, branch: int) -> None:
        now = datetime.now().strftime("%Y-%m-%d %H:%M:%S")
        record = RunRecord(run_id, branch, now, shlex.join(sys.argv), self._facts["config"])
        lineage.write_run_record(self._folder, record)

    def _check_data(self, saved: Mapping[str, Any] | None) -> None:
        try:
            guards.compare_data(saved, self._facts["data"])
        except DataChangedError as changed:
            if not self._origin.allow_changed_data:
                raise
            self._changed.append("data")
            _log.warning(messages.text("data_change_allowed", change=changed))

    def _show_changes(self, own: Mapping[str, Any]) -> None:
        for kind in ("config", "environment"):
            for change in guards.differences(own[kind], self._facts[kind]):
                _log.warning(messages.text(f"{kind}_changed", change=change))
                if _may_matter(change.key):
                    self._changed.append(str(change))

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
                path=self._shown(point.path),
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
            built=self._built,
        )


def _may_matter(setting: str) -> bool:
    """Whether a change of this setting can change what is computed; not that of a package that nobody imports."""
    package = setting.removeprefix("package ")
    return package == setting or package.replace("-", "_") in {name.partition(".")[0].lower() for name in sys.modules}
