"""Stop signals and the processes that a user's loop makes for itself."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator

import pytest

from unbroken.loop.signals import StopSignals

_FORK = multiprocessing.get_context("fork")


@pytest.fixture
def installed() -> Iterator[StopSignals]:
    signals = StopSignals(lambda: None)
    assert signals.install()
    yield signals
    signals.remove()


def test_a_forked_child_still_ends_at_its_parents_word(installed: StopSignals) -> None:
    """Else a pool's end of block waits for ever, and the training with it."""
    running = _FORK.Event()  # Python drops a signal that reaches a child in the very moment of its birth

    def work() -> None:
        running.set()
        threading.Event().wait()

    child = _FORK.Process(target=work, daemon=True)
    child.start()
    assert running.wait(60)
    child.terminate()
    child.join(20)
    code = child.exitcode
    child.kill()
    assert code == -signal.SIGTERM
    assert installed.received is None


def test_signals_are_heeded_in_the_process_that_trains(installed: StopSignals) -> None:
    """A run may be made in one process and trained in a fork of it."""
    made_here = StopSignals(lambda: None)

    def train() -> None:
        made_here.install()
        os.kill(os.getpid(), signal.SIGTERM)
        os._exit(0 if made_here.received == signal.SIGTERM else 1)

    child = _FORK.Process(target=train)
    child.start()
    child.join(20)
    assert child.exitcode == 0
