"""Sharing: the states of all ranks in one payload, and out of it the one that a rank goes on from."""

import logging
from collections.abc import Mapping
from typing import Any

from unbroken import messages
from unbroken.errors import GuardError
from unbroken.loop.randomness import Position, fresh_streams
from unbroken.loop.ranks import Ranks
from unbroken.state import replicas
from unbroken.state.encoding import child_path
from unbroken.state.rehearsal import Records
from unbroken.state.tracked import Tracked
from unbroken.store import payload as keys
from unbroken.store.payload import Payload
from unbroken.store.runstate import OfRanks, Own, ranks_of, replicated, with_ranks

_log = logging.getLogger("unbroken")


def shared(ranks: Ranks, live: Payload, tracked: Tracked, arrivals: Records) -> Payload:
    """``live``, encoded; at the first rank with what the others have of their own.

    Raises GuardError on all where weights, or what optimizers keep, are not the same everywhere.
    """
    if not ranks.several:
        return live
    tree = _by_part(replicated(live))
    mine = {part: replicas.digests(value) for part, value in tree.items()}
    summed = ranks.all({part: replicas.together(found) for part, found in mine.items()})
    unequal = sorted({part for one in summed for part in one if one[part] != summed[0].get(part)})
    # A part that is missing on the first rank is everything that such a rank has there.
    first = ranks.by_first(lambda: {part: mine.get(part, {}) for part in unequal})
    own: list[Own] = []
    for part in unequal:
        if part in tree:
            found = replicas.differing(tree[part], mine[part], first[part])
            own += [Own((*part, *one.path), one.value) for one in found]
    ranks.together(lambda: _require_alike(own, tracked))
    parts = ranks.at_first(own)
    return with_ranks(live, OfRanks(ranks.size, parts[1:], arrivals)) if ranks.is_first else live


def _by_part(tree: Mapping[str, Any]) -> dict[tuple[str, ...], Any]:
    """What is compared by one digest first: each state, and each field of our own key."""
    states: dict[tuple[str, ...], Any] = {(key,): value for key, value in tree.items() if key != keys.OWN}
    return {**states, **{(keys.OWN, name): value for name, value in tree[keys.OWN].items()}}


def _require_alike(own: list[Own], tracked: Tracked) -> None:
    weights, optimizers = tracked.parameters(), {keys.state_key(name): name for name in tracked.optimizers}
    for path, _ in own:
        name = path[0].removesuffix(keys.state_key(""))
        spelled = child_path_of((name, *path[1:]))
        if path[0] in optimizers or spelled in weights:
            raise GuardError("ranks_diverged", tensor=spelled)


def of_rank(payload: Payload, rank: int, size: int, *, seed: int) -> Payload:
    """The state that ``rank`` of ``size`` goes on from. The same number of processes as saved it: each its own.

    With another number the first ones have theirs, further ones the first's with streams of their own; what was added
    up so far goes to the first.

    Raises GuardError: saved in the midst of an accumulation, whose sums are of so many processes.
    """
    of = ranks_of(payload)
    saved_by = 1 if of is None else of.size
    parts = [] if of is None else of.parts
    here = replicas.overlaid(payload, parts[rank - 1]) if 0 < rank < saved_by else dict(payload)
    if saved_by == size or keys.OWN not in payload:
        return here
    if any(one.path[:2] == (keys.OWN, "grads") for part in parts for one in part):
        raise GuardError("resized_in_accumulation", saved_by=saved_by, size=size)
    if rank == 0:
        _log.warning(messages.text("resized", saved_by=saved_by, size=size))
    own = dict(keys.own_of(here))
    own["next_batch"] = None  # of another part of the global batch
    own["partial"] = _merged(payload, parts) if rank == 0 else {**own["partial"], "sums": {}}
    if rank >= saved_by:
        streams = fresh_streams(Position(seed, payload[keys.EPOCH] + 1, 0, own["step"], rank))
        start = own["streams"]["epoch_start"]
        own["streams"] = {"now": streams, "epoch_start": None if start is None else {**start, **streams}}
    return {**here, keys.OWN: own}


def _merged(payload: Payload, parts: list[list[Own]]) -> dict[str, Any]:
    all_of_them = [payload, *(replicas.overlaid(payload, part) for part in parts)]
    sums: dict[str, list[float]] = {}
    for one in all_of_them:
        for name, (total, weight) in keys.own_of(one)["partial"]["sums"].items():
            before = sums.get(name, [0.0, 0.0])
            sums[name] = [before[0] + total, before[1] + weight]
    return {**keys.own_of(payload)["partial"], "sums": sums}


def child_path_of(path: tuple[Any, ...]) -> str:
    """A place in a payload as messages spell it."""
    spelled = ""
    for key in path:
        spelled = child_path(spelled, key)
    return spelled
