"""Ancestry: which of a run's states is the newest, and which ones a later branch left behind. Pure."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from unbroken.store.folder import name_rank
from unbroken.store.manifest import Described
from unbroken.store.payload import ForkPoint, Progress

Info = TypeVar("Info", bound=Described)


def newest_first(infos: Sequence[Info]) -> list[Info]:
    """Sorted by lineage and progress.

    Within the lineage of the newest branch comes first what is furthest along; states that a later branch left
    behind come after all of it, whatever their progress. Equal states: a finished run's before an unfinished
    one's, then by what their names are for.
    """
    tip = max((info.progress.branch for info in infos), default=0)
    forks = {info.progress.branch: info.progress.parent for info in infos if info.progress.parent}

    def rank(info: Info) -> tuple[bool, int, int, int, int, bool, int, str]:
        progress = info.progress
        return (
            progress.branch != tip and not is_ancestor(progress, tip, forks),
            -progress.branch,
            -progress.epoch,
            -progress.batch,
            -progress.step,
            progress.finished is None,
            name_rank(info.name),
            info.name,
        )

    return sorted(infos, key=rank)


def is_ancestor(progress: Progress, tip: int, forks: Mapping[int, ForkPoint]) -> bool:
    """Whether the state at ``progress`` lies on the way to branch ``tip``, by the ``forks`` that are known.

    Where the fork of a branch is not known any more (all its files are gone), states of older branches count as
    on the way as long as they are not ahead of the fork that is known.
    """
    branch = tip
    limit: tuple[int, ...] | None = None
    while progress.branch < branch:
        fork = forks.get(branch)
        if fork is None or fork.branch >= branch:
            break
        if fork.run_id != progress.run_id:
            return False
        limit = fork.position
        branch = fork.branch
    return progress.branch <= branch and (limit is None or progress.position <= limit)
