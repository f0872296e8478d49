"""A resumed run takes over what the run was started with; what is given now wins, and the task can't change."""

from datetime import date
from pathlib import Path

import pytest

from forecaster.errors import OtherTaskError
from forecaster.options import SPLIT_DAY, Options, continued

SAVED = Options(epochs=50, lr=1e-3, target="return", data="mine.csv", seed=9).parameters()
SOURCE = Path("checkpoints")


def test_taken_over_unless_given() -> None:
    options = continued({"lr": 5e-4, "resume": "auto"}, SAVED, SOURCE)
    assert (options.epochs, options.lr, options.target, options.data, options.seed) == (
        50,
        5e-4,
        "return",
        "mine.csv",
        9,
    )
    assert options.resume == "auto"


def test_what_belongs_to_a_process_is_not_taken_over() -> None:
    saved = {**SAVED, "allow_changed_data": True, "checkpoint_dir": "x", "stop_after": "1s", "resume": "y"}
    assert continued({}, saved, SOURCE) == continued({}, SAVED, SOURCE)


def test_parameters_of_another_script_are_left() -> None:
    saved = {"epochs": 3, "momentum": 0.9, "lr": "fast", "seed": True, "amp": 1, "keep": None}
    assert continued({}, saved, SOURCE) == Options(epochs=3)


@pytest.mark.parametrize(
    "given", [{"target": "volatility"}, {"train_end": "2020-01-01"}, {"close_column": "x"}, {"drop_bad_rows": True}]
)
def test_another_task_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(OtherTaskError) as caught:
        continued(given, SAVED, SOURCE)
    assert caught.value.exit_code == 4
    assert "--" + next(iter(given)).replace("_", "-") in str(caught.value)
    assert continued({name: SAVED[name] for name in given}, SAVED, SOURCE) == continued({}, SAVED, SOURCE)


def test_another_split_may_come_with_other_data_but_no_other_target() -> None:
    options = continued({"train_end": "2020-01-01", "allow_changed_data": True}, SAVED, SOURCE)
    assert options.train_end == "2020-01-01"
    with pytest.raises(OtherTaskError):
        continued({"target": "volatility", "allow_changed_data": True}, SAVED, SOURCE)


def test_the_day_of_the_split_stays_with_other_data_unless_another_is_asked_for() -> None:
    saved = {**SAVED, "train_fraction": 0.8, SPLIT_DAY: "2015-03-04"}
    assert continued({}, saved, SOURCE).split_day() is None  # the same data: the fraction gives the same day
    for given in ({}, {"train_fraction": 0.8}):
        options = continued({**given, "allow_changed_data": True}, saved, SOURCE)
        assert options.split_day() == date(2015, 3, 4)
        later = {**options.parameters(), SPLIT_DAY: "2015-03-04"}
        assert continued({**given}, later, SOURCE).split_day() == date(2015, 3, 4)
    anew = continued({"train_fraction": 0.5, "allow_changed_data": True}, saved, SOURCE)
    assert anew.split_day() is None and "split_kept" not in anew.parameters()
    elsewhere = continued({"train_end": "2016-01-01", "allow_changed_data": True}, saved, SOURCE)
    assert elsewhere.split_day() == date(2016, 1, 1)


@pytest.mark.parametrize("day", [None, 7, "soon"])
def test_a_day_that_is_none_is_not_kept(day: object) -> None:
    assert continued({"allow_changed_data": True}, {**SAVED, SPLIT_DAY: day}, SOURCE).split_day() is None


def test_split_day() -> None:
    assert Options().split_day() == date(2009, 12, 31)
    assert Options(train_fraction=0.5).split_day() is None
    assert Options(data="mine.csv").split_day() is None
    assert Options(data="mine.csv", train_end="2020-02-03").split_day() == date(2020, 2, 3)
