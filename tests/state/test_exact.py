"""Every kind of optimizer, scheduler and model goes on, after a save and a restore, bit for bit."""

import pytest

from tests.state import programs


@pytest.mark.parametrize("kind", programs.OPTIMIZERS)
def test_optimizer_goes_on_bit_for_bit(kind: str) -> None:
    assert programs.resumes_exactly(programs.with_optimizer(programs.OPTIMIZERS[kind])) is None


@pytest.mark.parametrize("kind", programs.SCHEDULERS)
def test_scheduler_goes_on_bit_for_bit(kind: str) -> None:
    assert programs.resumes_exactly(programs.SCHEDULERS[kind]) is None


@pytest.mark.parametrize("kind", programs.MODELS)
@pytest.mark.one_in(3)
def test_model_goes_on_bit_for_bit(kind: str) -> None:
    assert programs.resumes_exactly(programs.MODELS[kind]) is None


@pytest.mark.parametrize("before", [0, 1, 5])
def test_any_moment_will_do(before: int) -> None:
    assert programs.resumes_exactly(programs.SCHEDULERS["sequential"], before=before) is None
