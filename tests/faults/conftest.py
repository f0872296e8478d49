import logging
from collections.abc import Iterator

import pytest

from tests.run.loop import Lines


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    """What the library logs, in English."""
    monkeypatch.setenv("UNBROKEN_LANG", "en")
    logger, lines = logging.getLogger("unbroken"), Lines()
    level = logger.level
    logger.addHandler(lines)
    logger.setLevel(logging.INFO)
    yield lines
    logger.removeHandler(lines)
    logger.setLevel(level)
