"""The user's two commands, whole, on a small panel: what they write, what they say, and that they resume exactly."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import unbroken
from forecaster.cli import resume, training
from tests.forecaster.panels import make_table

ROOT = Path(__file__).parents[2]
TINY = ["--batch-size", "16", "--threads", "1"]


def no_list(folder: str) -> int:
    raise AssertionError(f"listing {folder} was not asked for")


def train(panel: Path, *argv: str) -> int:
    return training(["--data", str(panel), *TINY, *argv])


def go_on(*argv: str) -> int:
    return resume(argv, list_checkpoints=no_list)


def results() -> dict[str, object]:
    def refuse(constant: str) -> object:
        raise AssertionError(f"{constant} in results.json")

    read: dict[str, object] = json.loads(Path("results.json").read_text(encoding="utf-8"), parse_constant=refuse)
    return read


def log_lines() -> list[str]:
    return Path("training.log").read_text(encoding="utf-8").splitlines()


def weights(name: str = "checkpoint_latest.pth") -> dict[str, torch.Tensor]:
    payload = torch.load(Path("checkpoints") / name, weights_only=True)
    state: dict[str, torch.Tensor] = payload["model_state_dict"]
    return state


def test_a_run_from_the_start(here: Path, panel_file: Path) -> None:
    assert train(panel_file, "--epochs", "5", "--checkpoint-freq", "2") == 0
    names = {path.name for path in (here / "checkpoints").glob("*.pth")}
    numbered = {name for name in names if "epoch" in name}
    assert numbered == {"checkpoint_epoch_2.pth", "checkpoint_epoch_4.pth"}
    assert {"checkpoint_latest.pth", "checkpoint_best.pth"} <= names
    assert (here / "training_curves.png").read_bytes().startswith(b"\x89PNG")
    payload = torch.load(here / "checkpoints" / "checkpoint_latest.pth", weights_only=True)
    assert payload["epoch"] == len(payload["aucs"]) == len(payload["train_losses"]) == len(payload["val_losses"]) == 5
    assert payload["scheduler_state_dict"]["last_epoch"] == 5
    correlation = results()["correlation"]
    assert isinstance(correlation, dict)
    assert correlation["network_last"] == payload["aucs"][-1]
    assert correlation["network_best"] == payload["best_corr"] == max(payload["aucs"])
    said = "\n".join(log_lines())
    assert '"checkpoint_freq": 2' in said
    assert "persistence" in said and "ridge" in said
    assert len(re.findall(r"epoch \d/5  train loss", said)) == 5
    with np.load(here / "processed_data.npz", allow_pickle=False) as cache:
        assert cache["features"].shape == (320, 6)


def test_the_same_command_twice_gives_the_same_bits(here: Path, panel_file: Path) -> None:
    assert train(panel_file, "--epochs", "2") == 0
    first, figures = weights(), Path("results.json").read_bytes()
    assert train(panel_file, "--epochs", "2") == 0
    assert Path("results.json").read_bytes() == figures
    assert all(torch.equal(value, weights()[name]) for name, value in first.items())
    assert any("reused" in line for line in log_lines())
    assert train(panel_file, "--epochs", "2", "--seed", "2") == 0
    assert not all(torch.equal(value, weights()[name]) for name, value in first.items())


def test_a_longer_run_goes_on_where_the_shorter_ended(here: Path, panel_file: Path) -> None:
    assert train(panel_file, "--epochs", "4") == 0
    expected = Path("results.json").read_bytes()
    assert train(panel_file, "--epochs", "2") == 0
    assert go_on("--epochs", "4") == 0
    assert Path("results.json").read_bytes() == expected
    assert go_on() == 0
    assert Path("results.json").read_bytes() == expected
    said = log_lines()
    assert any("complete already (4 epochs)" in line for line in said)
    start = next(number for number, line in enumerate(said) if "恢复训练，从 epoch 3 开始" in line)
    assert re.search(r"当前最佳相关系数: -?0\.\d{6} \(epoch \d\)$", said[start + 1])
    assert any("epochs: 2 → 4" in line for line in said[start:])


def test_from_one_epoch_by_hand(here: Path, panel_file: Path) -> None:
    assert train(panel_file, "--epochs", "4", "--checkpoint-freq", "1") == 0
    expected = Path("results.json").read_bytes()
    assert training(["--resume", "./checkpoints/checkpoint_epoch_2.pth"]) == 0
    assert any("恢复训练，从 epoch 3 开始" in line for line in log_lines())
    assert Path("results.json").read_bytes() == expected


def test_a_rate_given_on_a_resume_is_used(here: Path, panel_file: Path) -> None:
    assert train(panel_file, "--epochs", "1", "--lr", "1e-3") == 0
    assert go_on("--epochs", "2", "--lr", "1e-4") == 0
    payload = unbroken.load("checkpoints/checkpoint_latest.pth")
    assert payload["optimizer_state_dict"]["param_groups"][0]["lr"] == 1e-4
    assert sum("optimizer.lr: 0.001 → 0.0001" in line for line in log_lines()) == 1
    assert go_on("--epochs", "3") == 0  # and the run keeps it
    payload = unbroken.load("checkpoints/checkpoint_latest.pth")
    assert payload["optimizer_state_dict"]["param_groups"][0]["lr"] == 1e-4
    assert payload["unbroken"]["config"]["lr"] == 1e-4


def test_a_weight_decay_given_on_a_resume_is_used_and_a_seed_is_said_not_to_be(here: Path, panel_file: Path) -> None:
    assert train(panel_file, "--epochs", "1") == 0
    assert go_on("--epochs", "2", "--weight-decay", "0.5", "--seed", "7") == 0
    payload = unbroken.load("checkpoints/checkpoint_latest.pth")
    assert payload["optimizer_state_dict"]["param_groups"][0]["weight_decay"] == 0.5
    assert payload["unbroken"]["seed"] == 1
    said = "\n".join(log_lines())
    assert "optimizer.weight_decay: 0.01 → 0.5" in said and "seed: given 7, goes on with 1" in said


def test_a_rate_that_the_run_has_lowered_is_no_flag(here: Path, panel_file: Path) -> None:
    assert train(panel_file, "--epochs", "8", "--lr", "1e-7") == 0  # too little to get any better
    before = unbroken.load("checkpoints/checkpoint_latest.pth")["optimizer_state_dict"]["param_groups"][0]["lr"]
    assert before < 1e-7
    assert go_on("--epochs", "9") == 0
    after = unbroken.load("checkpoints/checkpoint_latest.pth")["optimizer_state_dict"]["param_groups"][0]["lr"]
    assert after <= before and not any("optimizer.lr" in line for line in log_lines())


@pytest.mark.slow
def test_the_same_resume_again_goes_on_with_what_came_of_it(here: Path, panel_file: Path) -> None:
    assert train(panel_file, "--epochs", "4", "--checkpoint-freq", "1") == 0
    again = [
        sys.executable,
        str(ROOT / "Training.py"),
        "--resume",
        "checkpoints/checkpoint_epoch_2.pth",
        "--epochs",
        "6",
    ]
    slow = {**os.environ, "UNBROKEN_LANG": "en", "PYTHONPATH": str(ROOT / "src")}
    codes = [subprocess.run([*again, "--stop-after", "0.001s"], env=slow, timeout=100).returncode for _ in range(3)]
    assert codes == [75, 75, 75]
    assert any("going on from its newest state" in line for line in log_lines())


def test_a_newest_checkpoint_that_is_a_link_is_found(here: Path, panel_file: Path) -> None:
    assert train(panel_file, "--epochs", "2", "--checkpoint-freq", "1") == 0
    folder = here / "checkpoints"
    for name in ("latest", "best", "previous"):
        (folder / f"checkpoint_{name}.pth").unlink(missing_ok=True)
    (folder / "checkpoint_epoch_1.pth").unlink()
    (folder / "store").mkdir()
    (folder / "checkpoint_epoch_2.pth").rename(folder / "store" / "e2.bin")
    (folder / "checkpoint_latest.pth").symlink_to("store/e2.bin")
    assert go_on("--epochs", "3") == 0
    assert any("恢复训练，从 epoch 3 开始" in line for line in log_lines())
    (folder / "checkpoint_latest.pth").unlink()
    for path in folder.glob("*.pth"):
        path.unlink()
    (folder / "checkpoint_latest.pth").symlink_to("/nowhere/e2.bin")
    assert go_on("--epochs", "4") == 5


def test_another_target_or_other_data_are_refused(
    here: Path, panel_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(panel_file, "--epochs", "1") == 0
    before = weights()
    assert go_on("--epochs", "2", "--target", "return") == 4
    assert "--target" in capsys.readouterr().err
    other = tmp_path / "other.csv"
    other.write_text(panel_file.read_text().replace("2020-01-01", "2019-12-31"))
    assert go_on("--epochs", "2", "--data", str(other)) == 4
    assert "other.csv" in capsys.readouterr().err
    assert all(torch.equal(value, weights()[name]) for name, value in before.items())
    assert go_on("--epochs", "2", "--data", str(other), "--allow-changed-data") == 0


def test_target_return(here: Path, panel_file: Path) -> None:
    assert train(panel_file, "--epochs", "1", "--target", "return") == 0
    assert results()["target"] == "return"


def test_nothing_to_resume_from(here: Path, panel_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert go_on() == 3
    said = capsys.readouterr().err
    assert "checkpoints" in said and "no such folder" in said and "python Training.py" in said
    (here / "checkpoints").mkdir()
    (here / "checkpoints" / "notes.txt").touch()
    (here / "processed_data.npz").touch()
    assert go_on() == 3
    said = capsys.readouterr().err
    assert "notes.txt" in said and "processed_data.npz are there" in said
    assert training(["--resume", "checkpoints/checkpoint_epoch_10.pth"]) == 3
    assert not list(here.glob("checkpoints/*.pth"))


def test_unusable_data_is_one_line(here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    binary = tmp_path / "x.csv"
    binary.write_bytes(b"\0" * 100)
    for data in (str(binary), "nowhere.csv", ""):
        assert training(["--data", data]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and "Traceback" not in said
    assert training(["--device", "cuda:77"]) == 2
    assert not (here / "checkpoints").exists()


def test_a_plain_checkpoint_can_be_resumed(here: Path, panel_file: Path) -> None:
    assert train(panel_file, "--epochs", "2") == 0
    payload = torch.load("checkpoints/checkpoint_latest.pth", weights_only=True)
    payload.pop("unbroken")
    torch.save(payload, "plain.pth")
    assert train(panel_file, "--epochs", "3", "--resume", "plain.pth") == 0
    assert torch.load("checkpoints/checkpoint_latest.pth", weights_only=True)["epoch"] == 3


def start(*argv: str, script: str = "Training.py") -> subprocess.Popen[str]:
    environment = {**os.environ, "UNBROKEN_LANG": "zh", "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, str(ROOT / script), *argv]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.slow
def test_stopped_in_an_epoch_and_resumed_in_another_process(here: Path, panel_file: Path) -> None:
    """A SIGTERM, then a SIGKILL, both in the middle of an epoch; the end has the bits of an undisturbed run."""
    flags = ["--epochs", "4", "--checkpoint-every-steps", "1", "--lang", "zh"]
    assert train(panel_file, *flags) == 0
    undisturbed = Path("results.json").read_bytes(), weights()

    for script, line, sent, code in (
        ("Training.py", "第 1/4 轮", signal.SIGTERM, 75),
        ("resume_training.py", "第 2/4 轮", signal.SIGKILL, -signal.SIGKILL),
    ):
        argv = ["--data", str(panel_file), *TINY, *flags] if script == "Training.py" else []
        with start(*argv, script=script) as process:
            assert process.stdout is not None
            for printed in process.stdout:
                if line in printed:
                    process.send_signal(sent)
                    break
            rest = process.stdout.read()
            assert process.wait() == code, rest
    assert go_on() == 0
    assert Path("results.json").read_bytes() == undisturbed[0]
    assert all(torch.equal(value, weights()[name]) for name, value in undisturbed[1].items())


def test_listing_imports_nothing_that_trains(here: Path, panel_file: Path) -> None:
    assert train(panel_file, "--epochs", "2", "--checkpoint-freq", "1") == 0
    listed = subprocess.run(
        [sys.executable, "-X", "importtime", str(ROOT / "resume_training.py"), "--list"],
        capture_output=True,
        text=True,
        check=True,
    )
    for name in ("checkpoint_latest.pth", "checkpoint_best.pth", "checkpoint_epoch_1.pth", "checkpoint_epoch_2.pth"):
        assert name in listed.stdout
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in listed.stderr.splitlines()}
    assert imported & {"torch", "pandas", "numpy", "matplotlib"} == set()
    assert "argparse" in imported


def test_with_other_data_the_split_stays_where_it_was(here: Path, panel_file: Path) -> None:
    assert train(panel_file, "--epochs", "2", "--train-fraction", "0.7") == 0
    before = results()
    make_table(days=200).to_csv(panel_file, index=False)
    given = ("--data", str(panel_file), "--train-fraction", "0.7", "--epochs")
    assert go_on(*given, "3", "--allow-changed-data") == 0
    after = results()
    assert after["train_end"] == before["train_end"]
    windows = [each["windows"] for each in (before, after)]
    assert windows[0]["training"] == windows[1]["training"] and windows[0]["validation"] < windows[1]["validation"]  # type: ignore[index]
    assert after["correlation"]["best_epoch"] == 3  # type: ignore[index]
    said = "\n".join(log_lines())
    assert f"still ends on {before['train_end']}" in said and "judged anew" in said
    assert go_on(*given, "4") == 0
    assert results()["train_end"] == before["train_end"]
    assert "".join(log_lines()).count("Data preprocessed") == 2
