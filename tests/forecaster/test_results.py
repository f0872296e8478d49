"""What a training ends with: figures that are valid JSON, a picture, and where it was resumed."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from forecaster.baselines import Yardsticks
from forecaster.compare import table
from forecaster.errors import AccessError
from forecaster.options import Options
from forecaster.panel import read_panel
from forecaster.plots import draw, resumed_epochs
from forecaster.results import write_results
from forecaster.splits import Split
from forecaster.train import Outcome
from forecaster.windows import make_windows


@pytest.fixture
def outcome(panel_file: Path) -> Outcome:
    windows = make_windows(read_panel(panel_file), "volatility", Split(), source=panel_file)
    return Outcome(
        windows=windows,
        yardsticks=Yardsticks(persistence=0.5, ridge=0.6, ridge_penalty=10.0),
        train_losses=(0.3, math.inf),
        val_losses=(0.2, math.nan),
        correlations=(0.55, math.nan),
        best=0.55,
        best_epoch=1,
        predictions=np.linspace(-4, -3, len(windows.validation)),
    )


def test_not_a_number_is_null(tmp_path: Path, outcome: Outcome) -> None:
    path = tmp_path / "results.json"
    path.write_text("the last run's")
    write_results(path, outcome, Options())
    read = json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda constant: pytest.fail(constant))
    assert read["history"] == {"train_losses": [0.3, None], "val_losses": [0.2, None], "aucs": [0.55, None]}
    assert read["correlation"]["network_last"] is None
    assert read["correlation"]["network_best"] == 0.55
    assert sorted(path.parent.iterdir()) == [tmp_path / "panel.csv", path]


def test_a_folder_in_the_way_is_one_line(tmp_path: Path, outcome: Outcome) -> None:
    (tmp_path / "results.json").mkdir()
    with pytest.raises(AccessError, match=r"results\.json can't be written"):
        write_results(tmp_path / "results.json", outcome, Options())
    assert not list(tmp_path.glob(".results*"))


def test_picture_of_any_outcome(tmp_path: Path, outcome: Outcome) -> None:
    path = tmp_path / "curves.png"
    draw(path, outcome, "volatility", [])
    plain = path.read_bytes()
    draw(path, outcome, "volatility", [])
    assert path.read_bytes() == plain
    pictures = {plain}
    changes = ({}, {"learning_rates": (1e-3, 5e-4)}, {"learning_rates": (math.nan, 5e-4)}, {"run": "0123456789abcdef"})
    for change in changes:
        draw(path, replace(outcome, **change), "volatility", [2])
        pictures.add(path.read_bytes())
    assert len(pictures) == 1 + len(changes)  # resumes, rates and the run's name are to be seen


def test_resumes_are_read_from_the_log(tmp_path: Path) -> None:
    log = tmp_path / "training.log"
    assert resumed_epochs(log) == []
    lines = [
        "2026-01-01 00:00:00 INFO 恢复训练，从 epoch 9 开始",  # of the run before
        "2026-01-01 00:00:00 INFO Epoch 1 begins: a new run.",
        "2026-01-01 00:00:00 INFO 恢复训练，从 epoch 4 开始",
        "2026-01-01 00:00:00 INFO 恢复训练，从 epoch 16 开始",
        "2026-01-01 00:00:00 INFO 恢复训练，从 epoch 11 开始",  # from an older checkpoint: what followed was left
    ]
    log.write_text("\n".join(lines), encoding="utf-8")
    assert resumed_epochs(log) == [4, 11]
    with log.open("a", encoding="utf-8") as more:
        more.write("\n2026-01-02 00:00:00 INFO 从第 1 轮开始：新的训练。\n")
    assert resumed_epochs(log) == []


def test_table_of_several_seeds(outcome: Outcome) -> None:
    said = table([outcome, outcome])
    assert "| network, best epoch | 0.5500 ± 0.0000 | 0.5500 – 0.5500 |" in said
    assert "| ridge regression | 0.6000 |" in said
