"""What one of several processes does alone: it is meant so, or one line says what is wrong and how to go on."""

from pathlib import Path

import pytest

from tests.ranks.launched import Forked
from unbroken.loop.ranks import is_late

_SCRIPT = """
import os, signal, sys, time
from datetime import timedelta
import torch, torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset
import unbroken

WHAT = sys.argv[1]
if WHAT != "no group":
    dist.init_process_group("gloo", timeout=timedelta(seconds=3 if WHAT in ("slow", "save behind", "alone") else 60))
rank = int(os.environ["RANK"])
if WHAT == "alone" and rank == 1:
    time.sleep(6)
    sys.exit(1)
torch.manual_seed(1)
x = torch.randn(48, 4)
data = TensorDataset(x, x[:, :1])
loader = DataLoader(data, batch_size=12, shuffle=True)
if WHAT == "seed":
    loader = DataLoader(data, batch_size=6, sampler=DistributedSampler(data, seed=rank))
if WHAT == "sharded":
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    model = nn.Sequential(nn.Linear(4, 1))
    fully_shard(model, mesh=init_device_mesh("cpu", (2,)))
else:
    model = nn.Linear(4, 1) if WHAT in ("no group", "alone") else DistributedDataParallel(nn.Linear(4, 1))
kind = torch.optim.Adam if WHAT == "class" and rank else torch.optim.SGD
optimizer = kind(model.parameters(), lr=0.2 if WHAT == "lr" and rank else 0.1)


class Meter:
    seen = 0

    def state_dict(self):
        return {"seen": object() if WHAT == "unsavable" and rank and self.seen > 2 else self.seen}

    def load_state_dict(self, state):
        self.seen = state["seen"]


meter = Meter()
total = 0
run = unbroken.Run("checkpoints", every_steps=3)
run.track(model=getattr(model, "module", model), optimizer=optimizer, meter=meter)
if WHAT == "id" and rank == 0:
    print("the id is", run.id)
if WHAT == "csv" and rank == 0:
    log = run.log_csv("rows.csv")
try:
    for epoch in run.epochs(2):
        for inputs, targets in run.batches(loader):
            loss = nn.functional.mse_loss(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            meter.seen += 1
            total += 1
            if WHAT == "csv" and rank == 0:
                log(loss=loss)
            if WHAT == "signal" and run.step == 2:
                os.kill(os.getpid(), signal.SIGTERM)
            if WHAT == "error" and rank == 1 and run.step == 2:
                with run:
                    raise ValueError("of the user's")
        if WHAT == "slow" and rank == 0:
            time.sleep(6)
        if WHAT == "break" and rank == 1:
            model.module.bias.data += 1
        if WHAT in ("break", "leave"):
            break
except SystemExit:
    if WHAT == "signal":  # the launcher, which has seen another one end
        run.close()
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGTERM)
        print("at my own end", flush=True)
    raise
if WHAT == "save behind" and rank == 0:
    run.save()
if WHAT == "save behind":
    time.sleep(6)
run.close()
print("behind the loop", flush=True)
dist.destroy_process_group()
"""


def _done(tmp_path: Path, what: str) -> tuple[list[int], str]:
    script = tmp_path / "train.py"
    script.write_text(_SCRIPT)
    running = Forked(2, script, [what], tmp_path)
    codes = running.wait()
    return codes, running.said


@pytest.mark.parametrize("what", ["id", pytest.param("csv", marks=pytest.mark.slow)])
def test_the_first_may_begin_the_run_before_its_loop(tmp_path: Path, what: str) -> None:
    codes, said = _done(tmp_path, what)
    assert codes == [0, 0], said
    assert what != "csv" or len((tmp_path / "rows.csv").read_text().splitlines()) == 1 + 8


@pytest.mark.parametrize(("what", "other"), [("lr", "0.2"), pytest.param("class", "Adam", marks=pytest.mark.slow)])
def test_an_optimizer_built_otherwise_is_named_before_a_step_is_done(tmp_path: Path, what: str, other: str) -> None:
    codes, said = _done(tmp_path, what)
    assert codes == [4, 4], said
    assert "The ranks were not started alike: optimizers is {" in said and other in said
    assert "diverged" not in said and said.count("unbroken: ") == 1


@pytest.mark.parametrize(
    ("what", "line"), [("no group", "they have no process group yet"), ("sharded", "Use DistributedDataParallel")]
)
def test_what_is_refused_before_they_have_met_is_one_line_too(tmp_path: Path, what: str, line: str) -> None:
    codes, said = _done(tmp_path, what)
    assert codes == [4, 4], said
    assert said.count(line) == 1 and "Traceback" not in said


def test_a_distributed_sampler_with_a_seed_for_each_rank_is_named(tmp_path: Path) -> None:
    codes, said = _done(tmp_path, "seed")
    assert codes == [4, 4], said
    assert said.count("The DistributedSampler of rank 1 has seed=1, that of rank 0 seed=0.") == 1


def test_what_is_refused_at_a_break_is_one_line_and_no_success(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(_SCRIPT + "import unbroken.keep.status\nassert hasattr(sys, 'unbroken_last_word')\n")
    running = Forked(2, script, ["break"], tmp_path)
    assert running.wait() == [0, 0], running.said  # a forked one ends past the last word
    assert running.said.count("model.bias on rank 1 differs from that on rank 0") == 1
    assert "Exception ignored" not in running.said and "Traceback" not in running.said
    assert running.said.count("behind the loop") == 2


@pytest.mark.parametrize(
    ("what", "where"),
    [
        ("slow", "the start or end of an epoch"),
        pytest.param("save behind", "a save", marks=pytest.mark.slow),
        pytest.param("alone", "the beginning of the run", marks=pytest.mark.slow),
    ],
)
def test_one_that_comes_too_late_is_told_from_one_that_is_gone(tmp_path: Path, what: str, where: str) -> None:
    codes, said = _done(tmp_path, what)
    assert codes[1 if what == "slow" else 0] != 0, said
    assert f"is at {where}, and another process did not come there within the time-out" in said and "(3 s)" in said
    # Who is missing says nothing; before they have met, nobody can.
    waiting = {"slow": [1], "save behind": [0], "alone": []}[what]
    assert [rank for rank in (0, 1) if f"Rank {rank} has waited 1 s at {where}" in said] == waiting, said
    assert said.count(" has waited ") == len(waiting)
    assert "Traceback" not in said


def test_the_first_speaks_of_a_state_that_another_cannot_save(tmp_path: Path) -> None:
    _, said = _done(tmp_path, "unsavable")
    assert said.count("THE LAST STATE IS NOT SAFE") == 1
    assert said.count("SAVING FAILED") == said.count("On rank 1: meter_state_dict.seen") - 2


def test_a_process_that_is_ending_by_a_signal_is_not_cut_off_by_the_next(tmp_path: Path) -> None:
    codes, said = _done(tmp_path, "signal")
    assert codes == [75, 75], said
    assert said.count("at my own end") == 2
    codes, said = _done(tmp_path, "on")
    assert codes == [0, 0], said
    assert said.count("variables of the loop are not what they were at the save: total") == 1  # on both alike


@pytest.mark.parametrize(
    ("said", "late"),
    [
        ("Timed out waiting 8000ms for recv operation to complete", True),
        ("wait timeout after 8000ms, keys: /", True),
        ("Ranks 1 failed to pass monitoredBarrier in 6000 ms", True),  # TORCH_DISTRIBUTED_DEBUG=DETAIL
        ("Connection closed by peer", False),
        ("timed out connecting: SO_ERROR: Connection refused", False),  # torchrun's store had an address of the dead
    ],
)
def test_what_torch_says_of_late_ones(said: str, late: bool) -> None:
    assert is_late(RuntimeError(said)) is late


def test_an_error_of_the_user_s_names_its_rank(tmp_path: Path) -> None:
    codes, said = _done(tmp_path, "error")
    assert 0 not in codes
    assert "On rank 1: ValueError in epoch 1" in said
    assert said.count("The loop was left in epoch 1 before its end") <= 1
