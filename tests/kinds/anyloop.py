"""Loops without a loader, by ``next``, in groups, left by ``break``: each returns what it ends with; see ``judge``."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from tests.kinds.judge import Trial
from tests.kinds.loops import Parts

STEPS = 30


class Handmade(Parts):
    """Batches drawn by hand, as many scripts do."""

    def batch(self) -> tuple[Tensor, Tensor]:
        index = torch.randint(len(self.x), (8,))
        return self.x[index], self.y[index]

    def backward(self, batch: Any) -> None:
        """A micro-batch of an accumulation."""
        self.trial.at(self.run.step)
        nn.functional.mse_loss(self.model(batch[0]), batch[1]).backward()  # type: ignore[no-untyped-call]

    def end(self) -> Any:
        weights, optimizer = self.model.state_dict(), self.optimizer.state_dict()
        return {**super().end(), "weights": weights, "optimizer": optimizer, "stream": torch.get_rng_state()}


def handmade_batches(trial: Trial) -> Any:
    parts = Handmade(trial)
    for _ in parts.run.steps(STEPS):
        parts.step(parts.batch())
    return parts.end()


def in_epochs(trial: Trial) -> Any:
    parts = Handmade(trial)
    for _ in parts.run.epochs(3):
        for _ in parts.run.steps(10):
            parts.step(parts.batch())
        parts.run.record(val_losses=float(torch.rand(())))
    return parts.end()


def until_it_is_stopped(trial: Trial) -> Any:
    parts = Handmade(trial)
    for step in parts.run.steps(None):
        parts.step(parts.batch())
        if step == STEPS:
            parts.run.stop("converged")
    return {**parts.end(), "step": parts.run.step}


def in_groups(trial: Trial) -> Any:
    parts = Handmade(trial)
    for step in parts.run.steps(STEPS, group=3):
        parts.backward(parts.batch())
        if step % 3 == 0:
            parts.optimizer.step()
            parts.optimizer.zero_grad()
    return parts.end()


def by_next(*, group: int, **options: Any) -> Callable[[Trial], Any]:
    """``group`` batches by ``next`` for each step; the last one is taken, and never asked whether there are more."""

    def loop(trial: Trial) -> Any:
        parts = Handmade(trial)
        batches = iter(parts.run.batches(parts.loader(**options), steps=STEPS, group=group))
        for _ in range(parts.run.step // group, STEPS // group):
            for _ in range(group):
                parts.backward(next(batches))
            parts.optimizer.step()
            parts.optimizer.zero_grad()
        parts.run.close()
        return {**parts.end(), "step": parts.run.step}

    return loop


def micro_batches_inside_out(trial: Trial) -> Any:
    parts = Handmade(trial)
    for _ in parts.run.epochs(3):
        batches = parts.run.batches(parts.loader(), group=4)
        for group in _in_groups(iter(batches), 4):
            for batch in group:
                parts.backward(batch)
            parts.optimizer.step()
            parts.optimizer.zero_grad()
    return parts.end()


def _in_groups(batches: Iterator[Any], size: int) -> Iterator[list[Any]]:
    while group := [batch for _, batch in zip(range(size), batches, strict=False)]:
        yield group


def full_batch(trial: Trial) -> Any:
    parts = Handmade(trial)
    for epoch in parts.run.epochs(STEPS):
        trial.at(epoch)
        loss = nn.functional.mse_loss(parts.model(parts.x), parts.y)
        parts.optimizer.zero_grad()
        loss.backward()
        parts.optimizer.step()
        parts.run.record(val_losses=loss)
    return parts.end()


def second_order(trial: Trial) -> Any:
    parts = Handmade(trial)
    optimizer = torch.optim.LBFGS(parts.model.parameters(), lr=0.1, max_iter=4, history_size=3)
    trial.runs[-1].track(lbfgs=optimizer)
    for step in parts.run.steps(STEPS):
        trial.at(step)

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(parts.model(parts.x), parts.y)
            loss.backward()
            return loss

        optimizer.step(closure)  # type: ignore[no-untyped-call]
    return {**parts.end(), "lbfgs": optimizer.state_dict()}


def left_by_break(trial: Trial) -> Any:
    parts = Handmade(trial)
    for epoch in parts.run.epochs(10):
        for batch in parts.run.batches(parts.loader()):
            loss = parts.step(batch)
        parts.run.record(aucs=float(loss) if epoch < 3 else 10.0)
        if epoch == 3:
            break
    return {**parts.end(), "best": parts.run.best.epoch}
