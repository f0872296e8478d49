"""Settings of the state floor's tests."""

from collections.abc import Iterator

import pytest
import torch

from tests.run.conftest import log as log


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tensors here are tiny; on a busy machine threads only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
