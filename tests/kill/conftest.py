"""One nursery and one uninterrupted run per configuration for all tests of a session."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kill.toolkit import Nursery, Outcome, Program, run_to_its_end

Reference = Callable[[Program], Outcome]


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    with Nursery() as nursery:
        yield nursery


@pytest.fixture(scope="session")
def reference(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """The outcome of a program that was left alone, run once per configuration."""
    outcomes: dict[Program, Outcome] = {}

    def of(program: Program) -> Outcome:
        if program not in outcomes:
            folder: Path = tmp_path_factory.mktemp("reference") / "run"
            outcomes[program] = run_to_its_end(nursery, program, folder)
            assert outcomes[program].problems == []
        return outcomes[program]

    return of
