"""A scheduler's functions are not in its state; a change of their code is told, and nothing else is."""

import functools
import logging
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler, swa_utils

from tests.state.programs import read, written
from unbroken.state.functions import changed, fingerprint, fingerprints
from unbroken.state.snapshot import copy_to_host
from unbroken.state.tracked import Tracked

WARMUP = 5


def compiled(source: str, **names: Any) -> Callable[..., Any]:
    """The function ``f`` of a source text, as another version of a program would have it."""
    scope: dict[str, Any] = {**names}
    exec(compile(source, "program.py", "exec"), scope)
    return scope["f"]  # type: ignore[no-any-return]


BASE = "def f(e):\n    return 0.9 ** e"
SAME = ["\n\n\n" + BASE, "def f(e):\n    # a comment\n    return 0.9 ** e"]
DIFFERENT = [
    "def f(e):\n    return 0.8 ** e",
    "def f(e):\n    return 0.9 * e",
    "def f(e, k=1):\n    return 0.9 ** e",
    "def f(e):\n    return (lambda: 0.9)() ** e",
    "def f(e):\n    return abs(0.9) ** e",
]


@pytest.mark.parametrize("source", SAME)
def test_where_a_function_stands_does_not_count(source: str) -> None:
    assert fingerprint(compiled(source)) == fingerprint(compiled(BASE))


@pytest.mark.parametrize("source", DIFFERENT)
def test_every_change_of_the_code_counts(source: str) -> None:
    assert fingerprint(compiled(source)) != fingerprint(compiled(BASE))


def closure(rate: Any) -> Callable[[int], float]:
    return lambda e: float(rate**e)


def nested(inner: Callable[[int], float]) -> Callable[[int], float]:
    return lambda e: inner(e)


class Decay:
    def __init__(self, rate: float) -> None:
        self.rate = rate

    def __call__(self, e: int) -> float:
        return self.rate**e

    def other(self, e: int) -> float:
        return self.rate * e


PAIRS: list[tuple[Any, Any, bool]] = [
    (closure(0.9), closure(0.9), True),
    (closure(0.9), closure(0.8), False),
    (closure([1, 2]), closure([1, 3]), False),
    (nested(closure(0.9)), nested(closure(0.8)), False),
    (compiled("def f(e):\n    return RATE", RATE=1), compiled("def f(e):\n    return RATE", RATE=2), False),
    (compiled("def f(e, r=1):\n    return r"), compiled("def f(e, r=2):\n    return r"), False),
    (compiled("def f(e, *, r=1):\n    return r"), compiled("def f(e, *, r=2):\n    return r"), False),
    (functools.partial(pow, 0.9), functools.partial(pow, 0.9), True),
    (functools.partial(pow, 0.9), functools.partial(pow, 0.8), False),
    (Decay(0.9).__call__, Decay(0.9).other, False),
    (Decay(0.9), Decay(0.8), True),  # its rate is in the state_dict
    (abs, abs, True),
    (abs, min, False),
]


@pytest.mark.parametrize(("a", "b", "same"), PAIRS, ids=[str(i) for i in range(len(PAIRS))])
def test_captured_values_count(a: Any, b: Any, same: bool) -> None:
    assert (fingerprint(a) == fingerprint(b)) is same


def test_a_recursive_function_has_a_fingerprint() -> None:
    def outer() -> Callable[[int], int]:
        def f(n: int) -> int:
            return f(n - 1) if n else 0

        return f

    assert fingerprint(outer()) == fingerprint(outer())


def test_another_python_version_is_not_judged() -> None:
    assert changed({"a": "cpython-310:1"}, {"a": "cpython-311:2"}) == []
    assert changed({"a": "cpython-311:1"}, {"a": "cpython-311:2"}) == ["a"]
    assert changed({"a": "x:1", "b": "x:1"}, {"b": "x:1", "c": "x:1"}) == ["a", "c"]


def build(rate: float) -> Tracked:
    model = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    inner = lr_scheduler.LambdaLR(optimizer, lambda e: rate**e)
    scheduler = lr_scheduler.SequentialLR(optimizer, [lr_scheduler.ConstantLR(optimizer, 0.5), inner], [2])
    ema = swa_utils.AveragedModel(model, avg_fn=lambda a, b, n: a * rate + b * (1 - rate))
    tracked = Tracked()
    for name, obj in {"model": model, "optimizer": optimizer, "scheduler": scheduler, "ema": ema}.items():
        tracked.add(name, obj)
    return tracked


@pytest.mark.parametrize("rate", [0.9, 0.8])
def test_a_changed_function_is_told_at_a_resume_and_only_then(rate: float, caplog: pytest.LogCaptureFixture) -> None:
    saved = build(0.9)
    payload = read(written(copy_to_host([saved.state(), saved.optimizer_parameters(), saved.extras()])))
    with caplog.at_level(logging.WARNING, "unbroken"):
        build(rate).restore(*payload)
    if rate == 0.9:
        assert caplog.text == ""
    else:
        assert "scheduler._schedulers[1].lr_lambdas[0]" in caplog.text
        assert "ema.avg_fn" in caplog.text


def test_objects_that_hold_themselves_are_walked_once() -> None:
    class Knot:
        def __init__(self) -> None:
            self.me, self.many, self.fn = self, [self] * 50, abs

        def state_dict(self) -> Any:
            return {}

    assert fingerprints(Knot())["fn"] == fingerprint(abs)
    assert len(fingerprints(Knot())) == 1
