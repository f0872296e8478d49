"""Restorable: whether the state in a checkpoint could be put back at all, asked of each before one is chosen."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unbroken.errors import CheckpointDamagedError
from unbroken.loop.randomness import check_generator, check_streams
from unbroken.state.encoding import decode
from unbroken.state.replicas import overlaid
from unbroken.state.revalued import wrong_together
from unbroken.state.spawning import without_children
from unbroken.state.trees import wrong_attributes
from unbroken.store import payload as keys
from unbroken.store.runstate import ranks_of

_ENCODED = ("partial", "state", "grads", "extras", "locals")


def check(payload: Mapping[str, Any], path: Path) -> None:
    """Raise CheckpointDamagedError, naming ``path``, if any part of ``payload`` is no state; another is chosen then.

    No live object is touched. What is sound, and does not fit them, is for the guards. Of a state of several ranks, the
    state of each is looked at.
    """
    _check_one(payload, path)
    of = ranks_of(payload)
    for part in [] if of is None else of.parts:
        try:
            theirs = overlaid(payload, part)
        except CheckpointDamagedError as error:
            raise CheckpointDamagedError("not_restorable", path=path, reason=error) from error
        keys.check_contract(theirs, path)
        if keys.progress_of(theirs).position != keys.progress_of(payload).position:
            raise CheckpointDamagedError("store_keys_wrong", path=path, keys="ranks.parts: of different moments")
        _check_one(theirs, path)


def _check_one(payload: Mapping[str, Any], path: Path) -> None:
    keys.check_whole(payload, path)
    own = keys.own_of(payload)
    try:
        for name, state in keys.states_of(payload).items():
            decode(state, name)
        for name in _ENCODED:
            decode(own.get(name), name)
        if "attributes" in own:
            wrong = wrong_attributes(decode(own["attributes"], "attributes"))
            if wrong is not None:
                raise CheckpointDamagedError("state_bad_encoding", path=wrong, detail="attributes")
        for place, trees in (("locals", own.get("locals")), ("streams.epoch_start.locals", _of_start(own))):
            if wrong_together((decode(dict(trees or {}), place)).values()):
                raise CheckpointDamagedError("state_bad_encoding", path=place, detail="local")
        for name, streams in decode(own.get("streams", {}), "streams").items():
            if streams is not None:
                check_streams(streams)
                _check_generators(streams.get("generators", {}), payload, name)
    except CheckpointDamagedError as error:
        raise CheckpointDamagedError("not_restorable", path=path, reason=error) from error


def _of_start(own: Mapping[str, Any]) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = (own.get("streams", {}).get("epoch_start") or {}).get("locals")
    return found


def _check_generators(generators: Mapping[str, Any], payload: Mapping[str, Any], path: str) -> None:
    """The generators' states at the epoch's start are of the same make as those of the moment of the save."""
    states = keys.states_of(payload)
    for name, state in generators.items():
        later = decode(states[name], name)
        if isinstance(state, Mapping) and isinstance(later, Mapping):
            check_generator(later)
            check_generator(state)
            state, later = without_children(state), without_children(later)  # one that has spawned none names none
        if not _same_make(state, later):
            raise CheckpointDamagedError("state_bad_encoding", path=f"streams.{path}.generators.{name}", detail=name)


def _same_make(one: Any, other: Any) -> bool:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same_make(one[key], other[key]) for key in one)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(_same_make, one, other))
    if hasattr(one, "shape") or hasattr(other, "shape"):
        return bool(
            getattr(one, "shape", None) == getattr(other, "shape", None)
            and getattr(one, "dtype", None) == getattr(other, "dtype", None)
        )
    numbers = (int, float, type(None))  # a normal deviate kept in hand is there or not
    return type(one) is type(other) or (isinstance(one, numbers) and isinstance(other, numbers))
