"""How a run goes on: S3 to S5, S12 to S16, S24, stop signals, requeues."""

import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

import unbroken
from tests.contract.commands import DONE, NOTHING_TO_RESUME, ROOT, STOPPED, Ended, Running, digests, run
from tests.contract.conftest import EPOCHS, TASK, Copy, Trained
from tests.kill.toolkit.digests import differences, digest

# What may differ between two equal runs: when they were saved, how often, where, and which spent gradients a process
# still has to keep that has not yet seen enough of them dropped.
_OF_THE_PROCESS = (
    *("timestamp", "unbroken.run_id", "unbroken.config.checkpoint_every_steps", "unbroken.environment"),
    # A resume is told of, and how long the epochs before it were for the loop of that process.
    *("unbroken.grads", "unbroken.replays", "unbroken.epoch_before"),
)


def state_bits(payload: dict[str, Any]) -> dict[str, str]:
    return {
        name: bits
        for name, bits in digest(payload, "").items()
        if not name.startswith(_OF_THE_PROCESS) and name != "unbroken.config/kind"
    }


def results(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    del read["parameters"]
    return read


def test_s03_the_full_state_comes_back(interrupted: Trained, resumed: Trained) -> None:
    before, after = interrupted.payload("latest"), resumed.payload("latest")
    done = before["epoch"]
    for history in ("train_losses", "val_losses", "aucs"):
        assert after[history][:done] == before[history]
    assert after["scheduler_state_dict"]["last_epoch"] == EPOCHS
    steps = {float(state["step"]) for state in after["optimizer_state_dict"]["state"].values()}
    assert steps == {float(after["unbroken"]["step"])}


def test_s04_nothing_is_preprocessed_twice(interrupted: Trained, resumed: Trained) -> None:
    def cache(trained: Trained) -> tuple[int, bytes]:
        path = trained.folder / "processed_data.npz"
        return path.stat().st_mtime_ns, path.read_bytes()

    assert "数据已完成预处理并缓存" in interrupted.ended.out
    assert "Data preprocessed" not in resumed.ended.out and "Preprocessed data reused" in resumed.ended.out
    assert cache(resumed) == cache(interrupted)


def test_s05_training_resumes_from_another_than_the_newest(finished: Trained, from_epoch_10: Trained) -> None:
    assert finished.payload("latest")["epoch"] == EPOCHS
    after = from_epoch_10.payload("latest")
    assert after["unbroken"]["parent"]["epoch"] == 10
    assert after["unbroken"]["run_id"] == finished.payload("latest")["unbroken"]["run_id"]
    archived = {path.read_bytes() for path in from_epoch_10.folder.rglob("*.pth")}
    assert finished.checkpoint("epoch_10").read_bytes() in archived
    assert finished.checkpoint("latest").read_bytes() in archived


@pytest.mark.slow
@pytest.mark.parametrize("name", ["epoch_5", "best", "previous", "latest"])
def test_s05_training_resumes_from_any_checkpoint(finished: Trained, copy: Copy, name: str) -> None:
    folder = copy(finished)
    done = finished.payload(name)["epoch"]
    path = f"checkpoints/checkpoint_{name}.pth"
    ended = run(folder, "Training.py", "--resume", path, "--epochs", str(done + 1))
    assert ended.code == DONE, ended.said
    assert f"恢复训练，从 epoch {done + 1} 开始" in ended.out
    payload = unbroken.load(folder / "checkpoints" / "checkpoint_latest.pth")
    assert payload["epoch"] == len(payload["aucs"]) == done + 1
    compared = min(done + 1, EPOCHS)
    assert payload["aucs"][:compared] == finished.payload("latest")["aucs"][:compared]


def test_s12_resume_training_finds_the_newest_checkpoint_by_itself(interrupted: Trained, resumed: Trained) -> None:
    done = interrupted.payload("latest")["epoch"]
    assert f"恢复训练，从 epoch {done + 1} 开始" in resumed.ended.out
    told = re.findall(rf"epoch (\d+)/{EPOCHS}  train", resumed.ended.out)
    assert told == [str(epoch) for epoch in range(done + 1, EPOCHS + 1)]


@pytest.mark.slow
def test_s12_the_newest_is_known_by_what_it_holds_and_not_by_its_time(resumed: Trained, copy: Copy) -> None:
    folder = copy(resumed)
    checkpoints = folder / "checkpoints"
    assert run(folder, "resume_training.py", "--epochs", str(EPOCHS + 2), "--lr", "0.002").code == DONE
    for seconds, name in enumerate(("latest", "previous", "epoch_10", "best", "epoch_5"), 1):  # the oldest is youngest
        path = checkpoints / f"checkpoint_{name}.pth"
        os.utime(path, (1e9 + seconds, 1e9 + seconds))
    ended = run(folder, "resume_training.py")
    assert ended.code == DONE and f"{EPOCHS + 2} of {EPOCHS + 2} epochs were done before" in ended.out, ended.said
    assert '"lr": 0.002' in ended.out and "Parameter" not in ended.out.partition("恢复训练")[2]


def test_s13_resume_from_the_newest_by_hand(interrupted: Trained, by_hand: Trained) -> None:
    before, after = interrupted.payload("latest"), by_hand.payload("latest")
    assert f"恢复训练，从 epoch {before['epoch'] + 1} 开始" in by_hand.ended.out
    assert after["epoch"] == before["epoch"] + 1 and after["aucs"][:-1] == before["aucs"]
    assert after["unbroken"]["run_id"] == before["unbroken"]["run_id"]
    assert after["unbroken"]["parent"] is None  # the newest: no branch


def test_s14_resume_from_epoch_10_trains_epoch_11_next(finished: Trained, from_epoch_10: Trained) -> None:
    said = from_epoch_10.ended.out
    assert "恢复训练，从 epoch 11 开始" in said
    assert re.findall(rf"epoch (\d+)/{EPOCHS}  train", said) == ["11", "12"]
    assert results(from_epoch_10.folder) == results(finished.folder)


def test_s15_list_shows_every_checkpoint_and_changes_nothing(finished: Trained) -> None:
    before = digests(finished.folder)
    ended = run(finished.folder, "resume_training.py", "--list")
    assert ended.code == DONE and ended.err == ""
    for path in sorted((finished.folder / "checkpoints").glob("*.pth")):
        epoch = unbroken.load(path)["epoch"]
        lines = [line for line in ended.out.splitlines() if path.name in line]
        assert len(lines) == 1 and re.search(rf"\b{epoch}\b", lines[0]), ended.out
    assert digests(finished.folder) == before


def test_s15_list_of_nothing_says_what_to_run(tmp_path: Path) -> None:
    ended = run(tmp_path, "resume_training.py", "--list")
    assert ended.code == NOTHING_TO_RESUME
    assert "checkpoints" in ended.said and "Traceback" not in ended.said
    assert not any(tmp_path.iterdir())


def test_s15_list_does_not_import_what_trains(finished: Trained) -> None:
    listing = [sys.executable, "-X", "importtime", str(ROOT / "resume_training.py"), "--list"]
    traced = subprocess.run(listing, cwd=finished.folder, capture_output=True, text=True)
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in traced.stderr.splitlines()}
    assert {"unbroken", "forecaster"} <= imported
    assert not imported & {"torch", "pandas", "matplotlib", "numpy"}


@pytest.mark.slow
def test_s15_list_answers_at_once(finished: Trained) -> None:
    """The median of five; half a second is the promise, and it needs a machine that does nothing else."""

    def seconds() -> float:
        started = time.perf_counter()
        assert run(finished.folder, "resume_training.py", "--list").code == DONE
        return time.perf_counter() - started

    print(f"resume_training.py --list: {statistics.median(seconds() for _ in range(5)):.3f} s, median of 5")


def lines_from(out: str, beginning: str) -> list[str]:
    lines = out.splitlines()
    return lines[next(number for number, line in enumerate(lines) if beginning in line) :]


def test_s16_the_log_shows_where_it_goes_on_and_the_best_so_far(interrupted: Trained, resumed: Trained) -> None:
    payload = interrupted.payload("latest")
    own = payload["unbroken"]
    expected = [
        f"恢复训练，从 epoch {payload['epoch'] + 1} 开始",
        f"当前最佳相关系数: {payload['best_corr']:.6f} (epoch {payload['best_epoch']})",
        f"第 {payload['epoch'] + 1} 轮已完成 {own['batch']}/{own['batches']} 批",
    ]
    assert own["batch"] > 0
    for text in (resumed.ended.out, resumed.log):
        said = lines_from(text, "恢复训练")[:3]
        assert [line.endswith(wanted) for line, wanted in zip(said, expected, strict=True)] == [True] * 3, said
    assert resumed.log.count("恢复训练，从 epoch") == 1


def test_s16_before_there_is_a_best(requeued: Trained) -> None:
    said = lines_from(requeued.ended.out, "恢复训练")
    assert said[:2] == ["恢复训练，从 epoch 1 开始", "当前最佳相关系数: 暂无"]
    assert "轮已完成" not in requeued.ended.out


def test_s24_a_resumed_run_ends_bit_for_bit_as_one_never_interrupted(finished: Trained, resumed: Trained) -> None:
    names = sorted(path.name for path in (finished.folder / "checkpoints").glob("*.pth"))
    assert names == sorted(path.name for path in (resumed.folder / "checkpoints").glob("*.pth"))
    for name in ("latest", "best", "epoch_5", "epoch_10"):
        parted = differences(state_bits(resumed.payload(name)), state_bits(finished.payload(name)))
        assert not parted, f"{name}: {parted[0]} and {len(parted) - 1} more"
    assert results(resumed.folder) == results(finished.folder)


@pytest.mark.slow
def test_s24_a_changed_architecture_is_named_parameter_by_parameter(finished: Trained, copy: Copy) -> None:
    folder = copy(finished)
    payload = finished.payload("epoch_10")
    model = payload["model_state_dict"]
    model["linear.weight"] = torch.zeros(1, 7)
    model["renamed.bias"] = model.pop("linear.bias")
    torch.save(payload, folder / "other.pth")
    before = digests(folder)
    ended = run(folder, "Training.py", "--resume", "other.pth")
    assert ended.code == 4, ended.said
    for named in ("linear.weight", "[1, 7]", "[1, 360]", "renamed.bias", "linear.bias"):
        assert named in ended.err
    assert len(ended.err.splitlines()) == 1 and "Traceback" not in ended.said
    assert digests(folder) == before


def test_sigterm_saves_and_says_how_to_go_on(interrupted: Trained) -> None:
    assert interrupted.ended.code == STOPPED
    assert interrupted.payload("latest")["unbroken"]["reason"] == "signal"
    (said,) = (line for line in interrupted.ended.out.splitlines() if "SIGTERM" in line)
    assert "checkpoint_latest.pth" in said and "再次运行" in said
    assert interrupted.ended.err == ""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGUSR1], ids=lambda number: number.name)
def test_other_stop_signals_save_too(fresh: Path, finished: Trained, number: signal.Signals) -> None:
    with Running(fresh, "Training.py", *TASK) as trainer:
        trainer.wait_until_said("epoch 2/")
        trainer.send(number)
        ended = trainer.end()
    assert ended.code == STOPPED and number.name in ended.out, ended.said
    assert run(fresh, "resume_training.py").code == DONE
    assert results(fresh) == results(finished.folder)


def test_a_requeued_job_resumes_although_it_is_the_command_that_starts(
    barely_begun: Trained, requeued: Trained
) -> None:
    assert "SLURM_RESTART_COUNT" in requeued.ended.out and "恢复训练，从 epoch 1 开始" in requeued.ended.out
    assert not (requeued.folder / "checkpoints" / "archive").exists()
    before, after = barely_begun.payload("latest"), requeued.payload("latest")
    assert after["unbroken"]["run_id"] == before["unbroken"]["run_id"]


@pytest.mark.slow
def test_a_job_queued_for_the_first_time_starts(interrupted: Trained, copy: Copy) -> None:
    folder = copy(interrupted)
    ended = run(folder, "Training.py", *TASK, "--epochs", "1", variables={"TORCHELASTIC_RESTART_COUNT": "0"})
    assert ended.code == DONE and "恢复训练" not in ended.out, ended.said


@pytest.mark.slow
def test_starting_again_moves_the_former_run_aside_and_says_how_to_go_on_with_it(
    interrupted: Trained, copy: Copy
) -> None:
    folder = copy(interrupted)
    former = {path.read_bytes() for path in (folder / "checkpoints").glob("*.pth")}
    ended = run(folder, "Training.py", *TASK, "--epochs", "1")
    assert ended.code == DONE, ended.said
    archive = folder / "checkpoints" / "archive"
    assert {path.read_bytes() for path in archive.rglob("*.pth")} == former
    assert "NOT finished" in ended.out
    named = re.search(r"--resume (\S+\.pth)", ended.out)
    assert named is not None and (folder / named[1]).read_bytes() == interrupted.checkpoint("latest").read_bytes()


@pytest.mark.slow
def test_resuming_a_finished_run_trains_nothing_and_says_so(finished: Trained, copy: Copy) -> None:
    folder = copy(finished)
    ended: Ended = run(folder, "resume_training.py")
    assert ended.code == DONE, ended.said
    assert f"{EPOCHS} of {EPOCHS} epochs were done before" in ended.out
    assert "train loss" not in ended.out
    assert results(folder) == results(finished.folder)
