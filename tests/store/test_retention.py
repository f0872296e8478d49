"""Retention: policies are pure, and whatever they say, some files are never deleted."""

import math
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from unbroken.store.folder import CheckpointFolder
from unbroken.store.manifest import Manifest
from unbroken.store.payload import Progress
from unbroken.store.retention import All, AnyOf, BestK, EveryNEpochs, LatestN, Policy, WithinSpace, plan

FOLDER = CheckpointFolder(Path("checkpoints"))


def manifest(
    name: str, epoch: int, run: str | None = "a", branch: int = 0, auc: float = 0.5, best: int = 0, size: int = 1
) -> Manifest:
    progress = Progress(run, branch, epoch, 0, 10, epoch * 10, "epoch", None)
    return Manifest(name, size, 1, "", progress, {"aucs": auc}, auc, best, "", {}, "")


def numbered(epoch: int, auc: float = 0.5, run: str | None = "a") -> Manifest:
    return manifest(FOLDER.epoch(epoch).name, epoch, run=run, auc=auc)


AUCS = st.floats(-1, 1) | st.just(math.nan)
SIMPLE = (
    st.builds(LatestN, st.integers(0, 5))
    | st.builds(EveryNEpochs, st.integers(1, 6))
    | st.builds(BestK, st.integers(0, 4), st.sampled_from(["aucs", "unknown"]), st.sampled_from(["max", "min"]))
)
COMPOSED = SIMPLE | st.builds(AnyOf, st.lists(SIMPLE, max_size=3).map(tuple))
POLICIES: st.SearchStrategy[Policy] = COMPOSED | st.builds(WithinSpace, st.integers(0, 40), COMPOSED | st.just(All()))


@st.composite
def folders(draw: st.DrawFn) -> list[Manifest]:
    epochs = draw(st.lists(st.integers(0, 40), unique=True, max_size=12))
    files = [
        manifest(
            FOLDER.epoch(epoch).name,
            epoch,
            draw(st.sampled_from(["a", "a", "a", "b", None])),
            draw(st.integers(0, 1)),
            draw(AUCS),
            size=draw(st.integers(1, 5)),
        )
        for epoch in epochs
    ]
    best = draw(st.integers(0, 40))
    extras = [FOLDER.latest, FOLDER.previous, FOLDER.best, FOLDER.path / "mine.pth"]
    files += [
        manifest(path.name, draw(st.integers(0, 41)), best=best)
        for path in draw(st.lists(st.sampled_from(extras), unique=True))
    ]
    return draw(st.permutations(files))


@given(folders(), POLICIES, st.sets(st.integers(0, 40), max_size=4))
def test_some_files_are_never_deleted_whatever_the_policy(
    files: list[Manifest], policy: Policy, protected_epochs: set[int]
) -> None:
    protected = {FOLDER.epoch(epoch).name for epoch in protected_epochs}
    doomed = plan(files, policy, protected, "a")
    names = {info.name for info in doomed}
    assert names <= {info.name for info in files}
    assert not names & protected
    assert all(name.startswith("checkpoint_epoch_") for name in names)
    assert all(info.progress.run_id == "a" for info in doomed)
    own = [info for info in files if info.progress.run_id == "a"]
    ours = [info for info in own if info.name.startswith("checkpoint_epoch_")]
    if ours:
        assert max(ours, key=lambda info: info.progress.order).name not in names
    if own:
        newest = max(own, key=lambda info: info.progress.order)
        assert FOLDER.epoch(newest.best_epoch).name not in names or newest.best_epoch == 0
    kept = [info for info in ours if info.name not in names]
    wanted = dict(zip((info.name for info in ours), policy.keep(ours), strict=True))
    if isinstance(policy, WithinSpace):
        free_to_go = [info for info in kept if info.name not in plan_keeps(files, protected)]
        assert sum(info.size for info in own if info.name not in names) <= policy.limit or not free_to_go
    else:
        assert all(not wanted[info.name] for info in doomed)
    assert [info.progress.order for info in doomed] == sorted(info.progress.order for info in doomed)
    rest = [info for info in files if info.name not in names]
    assert plan(rest, policy, protected, "a") == []  # done once, done
    assert len(kept) + len(doomed) == len(ours)


def plan_keeps(files: list[Manifest], protected: set[str]) -> set[str]:
    """Names that no policy at all gets deleted."""
    return {info.name for info in files} - {info.name for info in plan(files, LatestN(0), protected, "a")}


@given(folders(), COMPOSED, st.integers(0, 60))
def test_a_bound_of_space_deletes_the_oldest_and_no_more_than_it_has_to(
    files: list[Manifest], policy: Policy, limit: int
) -> None:
    without = plan(files, policy, set(), "a")
    bound = plan(files, WithinSpace(limit, policy), set(), "a")
    assert {info.name for info in without} <= {info.name for info in bound}
    more = [info for info in bound if info not in without]
    left = sum(info.size for info in files if info.progress.run_id == "a" and info not in bound)
    if more:
        assert left + more[-1].size > limit
    spared = [info for info in files if info not in bound and info.name not in plan_keeps(files, set())]
    assert all(info.progress.order >= gone.progress.order for info in spared for gone in more)


def test_a_bound_of_space_counts_all_files_of_the_run_and_never_takes_what_is_protected() -> None:
    files = [manifest(FOLDER.epoch(epoch).name, epoch, size=10) for epoch in (1, 2, 3, 4)]
    files += [manifest(FOLDER.latest.name, 5, best=2, size=10), manifest("theirs.pth", 9, run="b", size=99)]
    assert [info.progress.epoch for info in plan(files, WithinSpace(30), set(), "a")] == [1, 3]
    assert [info.progress.epoch for info in plan(files, WithinSpace(40), set(), "a")] == [1]
    assert plan(files, WithinSpace(50), set(), "a") == []
    assert [info.progress.epoch for info in plan(files, WithinSpace(1), {FOLDER.epoch(1).name}, "a")] == [3]


@given(folders(), POLICIES, st.randoms())
def test_the_order_of_the_list_does_not_matter(files: list[Manifest], policy: Policy, random: "st.DrawFn") -> None:
    shuffled = list(files)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one = {info.name for info in plan(files, policy, set(), "a")}
    assert one == {info.name for info in plan(shuffled, policy, set(), "a")}


def kept(policy: Policy, *infos: Manifest) -> list[int]:
    return [info.progress.epoch for info, keep in zip(infos, policy.keep(infos), strict=True) if keep]


def test_each_policy_keeps_what_it_says() -> None:
    infos = [numbered(3, 0.1), numbered(1, 0.9), numbered(2, math.nan), numbered(4, 0.9), numbered(5, 0.2)]
    assert kept(LatestN(2), *infos) == [4, 5]
    assert kept(LatestN(0), *infos) == []
    assert kept(EveryNEpochs(2), *infos) == [2, 4]
    assert kept(BestK(1), *infos) == [1]
    assert kept(BestK(9), *infos) == [3, 1, 4, 5]
    assert kept(BestK(2, "aucs", "min"), *infos) == [3, 5]
    assert kept(BestK(2, "other"), *infos) == []
    assert kept(AnyOf((LatestN(1), BestK(1))), *infos) == [1, 5]
    assert kept(AnyOf(()), *infos) == []


def test_the_best_epoch_is_kept_even_if_its_own_name_is_gone() -> None:
    files = [*(numbered(epoch) for epoch in (1, 2, 3, 4)), manifest("checkpoint_latest.pth", 5, best=2)]
    assert [info.progress.epoch for info in plan(files, LatestN(1), set(), "a")] == [1, 3]
