"""Retention: which numbered checkpoints to keep. Pure: asks only what the index holds, and how good each epoch was."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from unbroken.store.ancestry import Info, is_ancestor
from unbroken.store.folder import is_numbered, number_of
from unbroken.store.manifest import Described


@dataclass(frozen=True)
class Policy:
    """What is kept: whatever one of the rules keeps, as long as all of the run takes no more than ``space`` bytes.

    The rules: the ``newest`` so many, those of the ``best`` so many epochs, the first one of ``every`` so many epochs
    and of ``every_steps`` so many steps. Without a rule all are kept. None is no rule and no bound.

    What may not be deleted counts too, so a bound of space that cannot be kept without it is not kept. For the bound
    the oldest go first, and those that are kept as good ones or as every so manieth only after all others.
    """

    newest: int | None = None
    space: int | None = None
    best: int | None = None
    every: int | None = None
    every_steps: int | None = None

    @property
    def has_rules(self) -> bool:
        return any(rule is not None for rule in (self.newest, self.best, self.every, self.every_steps))


def plan(
    manifests: Sequence[Info],
    policy: Policy,
    protected: AbstractSet[str],
    run_id: str | None,
    scores: Mapping[int, float] | None = None,
) -> list[Info]:
    """What the policy would delete, oldest first: only numbered files of the run ``run_id``.

    ``scores``: how good the epochs of the newest state's history were, the greatest the best.

    Whatever the policy says: never a name in ``protected`` (such as one marked to be kept for ever), never the
    newest numbered file (the others could be damaged), never the best, never a state that a branch was started from.
    """
    own = [info for info in manifests if info.progress.run_id == run_id]
    numbered = sorted(
        (info for info in own if is_numbered(info.name)),
        key=lambda info: (info.progress.order, info.name),
        reverse=True,
    )
    best, origins = best_epochs(own), forked_from(own)
    chosen = {info.name for info in _among_best(own, numbered, policy.best or 0, scores or {})}
    for counted, every in (("epoch", policy.every), ("step", policy.every_steps)):
        chosen |= set() if every is None else _one_of_every(numbered, counted, every)
    states = sorted({info.progress.order for info in numbered}, reverse=True)[: policy.newest or 0]
    newest = {info.name for info in numbered if info.progress.order in states}
    doomed = {info.name for info in numbered} - newest - chosen if policy.has_rules else set()
    may_go = [
        info
        for info in reversed(numbered)
        if info.name not in protected
        and info.progress.order != numbered[0].progress.order
        and info.progress.order not in origins
        and not (info.progress.batch == 0 and info.progress.epoch in best)
    ]
    doomed &= {info.name for info in may_go}
    taken = sum(info.size for info in own if info.name not in doomed)
    for info in sorted(may_go, key=lambda info: info.name in chosen):
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


def forked_from(manifests: Sequence[Described]) -> set[tuple[int, ...]]:
    """The order of each state that one of the branches was started from."""
    parents = {info.progress.parent for info in manifests if info.progress.parent is not None}
    return {(parent.branch, *parent.position) for parent in parents}


def _among_best(
    own: Sequence[Described], numbered: Sequence[Info], count: int, scores: Mapping[int, float]
) -> list[Info]:
    """Of the states at an epoch's end that lead to the newest state the best so many; of equals the first."""
    if not count or not scores or not numbered:
        return []
    tip = max(info.progress.branch for info in own)
    forks = {info.progress.branch: info.progress.parent for info in own if info.progress.parent}
    judged = [
        info
        for info in numbered
        if info.progress.batch == 0 and info.progress.epoch in scores and is_ancestor(info.progress, tip, forks)
    ]
    epochs = sorted({info.progress.epoch for info in judged}, key=lambda epoch: (-scores[epoch], epoch))[:count]
    return [info for info in judged if info.progress.epoch in epochs]


def _one_of_every(numbered: Sequence[Described], counted: str, every: int) -> set[str]:
    """Of each so many epochs or steps, but for the first so many, the name of the first that is there."""
    numbers = {info.name: number_of(info.name) for info in numbered}
    there = sorted((which[1], name) for name, which in numbers.items() if which is not None and which[0] == counted)
    first: dict[int, str] = {}
    for number, name in there:
        first.setdefault(number // every, name)
    return {name for span, name in first.items() if span > 0}
