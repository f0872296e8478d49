"""Patience with a process is spent by its computing or by its doing nothing, not by a busy machine."""

import os
import signal
import subprocess
import sys

import pytest

from tests.patience import ended, processor_time


def python(source: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_what_ends_in_time_is_told_with_all_it_said() -> None:
    process = python("import sys; print('x' * 100_000); print('wrong', file=sys.stderr)")
    assert ended(process, 60) == ("x" * 100_000 + "\n", "wrong\n")


@pytest.mark.parametrize("stuck", ["while True: pass", "import signal; signal.pause()"])
def test_what_computes_or_waits_for_ever_is_ended(stuck: str) -> None:
    process = python(stuck)
    with pytest.raises(AssertionError, match="for 1 s"):
        ended(process, 1)
    assert process.returncode == -9


def test_what_its_children_compute_counts_as_well() -> None:
    source = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'while True: pass'])"
    process = subprocess.Popen([sys.executable, "-c", source], start_new_session=True)
    try:
        while processor_time(process.pid) < 0.5:  # an interpreter alone begins in a tenth of that
            assert process.poll() is None
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
