"""Steps without a loader: numbers, for loops that make their batches by hand, or need none."""

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from unbroken.loop.batches import Pass

PROMISE = "steps"


class StepNumbers:
    """Stands where a loader would: gives the numbers of the steps, from 1 on; endless ones go on from ``base``."""

    promise = PROMISE
    repeatable = None
    workers = 0

    def __init__(self, length: int | None, base: int = 0) -> None:
        self.length = length
        self.base = base

    @property
    def facts(self) -> dict[str, Any]:
        return {"promise": PROMISE, "length": self.length}

    def iterate(
        self, *, epoch: int, loop: int, start: int, order: int | None = None, ahead: Mapping[str, Any] | None = None
    ) -> Pass:
        first = self.base + start + 1
        numbers: Iterator[int] = (
            count(first) if self.length is None else iter(range(first, self.base + self.length + 1))
        )
        return Pass(numbers, order or 0)
