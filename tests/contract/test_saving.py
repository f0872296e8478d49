"""What is saved, when, under which names, and that anybody can open it: S1, S2, S6 to S11, S17, S27."""

import json
import math
import re
import signal
import zipfile
from pathlib import Path

import numpy as np
import pytest

import unbroken
from tests.contract.commands import DONE, Running, digests, run, run_python
from tests.contract.conftest import EPOCHS, TASK, Trained

CONTRACT_KEYS = {
    *("epoch", "model_state_dict", "optimizer_state_dict", "scheduler_state_dict", "train_losses", "val_losses"),
    *("aucs", "best_corr", "best_epoch", "timestamp"),
}


def numbered(folder: Path) -> list[int]:
    """The epochs that have a checkpoint of their own."""
    names = (re.fullmatch(r"checkpoint_epoch_(\d+)\.pth", path.name) for path in (folder / "checkpoints").iterdir())
    return sorted(int(name[1]) for name in names if name)


def test_s01_state_is_saved_by_itself_every_n_epochs(finished: Trained) -> None:
    assert numbered(finished.folder) == [5, 10]


def test_s02_the_newest_state_is_saved_after_every_epoch(finished: Trained) -> None:
    assert finished.saves == 1 + EPOCHS  # the first before anything is trained
    assert finished.payload("latest")["epoch"] == EPOCHS


def test_s06_latest_is_replaced_after_every_epoch_and_in_between(finished: Trained, interrupted: Trained) -> None:
    assert interrupted.saves > 1 + 7  # only six epochs were done, and a seventh begun
    inside = interrupted.payload("latest")
    assert inside["epoch"] < EPOCHS and inside["unbroken"]["batch"] > 0
    assert finished.payload("previous")["epoch"] == EPOCHS - 1


def test_s07_a_numbered_checkpoint_holds_the_state_after_that_epoch(finished: Trained) -> None:
    for epoch in (5, 10):
        payload = finished.payload(f"epoch_{epoch}")
        assert payload["epoch"] == epoch
        for history in ("train_losses", "val_losses", "aucs"):
            assert payload[history] == finished.payload("latest")[history][:epoch]


def test_s08_preprocessed_data_are_cached_where_numpy_opens_them(finished: Trained) -> None:
    with np.load(finished.folder / "processed_data.npz", allow_pickle=False) as cache:
        assert cache["features"].shape == (360, 6)
        assert np.isfinite(cache["training_label"]).all()


def test_s09_the_log_tells_every_epoch(finished: Trained) -> None:
    told = re.findall(rf"epoch (\d+)/{EPOCHS} +train loss [\d.]+ +val loss [\d.]+ +correlation -?[\d.]+", finished.log)
    assert told == [str(epoch) for epoch in range(1, EPOCHS + 1)]


def test_s10_training_starts_from_the_start_with_a_checkpoint_every_5_epochs(finished: Trained) -> None:
    assert finished.log.count("Training from the start") == 1
    assert "恢复训练" not in finished.log
    assert numbered(finished.folder) == [5, 10]
    results = json.loads((finished.folder / "results.json").read_text(encoding="utf-8"))
    assert results["history"]["aucs"] == finished.payload("latest")["aucs"]
    assert (finished.folder / "training_curves.png").stat().st_size > 0


@pytest.mark.slow
def test_s10_training_without_any_flag_in_an_empty_folder(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    with Running(folder, "Training.py") as trainer:
        trainer.wait_for_saves(1, "checkpoint_epoch_5.pth")
        trainer.send(signal.SIGTERM)
        assert trainer.end().code == 75
    with Running(folder, "resume_training.py") as trainer:
        trainer.wait_for_saves(1, "checkpoint_epoch_10.pth")
        trainer.send(signal.SIGKILL)
        trainer.end()
    assert run(folder, "resume_training.py", "--epochs", "11").code == DONE
    assert numbered(folder) == [5, 10]
    log = (folder / "training.log").read_text(encoding="utf-8")
    assert [int(epoch) for epoch in re.findall(r"epoch (\d+)/\d+  train", log)] == list(range(1, 12))


@pytest.mark.parametrize(
    ("frequency", "expected"),
    [
        ("3", [3, 6]),
        pytest.param("2", [2, 4, 6], marks=pytest.mark.slow),
        pytest.param("10", [], marks=pytest.mark.slow),
    ],
)
def test_s11_a_checkpoint_every_n_epochs(fresh: Path, frequency: str, expected: list[int]) -> None:
    ended = run(fresh, "Training.py", "--data", "panel.csv", "--epochs", "7", "--checkpoint-freq", frequency)
    assert ended.code == DONE, ended.said
    assert numbered(fresh) == expected
    assert unbroken.load(fresh / "checkpoints" / "checkpoint_latest.pth")["epoch"] == 7


OPEN_ALL = """
import json, torch
said = {}
for path in sys.argv[1:]:
    payload = torch.load(path, weights_only=True)
    said[path] = {key: payload[key] for key in payload if key in ("epoch", "best_corr", "best_epoch", "timestamp")}
    said[path]["keys"] = list(payload)
    said[path]["lengths"] = [len(payload[key]) for key in ("train_losses", "val_losses", "aucs")]
    said[path]["kinds"] = sorted({type(value).__name__ for key in ("train_losses", "val_losses", "aucs")
                                  for value in payload[key]})
    said[path]["tensors"] = sum(torch.is_tensor(value) for value in payload["model_state_dict"].values())
assert "unbroken" not in sys.modules
print(json.dumps(said))
"""


def test_s17_plain_torch_opens_every_checkpoint_without_this_project(
    finished: Trained, interrupted: Trained, resumed: Trained, barely_begun: Trained
) -> None:
    folders = [trained.folder / "checkpoints" for trained in (finished, interrupted, resumed, barely_begun)]
    paths = [str(path) for folder in folders for path in sorted(folder.glob("*.pth"))]
    ended = run_python(finished.folder, OPEN_ALL, *paths)
    assert ended.code == 0, ended.said
    for path, said in json.loads(ended.out).items():
        assert set(said["keys"]) >= CONTRACT_KEYS, path
        assert said["lengths"] == [said["epoch"]] * 3, path
        assert set(said["kinds"]) <= {"float"}, path
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", said["timestamp"]), path
        assert said["tensors"] > 10, path
        assert 0 <= said["best_epoch"] <= said["epoch"], path


def test_s17_before_there_is_a_best(barely_begun: Trained) -> None:
    payload = barely_begun.payload("latest")
    assert (payload["best_corr"], payload["best_epoch"], payload["epoch"]) == (-math.inf, 0, 0)


def test_s17_the_best_is_that_of_the_history(finished: Trained) -> None:
    payload = finished.payload("latest")
    best = max(payload["aucs"])
    assert (payload["best_corr"], payload["best_epoch"]) == (best, payload["aucs"].index(best) + 1)
    assert finished.payload("best")["epoch"] == payload["best_epoch"]


def test_s17_a_plain_script_that_goes_on_from_inside_an_epoch_is_not_misled(interrupted: Trained) -> None:
    payload = interrupted.payload("latest")
    assert payload["unbroken"]["batch"] > 0
    assert [len(payload[key]) for key in ("train_losses", "val_losses", "aucs")] == [payload["epoch"]] * 3
    with zipfile.ZipFile(interrupted.checkpoint("latest")) as file:
        assert file.testzip() is None


PLAIN_WRITER = """
import torch
payload = torch.load(sys.argv[1], weights_only=True)
plain = {key: payload[key] for key in sys.argv[3].split(",")}
torch.save(plain, sys.argv[2])
"""


@pytest.mark.parametrize(
    "by_hand", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["--resume", "resume_training.py"]
)
def test_s17_a_file_of_a_plain_script_with_the_ten_keys_alone_is_resumed_from(
    fresh: Path, finished: Trained, by_hand: bool
) -> None:
    place = fresh / "from_my_script.pth" if by_hand else fresh / "checkpoints" / "checkpoint_latest.pth"
    place.parent.mkdir(exist_ok=True)
    keys = ",".join(sorted(CONTRACT_KEYS))
    written = run_python(fresh, PLAIN_WRITER, str(finished.checkpoint("epoch_10")), str(place), keys)
    assert written.code == 0, written.said
    before = digests(fresh)
    command = ("Training.py", "--resume", "from_my_script.pth") if by_hand else ("resume_training.py",)
    ended = run(fresh, *command, *TASK)
    assert ended.code == DONE, ended.said
    assert "恢复训练，从 epoch 11 开始" in ended.out
    payload = unbroken.load(fresh / "checkpoints" / "checkpoint_latest.pth")
    assert payload["epoch"] == EPOCHS
    assert payload["aucs"][:10] == finished.payload("epoch_10")["aucs"]
    if by_hand:
        assert digests(fresh)["from_my_script.pth"] == before["from_my_script.pth"]


def test_s27_every_n_steps_a_kill_costs_steps_and_not_epochs(fresh: Path) -> None:
    with Running(fresh, "Training.py", *TASK, "--batch-size", "1", "--checkpoint-every-steps", "10") as trainer:
        trainer.wait_for_saves(3)  # the first holds no step
        trainer.send(signal.SIGKILL)
        assert trainer.end().code == -signal.SIGKILL
    ended = run(fresh, "unbroken", "resume-point", "--json")
    assert ended.code == DONE, ended.said
    # The kill may have come right behind the end of an epoch; then the save before that is one after so many steps.
    names = ("checkpoint_latest.pth", "checkpoint_previous.pth")
    latest, previous = (unbroken.load(fresh / "checkpoints" / name)["unbroken"] for name in names)
    own = previous if latest["reason"] == "epoch" else latest
    assert own["reason"] == "steps" and latest["step"] >= 20
    assert json.loads(ended.out)["chosen"] is not None


@pytest.mark.slow
def test_s27_every_t_minutes(fresh: Path) -> None:
    with Running(fresh, "Training.py", *TASK, "--batch-size", "1", "--checkpoint-every", "0.05s") as trainer:
        trainer.wait_for_saves(3)
        trainer.send(signal.SIGKILL)
        trainer.end()
    assert unbroken.load(fresh / "checkpoints" / "checkpoint_latest.pth")["unbroken"]["reason"] == "time"
