"""Sharing: the states of all ranks in one payload, and out of it the one that a rank goes on from."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from unbroken import messages
from unbroken.errors import GuardError, RanksError
from unbroken.loop.generators import Generator, OwnGenerators
from unbroken.loop.randomness import Position, fresh_streams
from unbroken.loop.ranks import At, Ranks
from unbroken.state import replicas
from unbroken.state.encoding import child_path, encode
from unbroken.state.rehearsal import Records
from unbroken.state.tracked import Tracked
from unbroken.store import payload as keys
from unbroken.store.payload import Payload
from unbroken.store.runstate import OfRanks, Own, ranks_of, replicated, with_ranks

_log = logging.getLogger("unbroken")

Part = tuple[str, ...]

_FEW = 64  # values of a part that each tells the digests of; of more it tells one


@dataclass(frozen=True)
class Shared:
    """``payload`` is at the first rank that of all. ``proofs`` is what each rank has found in training again."""

    payload: Payload
    proofs: list[dict[str, Any] | None]


def shared(
    ranks: Ranks, make: Callable[[], Payload], tracked: Tracked, arrivals: Records, proof: dict[str, Any] | None
) -> Shared:
    """The states that all ranks ``make``, encoded; where one of them can't, its error is everybody's.

    Raises GuardError on all where weights, or what optimizers keep, are not the same everywhere.
    """
    made: list[Payload] = []
    mine: dict[Part, dict[replicas.Path, int]] = {}

    def look() -> tuple[dict[Part, Any], tuple[int, int, int]]:
        made.append(make())
        mine.update({part: replicas.digests(value) for part, value in _by_part(replicated(made[0])).items()})
        summed = {part: found if len(found) <= _FEW else replicas.together(found) for part, found in mine.items()}
        return summed, keys.progress_of(made[0]).position

    told = ranks.together_with(At.SAVE, look, proof)
    summed, live = [one for (one, _), _ in told], made[0]
    steps = [position[-1] for (_, position), _ in told]
    if len({position for (_, position), _ in told}) > 1:
        raise RanksError("ranks_steps", least=min(steps), most=max(steps))
    tree = _by_part(replicated(live))
    first: dict[Part, Any] = dict(summed[0])
    unequal = sorted({part for one in summed for part in one if one[part] != first.get(part)})
    # Of a large part the first rank has told one digest, and tells the others only where they are needed.
    if large := [part for part in unequal if type(first.get(part)) is int]:
        first |= ranks.by_first(At.SAVE, lambda: {part: mine[part] for part in large})
    own: list[Own] = []
    for part in unequal:
        if part in tree:
            found = replicas.differing(tree[part], mine[part], first.get(part, {}))
            own += [Own((*part, *one.path), one.value) for one in found]
    parts, apart = ranks.at_first(At.SAVE, own, _replicated_in(own, tracked))
    for rank, name in enumerate(apart):
        if name is not None:
            raise GuardError("ranks_diverged", tensor=name, rank=rank)
    of_all = OfRanks(ranks.size, parts[1:], arrivals)
    return Shared(with_ranks(live, of_all) if ranks.is_first else live, [one for _, one in told])


def _by_part(tree: Mapping[str, Any]) -> dict[Part, Any]:
    """What is compared by one digest first: each state, and each field of our own key."""
    states: dict[Part, Any] = {(key,): value for key, value in tree.items() if key != keys.OWN}
    return {**states, **{(keys.OWN, name): value for name, value in tree[keys.OWN].items()}}


def _replicated_in(own: list[Own], tracked: Tracked) -> str | None:
    """The first of these places in which all ranks have to have the same."""
    weights, optimizers = weights_of(tracked), {keys.state_key(name) for name in tracked.optimizers}
    for path, _ in own:
        name = str(path[0]).removesuffix(keys.state_key(""))
        spelled = _spelled((name, *path[1:]))
        if path[0] in optimizers or spelled in weights or name in weights:
            return spelled
    return None


def weights_of(tracked: Tracked) -> dict[str, torch.Tensor]:
    """What has to be the same on all ranks: all but those tracked tensors that nobody trains."""
    trained = {id(p) for one in tracked.optimizers.values() for group in one.param_groups for p in group["params"]}
    of_its_own = {
        name
        for name, one in tracked.objects.items()
        if isinstance(one, torch.Tensor) and not one.requires_grad and id(one) not in trained
    }
    return {name: tensor for name, tensor in tracked.parameters().items() if name not in of_its_own}


def _spelled(path: tuple[Any, ...]) -> str:
    spelled = ""
    for key in path:
        spelled = child_path(spelled, key)
    return spelled


def of_rank(payload: Payload, rank: int, size: int, *, seed: int, tracked: Tracked) -> Payload:
    """The state that ``rank`` of ``size`` goes on from. The same number of processes as saved it: each its own.

    With another number the first ones have theirs, further ones the first's with streams and generators of their own;
    what was added up so far goes to the first.

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
    if rank < saved_by:
        return {**here, keys.OWN: own}
    position = Position(seed, payload[keys.EPOCH] + 1, 0, own["step"], rank)
    streams, start = fresh_streams(position), own["streams"]["epoch_start"]
    OwnGenerators([one for one in tracked.objects.values() if isinstance(one, Generator)]).seed(position)
    generators = {name: encode(state, name) for name, state in tracked.generators().items()}
    fresh = {**streams, "generators": generators}
    own["streams"] = {"now": streams, "epoch_start": None if start is None else {**start, **fresh}}
    return {**here, **{keys.state_key(name): state for name, state in generators.items()}, keys.OWN: own}


def _merged(payload: Payload, parts: list[list[Own]]) -> dict[str, Any]:
    all_of_them = [payload, *(replicas.overlaid(payload, part) for part in parts)]
    sums: dict[str, list[float]] = {}
    for one in all_of_them:
        for name, (total, weight) in keys.own_of(one)["partial"]["sums"].items():
            before = sums.get(name, [0.0, 0.0])
            sums[name] = [before[0] + total, before[1] + weight]
    return {**keys.own_of(payload)["partial"], "sums": sums}
