"""The power is cut after every operation of a real run; what the disk may hold then is restarted from."""

from collections import Counter
from pathlib import Path

import pytest
import torch

from tests.powercut import program
from tests.powercut.disks import Disk
from tests.powercut.judge import Cut, Verdict, cuts, judge, judge_plain, known_states, put
from tests.powercut.record import Operation, record
from unbroken import Stopped
from unbroken import load as load_checkpoint

_SAMPLED = 20
_TRAINED_ON = 40


@pytest.fixture(scope="module")
def operations(tmp_path_factory: pytest.TempPathFactory) -> list[Operation]:
    """Saves at steps and epochs, the best, retention, and a stop on a signal, then the resume to the end."""
    folder = tmp_path_factory.mktemp("recorded") / "checkpoints"
    first = record(folder)
    (folder.parent / "traces").rename(folder.parent / "first-traces")
    return first + record(folder)


def all_right(found: list[tuple[Cut, Verdict]]) -> None:
    wrong = [f"after operation {cut.after}: {verdict.value}" for cut, verdict in found if verdict is not Verdict.RIGHT]
    assert not wrong, f"{len(wrong)} of {len(found)} states:\n" + "\n".join(wrong[:20])


def verdicts(chosen: list[Cut], operations: list[Operation], folder: Path) -> list[tuple[Cut, Verdict]]:
    known = known_states(operations)
    return [(cut, judge(cut, folder / str(number), known)) for number, cut in enumerate(chosen)]


@pytest.mark.strace
def test_the_recorded_run_saved_in_every_way(operations: list[Operation]) -> None:
    made = {operation.target for operation in operations if operation.kind == "rename"}
    assert {f"checkpoint_{name}.pth" for name in ("latest", "previous", "best", "epoch_1", "epoch_3")} <= made
    assert any(operation.kind == "unlink" and "epoch" in operation.path for operation in operations)
    assert max(int(operation.data.split()[-1]) for operation in operations if operation.kind == "said") == 22


@pytest.mark.strace
def test_a_sample_of_the_states_resumes_from_what_was_saved(operations: list[Operation], tmp_path: Path) -> None:
    chosen = list(cuts(operations, strict=True))[::_SAMPLED]
    all_right(verdicts(chosen, operations, tmp_path))


@pytest.mark.strace
@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("strict", [False, True])
def test_every_state_resumes_from_what_was_saved(operations: list[Operation], tmp_path: Path, strict: bool) -> None:
    found = verdicts(list(cuts(operations, strict=strict)), operations, tmp_path)
    print(f"\n{len(found)} distinct states, strict={strict}: {Counter(verdict.value for _, verdict in found)}")
    all_right(found)


@pytest.mark.strace
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_training_goes_on_from_a_cut_to_the_same_bits(operations: list[Operation], tmp_path: Path) -> None:
    whole = finish(tmp_path / "whole" / "checkpoints")
    for number, cut in enumerate(list(cuts(operations, strict=True))[::_TRAINED_ON]):
        folder = tmp_path / str(number) / "checkpoints"
        put(cut, folder)
        assert torch.equal(finish(folder), whole), f"after operation {cut.after}"


def finish(folder: Path) -> torch.Tensor:
    """Run the program until it ends by itself; returns its last weights."""
    folder.parent.mkdir(exist_ok=True)
    for _ in range(3):
        try:
            program.main(folder)
            break
        except Stopped:
            continue
    weights: torch.Tensor = load_checkpoint(folder / "checkpoint_latest.pth")["model_state_dict"]["weight"]
    return weights


@pytest.mark.strace
def test_the_harness_finds_what_is_wrong_with_a_plain_script(tmp_path: Path) -> None:
    (tmp_path / "recorded").mkdir()
    recorded = record(tmp_path / "recorded" / "checkpoints", "plain")
    found = [judge_plain(cut, tmp_path / str(number)) for number, cut in enumerate(cuts(recorded, strict=True))]
    print(f"\nplain torch.save, {len(found)} distinct states: {Counter(verdict.value for verdict in found)}")
    assert Verdict.RIGHT in found
    assert {Verdict.REFUSED, Verdict.WRONG, Verdict.OLDER, Verdict.FRESH} & set(found)


def test_a_rename_before_the_sync_is_seen_as_a_risk() -> None:
    disk = Disk()
    for operation in (
        Operation("create", "a.tmp"),
        Operation("write", "a.tmp", data=b"new"),
        Operation("rename", "a.tmp", target="a"),
    ):
        disk.apply(operation)
    contents = [files.get("a") for files in disk.after_power_cut(strict=False)]
    assert b"" in contents and b"new" in contents and None in contents
    disk.apply(Operation("sync", "a"))
    disk.apply(Operation("sync_folder", "."))
    assert [files["a"] for files in disk.after_power_cut(strict=True)] == [b"new", b"new"]
