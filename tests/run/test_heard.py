"""A stop signal in a long step is answered, so that nobody sends a second one; in short steps nothing is said."""

from pathlib import Path

import pytest

from tests.run.scripts import run_script

_SCRIPT = """
import threading, time

def signalled(number, seconds):
    threading.Timer(seconds, os.kill, (os.getpid(), number)).start()

optimizer = torch.optim.SGD(model.parameters(), 0.1)
run = unbroken.Run()
run.track(model=model, optimizer=optimizer)
for epoch in run.epochs(2):
    for number, (x, y) in enumerate(run.batches(loader)):
        if sys.argv[1] != "on" and epoch == 1 and number == 2:
            signalled(getattr(signal, sys.argv[1]), 0.1)
            time.sleep(float(sys.argv[2]))
        step(model, optimizer, x, y)
print("done", run.step)
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_in_a_long_step_is_answered_before_the_step_is_done(tmp_path: Path, name: str) -> None:
    stopped = run_script(tmp_path, _SCRIPT, name, "2.5")
    assert stopped.code == 75, stopped.said
    assert stopped.err.index(f"{name}: the state is saved as soon as") < stopped.err.index(f"Stopped on {name}")
    assert ("A second Ctrl-C" in stopped.err) == (name == "SIGINT")
    assert run_script(tmp_path, _SCRIPT, "on").out.endswith("done 12\n")


def test_in_short_steps_only_the_end_is_said(tmp_path: Path) -> None:
    stopped = run_script(tmp_path, _SCRIPT, "SIGINT", "0.2")
    assert stopped.code == 75, stopped.said
    assert "Stopped on SIGINT" in stopped.err and "as soon as the step" not in stopped.err
