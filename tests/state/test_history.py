"""Histories are as long as the run is, sums survive a kill to the last bit, and NaN is never the best."""

import logging
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.state.programs import read, written
from unbroken.errors import UsageError
from unbroken.state.history import Best, History
from unbroken.state.snapshot import copy_to_host, decode, equal_bits

numbers = st.floats(width=32) | st.integers(-3, 3)
action = st.one_of(
    st.tuples(
        st.just("average"), st.sampled_from(["train_losses", "grad_norm"]), numbers, st.sampled_from([1.0, 0.5, 7, 0])
    ),
    st.tuples(st.just("record"), st.sampled_from(["val_losses", "aucs"]), numbers, st.none()),
    st.tuples(st.just("finish"), st.none(), st.none(), st.none()),
)


def act(history: History, step: tuple[Any, ...]) -> None:
    kind, name, value, weight = step
    if kind == "average":
        history.average({name: torch.tensor(value, dtype=torch.float32) if isinstance(value, float) else value}, weight)
    elif kind == "record":
        history.record({name: value})
    else:
        history.finish_epoch()


def resumed(history: History, metric: str | None, mode: Any) -> History:
    """Through a checkpoint file."""
    saved = {"columns": history.columns, "best": [history.best.value, history.best.epoch], "partial": history.partial()}
    saved = decode(read(written(copy_to_host(saved))))
    fresh = History(metric, mode)
    fresh.restore(saved["columns"], *saved["best"], saved["partial"], epoch=history.epoch)
    return fresh


@given(st.lists(action, max_size=25), st.integers(0, 25), st.sampled_from(["max", "min"]))
@settings(max_examples=120, deadline=None)
def test_a_kill_anywhere_changes_no_bit(steps: list[tuple[Any, ...]], killed: int, mode: Any) -> None:
    whole, history = History("aucs", mode), History("aucs", mode)
    for i, step in enumerate(steps):
        if i == killed:
            history = resumed(history, "aucs", mode)
        act(whole, step)
        act(history, step)
    whole.finish_epoch()
    history.finish_epoch()
    assert equal_bits(whole.columns, history.columns) is None
    assert equal_bits([whole.best.value, whole.best.epoch], [history.best.value, history.best.epoch]) is None


@given(st.lists(action, max_size=25), st.sampled_from(["max", "min"]))
@settings(max_examples=120, deadline=None)
def test_columns_have_the_length_of_the_run_and_the_best_is_their_best(steps: list[tuple[Any, ...]], mode: Any) -> None:
    history = History("aucs", mode)
    for step in steps:
        act(history, step)
    epochs = sum(step[0] == "finish" for step in steps)
    assert history.epoch == epochs
    assert all(len(column) == epochs for column in history.columns.values())
    assert all(type(value) is float for column in history.columns.values() for value in column)
    given_values = [v for v in history.columns.get("aucs", []) if not math.isnan(v)]
    if not given_values:
        assert history.best == Best(-math.inf, 0)
    else:
        wanted = max(given_values) if mode == "max" else min(given_values)
        assert history.best == Best(wanted, history.columns["aucs"].index(wanted) + 1)


def test_the_mean_is_the_weighted_one_in_float64() -> None:
    history = History()
    for value, weight in [(1.0, 3), (torch.tensor(2.0), 1), (np.float32(0.1), 2)]:
        history.average({"train_losses": value}, weight)
    history.finish_epoch()
    assert history.columns["train_losses"] == [(1.0 * 3 + 2.0 + float(np.float32(0.1)) * 2) / 6]


def test_a_metric_not_given_has_nan_and_one_that_begins_late_has_nan_before() -> None:
    history = History("aucs")
    history.record({"aucs": 0.5})
    assert history.finish_epoch()
    history.record({"val_losses": 1.0})
    assert not history.finish_epoch()
    assert equal_bits(history.columns, {"aucs": [0.5, math.nan], "val_losses": [math.nan, 1.0]}) is None
    assert history.best == Best(0.5, 1)


def test_nan_is_never_the_best_and_of_equals_the_first_is() -> None:
    history = History("aucs")
    improved = []
    for value in [math.nan, -math.inf, -1.0, math.nan, -1.0, 0.0]:
        history.record({"aucs": value})
        improved.append(history.finish_epoch())
    assert improved == [False, True, True, False, False, True]
    assert history.best == Best(0.0, 6)


def test_nothing_recorded_is_never_an_improvement() -> None:
    history = History(None)
    history.record({"aucs": 1.0})
    assert not history.finish_epoch()
    assert history.best == Best(-math.inf, 0)


@pytest.mark.parametrize(
    "value",
    [1, 1.0, True, np.float32(1), np.int64(1), np.bool_(True), np.ones(1), np.array(1), torch.tensor(1),
     torch.ones(1, 1), torch.ones((), dtype=torch.bfloat16), torch.ones((), requires_grad=True), Fraction(1)],
    ids=lambda v: type(v).__name__,
)  # fmt: skip
def test_anything_that_is_one_number_is_taken(value: Any) -> None:
    history = History()
    history.average({"a": value})
    history.record({"b": value})
    history.finish_epoch()
    assert history.columns == {"a": [1.0], "b": [1.0]}
    assert all(type(column[0]) is float for column in history.columns.values())


@pytest.mark.parametrize(
    "value", ["1", None, [1.0], torch.ones(2), np.ones(2), torch.tensor(1j), 1j, np.array(["1"])], ids=str
)
def test_what_is_not_one_number_is_refused(value: Any) -> None:
    history = History()
    for take in (history.average, history.record):
        with pytest.raises(UsageError, match="'loss'"):
            take({"loss": value})
    history.finish_epoch()
    assert history.columns == {}


@pytest.mark.parametrize(
    "name", ["epoch", "best_corr", "timestamp", "unbroken", "model_state_dict", "ema_state_dict", "a b", ""]
)
def test_names_a_checkpoint_needs_itself_are_refused(name: str) -> None:
    for take in (History().average, History().record, lambda values: History(*values)):
        with pytest.raises(UsageError):
            take({name: 1.0})


@pytest.mark.parametrize("weight", [-1, math.nan, math.inf, "1", [1]])
def test_a_weight_is_a_finite_number_of_at_least_zero(weight: Any) -> None:
    with pytest.raises(UsageError):
        History().average({"a": 1.0}, weight)


def test_without_a_weight_each_value_counts_alike() -> None:
    history = History()
    for value in (1.0, 2.0, 6.0):
        history.average({"a": value})
    history.finish_epoch()
    assert history.columns == {"a": [3.0]}


def test_one_metric_is_averaged_or_recorded_not_both() -> None:
    history = History()
    history.average({"a": 1.0})
    with pytest.raises(UsageError, match="'a'"):
        history.record({"a": 1.0})
    history.record({"b": 1.0})
    with pytest.raises(UsageError, match="'b'"):
        history.average({"b": 1.0})
    history.record({"b": 2.0})
    history.finish_epoch()
    assert history.columns == {"a": [1.0], "b": [2.0]}


def test_a_partial_is_not_changed_by_what_comes_after() -> None:
    history = History()
    history.average({"a": 1.0})
    history.record({"b": 1.0})
    partial = history.partial()
    history.average({"a": 5.0})
    history.record({"b": 5.0})
    assert partial == {"sums": {"a": [1.0, 1.0]}, "recorded": {"b": 1.0}}


def test_a_restore_forgets_what_was_begun() -> None:
    history = History("aucs")
    history.average({"a": 1.0})
    history.restore({"aucs": [1.0, 2.0]}, 2.0, 2)
    assert (history.epoch, history.best, history.partial()) == (2, Best(2.0, 2), {"sums": {}, "recorded": {}})
    saved = [1.0, 2.0]
    history.restore({"aucs": saved}, 2.0, 2)
    history.finish_epoch()
    assert saved == [1.0, 2.0], "the payload was changed"


def test_a_best_found_by_another_rule_is_judged_anew() -> None:
    columns = {"aucs": [0.1, math.nan, 0.3], "val_losses": [5.0, 4.0, 6.0]}
    history = History("val_losses", "min")
    history.restore(columns, 0.3, 3, judged_by=("aucs", "max"))
    assert history.best == Best(4.0, 2)
    history.restore(columns, 5.0, 1, judged_by=("val_losses", "min"))
    assert history.best == Best(5.0, 1)


def test_a_plain_scripts_best_that_is_nan_is_judged_anew() -> None:
    history = History("aucs")
    history.restore({"aucs": [0.5, math.nan]}, math.nan, 2)
    assert history.best == Best(0.5, 1)


def test_a_plain_scripts_columns_are_brought_to_the_length_of_the_run(caplog: pytest.LogCaptureFixture) -> None:
    history = History("aucs")
    with caplog.at_level(logging.WARNING, "unbroken"):
        history.restore({"aucs": [1, 2], "train_losses": [1.0, 2.0, 3.0, 4.0], "val_losses": []}, 2, 3, epoch=3)
    assert equal_bits(history.columns, {"aucs": [math.nan, 1.0, 2.0], "train_losses": [1.0, 2.0, 3.0]}) is None
    assert "train_losses" in caplog.text
    assert history.best == Best(2.0, 3)


def test_a_mode_is_max_or_min() -> None:
    with pytest.raises(UsageError, match="best_mode"):
        History("aucs", "most")  # type: ignore[arg-type]


def test_what_was_given_is_not_kept_beyond_its_epoch() -> None:
    history = History()
    for _ in range(3):
        for _ in range(100):
            history.average({"loss": 1.0})
        history.finish_epoch()
    assert history.given == []
