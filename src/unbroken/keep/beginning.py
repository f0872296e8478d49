"""How a run begins: afresh or from the newest good state, after the guards; makes the keeper as the user said."""

import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from unbroken import messages
from unbroken.disk.lock import FolderLock
from unbroken.disk.space import require_space
from unbroken.errors import ArchitectureChangedError, DataChangedError, UnbrokenError, reason_of
from unbroken.keep import finding, former, saying, started
from unbroken.keep.finding import Found
from unbroken.keep.following import NoLock
from unbroken.keep.keeper import Keeper
from unbroken.keep.origin import Origin
from unbroken.keep.sharing import of_rank
from unbroken.keep.starting import Starting
from unbroken.keep.state import Parts, restore
from unbroken.keep.unlike import require_alike, require_same_weights
from unbroken.loop.batches import KEYED, VERSION
from unbroken.loop.randomness import capture_streams
from unbroken.loop.ranks import At, Ranks
from unbroken.state import guards
from unbroken.state.drift import Built
from unbroken.state.rehearsal import Arrivals
from unbroken.state.settings import Setting
from unbroken.state.snapshot import reserve
from unbroken.store import index, lineage
from unbroken.store import payload as keys
from unbroken.store.folder import CheckpointFolder
from unbroken.store.forecast import Plan
from unbroken.store.lineage import ResumePoint
from unbroken.store.payload import Payload
from unbroken.store.record import next_generation
from unbroken.store.runstate import (
    Identity,
    Moment,
    OfRanks,
    Reason,
    RunState,
    Surroundings,
    as_branch,
    from_payload,
    ranks_of,
    without_best,
)
from unbroken.store.starts import Start

_log = logging.getLogger("unbroken")

_CHANGES_KEPT = 50


@dataclass(frozen=True)
class Beginning:
    """A run that has begun: who keeps it, and the state it goes on from.

    ``state`` is None for a fresh start and for a plain file of another program. ``changed``: settings and surroundings
    that are not what they were.
    """

    keeper: Keeper
    state: RunState | None = None
    resumed_from: Path | None = None
    stop_requested: str | None = None
    changed: tuple[str, ...] = ()
    built: Built | None = None
    planned_before: int | None = None
    resized: bool = False
    """Saved by another number of processes: no step that was done since is one of this course."""


def begin_run(
    origin: Origin,
    parts: Parts,
    *,
    seed: int,
    planned_epochs: int | None,
    keeping: Plan | None,
    starting: Starting,
    built: Built | None,
    ranks: Ranks,
    alike: Mapping[str, object],
) -> Beginning:
    """Take the folder, find the state to go on from, check it against what is tracked, restore it.

    A fresh run takes first what it is ``starting`` from.

    On return a state of this run is durable in the folder: the one it goes on from, or its very first. ``built`` is
    what a restart will build, where what is tracked has been trained in this process and no longer shows it. Of several
    ``ranks`` all begin together: the first looks and writes, the others take from it what it has found; they have to be
    ``alike`` in that, too.
    """
    folder = CheckpointFolder(origin.place, origin.folder)
    lock: FolderLock | NoLock = NoLock()

    def take() -> None:
        nonlocal lock
        folder.prepare()
        lock = FolderLock.acquire(folder.lock_path, folder.path)
        lineage.clean(folder)

    def look() -> _Beginner:
        return _Beginner(origin, folder, lock, parts, seed, planned_epochs, keeping, starting, built, ranks, alike)

    try:
        try:
            ranks.by_first(At.BEGIN, take)
            return ranks.together(At.BEGIN, look).begin()
        except BaseException:
            lock.release()
            raise
    except UnbrokenError as error:
        folder.retold(error)
        raise


class _Beginner:
    """The steps of one beginning, with what they share."""

    def __init__(
        self,
        origin: Origin,
        folder: CheckpointFolder,
        lock: FolderLock | NoLock,
        parts: Parts,
        seed: int,
        planned_epochs: int | None,
        keeping: Plan | None,
        starting: Starting,
        built: Built | None,
        ranks: Ranks,
        alike: Mapping[str, object],
    ) -> None:
        self._ranks = ranks
        self._alike = alike
        self._keeping = keeping
        self._arrivals = Arrivals(parts.tracked.parameters() if ranks.several else {})
        self._origin = origin
        self._folder = folder
        self._lock = lock
        self._parts = parts
        self._seed = seed
        self._generation = next_generation(folder) if ranks.is_first else 0
        self._starting = starting
        self._built = built or Built.of(parts.tracked)
        parts.settings.begin()
        self._surroundings = Surroundings(
            config=guards.plain_config(origin.config),
            environment=guards.environment(),
            data=None if origin.data is None else guards.fingerprint_data(origin.data_paths),
            architecture=parts.tracked.architecture(),
            built=parts.settings.built,
            planned_epochs=planned_epochs,
        )
        self._changed: list[str] = []

    def begin(self) -> Beginning:
        ranks = self._ranks
        self._parts.tracked.remember_built()
        self._parts.locals.remember_built()
        require_alike(ranks, self._origin, self._parts, self._surroundings, self._alike)
        self._seed = ranks.by_first(At.BEGIN, lambda: self._seed)
        found = ranks.by_first(At.BEGIN, self._find)
        beginning = self._start() if found.point is None else self._go_on(found.point, found)
        beginning = replace(beginning, built=self._built)
        if self._parts.tracked.size_is_known and ranks.is_first:
            reserve(self._parts.tracked.expected_bytes())
        return beginning

    def _find(self) -> Found:
        found = finding.find(self._origin, self._folder)
        require_space(self._folder.path, self._parts.tracked.expected_bytes())
        return found

    def _start(self) -> Beginning:
        ranks = self._ranks
        # Before the file may move aside, and before anything is written.
        ranks.together(At.BEGIN, lambda: self._starting.take(self._parts.tracked))
        require_same_weights(ranks, self._parts)
        ranks.by_first(At.BEGIN, lambda: former.move_aside(self._folder))
        version = KEYED if ranks.grouped else VERSION
        run_id = ranks.by_first(At.BEGIN, lambda: uuid.uuid4().hex)
        identity = Identity(run_id, 0, None, self._seed, version, processes=ranks.size)
        config = self._surroundings.config
        first = started.fresh(self._keeping, self._generation, ranks.size)
        ranks.by_first(At.BEGIN, lambda: started.begin_record(self._folder, identity, config, first))
        self._arrivals.watch()
        keeper = self._keeper(identity)
        keeper.begin(self._state_as_built(keeper, Reason.START))
        _log.info(messages.text("started", folder=self._folder.shown(self._folder.path)))
        return Beginning(keeper)

    def _go_on(self, point: ResumePoint, found: Found) -> Beginning:
        ranks = self._ranks
        state = ranks.together(At.BEGIN, lambda: from_payload(self._own(point.payload)))
        state = replace(state, source=point.payload)  # of all ranks, as a new branch begins with it
        if state.identity is not None and state.training.step == 0:
            state = replace(state, identity=replace(state.identity, processes=ranks.size))  # nothing was dealt yet
        of_ranks = ranks_of(point.payload)
        then, moment, identity = state.surroundings, state.moment, state.identity
        if then is not None and ranks.together(At.BEGIN, lambda: self._other_data(then.data)):
            state = self._best_anew(state)
        elif then is None:
            _log.warning(messages.text("plain_checkpoint", path=self._shown(point.path)))
        config = None if then is None else then.config
        settings = self._parts.settings
        built = None if then is None else then.built
        settings.resume(built, config, state.training.states, self._surroundings.config)
        ranks.together(At.BEGIN, lambda: self._restore(state, of_ranks))
        require_same_weights(ranks, self._parts)
        changes = self._changes([] if then is None else then.changes)
        self._changed += [f"{one.name}: {one.then} → {one.now}" for one in changes]
        leaves = ranks.by_first(At.BEGIN, lambda: found.asked_for and not finding.is_newest(self._folder, point))
        branches_off = identity is None or leaves
        start = started.going_on(
            self._keeping,
            self._generation,
            ranks.size,
            self._folder,
            point,
            state,
            saved_by=1 if of_ranks is None else of_ranks.size,
            branches_off=branches_off,
            changes=started.what_has_changed(then, self._surroundings, changes, "data" in self._changed),
        )
        if identity is None or leaves:
            keeper = self._branch_off(point, state, found, start)
        else:
            identity = replace(identity, request=found.request)
            keeper = self._keeper(identity, state.replays, protected=point.path.name)
            ranks.by_first(At.BEGIN, lambda: started.take_over_record(self._folder, start))
        stop_requested = None if moment is None or found.asked_for else moment.stop_requested
        saved_at = point.payload[keys.TIMESTAMP]
        planned = self._surroundings.planned_epochs
        saying.where(self._parts, self._shown(point.path), saved_at, planned, ends=stop_requested is not None)
        self._starting.passed_over()
        if then is not None:
            self._changed += saying.surroundings(then, self._surroundings)
        saying.settings(self._parts.settings, changes)
        if self._origin.seed is not None and identity is not None and identity.seed != self._origin.seed:
            _log.warning(messages.text("seed_overruled", new=self._origin.seed, old=identity.seed))
        return Beginning(
            keeper,
            None if identity is None else state,
            resumed_from=point.path,
            stop_requested=stop_requested,
            planned_before=None if then is None else then.planned_epochs,
            changed=tuple(self._changed),
            resized=(1 if of_ranks is None else of_ranks.size) != ranks.size,
        )

    def _best_anew(self, state: RunState) -> RunState:
        best = state.training
        if not best.best_epoch:
            return state
        values = {"metric": self._parts.history.metric, "value": f"{best.best_value:.6f}", "epoch": best.best_epoch}
        _log.warning(messages.text("best_anew", **values))
        return without_best(state)

    def _restore(self, state: RunState, of_ranks: OfRanks | None) -> None:
        unlike: RuntimeError | None = None
        try:
            self._arrivals.rehearse({} if of_ranks is None else of_ranks.arrivals)
        except RuntimeError as error:  # of another model; the restore knows in what
            unlike = error
        prologue_follows = state.moment is not None and state.moment.in_epoch
        restore(self._parts, state.training, prologue_follows=prologue_follows)
        if unlike is not None:
            raise ArchitectureChangedError("buckets_refused", reason=reason_of(unlike)) from unlike
        self._arrivals.watch()

    def _own(self, payload: Payload) -> Payload:
        seed = keys.own_of(payload).get("seed", self._seed)
        return of_rank(payload, self._ranks.rank, self._ranks.size, seed=seed, tracked=self._parts.tracked)

    def _changes(self, earlier: list[dict[str, Any]]) -> list[Setting]:
        """The settings that this start has changed as it was asked to; the lineage keeps them."""
        step, changes = self._parts.cursor.step, self._parts.settings.settle()
        made = [{"step": step, "setting": one.name, "old": one.then, "new": one.now} for one in changes]
        kept = [*earlier, *made][-_CHANGES_KEPT:]
        self._surroundings = replace(self._surroundings, changes=kept, built=self._parts.settings.built)
        return changes

    def _branch_off(self, point: ResumePoint, state: RunState, found: Found, start: Start) -> Keeper:
        """Make the state resumed from the first file of a new branch; what it leaves behind moves aside after."""
        progress = point.manifest.progress
        ranks = self._ranks
        run_id = progress.run_id or ranks.by_first(At.BEGIN, lambda: uuid.uuid4().hex)
        taken = ranks.by_first(At.BEGIN, lambda: self._branches_of(run_id))
        parent = {name: getattr(progress, name) for name in ("run_id", "branch", "epoch", "batch", "step")}
        version = KEYED if ranks.grouped else VERSION
        left = state.identity or Identity(run_id, 0, None, self._seed, version, processes=ranks.size)
        branch = 1 + max([progress.branch, *taken])
        identity = replace(left, branch=branch, parent=parent, request=found.request, run_id=run_id)
        keeper = self._keeper(identity, state.replays, protected=point.path.name)
        if state.identity is None:
            first = self._state_as_built(keeper, Reason.BRANCH)
        else:
            first = as_branch(state, identity, self._surroundings)
        keeper.begin(first)
        start, config = replace(start, branch=branch), self._surroundings.config
        ranks.by_first(At.BEGIN, lambda: started.begin_record(self._folder, identity, config, start))
        return keeper

    def _branches_of(self, run_id: str) -> list[int]:
        here = index.describe_all(self._folder)
        return [info.progress.branch for info in here if info.progress.run_id == run_id]

    def _state_as_built(self, keeper: Keeper, reason: Reason) -> Payload | None:
        streams = {"now": capture_streams(one_device=self._ranks.several), "epoch_start": None}
        return keeper.snapshot(Moment(reason, False, streams, {"lead": None, "opened": []}))

    def _shown(self, path: Path) -> Path:
        """The state gone on from, as the user wrote it."""
        if self._origin.path is None or path.parent == self._folder.path:
            return self._folder.shown(path)
        return CheckpointFolder(path.parent, Path(self._origin.path).parent).shown(path)

    def _other_data(self, saved: Mapping[str, Any] | None) -> bool:
        """Whether the data are not those of the run, which is refused unless asked for."""
        try:
            guards.compare_data(saved, self._surroundings.data)
        except DataChangedError as changed:
            if not self._origin.allow_changed_data:
                raise
            self._changed.append("data")
            _log.warning(messages.text("data_change_allowed", change=guards.data_change(changed)))
            return True
        return False

    def _keeper(self, identity: Identity, replays: list[dict[str, Any]] | None = None, protected: str = "") -> Keeper:
        return Keeper(
            self._folder,
            self._lock,
            self._parts,
            identity,
            self._surroundings,
            self._ranks,
            self._arrivals,
            replays=replays or [],
            origin=self._origin,
            protected=protected,
            generation=self._generation if self._ranks.is_first else None,
            built=self._built,
        )
