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
