"""The state of a run as a checkpoint has it, and why it was saved: typed here, our own key of a payload there.

The one place that spells the fields of that key; what each must look like is in ``schema``.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, NamedTuple

from unbroken import contract
from unbroken.store import payload as keys
from unbroken.store.payload import Payload

_FIRST_LOADING = 1  # of runs begun by version 0.1.0, whose checkpoints do not say


class Reason(StrEnum):
    """Why a state was saved."""

    START = "start"
    EPOCH = "epoch"
    STEPS = "steps"
    TIME = "time"
    ASKED = "asked"
    SIGNAL = "signal"
    BUDGET = "budget"
    LOADER_ERROR = "loader_error"
    END = "end"
    BRANCH = "branch"


@dataclass(frozen=True)
class Identity:
    """Which run and branch a state is of, and what decides on the order of its samples to its end.

    ``loading`` is the version of how positions become batches; ``request`` the file that a resume asked for;
    ``processes`` how many it was begun by.
    """

    run_id: str
    branch: int
    parent: Mapping[str, Any] | None
    seed: int
    loading: int = _FIRST_LOADING
    request: Mapping[str, Any] | None = None
    processes: int = 1


@dataclass(frozen=True)
class Surroundings:
    """What a run was begun with: the user's words, the machine's versions, the data, the settings as built."""

    config: Mapping[str, Any]
    environment: Mapping[str, str]
    data: Mapping[str, Any] | None
    architecture: Mapping[str, Any] = field(default_factory=dict)
    built: Mapping[str, Any] | None = None
    changes: list[dict[str, Any]] = field(default_factory=list)
    planned_epochs: int | None = None


@dataclass(frozen=True)
class Moment:
    """Where a run stands at one moment, apart from the objects that are tracked.

    ``streams`` of the moment (``now``) and of the start of the epoch in hand; ``passes`` over loaders; ``next_batch``
    is what the batch behind this moment holds; ``epoch_before`` how many batches the epochs so far took; ``variables``
    what the loop keeps in names of its own.
    """

    reason: Reason
    in_epoch: bool
    streams: Mapping[str, Any]
    passes: Mapping[str, Any]
    stop_requested: str | None = None
    next_batch: Mapping[str, int] | None = None
    epoch_before: Mapping[str, Any] | None = None
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Training:
    """What training has come to: tracked states, histories, sums, gradients, and the place in the run.

    ``attributes`` and ``extras`` are of tracked objects, beside their ``state_dict``; ``partial`` is the epoch in hand.
    The best is judged among the epochs after ``judged_since``: those before it have seen other data.
    """

    epoch: int
    states: Mapping[str, Any]
    histories: Mapping[str, list[float]]
    best_value: float
    best_epoch: int
    batch: int = 0
    batches: int | None = None
    step: int = 0
    order: int = 0
    judged_by: tuple[str | None, str] | None = None
    judged_since: int = 0
    partial: Mapping[str, Any] | None = None
    state: Mapping[str, Any] = field(default_factory=dict)
    grads: Mapping[str, Any] | None = None
    extras: Mapping[str, Any] | None = None
    attributes: Mapping[str, Any] | None = None
    optimizer_parameters: Mapping[str, Any] | None = None
    locals: Mapping[str, Any] | None = None
    """Of ``run.local``; None where the program declares none."""


@dataclass(frozen=True)
class RunState:
    """A checkpoint's contents. ``identity``, ``surroundings`` and ``moment`` are None in another program's plain file.

    ``replays`` are the proofs of the run so far. ``source`` is the payload that it was read from.
    """

    training: Training
    timestamp: str
    identity: Identity | None = None
    surroundings: Surroundings | None = None
    moment: Moment | None = None
    replays: list[dict[str, Any]] = field(default_factory=list)
    source: Payload | None = field(default=None, repr=False)


def to_payload(state: RunState, library_version: str) -> Payload:
    """The payload of a run's own state."""
    training, moment = state.training, state.moment
    assert state.identity is not None and state.surroundings is not None and moment is not None
    metric, mode = training.judged_by or (None, "max")
    own: dict[str, Any] = {
        **_fields_of(state.identity),
        **_fields_of(state.surroundings),
        **{**_fields_of(moment), "reason": moment.reason.value},
        "finished": None if moment.in_epoch else moment.stop_requested,
        "replays": state.replays,
        "library_version": library_version,
        "metrics": list(training.histories),
        "best": {"metric": metric, "mode": mode, **({"since": since} if (since := training.judged_since) else {})},
        "tracked": list(training.states),
        **{name: getattr(training, name) for name in _OF_TRAINING},
    }
    if training.locals is not None:
        own["locals"] = training.locals
    return keys.build(
        epoch=training.epoch,
        states=training.states,
        histories=training.histories,
        best_corr=training.best_value,
        best_epoch=training.best_epoch,
        timestamp=state.timestamp,
        own=own,
    )


def from_payload(payload: Payload) -> RunState:
    """The state in a payload that ``check_contract`` and ``check_whole`` accept; its values are encoded still."""
    own = keys.own_of(payload)
    histories = keys.histories_of(payload)
    best = own.get("best")
    training = Training(
        epoch=payload[keys.EPOCH],
        states=keys.states_of(payload),
        histories={metric: histories[metric] for metric in own.get("metrics", histories)},
        best_value=payload[keys.BEST_CORR],
        best_epoch=payload[keys.BEST_EPOCH],
        judged_by=None if best is None else (best["metric"], best["mode"]),
        judged_since=0 if best is None else best.get("since", 0),
        **{name: own[name] for name in (*_OF_TRAINING, "locals") if name in own},
    )
    if keys.OWN not in payload:
        return RunState(training, payload[keys.TIMESTAMP], source=payload)
    return RunState(
        training,
        payload[keys.TIMESTAMP],
        Identity(**_taken(Identity, own)),
        Surroundings(**_taken(Surroundings, own)),
        Moment(**{**_taken(Moment, own), "reason": own["reason"]}),
        own["replays"],
        payload,
    )


def as_branch(state: RunState, identity: Identity, surroundings: Surroundings) -> Payload:
    """The same state as the first of a new branch: all but what it belongs to stays as it is in its payload."""
    assert state.source is not None
    own = keys.own_of(state.source)
    # It is the old state still: settings are put in force in what is trained from here.
    as_it_was = {name: own.get(name, getattr(surroundings, name)) for name in ("built", "changes")}
    of_branch = {"reason": Reason.BRANCH.value, "finished": None, "stop_requested": None}
    changed = {**_fields_of(identity), **_fields_of(surroundings), "replays": state.replays, **as_it_was, **of_branch}
    return {**state.source, keys.OWN: {**own, **changed}}


def without_best(state: RunState) -> RunState:
    """The same state with no best yet: what was the best of other data says nothing of these."""
    source, since = state.source, state.training.epoch
    if source is not None:
        own = keys.own_of(source)
        own = {**own, "best": {**own["best"], "since": since}} if "best" in own else own
        no_best = {keys.BEST_CORR: contract.NO_BEST, keys.BEST_EPOCH: contract.NO_BEST_EPOCH}
        source = {**source, **no_best, **({keys.OWN: own} if own else {})}
    training = replace(
        state.training,
        best_value=contract.NO_BEST,
        best_epoch=contract.NO_BEST_EPOCH,
        judged_by=None,
        judged_since=since,
    )
    return replace(state, training=training, source=source)


def scores(payload: Mapping[str, Any]) -> dict[int, float]:
    """How good each epoch was by the metric that decides about the best, the greatest the best; none without one."""
    best = keys.own_of(payload).get("best") or {}
    values = keys.histories_of(payload).get(best.get("metric") or "", [])
    sign = -1.0 if best.get("mode") == "min" else 1.0
    since = best.get("since", 0)
    return {i + 1: sign * value for i, value in enumerate(values) if i >= since and not math.isnan(value)}


class Own(NamedTuple):
    """A value of one rank that is not the first rank's: the keys that lead to it in nested dicts, and it."""

    path: tuple[Any, ...]
    value: Any


@dataclass(frozen=True)
class OfRanks:
    """Of a state that several processes have saved together: how many, and what the others had of their own.

    ``parts`` has for each but the first the places in the payload, and the values there, that are not the first's.
    ``arrivals``: see ``state.rehearsal``.
    """

    size: int
    parts: list[list[Own]]
    arrivals: Mapping[str, Mapping[str, Any]]


def with_ranks(payload: Payload, of: OfRanks) -> Payload:
    """``payload``, the first rank's, with what belongs to the others."""
    parts = [[{"path": list(one.path), "value": one.value} for one in part] for part in of.parts]
    ranks = {"size": of.size, "parts": parts, "arrivals": dict(of.arrivals)}
    return {**payload, keys.OWN: {**keys.own_of(payload), "ranks": ranks}}


def ranks_of(payload: Mapping[str, Any]) -> OfRanks | None:
    """What ``with_ranks`` has put there; None in a state that one process has saved."""
    ranks = keys.own_of(payload).get("ranks")
    if ranks is None:
        return None
    parts = [[Own(tuple(one["path"]), one["value"]) for one in part] for part in ranks["parts"]]
    return OfRanks(ranks["size"], parts, ranks["arrivals"])


def replicated(payload: Payload) -> Payload:
    """The parts of a payload that a rank may have otherwise than the first: not what the run is, or was begun with."""
    own = keys.own_of(payload)
    states = {key: payload[key] for key in map(keys.state_key, own["tracked"])}
    names = (*(one.name for one in fields(Moment)), *_OF_TRAINING, "locals")
    return {**states, keys.OWN: {name: own[name] for name in names if name in own}}


_OF_TRAINING = (
    *("batch", "batches", "step", "order", "partial", "state", "grads"),
    *("extras", "attributes", "optimizer_parameters"),
)


def _fields_of(part: "Identity | Surroundings | Moment") -> dict[str, Any]:
    return {one.name: getattr(part, one.name) for one in fields(part)}


def _taken(kind: type, own: Mapping[str, Any]) -> dict[str, Any]:
    return {one.name: own[one.name] for one in fields(kind) if one.name in own}
