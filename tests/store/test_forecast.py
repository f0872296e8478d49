"""The forecast against a count: epoch by epoch, file by file, until one does not fit."""

from hypothesis import given
from hypothesis import strategies as st

from unbroken.store.forecast import Plan, full_after


def counted(plan: Plan, size: int, free: int, epoch: int, missing: int, horizon: int) -> int | None:
    """What happens: every epoch needs room for the files replaced over and over, and every so many one more."""
    kept = 0
    most = plan.most(size)
    for now in range(epoch + 1, horizon):
        if plan.every_epochs is not None and now % plan.every_epochs == 0 and (most is None or kept < most):
            kept += 1
        if (kept + missing + 1) * size > free:
            return now
    return None


@given(
    st.builds(Plan, st.none() | st.integers(1, 4), st.none() | st.integers(1, 5), st.none() | st.integers(1, 90)),
    st.integers(1, 20),
    st.integers(0, 200),
    st.integers(0, 9),
    st.integers(0, 3),
)
def test_it_says_the_epoch_in_which_a_file_does_not_fit(
    plan: Plan, size: int, free: int, epoch: int, missing: int
) -> None:
    said = full_after(plan, size=size, free=free, epoch=epoch, missing=missing)
    assert said == counted(plan, size, free, epoch, missing, horizon=epoch + 1000)


@given(
    st.integers(1, 4),
    st.none() | st.integers(1, 5),
    st.none() | st.integers(1, 3),
    st.integers(1, 4),
    st.integers(0, 60),
    st.integers(0, 9),
)
def test_what_is_kept_for_good_fills_a_disk_and_is_not_said_too_late(
    every_epochs: int, keep: int | None, best: int | None, times: int, free: int, epoch: int
) -> None:
    """As many as the rules keep at once; some may be kept by two of them, so it may come a little later than said."""
    every = every_epochs * times
    said = full_after(Plan(every_epochs, keep, None, best, every), size=1, free=free, epoch=epoch, missing=0)
    assert said is not None
    numbered = [now for now in range(epoch + 1, said) if now % every_epochs == 0]
    for now in range(epoch + 1, said):
        there = [one for one in numbered if one <= now]
        kept = {one for one in there if one % every == 0} | set(there[-(keep or 1) :])
        assert len(kept) + 1 <= free


def test_by_the_best_alone_there_are_so_many_at_most() -> None:
    assert Plan(None, None, None, best=3).most(10) == 4  # the newest stays, too
    assert full_after(Plan(None, None, None, best=3), size=1, free=9, epoch=0, missing=0) is None
    assert full_after(Plan(None, None, None, best=3), size=1, free=3, epoch=0, missing=0) == 3
