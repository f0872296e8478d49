"""Retention: policies are pure, and whatever they say, some files are never deleted."""

from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from unbroken.store.folder import CheckpointFolder
from unbroken.store.manifest import Manifest
from unbroken.store.payload import ForkPoint, Progress
from unbroken.store.retention import Policy, plan

FOLDER = CheckpointFolder(Path("checkpoints"))


def manifest(
    name: str,
    epoch: int,
    run: str | None = "a",
    branch: int = 0,
    best: int = 0,
    size: int = 1,
    batch: int = 0,
    step: int | None = None,
) -> Manifest:
    progress = Progress(run, branch, epoch, batch, 10, epoch * 10 if step is None else step, "epoch", None)
    return Manifest(name, size, 1, "", progress, {}, 0.5, best, "", {}, "")


def numbered(epoch: int, run: str | None = "a") -> Manifest:
    return manifest(FOLDER.epoch(epoch).name, epoch, run=run)


def rule(least: int, most: int) -> st.SearchStrategy[int | None]:
    return st.none() | st.integers(least, most)


POLICIES = st.builds(Policy, rule(0, 5), rule(0, 40))
RULES = st.builds(Policy, rule(0, 5), st.none(), rule(1, 4), rule(1, 12), rule(1, 120))
SCORES = st.dictionaries(st.integers(1, 40), st.floats(-2, 2) | st.sampled_from([0.0, 1.0]))


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
    steps = draw(st.lists(st.integers(0, 400), unique=True, max_size=8))
    files += [
        manifest(FOLDER.step(step).name, step // 10, batch=step % 10, step=step, size=draw(st.integers(1, 5)))
        for step in steps
    ]
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
    assert all(name.startswith(("checkpoint_epoch_", "checkpoint_step_")) for name in names)
    assert all(info.progress.run_id == "a" for info in doomed)
    own = [info for info in files if info.progress.run_id == "a"]
    ours = [info for info in own if info.name.startswith(("checkpoint_epoch_", "checkpoint_step_"))]
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
        states = sorted({info.progress.order for info in ours})[-policy.newest :] if policy.newest else []
        newest_names = {info.name for info in ours if info.progress.order in states}
        assert not names & newest_names
        assert {info.name for info in ours} - newest_names - plan_keeps(files, protected) == names
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


@given(folders(), RULES, SCORES, st.sets(st.integers(0, 40), max_size=3))
def test_what_one_rule_keeps_stays_and_nothing_else(
    files: list[Manifest], policy: Policy, scores: dict[int, float], protected_epochs: set[int]
) -> None:
    protected = {FOLDER.epoch(epoch).name for epoch in protected_epochs}
    doomed = {info.name for info in plan(files, policy, protected, "a", scores)}
    alone = [replace(Policy(), **{name: value}) for name, value in vars(policy).items() if value is not None]
    each = [{info.name for info in plan(files, one, protected, "a", scores)} for one in alone]
    assert doomed == (set.intersection(*each) if each else set())
    rest = [info for info in files if info.name not in doomed]
    assert plan(rest, policy, protected, "a", scores) == []  # done once, done


@given(folders(), st.integers(1, 4), SCORES)
def test_the_best_so_many_epochs_are_kept(files: list[Manifest], count: int, scores: dict[int, float]) -> None:
    ours = [
        one
        for one in files
        if one.progress.run_id == "a" and one.name.startswith(("checkpoint_epoch", "checkpoint_step"))
    ]
    there = {one.progress.epoch for one in ours if one.progress.batch == 0 and one.progress.epoch in scores}
    ranked = sorted(there, key=lambda epoch: (-scores[epoch], epoch))
    kept = {one.name for one in ours} - {one.name for one in plan(files, Policy(best=count), set(), "a", scores)}
    for one in ours:
        if one.progress.batch == 0 and one.progress.epoch in ranked[:count]:
            assert one.name in kept
        elif one.name not in plan_keeps(files, set()):
            assert one.name not in kept


@given(folders(), st.integers(1, 12), st.integers(1, 120))
def test_of_every_so_many_one_is_kept(files: list[Manifest], every: int, every_steps: int) -> None:
    doomed = {one.name for one in plan(files, Policy(every=every, every_steps=every_steps), set(), "a")}
    for counted, width in (("epoch", every), ("step", every_steps)):
        ours = [
            one.name for one in files if one.progress.run_id == "a" and one.name.startswith(f"checkpoint_{counted}_")
        ]
        numbers = sorted(int(name.removesuffix(".pth").rpartition("_")[2]) for name in ours)
        assert not doomed & {
            f"checkpoint_{counted}_{number}.pth"
            for number in numbers
            if number and number % width == 0 and numbers.count(number) == 1
        }
        for span in {number // width for number in numbers} - {0}:
            assert any(f"checkpoint_{counted}_{n}.pth" not in doomed for n in numbers if n // width == span)


def test_rules_in_a_run_of_a_hundred_epochs() -> None:
    """As a run does it: after every epoch what no rule keeps goes at once, and never comes back."""
    there: list[Manifest] = []
    scores: dict[int, float] = {}
    for epoch in range(1, 101):
        scores[epoch] = {7: 5.0, 30: 4.0, 64: 3.0}.get(epoch, -epoch / 100)
        there.append(numbered(epoch))
        policy = Policy(newest=3, best=3, every=25)
        gone = plan(there, policy, {FOLDER.epoch(epoch).name}, "a", scores)
        there = [info for info in there if info not in gone]
    assert [info.progress.epoch for info in there] == [7, 25, 30, 50, 64, 75, 98, 99, 100]


def test_space_takes_the_good_and_the_every_so_manieth_last() -> None:
    files = [numbered(epoch) for epoch in range(1, 11)]
    scores = {2: 9.0, 3: 8.0}

    def left(space: int) -> list[int]:
        gone = plan(files, Policy(newest=5, best=2, every=4, space=space), set(), "a", scores)
        return [info.progress.epoch for info in files if info not in gone]

    assert left(99) == [2, 3, 4, 6, 7, 8, 9, 10]
    assert left(6) == [2, 3, 4, 8, 9, 10]
    assert left(5) == [2, 3, 4, 8, 10]
    assert left(3) == [4, 8, 10]


def test_a_state_left_behind_by_a_branch_is_none_of_the_best() -> None:
    parent = ForkPoint("a", 0, 3, 0, 30)
    files = [numbered(epoch) for epoch in (1, 2, 3, 5)]
    tip = manifest(FOLDER.epoch(4).name, 4, branch=1)
    files.append(replace(tip, progress=tip.progress._replace(parent=parent)))
    gone = plan(files, Policy(best=1), set(), "a", {1: 0.0, 2: 0.0, 3: 0.0, 4: 0.0, 5: 9.0})
    assert [info.progress.epoch for info in gone] == [2, 5]  # 3 is what the branch was started from


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


def test_the_state_that_a_branch_was_started_from_stays_for_every_later_process() -> None:
    origin = numbered(3)
    tip = manifest("checkpoint_latest.pth", 8, branch=1)
    tip = replace(tip, progress=tip.progress._replace(parent=ForkPoint("a", 0, 3, 0, 30)))
    later = [manifest(FOLDER.epoch(epoch).name, epoch, branch=1) for epoch in (7, 8)]
    files = [numbered(1), numbered(2), origin, *later, tip]
    for policy in (Policy(1), Policy(space=1)):
        assert [info.progress.epoch for info in plan(files, policy, set(), "a")] == [1, 2, 7]
