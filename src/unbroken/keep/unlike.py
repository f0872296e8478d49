"""Unlike: what must be the same on all ranks before they begin, and what no rank may have tracked."""

from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

from unbroken.errors import GuardError
from unbroken.keep.origin import Origin
from unbroken.keep.sharing import weights_of
from unbroken.keep.state import Parts
from unbroken.loop.ranks import At, Ranks, launched
from unbroken.state import replicas
from unbroken.state.encoding import encode
from unbroken.state.paths import owner_of
from unbroken.state.wrappers import class_name
from unbroken.store.runstate import Surroundings

# By the name of their class, in the module where torch has it: none of them is imported only to ask.
_REFUSED = {
    "FullyShardedDataParallel": "torch.distributed.fsdp",
    "FSDPModule": "torch.distributed.fsdp",
    "ZeroRedundancyOptimizer": "torch.distributed.optim",
    "PostLocalSGDOptimizer": "torch.distributed.optim",
    "DTensor": "torch.distributed.tensor",
}


def require_alike(
    ranks: Ranks, origin: Origin, parts: Parts, surroundings: Surroundings, more: Mapping[str, object]
) -> None:
    """Raise GuardError on all ranks, naming one and what it is, where they were not started alike."""
    if not ranks.several:
        return
    mine = {
        "seed": origin.seed,
        "resume": str(origin.resume),
        "data": surroundings.data,
        "tracked": parts.tracked.names,
        "architecture": surroundings.architecture,
        "best": (parts.history.metric, parts.history.mode),
        "optimizers": _of_optimizers(parts, surroundings),
        "epochs": surroundings.planned_epochs,
        **more,
    }
    of_all = ranks.all(At.BEGIN, mine)
    for rank, theirs in enumerate(of_all):
        for what, value in theirs.items():
            unknown = None in (value, of_all[0][what])  # where it was begun before the loop, by run.id on one rank
            if value != of_all[0][what] and not (what == "epochs" and unknown):
                here, first = _first_difference(value, of_all[0][what])
                said = {"what": what, "rank": rank, "here": here, "first": first}
                raise GuardError("ranks_unlike", **said)


def _of_optimizers(parts: Parts, surroundings: Surroundings) -> dict[str, Any]:
    """The class and the settings of each, as text: as such two that are no number are alike."""
    optimizers, built = parts.tracked.optimizers, surroundings.built or {}
    settings = {path: repr(value) for path, value in built.items() if owner_of(path) in optimizers}
    return {**{name: class_name(one) for name, one in optimizers.items()}, **settings}


def require_same_weights(ranks: Ranks, parts: Parts) -> None:
    """Raise GuardError on all ranks where they begin with other weights."""
    if not ranks.several:
        return
    weights = ranks.all(
        At.BEGIN,
        {
            name: replicas.together(replicas.digests(encode(value, name)))
            for name, value in weights_of(parts.tracked).items()
        },
    )
    for rank, held in enumerate(weights):
        for name, digest in held.items():
            if digest != weights[0].get(name):
                raise GuardError("ranks_built_unlike", tensor=name, rank=rank)


def require_replica(name: str, tracked: object) -> None:
    """Raise GuardError for what has another part on each of several processes."""
    if launched()[1] == 1:
        return
    for one in _with_parts(tracked):
        for kind in type(one).__mro__:
            where = _REFUSED.get(kind.__name__)
            if where is not None and kind.__module__.startswith(where):
                raise GuardError("sharded", name=name, kind=kind.__name__)


def _with_parts(tracked: Any) -> Iterator[Any]:
    yield tracked
    if isinstance(tracked, nn.Module):
        yield from tracked.modules()
        yield from tracked.parameters()


def _first_difference(here: Any, first: Any) -> tuple[str, str]:
    if isinstance(here, dict) and isinstance(first, dict):
        for key in [*first, *here]:
            if here.get(key) != first.get(key):
                return _short({key: here[key]} if key in here else None), _short(
                    {key: first[key]} if key in first else None
                )
    return _short(here), _short(first)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:79] + "…"
