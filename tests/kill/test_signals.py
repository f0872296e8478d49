"""SIGTERM and Ctrl-C, to the whole process group: saved and stopped, and resumed as if nothing had been."""

import random
import re
import signal
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from tests.kill.conftest import Reference
from tests.kill.matrix import IN_PROCESS, PERSISTENT, SCRIPT, WORKERS
from tests.kill.test_kills import must_be_equal, steps_trained
from tests.kill.toolkit import STOPPED, Attempt, Interruption, Moment, Nursery, Program, run_to_its_end

TRAINS_ON = 1.0  # seconds at most, while the state of a stop is written
SLOW_DISK = ("--delay", "0.003")
FRESH = Program(SCRIPT, ("--workers", "2"), fresh=True)


def slow(value: object, name: str | None = None) -> ParameterSet:
    """A parameter for the long proofs only."""
    return pytest.param(value, id=name, marks=pytest.mark.slow)


def busy(program: Program) -> Program:
    """The same with a dataset so slow that training waits for its workers."""
    return Program(program.path, (*program.arguments, *SLOW_DISK), program.fresh)


def at(line: str, number: signal.Signals = signal.SIGTERM, delay: float = 0.0) -> Interruption:
    """A signal at a line the script stands still at until it comes."""
    return Interruption(Moment(line, rf"{line}\b", delay=delay), number, hold=line)


def goes_on_where_the_state_is_of(*attempts: Attempt) -> None:
    """The first batch it sees is the next one; what was trained while the state was written is done again, and said."""
    *stopped, resumed = attempts
    found = re.search("第 ([0-9]+) 轮已完成 ([0-9]+)/23 批", resumed.log)
    epoch, batch = (int(found[1]), int(found[2])) if found else (_first_epoch(resumed), 0)
    step = 23 * (epoch - 1) + batch
    assert f"恢复训练，从 epoch {epoch} 开始" in resumed.log
    first = next(line for line in resumed.lines if line.startswith("batch "))
    assert first.startswith(f"batch {epoch} {batch + 1} {step + 1} ")
    before = max(_last_step(attempt) for attempt in stopped)
    last = min(before, _last_step(resumed))
    if last == step and _took(stopped[-1]) >= TRAINS_ON:
        # On a machine this busy no batch came in the time that training goes on for: that is said.
        assert "本次恢复没有可比较的内容" in resumed.log
        return
    assert last > step
    assert f"已重放 {last - step} 步，与中断前逐位一致" in resumed.log


def _took(stopped: Attempt) -> float:
    """Seconds from the signal to the end of the process."""
    assert stopped.signalled_at is not None
    return stopped.ended_at - stopped.signalled_at


def _last_step(attempt: Attempt) -> int:
    return max(int(line.split()[3]) for line in attempt.lines if line.startswith("trained "))


def _first_epoch(attempt: Attempt) -> int:
    return int(next(line for line in attempt.lines if line.startswith("batch ")).split()[1])


PROGRAMS = [
    slow(IN_PROCESS, "in process"),
    pytest.param(WORKERS, id="workers"),
    slow(PERSISTENT, "persistent workers"),
    slow(FRESH, "new interpreters"),
]


@pytest.mark.parametrize("number", [signal.SIGTERM, slow(signal.SIGINT)])
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_signal_with_busy_workers_loses_no_batch_and_is_proven(
    nursery: Nursery, reference: Reference, tmp_path: Path, program: Program, number: signal.Signals
) -> None:
    anywhere = random.Random().uniform(0, 0.06)
    stop = Interruption(Moment("batch 2 5", "batch 2 5 ", delay=anywhere), number)
    outcome = run_to_its_end(nursery, busy(program), tmp_path / "run", [stop])
    assert [attempt.code for attempt in outcome.attempts] == [STOPPED, 0]
    goes_on_where_the_state_is_of(*outcome.attempts)
    assert len(steps_trained(outcome)) == 5 * 23
    must_be_equal(outcome, reference(WORKERS))


@pytest.mark.slow
@pytest.mark.parametrize("line", ["batch 1 1", "batch 2 5", "batch 2 22", "batch 2 23", "batch 5 23"])
def test_a_signal_with_a_batch_in_hand_waits_for_its_step(
    nursery: Nursery, reference: Reference, tmp_path: Path, line: str
) -> None:
    outcome = run_to_its_end(nursery, WORKERS, tmp_path / "run", [at(line)])
    assert [attempt.code for attempt in outcome.attempts] == [STOPPED, 0]
    goes_on_where_the_state_is_of(*outcome.attempts)
    must_be_equal(outcome, reference(WORKERS))


@pytest.mark.slow
@pytest.mark.parametrize(
    "program", [IN_PROCESS, WORKERS, PERSISTENT], ids=["in process", "workers", "persistent workers"]
)
def test_a_signal_between_the_last_batch_and_the_end_of_its_loop(
    nursery: Nursery, reference: Reference, tmp_path: Path, program: Program
) -> None:
    """The end of a loop takes its time where workers are to be ended; what follows it reads the last loss."""
    for number in range(4):
        stop = Interruption(Moment("end", "trained 2 23 ", delay=number * 0.006), signal.SIGTERM)
        outcome = run_to_its_end(nursery, program, tmp_path / str(number), [stop])
        assert [attempt.code for attempt in outcome.attempts] == [STOPPED, 0], outcome.attempts[-1].log
        must_be_equal(outcome, reference(program))


@pytest.mark.slow
def test_a_signal_with_a_batch_in_hand_does_not_wait_for_the_next_one(
    nursery: Nursery, reference: Reference, tmp_path: Path
) -> None:
    """The next batch may take longer than the grace that is left: it is awaited for a second."""
    program = Program(SCRIPT, ("--workers", "1", "--delay", "0.3"))  # 2.4 s a batch
    stopped = nursery.attempt(program, tmp_path, at("batch 1 1"))
    assert stopped.code == STOPPED
    assert stopped.signalled_at is not None
    assert stopped.ended_at - stopped.signalled_at < 2


@pytest.mark.slow
@pytest.mark.parametrize("program", [WORKERS, PERSISTENT], ids=["workers", "persistent workers"])
def test_a_worker_that_hangs_does_not_keep_the_run_from_stopping(
    nursery: Nursery, reference: Reference, tmp_path: Path, program: Program
) -> None:
    program = Program(program.path, (*program.arguments, "--tell-loads"))
    hanging = Interruption(Moment("loading", "loading 77", delay=0.5), signal.SIGTERM, hold="loading 77", release=False)
    outcome = run_to_its_end(nursery, program, tmp_path / "run", [hanging])
    stopped, resumed = outcome.attempts
    assert stopped.code == STOPPED
    assert stopped.signalled_at is not None
    assert stopped.ended_at - stopped.signalled_at < 8
    assert resumed.code == 0
    assert len(steps_trained(outcome)) == 5 * 23
    must_be_equal(outcome, reference(WORKERS))


@pytest.mark.parametrize("number", [signal.SIGTERM, slow(signal.SIGINT)])
def test_a_worker_that_is_still_being_started_does_not_keep_the_run_from_stopping(
    nursery: Nursery, tmp_path: Path, number: signal.Signals
) -> None:
    """A spawned one imports torch for seconds, deaf to all signals until then; this one waits for ever."""
    program = Program(SCRIPT, ("--workers", "1", "--spawn"))
    starting = Interruption(Moment("born", "born"), number, hold="born", release=False)
    stopped = nursery.attempt(program, tmp_path, starting, time_limit=30)
    assert stopped.code == STOPPED, stopped.log


def test_a_worker_that_hears_nothing_does_not_keep_the_run_from_its_time_budget(
    nursery: Nursery, tmp_path: Path
) -> None:
    """It is killed; torch would raise for that in the training process."""
    program = Program(SCRIPT, ("--workers", "2", "--freeze", "--stop-after", "0.01"))
    stopped = nursery.attempt(program, tmp_path, time_limit=30)
    assert "frozen" in stopped.lines
    assert stopped.code == STOPPED, stopped.log
    assert "DataLoader worker" not in stopped.log


@pytest.mark.parametrize(
    "program",
    [pytest.param(IN_PROCESS, id="in process"), slow(WORKERS, "workers")],
)
@pytest.mark.parametrize("line", ["validation 2", "prologue 3", slow("validation 5"), slow("prologue 1")])
def test_a_signal_outside_the_batches_stops_at_once_or_after_a_step(
    nursery: Nursery, reference: Reference, tmp_path: Path, program: Program, line: str
) -> None:
    outcome = run_to_its_end(nursery, program, tmp_path / "run", [at(line)])
    assert [attempt.code for attempt in outcome.attempts] == [STOPPED, 0]
    if line.startswith("validation"):
        assert outcome.attempts[0].last_line() == line
    goes_on_where_the_state_is_of(*outcome.attempts)
    must_be_equal(outcome, reference(program))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_that_kills_the_workers_of_a_loader_of_the_users_own(
    nursery: Nursery, reference: Reference, tmp_path: Path, number: signal.Signals
) -> None:
    """The death of a worker raises in the training process, at any moment: also while the state is saved."""
    program = Program(SCRIPT, ("--workers", "0", "--validation-workers", "2", *SLOW_DISK))
    for count in range(4):
        stop = Interruption(Moment("validating", "validating", nth=4, delay=count * 0.005), number)
        outcome = run_to_its_end(nursery, program, tmp_path / str(count), [stop])
        assert [attempt.code for attempt in outcome.attempts] == [STOPPED, 0], outcome.attempts[0].log
        must_be_equal(outcome, reference(IN_PROCESS))


def test_a_signal_in_the_prologue_of_a_resumed_epoch_keeps_its_place(
    nursery: Nursery, reference: Reference, tmp_path: Path
) -> None:
    outcome = run_to_its_end(nursery, IN_PROCESS, tmp_path / "run", [at("batch 2 5"), at("prologue 2")])
    assert [attempt.code for attempt in outcome.attempts] == [STOPPED, STOPPED, 0]
    for number in (2, 3):
        assert "第 2 轮已完成 5/23 批" in outcome.attempts[number - 1].log
        goes_on_where_the_state_is_of(*outcome.attempts[:number])
    must_be_equal(outcome, reference(IN_PROCESS))


@pytest.mark.slow
def test_stopped_at_every_turn_a_run_still_ends_the_same(
    nursery: Nursery, reference: Reference, tmp_path: Path
) -> None:
    lines = ["prologue 1", "batch 1 3", "batch 1 23", "validation 1", "prologue 2", "batch 2 9", "validation 3"]
    outcome = run_to_its_end(nursery, PERSISTENT, tmp_path / "run", [at(line) for line in lines])
    assert [attempt.code for attempt in outcome.attempts] == [STOPPED] * len(lines) + [0]
    must_be_equal(outcome, reference(PERSISTENT))


@pytest.mark.parametrize(
    ("program", "codes"),
    # A new interpreter ends by the signal, as a shell wants to see it; one forked by the nursery by its traceback,
    # unless a third Ctrl-C comes before its end.
    [(IN_PROCESS, {1, -signal.SIGINT}), pytest.param(FRESH, {-signal.SIGINT}, marks=pytest.mark.slow)],
    ids=["in process", "new interpreters"],
)
def test_a_second_ctrl_c_stops_at_once(
    nursery: Nursery, reference: Reference, tmp_path: Path, program: Program, codes: set[int]
) -> None:
    line = "batch 2 6"
    twice = Interruption(Moment(line, f"{line} "), signal.SIGINT, hold=line, release=False, insist=0.25)
    outcome = run_to_its_end(nursery, program, tmp_path / "run", [twice])
    stopped = outcome.attempts[0]
    assert stopped.code in codes
    assert stopped.signals_sent >= 2
    assert stopped.last_line().startswith(line)
    assert re.search(r"^KeyboardInterrupt$", stopped.log, re.MULTILINE)
    must_be_equal(outcome, reference(IN_PROCESS))
