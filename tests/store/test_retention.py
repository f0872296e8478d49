"""Retention: policies are pure, and whatever they say, some files are never deleted."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from unbroken.store.folder import CheckpointFolder
from unbroken.store.manifest import Manifest
from unbroken.store.payload import Progress
from unbroken.store.retention import Policy, plan

FOLDER = CheckpointFolder(Path("checkpoints"))


def manifest(name: str, epoch: int, run: str | None = "a", branch: int = 0, best: int = 0, size: int = 1) -> Manifest:
    progress = Progress(run, branch, epoch, 0, 10, epoch * 10, "epoch", None)
    return Manifest(name, size, 1, "", progress, {}, 0.5, best, "", {}, "")


def numbered(epoch: int, run: str | None = "a") -> Manifest:
    return manifest(FOLDER.epoch(epoch).name, epoch, run=run)


POLICIES = st.builds(Policy, st.none() | st.integers(0, 5), st.none() | st.integers(0, 40))


@st.composite
def folders(draw: st.DrawFn) -> list[Manifest]:
    epochs = draw(st.lists(st.integers(0, 40), unique=True, max_size=12))
    files = [
        manifest(
            FOLDER.epoch(epoch).name,
            epoch,
            draw(st.sampled_from(["a", "a", "a", "b", None])),
            draw(st.integers(0, 1)),
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
    if policy.space is not None:
        free_to_go = [info for info in kept if info.name not in plan_keeps(files, protected)]
        assert sum(info.size for info in own if info.name not in names) <= policy.space or not free_to_go
    elif policy.newest is None:
        assert not doomed
    else:
        newest = sorted(ours, key=lambda info: info.progress.order)[-policy.newest :] if policy.newest else []
        assert not names & {info.name for info in newest}
        assert {info.name for info in ours} - {info.name for info in newest} - plan_keeps(files, protected) == names
    assert [info.progress.order for info in doomed] == sorted(info.progress.order for info in doomed)
    rest = [info for info in files if info.name not in names]
    assert plan(rest, policy, protected, "a") == []  # done once, done
    assert len(kept) + len(doomed) == len(ours)


def plan_keeps(files: list[Manifest], protected: set[str]) -> set[str]:
    """Names that no policy at all gets deleted."""
    return {info.name for info in files} - {info.name for info in plan(files, Policy(0), protected, "a")}


@given(folders(), st.none() | st.integers(0, 5), st.integers(0, 60))
def test_a_bound_of_space_deletes_the_oldest_and_no_more_than_it_has_to(
    files: list[Manifest], newest: int | None, limit: int
) -> None:
    without = plan(files, Policy(newest), set(), "a")
    bound = plan(files, Policy(newest, limit), set(), "a")
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
    assert [info.progress.epoch for info in plan(files, Policy(space=30), set(), "a")] == [1, 3]
    assert [info.progress.epoch for info in plan(files, Policy(space=40), set(), "a")] == [1]
    assert plan(files, Policy(space=50), set(), "a") == []
    assert [info.progress.epoch for info in plan(files, Policy(space=1), {FOLDER.epoch(1).name}, "a")] == [3]


@given(folders(), POLICIES, st.randoms())
def test_the_order_of_the_list_does_not_matter(files: list[Manifest], policy: Policy, random: "st.DrawFn") -> None:
    shuffled = list(files)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one = {info.name for info in plan(files, policy, set(), "a")}
    assert one == {info.name for info in plan(shuffled, policy, set(), "a")}


def test_the_newest_are_those_furthest_along_whatever_their_place_in_the_list() -> None:
    infos = [numbered(epoch) for epoch in (3, 1, 5, 2, 4)]
    assert [info.progress.epoch for info in plan(infos, Policy(2), set(), "a")] == [1, 2, 3]
    assert [info.progress.epoch for info in plan(infos, Policy(0), set(), "a")] == [1, 2, 3, 4]
    assert plan(infos, Policy(), set(), "a") == []


def test_the_best_epoch_is_kept_even_if_its_own_name_is_gone() -> None:
    files = [*(numbered(epoch) for epoch in (1, 2, 3, 4)), manifest("checkpoint_latest.pth", 5, best=2)]
    assert [info.progress.epoch for info in plan(files, Policy(1), set(), "a")] == [1, 3]
