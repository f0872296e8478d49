"""Left-over gradients are saved wherever the next step would miss them, and left out where it cannot."""

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.state.programs import read, written
from unbroken.errors import ArchitectureChangedError
from unbroken.state.gradients import Gradients
from unbroken.state.snapshot import copy_to_host, encode, equal_bits
from unbroken.state.tracked import Tracked

BATCHES = 9


def warm_up(style: Callable[["Loop"], Callable[[int], None]]) -> int:
    """Batches until everything that can be learned of a loop is known; a multiple of every period here."""
    return 204 if style in (accumulating_zero_first, one_model_two_optimizers) else 96


class Loop:
    """A training loop in one style; ``batch(k)`` is the body for batch k."""

    def __init__(self, style: Callable[["Loop"], Callable[[int], None]], seed: int) -> None:
        torch.manual_seed(seed)
        self.model: nn.Module = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1, bias=False))
        self.other: nn.Module = nn.Linear(4, 4, bias=False)
        self.optimizer: Any = torch.optim.Adagrad(self.model.parameters(), lr=0.01)
        self.second: Any = torch.optim.SGD(self.other.parameters(), lr=0.01, momentum=0.9)
        self.batch = style(self)
        self.tracked = Tracked()
        for name in ("model", "other", "optimizer", "second"):
            self.tracked.add(name, getattr(self, name))
        self.gradients = Gradients(self.tracked)

    def loss(self, create_graph: bool = False) -> Tensor:
        loss: Tensor = self.model(self.other(torch.randn(8, 4))).pow(2).mean()
        return loss

    def run(self, first: int, last: int, snapshots: list[Any] | None = None) -> None:
        self.gradients.note_boundary()
        for k in range(first, last):
            torch.manual_seed(k)
            self.batch(k)
            self.gradients.note_boundary()
            if snapshots is not None:
                snapshots.append(self.save())

    def save(self) -> bytes:
        payload = {
            "states": self.tracked.state(),
            "names": self.tracked.optimizer_parameters(),
            "extras": self.tracked.extras(),
            "grads": self.gradients.capture(),
        }
        return written(copy_to_host(payload))

    def restore(self, file: bytes) -> None:
        payload = read(file)
        self.tracked.restore(payload["states"], payload["names"], payload["extras"])
        self.gradients.restore(payload["grads"])


def zero_first(loop: Loop) -> Callable[[int], None]:
    def batch(k: int) -> None:
        loop.optimizer.zero_grad()
        loop.second.zero_grad()
        loop.loss().backward()
        loop.optimizer.step()
        loop.second.step()

    return batch


def zero_last(loop: Loop) -> Callable[[int], None]:
    def batch(k: int) -> None:
        loop.loss().backward()
        loop.optimizer.step()
        loop.second.step()
        loop.optimizer.zero_grad()
        loop.second.zero_grad()

    return batch


def accumulating(loop: Loop) -> Callable[[int], None]:
    def batch(k: int) -> None:
        loop.loss().backward()
        if k % 3 == 2:
            loop.optimizer.step()
            loop.second.step()
            loop.optimizer.zero_grad()
            loop.second.zero_grad()

    return batch


def accumulating_zero_first(loop: Loop) -> Callable[[int], None]:
    def batch(k: int) -> None:
        if k % 3 == 0:
            loop.optimizer.zero_grad()
            loop.second.zero_grad()
        loop.loss().backward()
        if k % 3 == 2:
            loop.optimizer.step()
            loop.second.step()

    return batch


def step_of_the_batch_before(loop: Loop) -> Callable[[int], None]:
    """The gradients at a boundary are new, though every optimizer has just stepped and dropped the old."""

    def batch(k: int) -> None:
        if k:
            loop.optimizer.step()
            loop.second.step()
        loop.optimizer.zero_grad()
        loop.second.zero_grad()
        loop.loss().backward()

    return batch


def zeros_kept(loop: Loop) -> Callable[[int], None]:
    def batch(k: int) -> None:
        loop.optimizer.zero_grad(set_to_none=False)
        loop.second.zero_grad(set_to_none=False)
        loop.loss().backward()
        loop.optimizer.step()
        loop.second.step()

    return batch


def never_zeroed(loop: Loop) -> Callable[[int], None]:
    def batch(k: int) -> None:
        loop.loss().backward()
        loop.optimizer.step()
        loop.second.step()

    return batch


def zeroed_first_seldom(loop: Loop) -> Callable[[int], None]:
    """Steps on growing sums, dropped before every fourth batch."""

    def batch(k: int) -> None:
        if k % 4 == 0:
            loop.optimizer.zero_grad()
            loop.second.zero_grad()
        loop.loss().backward()
        loop.optimizer.step()
        loop.second.step()

    return batch


def once_more_after_the_step(loop: Loop) -> Callable[[int], None]:
    """Now and then adds to gradients after the step that consumed them, and uses the sum."""

    def batch(k: int) -> None:
        if k <= 96 or k % 4:
            loop.optimizer.zero_grad()
            loop.second.zero_grad()
        loop.loss().backward()
        loop.optimizer.step()
        loop.second.step()
        if k >= 96 and k % 4 == 3:
            loop.loss().backward()

    return batch


def decayed_by_hand(loop: Loop) -> Callable[[int], None]:
    """Gradients are momenta: added to, then replaced by a part of themselves."""

    def batch(k: int) -> None:
        loop.loss().backward()
        for p in [*loop.model.parameters(), *loop.other.parameters()]:
            assert p.grad is not None
            p.grad = p.grad * 0.5
        loop.optimizer.step()
        loop.second.step()

    return batch


def one_zeroed_seldom(loop: Loop) -> Callable[[int], None]:
    """The second optimizer steps on a sum over several batches."""

    def batch(k: int) -> None:
        loop.optimizer.zero_grad()
        loop.loss().backward()
        loop.optimizer.step()
        loop.second.step()
        if k % 4 == 3:
            loop.second.zero_grad()

    return batch


def adversarial(loop: Loop) -> Callable[[int], None]:
    """The model's gradients go on growing after its step; they are dropped before they are used."""

    def batch(k: int) -> None:
        loop.optimizer.zero_grad()
        loop.model(loop.other(torch.randn(8, 4)).detach()).mean().backward()
        loop.optimizer.step()
        loop.second.zero_grad()
        (-loop.loss()).backward()
        loop.second.step()

    return batch


def graph_kept(loop: Loop) -> Callable[[int], None]:
    """With create_graph gradients are added to out of place: another object, and yet not dropped."""

    def batch(k: int) -> None:
        loop.loss().backward(create_graph=True)
        if k % 2:
            for p in loop.model.parameters():
                p.grad = None if p.grad is None else p.grad.detach()
        loop.optimizer.step()
        loop.second.step()
        if k % 4 == 3:
            loop.optimizer.zero_grad()
            loop.second.zero_grad()

    return batch


def some_batches_skipped(loop: Loop) -> Callable[[int], None]:
    def batch(k: int) -> None:
        if k % 4 == 1:
            return
        zero_first(loop)(k)

    return batch


def infinite_loss_skipped(loop: Loop) -> Callable[[int], None]:
    """As a loss scaler does: no step where the gradients are not finite."""

    def batch(k: int) -> None:
        loop.optimizer.zero_grad()
        loop.second.zero_grad()
        (loop.loss() * (math.inf if k % 3 == 1 else 1)).backward()
        if all(p.grad.isfinite().all() for p in loop.model.parameters()):
            loop.optimizer.step()
            loop.second.step()

    return batch


def no_optimizer(loop: Loop) -> Callable[[int], None]:
    """The second module is trained by hand, with a momentum kept in its gradients."""

    def batch(k: int) -> None:
        loop.optimizer.zero_grad()
        loop.loss().backward()
        loop.optimizer.step()
        with torch.no_grad():
            for p in loop.other.parameters():
                assert p.grad is not None
                p.sub_(0.01 * p.grad)
                p.grad.mul_(0.5)

    loop.second = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1)
    return batch


def closures(loop: Loop) -> Callable[[int], None]:
    loop.optimizer = torch.optim.LBFGS(loop.model.parameters(), lr=0.1, max_iter=2)

    def batch(k: int) -> None:
        x = loop.other(torch.randn(8, 4)).detach()

        def closure() -> Tensor:
            loop.optimizer.zero_grad()
            loss: Tensor = loop.model(x).pow(2).mean()
            loss.backward()
            return loss

        loop.optimizer.step(closure)

    return batch


def sparse(loop: Loop) -> Callable[[int], None]:
    loop.other = nn.Embedding(5, 4, sparse=True)
    loop.second = torch.optim.SparseAdam(loop.other.parameters(), lr=0.01)

    def batch(k: int) -> None:
        loop.optimizer.zero_grad()
        loop.model(loop.other(torch.randint(5, (8,)))).pow(2).mean().backward()
        loop.optimizer.step()
        loop.second.step()
        if k % 3 == 2:
            loop.second.zero_grad()

    return batch


def sparse_and_dense(loop: Loop) -> Callable[[int], None]:
    """A dense gradient is added to a sparse one out of place."""
    loop.other = nn.Embedding(5, 4, sparse=True)
    loop.second = torch.optim.SGD(loop.other.parameters(), lr=0.01)

    def batch(k: int) -> None:
        loop.optimizer.zero_grad()
        x = loop.other(torch.randint(5, (8,))) if k % 2 == 0 else torch.randn(8, 5) @ loop.other.weight
        loop.model(x).pow(2).mean().backward()
        loop.optimizer.step()
        loop.second.step()
        if k % 4 == 3:
            loop.second.zero_grad()

    return batch


def step_of_sums_before(loop: Loop) -> Callable[[int], None]:
    """Steps on what the batches before have left, adds to it, drops it now and then."""

    def batch(k: int) -> None:
        if k:
            loop.optimizer.step()
            loop.second.step()
        if k % 4 == 3:
            loop.optimizer.zero_grad()
            loop.second.zero_grad()
        loop.loss().backward()

    return batch


def one_model_two_optimizers(loop: Loop) -> Callable[[int], None]:
    loop.second = torch.optim.SGD(loop.model.parameters(), lr=0.01)

    def batch(k: int) -> None:
        loop.optimizer.zero_grad()
        loop.model(torch.randn(8, 4)).pow(2).mean().backward()
        loop.optimizer.step()
        if k % 3 == 2:
            loop.second.step()

    return batch


STYLES = [
    zero_first, zero_last, accumulating, accumulating_zero_first, step_of_the_batch_before, zeros_kept, never_zeroed,
    one_zeroed_seldom, adversarial, graph_kept, some_batches_skipped, infinite_loss_skipped, no_optimizer, closures,
    sparse, sparse_and_dense, step_of_sums_before, zeroed_first_seldom, once_more_after_the_step,
    one_model_two_optimizers, decayed_by_hand,
]  # fmt: skip


@cache
def uninterrupted(style: Callable[[Loop], Callable[[int], None]]) -> tuple[list[bytes], Any]:
    """A snapshot at each of the last boundaries, and the state at the end."""
    warm = warm_up(style)
    loop = Loop(style, 0)
    loop.run(0, warm)
    snapshots: list[bytes] = []
    loop.run(warm, warm + BATCHES, snapshots)
    return snapshots, encode(loop.tracked.state(), "")


@pytest.mark.filterwarnings("ignore:Using backward")
@pytest.mark.parametrize("style", STYLES, ids=lambda s: s.__name__)
@pytest.mark.one_in(5)
def test_every_loop_goes_on_from_every_boundary_bit_for_bit(style: Callable[[Loop], Callable[[int], None]]) -> None:
    warm = warm_up(style)
    snapshots, expected = uninterrupted(style)
    for k, file in enumerate(snapshots[:-1], start=warm + 1):
        resumed = Loop(style, 1)
        resumed.run(0, 1)  # leaves gradients to get rid of
        resumed.restore(file)
        resumed.run(k, warm + BATCHES)
        assert equal_bits(expected, encode(resumed.tracked.state(), "")) is None, f"resumed at batch {k}"


def captured(style: Callable[[Loop], Callable[[int], None]]) -> list[list[str]]:
    """Of each boundary, once the loop is known, the modules whose gradients were saved."""
    snapshots, _ = uninterrupted(style)
    return [sorted({name.partition(".")[0] for name in read(f)["grads"] or ()}) for f in snapshots]


def test_the_usual_loops_save_none_once_they_are_known() -> None:
    for style in (zero_first, zero_last, closures):
        assert captured(style) == [[]] * BATCHES


def test_a_loop_that_is_not_known_yet_saves_all() -> None:
    loop = Loop(zero_first, 0)
    saved = []
    for k in range(70):
        loop.run(k, k + 1)
        saved.append(loop.gradients.capture() is not None)
    assert saved == [True] * 64 + [False] * 6


def test_an_accumulation_saves_only_inside_itself() -> None:
    both = ["model", "other"]
    assert captured(accumulating) == [both, both, []] * 3
    assert captured(accumulating_zero_first) == [both, both, []] * 3


def test_only_the_optimizer_with_something_left_costs_space() -> None:
    assert captured(one_zeroed_seldom) == [["other"], ["other"], ["other"], []] * 2 + [["other"]]
    assert captured(adversarial) == [["model"]] * BATCHES


def test_sums_that_are_dropped_only_now_and_then_are_saved() -> None:
    for style in (zeroed_first_seldom, never_zeroed, zeros_kept, step_of_sums_before, step_of_the_batch_before):
        assert captured(style) == [["model", "other"]] * BATCHES


def test_a_skipped_batch_proves_nothing_either_way() -> None:
    assert captured(some_batches_skipped) == [[]] * BATCHES


def test_every_optimizer_of_a_parameter_must_have_consumed_its_gradient() -> None:
    assert captured(one_model_two_optimizers) == [["model"], ["model"], []] * 3


def test_what_was_believed_is_forgotten_at_a_restore() -> None:
    loop = Loop(zero_first, 0)
    loop.run(0, 70)
    assert loop.gradients.capture() is None
    loop.restore(loop.save())
    loop.run(70, 80)
    assert loop.gradients.capture() is not None


def test_restoring_nothing_drops_everything() -> None:
    loop = Loop(never_zeroed, 0)
    loop.run(0, 2)
    loop.gradients.restore(None)
    assert all(p.grad is None for p in [*loop.model.parameters(), *loop.other.parameters()])


def test_a_gradient_of_nothing_tracked_is_refused() -> None:
    loop = Loop(zero_first, 0)
    with pytest.raises(ArchitectureChangedError, match=r"model\.9\.weight"):
        loop.gradients.restore({"model.9.weight": torch.ones(1)})
    with pytest.raises(ArchitectureChangedError, match=r"model\.0\.weight"):
        loop.gradients.restore({"model.0.weight": torch.ones(1)})


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_compiled_step_is_seen() -> None:
    loop = Loop(zero_first, 0)
    step = torch.compile(lambda: loop.optimizer.step(), backend="eager")

    def batch(k: int) -> None:
        loop.optimizer.zero_grad()
        loop.model(torch.randn(8, 4)).pow(2).mean().backward()
        step()

    loop.batch = batch
    loop.run(0, 70)
    assert loop.gradients.capture() is None
