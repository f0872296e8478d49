"""Retention: which numbered checkpoints to keep. Pure: asks only what manifests say."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from unbroken.store.ancestry import Info
from unbroken.store.folder import is_numbered
from unbroken.store.manifest import Described


@dataclass(frozen=True)
class Policy:
    """Keeps the ``newest`` so many, and all checkpoints of the run together within ``space`` bytes; None is no bound.

    What may not be deleted counts too, so a bound of space that cannot be kept without it is not kept.
    """

    newest: int | None = None
    space: int | None = None


def plan(manifests: Sequence[Info], policy: Policy, protected: AbstractSet[str], run_id: str | None) -> list[Info]:
    """What the policy would delete, oldest first: only numbered files of the run ``run_id``.

    Whatever the policy says: never a name in ``protected`` (such as one marked to be kept for ever), never the
    newest numbered file (the others could be damaged), never the best.
    """
    own = [info for info in manifests if info.progress.run_id == run_id]
    numbered = sorted(
        (info for info in own if is_numbered(info.name)),
        key=lambda info: info.progress.order,
        reverse=True,
    )
    best = best_epochs(own)
    doomed = {info.name for info in numbered[policy.newest :]} if policy.newest is not None else set()
    may_go = [
        info
        for info in reversed(numbered)
        if info.name not in protected
        and info.progress.order != numbered[0].progress.order
        and not (info.progress.batch == 0 and info.progress.epoch in best)
    ]
    doomed &= {info.name for info in may_go}
    taken = sum(info.size for info in own if info.name not in doomed)
    for info in may_go:
        if policy.space is not None and taken > policy.space and info.name not in doomed:
            doomed.add(info.name)
            taken -= info.size
    return [info for info in may_go if info.name in doomed]


def best_epochs(manifests: Sequence[Described]) -> set[int]:
    """The best epoch of each branch, as its newest state tells it."""
    newest: dict[int, tuple[int, ...]] = {}
    for info in manifests:
        progress = info.progress
        newest[progress.branch] = max(newest.get(progress.branch, ()), progress.order)
    return {info.best_epoch for info in manifests if info.best_epoch and info.progress.order in newest.values()}
