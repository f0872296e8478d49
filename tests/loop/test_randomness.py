"""Random streams of other machines: more accelerators than there are here, or fewer."""

import logging
import subprocess
import sys
from typing import Any

import pytest
import torch

from unbroken.loop.randomness import capture_streams, restore_streams


class Gpus:
    """Stands in for torch's accelerators, which the machine that tests this has not."""

    def __init__(self, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.states: list[Any] = [None] * count
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(torch.cuda, "set_rng_state", self.set)

    def set(self, state: torch.Tensor, device: int) -> None:
        self.states[device] = state  # an IndexError, as torch's, for one that is not there


def streams_of(count: int) -> dict[str, Any]:
    return {**capture_streams(), "cuda": [torch.full((16,), index, dtype=torch.uint8) for index in range(count)]}


@pytest.mark.parametrize(("saved", "here"), [(8, 4), (2, 2), (1, 3)])
def test_as_many_accelerators_get_their_stream_as_there_are(
    saved: int, here: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gpus = Gpus(here, monkeypatch)
    with caplog.at_level(logging.WARNING):
        restore_streams(streams_of(saved))
    common = min(saved, here)
    assert [int(state[0]) for state in gpus.states[:common]] == list(range(common))
    assert gpus.states[common:] == [None] * (here - common)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == (1 if saved != here else 0)
    assert all(str(saved) in line and str(here) in line for line in said)


def test_it_is_said_where_there_are_none_at_all(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    Gpus(0, monkeypatch)
    with caplog.at_level(logging.WARNING):
        restore_streams(streams_of(2))
    assert len(caplog.records) == 1


def test_another_layout_of_pythons_stream_is_no_error_at_import() -> None:
    program = "import random; random.getstate = lambda: ('other', 1, 2, 3, 4); import unbroken; unbroken.Run"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
