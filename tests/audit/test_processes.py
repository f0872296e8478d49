"""No script outlives the audit that has started it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from unbroken.audit.processes import Start, run

# Ends its parent at the first sight of a child of it that is new: while that is being started.
_ENDS_AT_FIRST_SIGHT = """
import os, signal, sys
from pathlib import Path
children = Path(f"/proc/{os.getppid()}/task/{os.getppid()}/children")
print("looking", flush=True)
known = {str(os.getpid()), *sys.argv[1:]}
while known.issuperset(children.read_text().split()):
    pass
os.kill(os.getppid(), signal.SIGTERM)
"""


def test_a_signal_while_the_script_is_started_ends_the_script_too(tmp_path: Path) -> None:
    start = Start(
        command=[sys.executable, "-c", "while True: pass"],
        folder=tmp_path,
        environment=dict(os.environ),
        trace=tmp_path / "trace",
        log=tmp_path / "log",
        checkpoints=None,
        limit=60,
        opens=tmp_path / "opens",
    )

    def end(number: int, _frame: object) -> None:
        raise SystemExit(number)

    children = Path(f"/proc/self/task/{os.getpid()}/children")
    others = children.read_text().split()  # of tests before this one: multiprocessing keeps a process to itself
    before = signal.signal(signal.SIGTERM, end)
    try:
        for _ in range(10):
            command = [sys.executable, "-c", _ENDS_AT_FIRST_SIGHT, *others]
            killer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            assert killer.stdout is not None and killer.stdout.readline() == "looking\n"
            with pytest.raises(SystemExit):
                run(start, None, lambda _: None)
            killer.communicate()
            assert children.read_text().split() == others
    finally:
        signal.signal(signal.SIGTERM, before)
