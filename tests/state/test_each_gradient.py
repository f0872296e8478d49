"""Whether a gradient may be left out is judged for its own parameter, not by another of the same optimizer."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.state.test_gradients import Loop
from unbroken.state.origins import Mentions
from unbroken.state.snapshot import encode, equal_bits

WARM = 96
Style = Callable[[Loop], Callable[[int], None]]


def _usual(loop: Loop, k: int, keep: list[nn.Parameter]) -> None:
    """Drops all gradients but those of ``keep``, which gather over four batches."""
    kept = [p.grad for p in keep]
    loop.optimizer.zero_grad()
    if k % 4:
        for parameter, gradient in zip(keep, kept, strict=True):
            parameter.grad = gradient
    loop.second.zero_grad()
    loop.loss().backward()
    loop.optimizer.step()
    loop.second.step()


def large_one_gathers(loop: Loop) -> Callable[[int], None]:
    """The smallest parameter is dropped each time, and stood for all."""
    weight = loop.model.get_parameter("0.weight")
    return lambda k: _usual(loop, k, [weight])  # type: ignore[list-item]


def huge_one_gathers(loop: Loop) -> Callable[[int], None]:
    """Too large to be held after its step."""
    loop.other = nn.Linear(4, 5000, bias=False)
    loop.model = nn.Sequential(nn.Linear(5000, 4), nn.Linear(4, 1))
    loop.optimizer = torch.optim.Adagrad(loop.model.parameters(), lr=0.01)
    loop.second = torch.optim.SGD(loop.other.parameters(), lr=0.01, momentum=0.9)
    weight = loop.model.get_parameter("0.weight")
    return lambda k: _usual(loop, k, [weight])  # type: ignore[list-item]


def gathers_in_some_phases(loop: Loop) -> Callable[[int], None]:
    """A parameter that no batch uses for a while, and whose gradient is not dropped then."""
    bias = loop.model.get_parameter("0.bias")
    return lambda k: _usual(loop, k if k % 3 else 0, [bias])  # type: ignore[list-item]


@pytest.mark.parametrize("style", [large_one_gathers, huge_one_gathers, gathers_in_some_phases])
def test_a_gradient_of_its_own_way_is_kept(style: Style) -> None:
    whole = Loop(style, 0)
    whole.run(0, WARM)
    files = []
    for k in range(WARM, WARM + 5):
        whole.run(k, k + 1)
        files.append(whole.save())
    for k, file in enumerate(files[:-1], start=WARM + 1):
        resumed = Loop(style, 1)
        resumed.restore(file)
        resumed.run(k, WARM + 5)
        assert equal_bits(encode(whole.tracked.state(), ""), encode(resumed.tracked.state(), "")) is None, k


def test_only_that_gradient_costs_space() -> None:
    loop = Loop(large_one_gathers, 0)
    loop.run(0, WARM + 2)
    assert set(loop.gradients.capture() or ()) == {"model.0.weight"}


def test_no_large_gradient_is_kept_alive() -> None:
    import weakref

    def usual(loop: Loop) -> Callable[[int], None]:
        huge_one_gathers(loop)
        return lambda k: _usual(loop, k, [])

    loop = Loop(usual, 0)
    loop.run(0, 2)
    gradient = loop.model.get_parameter("0.weight").grad
    assert gradient is not None
    seen = weakref.ref(gradient)
    del gradient
    loop.optimizer.zero_grad()
    assert seen() is None


def test_what_the_users_code_names_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "_".join(["named", "nowhere", "else"])  # a constant of this file would be found, too
    source = (
        f"import torch\nclass A:\n    @torch.no_grad()\n    def f(self, p):\n        return [q.{name} for q in p]\n"
    )
    (tmp_path / "users_own.py").write_text(source)
    mentions = Mentions(name)
    assert not mentions()
    monkeypatch.syspath_prepend(str(tmp_path))
    __import__("users_own")
    assert mentions()


def test_what_only_libraries_name_is_not() -> None:
    assert not Mentions("_".join(["register", "post", "accumulate", "grad", "hook"]))()
