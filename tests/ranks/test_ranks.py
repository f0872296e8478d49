"""Several processes train together: killed, stopped and resized they end as one left alone, or are refused by name."""

import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.ranks.program import GLOBAL_BATCH, KINDS, SAMPLES, child
from tests.ranks.toolkit import Attempt, Strike, differences, start
from unbroken.state import replicas
from unbroken.state.rehearsal import Arrivals
from unbroken.store import load
from unbroken.store.payload import Payload
from unbroken.store.runstate import Own

_QUICK = ("small_buckets",)
_THREE = [pytest.param(kind, marks=() if kind in _QUICK else pytest.mark.slow) for kind in KINDS]


def _step(number: int) -> int:
    """Which of the told lines is that of a step: "up", "begun", and two for each step."""
    return 2 + 2 * (number - 1)


def _steps(told: Sequence[str]) -> Iterator[str]:
    return (line.split()[1] for line in told if line.startswith("step "))


def _rows(attempt: Attempt) -> dict[int, list[str]]:
    """The digests of the samples of each step, over all ranks in their order."""
    rows: dict[int, list[str]] = {}
    for told in attempt.told:
        for line in told:
            what, *rest = line.split()
            if what == "rows":
                rows.setdefault(int(rest[0]), []).extend(rest[1:])
    return rows


@pytest.mark.parametrize("kind", _THREE)
def test_a_killed_rank_costs_no_bit(tmp_path: Path, kind: str) -> None:
    whole = start(kind, 3, tmp_path / "whole", every_steps=3)
    assert whole.done, whole.logs
    killed = start(kind, 3, tmp_path / "run", Strike((1,), 0, _step(5) + 1), every_steps=3)
    assert not killed.done
    resumed = start(kind, 3, tmp_path / "run", every_steps=3)
    assert resumed.done, resumed.logs
    assert differences(resumed.ends, whole.ends) == []
    assert "bit for bit as before the interruption" in resumed.logs[0]
    assert "All 3 processes have trained the steps after the last save again" in resumed.logs[0]
    assert "DIFFERS" not in "".join(resumed.logs)


@pytest.mark.slow
def test_a_rank_that_hangs_ends_the_others_by_their_time_out(tmp_path: Path) -> None:
    whole = start("plain", 2, tmp_path / "whole", every_steps=3)
    hung = Strike((1,), 0, _step(5), number=signal.SIGSTOP)
    struck = start("plain", 2, tmp_path / "run", hung, grace=15, seconds=3, every_steps=3)
    assert struck.codes[0] != 0 and struck.seconds < 40, struck.logs
    resumed = start("plain", 2, tmp_path / "run", every_steps=3)
    assert differences(resumed.ends, whole.ends) == []


@pytest.mark.parametrize("every_steps", [pytest.param(None, marks=pytest.mark.slow), 4])
def test_a_signal_to_one_rank_stops_all_at_one_step(tmp_path: Path, every_steps: int | None) -> None:
    whole = start("plain", 3, tmp_path / "whole")
    strike = Strike((2,), 2, _step(6 if every_steps else 3), number=signal.SIGTERM)  # also where a save falls due next
    for number in range(3):
        folder = tmp_path / f"run {number}"
        stopped = start("plain", 3, folder, strike, every_steps=every_steps)
        assert stopped.codes == [75, 75, 75], stopped.logs
        assert len({max(map(int, _steps(told))) for told in stopped.told}) == 1  # the same last step on all
        resumed = start("plain", 3, folder)
        assert differences(resumed.ends, whole.ends) == []
        if "Nothing to compare this resume with" not in resumed.logs[0]:  # no step of a busy machine fits into a second
            break
    assert "bit for bit as before the interruption" in resumed.logs[0]


def test_other_numbers_of_processes_see_the_same_samples(tmp_path: Path) -> None:
    one = _rows(start("plain", 1, tmp_path / "one"))
    assert all(len(rows) == GLOBAL_BATCH for rows in one.values())
    seen: dict[int, list[str]] = {}
    logs = []
    for size, line in ((4, _step(5)), (2, _step(4)), (1, _step(6)), (4, None)):
        strike = None if line is None else Strike((0,), 0, line, number=signal.SIGTERM)
        attempt = start("plain", size, tmp_path / "run", strike, every_steps=3)
        assert attempt.codes == [0 if line is None else 75] * size, attempt.logs
        for step, rows in _rows(attempt).items():
            assert rows == one[step], f"step {step} at {size}"
        seen.update(_rows(attempt))
        logs.append(attempt.logs[0])
    assert seen == one
    assert "Saved by 4 processes, continued by 2" in logs[1]
    assert "Saved by 1 process, continued by 4" in logs[3]


@pytest.mark.slow
def test_a_distributed_sampler_keeps_its_global_batch(tmp_path: Path) -> None:
    whole = _rows(start("sampler", 4, tmp_path / "whole"))
    stopped = start("sampler", 4, tmp_path / "run", Strike((0,), 0, _step(5), number=signal.SIGTERM))
    assert stopped.codes == [75] * 4
    resumed = start("sampler", 2, tmp_path / "run")
    assert resumed.done, resumed.logs
    assert all(whole[step] == rows for step, rows in _rows(resumed).items())


@pytest.mark.slow
def test_sums_of_a_resized_epoch_are_over_all(tmp_path: Path) -> None:
    stopped = start("plain", 4, tmp_path / "run", Strike((0,), 0, _step(4), number=signal.SIGTERM))
    assert stopped.codes == [75] * 4
    state = load(tmp_path / "run" / "checkpoint_latest.pth")
    own = state["unbroken"]
    assert own["partial"]["sums"]["steps"][1] == own["batch"] / 4  # of the first rank
    resumed = start("plain", 2, tmp_path / "run")
    assert resumed.done, resumed.logs
    batches = SAMPLES // GLOBAL_BATCH
    steps = [float.fromhex(value) for value in resumed.ends[0]["history"]["steps"]]
    assert steps == pytest.approx([(batches + 1) / 2 + batches * epoch for epoch in range(3)])


@pytest.mark.parametrize(
    ("plant", "said"),
    [
        pytest.param("seed", "seed is 8 on rank 2 and 7 on rank 0", marks=pytest.mark.slow),
        ("built", "model0.d.bias has other values on rank 2"),
        pytest.param("shorter", "length is 7 on rank 2 and 8 on rank 0", marks=pytest.mark.slow),
        pytest.param("shard", "The same index gives another sample on rank 2 than on rank 0", marks=pytest.mark.slow),
        ("bit", "model0.d.bias on rank 2 differs from that on rank 0"),
    ],
)
def test_what_is_other_on_one_rank_is_refused_on_all(tmp_path: Path, plant: str, said: str) -> None:
    attempt = start("plain", 3, tmp_path / "run", every_steps=3, plant=plant)
    assert attempt.codes == [4, 4, 4], attempt.logs
    assert said in attempt.logs[0]
    assert "Traceback" not in "".join(attempt.logs)
    assert "".join(attempt.logs[1:]).strip() == ""  # one line, on rank 0
    assert attempt.seconds < 30


def test_a_state_of_one_rank_that_no_resume_would_take_is_refused_on_all(tmp_path: Path) -> None:
    attempt = start("plain", 2, tmp_path / "run", plant="environment")
    assert attempt.codes == [2, 2], attempt.logs
    assert "rank 1" in attempt.logs[0] and "machine" in attempt.logs[0]
    assert not any("begun" in line for told in attempt.told for line in told)


def test_the_group_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import torch

    import unbroken

    monkeypatch.setenv("WORLD_SIZE", "2")
    run = unbroken.Run(tmp_path)
    run.track(model=torch.nn.Linear(1, 1))
    with pytest.raises(unbroken.GuardError, match="init_process_group"):
        run.begin()


def test_a_batch_that_is_not_divided_names_what_divides_it(tmp_path: Path) -> None:
    attempt = start("plain", 5, tmp_path / "run")
    assert attempt.codes == [4] * 5, attempt.logs
    assert "12 samples can't be divided by 5 processes. It can by: 1, 2, 3, 4, 6, 12" in attempt.logs[0]


def _without_rehearsal(*arguments: object, **options: object) -> int:
    Arrivals.rehearse = lambda self, records: None  # type: ignore[method-assign]  # in a forked process
    return child(*arguments, **options)  # type: ignore[arg-type]


def _with_the_first_ranks_buffers(*arguments: object, **options: object) -> int:
    overlaid = replicas.overlaid

    def without(payload: Payload, part: list[Own]) -> Payload:
        return overlaid(payload, [one for one in part if not {"running_mean", "running_var"} & {*_words(one.path)}])

    replicas.overlaid = without  # in a forked process
    return child(*arguments, **options)  # type: ignore[arg-type]


def _words(path: Sequence[object]) -> Iterator[str]:
    for part in path:
        yield from str(part).split(".")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "run"), [("small_buckets", _without_rehearsal), ("own_buffers", _with_the_first_ranks_buffers)]
)
def test_without_what_makes_it_exact_the_same_run_ends_otherwise(
    tmp_path: Path, kind: str, run: Callable[..., int]
) -> None:
    whole = start(kind, 3, tmp_path / "whole", every_steps=3)
    start(kind, 3, tmp_path / "run", Strike((1,), 0, _step(5) + 1), every_steps=3)
    resumed = start(kind, 3, tmp_path / "run", run=run, every_steps=3)
    assert any("weights" in found for found in differences(resumed.ends, whole.ends))
    assert "DIFFERS" in "".join(resumed.logs)


@pytest.mark.slow
def test_an_error_on_one_rank_ends_all(tmp_path: Path) -> None:
    attempt = start("plain", 3, tmp_path / "run", every_steps=3, plant="error")
    assert all(code != 0 for code in attempt.codes), attempt.logs
    assert "ValueError: on the last rank" in attempt.logs[2]
    assert attempt.seconds < 30
    assert start("plain", 3, tmp_path / "run").done


@pytest.mark.slow
def test_steps_are_numbered_by_all_together_and_resumed_from(tmp_path: Path) -> None:
    whole = start("plain", 2, tmp_path / "whole", number_steps=4)
    assert whole.done, whole.logs
    steps = sorted(int(path.stem.rpartition("_")[2]) for path in (tmp_path / "whole").rglob("checkpoint_step_*.pth"))
    assert steps[:2] == [4, 8] and all(step % 4 == 0 for step in steps)
    struck = start("plain", 2, tmp_path / "run", Strike((1,), 0, _step(6)), number_steps=4)
    assert not struck.done
    resumed = start("plain", 2, tmp_path / "run", number_steps=4)
    assert resumed.done and differences(resumed.ends, whole.ends) == [], resumed.logs
    again = sorted(int(path.stem.rpartition("_")[2]) for path in (tmp_path / "run").rglob("checkpoint_step_*.pth"))
    assert again == steps
