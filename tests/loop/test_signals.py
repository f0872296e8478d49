"""Stop signals and the processes that a user's loop makes for itself."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator

import pytest

from unbroken.course.signals import StopSignals

_FORK = multiprocessing.get_context("fork")


@pytest.fixture
def installed() -> Iterator[StopSignals]:
    signals = StopSignals(lambda: None)
    assert signals.install()
    yield signals
    signals.remove()


def test_a_forked_child_still_ends_at_its_parents_word(installed: StopSignals) -> None:
    """Also in the very moment of its birth. Else a pool's end of block waits for ever, and the training with it."""
    codes = []
    for _ in range(20):
        child = _FORK.Process(target=threading.Event().wait, daemon=True)
        child.start()
        child.terminate()
        child.join(20)
        codes.append(child.exitcode)
        child.kill()
        if codes[-1] is None:
            break
    assert codes == [-signal.SIGTERM] * 20
    assert installed.received is None


def test_runs_that_end_in_any_order_leave_the_handlers_as_they_were() -> None:
    before = signal.getsignal(signal.SIGTERM)
    first, second = StopSignals(lambda: None), StopSignals(lambda: None)
    assert first.install() and second.install()
    first.remove()
    second.remove()
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_signal_that_was_ignored_stays_ignored() -> None:
    """As Ctrl-C is in a job that a script runs in the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    signals = StopSignals(lambda: None)
    try:
        assert signals.install()
        os.kill(os.getpid(), signal.SIGINT)
        assert signals.received is None
        signals.remove()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


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
