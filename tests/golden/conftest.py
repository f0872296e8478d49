from collections.abc import Iterator

import pytest

from tests.kill.toolkit import Nursery


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    with Nursery() as nursery:
        yield nursery
