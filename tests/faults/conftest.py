import logging
from collections.abc import Iterator

import pytest

from tests.run.loop import Lines, listening


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    """What the library logs, in English."""
    monkeypatch.setenv("UNBROKEN_LANG", "en")
    with listening(logging.INFO) as lines:
        yield lines
