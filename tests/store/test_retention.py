"""Retention: policies are pure, and whatever they say, some files are never deleted."""

import math
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from unbroken.store.folder import CheckpointFolder
from unbroken.store.manifest import Manifest
from unbroken.store.payload import Progress
from unbroken.store.retention import AnyOf, BestK, EveryNEpochs, LatestN, Policy, plan

FOLDER = CheckpointFolder(Path("checkpoints"))


def manifest(
    name: str, epoch: int, run: str | None = "a", branch: int = 0, auc: float = 0.5, best: int = 0
) -> Manifest:
    progress = Progress(run, branch, epoch, 0, 10, epoch * 10, "epoch", None)
    return Manifest(name, 1, 1, "", progress, {"aucs": auc}, auc, best, "", {}, "")


def numbered(epoch: int, auc: float = 0.5, run: str | None = "a") -> Manifest:
    return manifest(FOLDER.epoch(epoch).name, epoch, run=run, auc=auc)


AUCS = st.floats(-1, 1) | st.just(math.nan)
SIMPLE = (
    st.builds(LatestN, st.integers(0, 5))
    | st.builds(EveryNEpochs, st.integers(1, 6))
    | st.builds(BestK, st.integers(0, 4), st.sampled_from(["aucs", "unknown"]), st.sampled_from(["max", "min"]))
)
POLICIES: st.SearchStrategy[Policy] = SIMPLE | st.builds(AnyOf, st.lists(SIMPLE, max_size=3).map(tuple))


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
    assert all(not wanted[info.name] for info in doomed)
    assert [info.progress.order for info in doomed] == sorted(info.progress.order for info in doomed)
    rest = [info for info in files if info.name not in names]
    assert plan(rest, policy, protected, "a") == []  # done once, done
    assert len(kept) + len(doomed) == len(ours)


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
