"""A stop signal in a long step is answered, so that nobody sends a second one; in short steps nothing is said."""

from pathlib import Path

import pytest

from tests.run.scripts import run_script

_SCRIPT = """
import resource, subprocess, time

optimizer = torch.optim.SGD(model.parameters(), 0.1)
run = unbroken.Run()
run.track(model=model, optimizer=optimizer)
for epoch in run.epochs(2):
    given = iter(run.batches(loader))  # held: it outlives an error
    for number, (x, y) in enumerate(given):
        if sys.argv[1] != "on" and epoch == 1 and number == 2:
            kill = f"sleep 0.5; kill -{sys.argv[1].removeprefix('SIG')} {os.getpid()}"
            subprocess.Popen(["sh", "-c", kill])
            soft, hard = resource.getrlimit(resource.RLIMIT_AS)
            if "full" in sys.argv:  # no room for the stack of a thread
                size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
                resource.setrlimit(resource.RLIMIT_AS, (size + (1 << 20), hard))
            until = time.monotonic() + float(sys.argv[2])
            try:
                while time.monotonic() < until:
                    time.sleep(0.05)
            finally:
                time.sleep(1.5 * ("tidies" in sys.argv))
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        step(model, optimizer, x, y)
print("done", run.step)
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_in_a_long_step_is_answered_before_the_step_is_done(tmp_path: Path, name: str) -> None:
    stopped = run_script(tmp_path, _SCRIPT, name, "2.5")
    assert stopped.code == 75, stopped.said
    assert stopped.err.index(f"{name} received") < stopped.err.index(f"Stopped on {name}")
    assert ("A second Ctrl-C" in stopped.err) == (name == "SIGINT")
    assert run_script(tmp_path, _SCRIPT, "on").out.endswith("done 12\n")


def test_a_signal_that_no_thread_can_answer_stops_the_run_all_the_same(tmp_path: Path) -> None:
    stopped = run_script(tmp_path, _SCRIPT, "SIGTERM", "2.5", "full")
    assert stopped.code == 75, stopped.said
    assert "received" not in stopped.err and "Stopped on SIGTERM; the state is safe" in stopped.err


def test_a_second_ctrl_c_is_not_told_that_the_state_will_be_saved(tmp_path: Path) -> None:
    twice = _SCRIPT.replace("kill -", "kill -INT {os.getpid()}; sleep 0.3; kill -")
    stopped = run_script(tmp_path, twice, "SIGINT", "2.5", "tidies")
    assert stopped.code == -2 and "received" not in stopped.err, stopped.said


def test_in_short_steps_only_the_end_is_said(tmp_path: Path) -> None:
    stopped = run_script(tmp_path, _SCRIPT, "SIGINT", "0.8")
    assert stopped.code == 75, stopped.said
    assert "Stopped on SIGINT" in stopped.err and "received" not in stopped.err
