"""Retention: which numbered checkpoints to keep. Policies are pure, and ask only what manifests say."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal, Protocol

from unbroken.contract import AUCS
from unbroken.store.folder import epoch_number
from unbroken.store.manifest import Manifest


class Policy(Protocol):
    """Says for each of ``infos`` whether to keep it. Pure: same answer for the same manifests, whatever their order."""

    def keep(self, infos: Sequence[Manifest]) -> list[bool]: ...


@dataclass(frozen=True)
class LatestN:
    """Keeps the ``n`` newest."""

    n: int

    def keep(self, infos: Sequence[Manifest]) -> list[bool]:
        newest = sorted(range(len(infos)), key=lambda at: infos[at].progress.order, reverse=True)[: self.n]
        return [at in newest for at in range(len(infos))]


@dataclass(frozen=True)
class EveryNEpochs:
    """Keeps those whose epoch is a multiple of ``n``."""

    n: int

    def keep(self, infos: Sequence[Manifest]) -> list[bool]:
        return [info.progress.epoch % self.n == 0 for info in infos]


@dataclass(frozen=True)
class BestK:
    """Keeps the ``k`` best by the last value of ``metric``; of equals the older; a NaN is never among them."""

    k: int
    metric: str = AUCS
    mode: Literal["max", "min"] = "max"

    def keep(self, infos: Sequence[Manifest]) -> list[bool]:
        sign = -1.0 if self.mode == "max" else 1.0
        ranked = sorted(
            (sign * value, info.progress.order, at)
            for at, info in enumerate(infos)
            if (value := info.metrics.get(self.metric)) is not None and value == value
        )
        best = {at for _, _, at in ranked[: self.k]}
        return [at in best for at in range(len(infos))]


@dataclass(frozen=True)
class AnyOf:
    """Keeps what any of its policies keeps."""

    policies: tuple[Policy, ...]

    def keep(self, infos: Sequence[Manifest]) -> list[bool]:
        votes = [policy.keep(infos) for policy in self.policies]
        return [any(column) for column in zip(*votes, strict=True)] if votes else [False] * len(infos)


@dataclass(frozen=True)
class All:
    """Keeps every one."""

    def keep(self, infos: Sequence[Manifest]) -> list[bool]:
        return [True] * len(infos)


@dataclass(frozen=True)
class WithinSpace:
    """Keeps what ``policy`` keeps, as long as all checkpoints of the run together take no more than ``limit`` bytes.

    What may not be deleted counts too, so the bound is looked after where that is known: in ``plan``.
    """

    limit: int
    policy: Policy = All()

    def keep(self, infos: Sequence[Manifest]) -> list[bool]:
        return self.policy.keep(infos)


def plan(
    manifests: Sequence[Manifest], policy: Policy, protected: AbstractSet[str], run_id: str | None
) -> list[Manifest]:
    """What the policy would delete, oldest first: only numbered files of the run ``run_id``.

    Whatever the policy says: never a name in ``protected`` (such as one marked to be kept for ever), never the
    newest numbered file (the others could be damaged), never the best. So a bound of space that cannot be kept
    without these is not kept.
    """
    candidates = [info for info in manifests if epoch_number(info.name) is not None and info.progress.run_id == run_id]
    own = [info for info in manifests if info.progress.run_id == run_id]
    newest = max((info.progress.order for info in candidates), default=None)
    best = best_epochs(own)
    kept = dict(zip((info.name for info in candidates), policy.keep(candidates), strict=True))
    may_go = sorted(
        (
            info
            for info in candidates
            if info.name not in protected
            and info.progress.order != newest
            and not (info.progress.batch == 0 and info.progress.epoch in best)
        ),
        key=lambda info: info.progress.order,
    )
    doomed = {info.name for info in may_go if not kept[info.name]}
    if isinstance(policy, WithinSpace):
        taken = sum(info.size for info in own if info.name not in doomed)
        for info in may_go:
            if taken <= policy.limit:
                break
            if info.name not in doomed:
                doomed.add(info.name)
                taken -= info.size
    return [info for info in may_go if info.name in doomed]


def best_epochs(manifests: Sequence[Manifest]) -> set[int]:
    """The best epoch of each branch, as its newest state tells it."""
    newest: dict[int, tuple[int, ...]] = {}
    for info in manifests:
        progress = info.progress
        newest[progress.branch] = max(newest.get(progress.branch, ()), progress.order)
    return {info.best_epoch for info in manifests if info.best_epoch and info.progress.order in newest.values()}
