"""Loops of other shapes than one loader per epoch: steps without epochs, several loaders at once, replayed loaders."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, Sampler, WeightedRandomSampler

import unbroken
from tests.run.loop import BrokenOffError, Lines, data
from unbroken.loop.journal import Journal


class Endless(IterableDataset[torch.Tensor]):
    def __iter__(self) -> Iterator[torch.Tensor]:
        while True:
            yield torch.randn(3)


class EndlessSampler(Sampler[int]):
    def __iter__(self) -> Iterator[int]:
        while True:
            yield from torch.randperm(20).tolist()


class Stream(IterableDataset[torch.Tensor]):
    def __iter__(self) -> Iterator[torch.Tensor]:
        for _ in range(20):
            yield torch.randn(3)


class Few(IterableDataset[torch.Tensor]):
    def __iter__(self) -> Iterator[torch.Tensor]:
        for _ in range(8):
            yield torch.randn(3)


Body = Callable[[unbroken.Run, Callable[..., None]], None]


def by_steps(make: Callable[[], DataLoader[Any]]) -> Body:
    def body(run: unbroken.Run, train: Callable[..., None]) -> None:
        for batch in run.batches(make(), steps=23):
            train(batch[0] if isinstance(batch, list) else batch)

    return body


def zipped(**order: Any) -> Body:
    """With a second loader of this order, which on a resume is compared with its own."""

    def body(run: unbroken.Run, train: Callable[..., None]) -> None:
        a = DataLoader(data(), batch_size=4, shuffle=True)
        b = DataLoader(data(40), batch_size=4, **order)
        for _ in run.epochs(3):
            for (x, _), (y, _) in zip(run.batches(a), run.batches(b), strict=False):
                train(x, y)

    return body


def second_loader_by_next(run: unbroken.Run, train: Callable[..., None]) -> None:
    a = DataLoader(data(), batch_size=4, shuffle=True)
    b = DataLoader(data(40), batch_size=4, shuffle=True)
    for _ in run.epochs(3):
        others = iter(run.batches(b))
        for x, _ in run.batches(a):
            train(x, next(others)[0])


def second_loader_in_circles(run: unbroken.Run, train: Callable[..., None]) -> None:
    a = DataLoader(data(), batch_size=4, shuffle=True)
    short = DataLoader(data(8), batch_size=4, shuffle=True)
    for _ in run.epochs(3):
        others: Iterator[Any] | None = None
        for x, _ in run.batches(a):
            try:
                if others is None:
                    others = iter(run.batches(short))
                y = next(others)[0]
            except StopIteration:
                others = iter(run.batches(short))
                y = next(others)[0]
            train(x, y)


def second_loader_begun_again_where_it_has_no_more(run: unbroken.Run, train: Callable[..., None]) -> None:
    """Asked by a default, not by an exception: a loop just begun must give a batch."""
    a = DataLoader(data(), batch_size=4, shuffle=True)
    short = DataLoader(data(8), batch_size=4, shuffle=True)
    for _ in run.epochs(3):
        others: Iterator[Any] = iter(())
        for x, _ in run.batches(a):
            pair = next(others, None)
            if pair is None:
                others = iter(run.batches(short))
                pair = next(others)
            train(x, pair[0])


def second_iterable_begun_again_where_it_has_no_more(run: unbroken.Run, train: Callable[..., None]) -> None:
    """Nobody knows its length: that a loop over it is at its end shows only when another batch is asked for."""
    a = DataLoader(data(), batch_size=4, shuffle=True)
    few = DataLoader(Few(), batch_size=4)
    for _ in run.epochs(3):
        others: Iterator[Any] = iter(())
        for x, _ in run.batches(a):
            y = next(others, None)
            if y is None:
                others = iter(run.batches(few))
                y = next(others)
            train(x, y)


def a_loop_inside_each_step(run: unbroken.Run, train: Callable[..., None]) -> None:
    a = DataLoader(data(), batch_size=4, shuffle=True)
    short = DataLoader(data(8), batch_size=4, shuffle=True)
    for _ in run.epochs(2):
        for x, _ in run.batches(a):
            train(x, *[y for y, _ in run.batches(short)])


def a_part_of_a_loop_inside_each_step(run: unbroken.Run, train: Callable[..., None]) -> None:
    a = DataLoader(data(), batch_size=4, shuffle=True)
    b = DataLoader(data(40), batch_size=4, shuffle=True)
    for _ in run.epochs(2):
        for x, _ in run.batches(a):
            parts = []
            for y, _ in run.batches(b):
                parts.append(y)
                if len(parts) == 2:
                    break
            train(x, *parts)


def a_part_of_the_epoch_by_next(run: unbroken.Run, train: Callable[..., None]) -> None:
    a = DataLoader(data(), batch_size=4, shuffle=True)
    for _ in run.epochs(3):
        batches = iter(run.batches(a))
        run.state["done"] = 0
        while run.state["done"] < 3:
            x, _ = next(batches)
            run.state["done"] += 1
            train(x)


def second_loader_by_next_across_epochs(run: unbroken.Run, train: Callable[..., None]) -> None:
    a = DataLoader(data(), batch_size=4, shuffle=True)
    b = DataLoader(data(40), batch_size=4, shuffle=True)
    others: Iterator[Any] = iter(())
    for _ in run.epochs(3):
        for x, _ in run.batches(a):
            try:
                y = next(others)[0]
            except StopIteration:
                others = iter(run.batches(b))
                y = next(others)[0]
            train(x, y)


def two_loops_over_epochs(run: unbroken.Run, train: Callable[..., None]) -> None:
    a = DataLoader(data(), batch_size=4, shuffle=True)
    for _ in run.epochs(1):
        for x, _ in run.batches(a):
            train(x)
    for _ in run.epochs(3):
        for x, _ in run.batches(a):
            train(2 * x)


def over_an_iterable(workers: int) -> Body:
    def body(run: unbroken.Run, train: Callable[..., None]) -> None:
        loader = DataLoader(Stream(), batch_size=4, num_workers=workers)
        for _ in run.epochs(2):
            for x in run.batches(loader):
                train(x)

    return body


BODIES: dict[str, Body] = {
    "steps": by_steps(lambda: DataLoader(data(), batch_size=4, shuffle=True)),
    "steps_workers": by_steps(lambda: DataLoader(data(), batch_size=4, shuffle=True, num_workers=1)),
    "steps_endless_iterable": by_steps(lambda: DataLoader(Endless(), batch_size=4)),
    "steps_endless_sampler": by_steps(lambda: DataLoader(data(), batch_size=4, sampler=EndlessSampler())),
    "zipped": zipped(shuffle=True),
    "zipped_with_weights": zipped(sampler=WeightedRandomSampler(range(1, 41), 40)),
    "second_loader_by_next": second_loader_by_next,
    "second_loader_in_circles": second_loader_in_circles,
    "second_loader_begun_again_where_it_has_no_more": second_loader_begun_again_where_it_has_no_more,
    "second_iterable_begun_again_where_it_has_no_more": second_iterable_begun_again_where_it_has_no_more,
    "a_loop_inside_each_step": a_loop_inside_each_step,
    "a_part_of_a_loop_inside_each_step": a_part_of_a_loop_inside_each_step,
    "a_part_of_the_epoch_by_next": a_part_of_the_epoch_by_next,
    "second_loader_by_next_across_epochs": second_loader_by_next_across_epochs,
    "two_loops_over_epochs": two_loops_over_epochs,
    "over_an_iterable": over_an_iterable(0),
    "over_an_iterable_workers": over_an_iterable(2),
}


def go(body: Body, folder: Path, stop_at: int | None = None) -> tuple[torch.Tensor, int]:
    """Train with ``body``, broken off in step ``stop_at``; returns the weights and the number of steps trained."""
    torch.manual_seed(5)
    model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.3), nn.Linear(4, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    run = unbroken.Run(folder, every_steps=1, every=None)
    run.track(model=model, optimizer=optimizer)
    steps = 0

    def train(*inputs: torch.Tensor) -> None:
        nonlocal steps
        loss = torch.stack([model(x).square().mean() for x in inputs]).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.average(train_losses=loss)
        steps += 1
        run.flush()
        if run.step == stop_at:
            raise BrokenOffError

    with run:
        body(run, train)
    return torch.cat([p.detach().flatten() for p in model.parameters()]), steps


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.one_in(15)
def test_loops_of_every_shape_resume_exactly_at_the_batch(name: str, tmp_path: Path) -> None:
    body = BODIES[name]
    whole, total = go(body, tmp_path / "whole")
    for stop_at in (1, 4, 5, 6, 8):
        folder = tmp_path / str(stop_at)
        with pytest.raises(BrokenOffError):
            go(body, folder, stop_at)
        weights, steps = go(body, folder)
        assert steps == total - stop_at + 1, f"broken off in step {stop_at}: trained from another batch"
        assert torch.equal(weights, whole), f"broken off in step {stop_at}"


def test_a_goal_in_steps_can_be_raised_later(tmp_path: Path) -> None:
    def train(goal: int) -> list[int]:
        run = unbroken.Run(tmp_path, every=None)
        run.track(model=nn.Linear(1, 1))
        with run:
            return [run.step for _ in run.batches(DataLoader(data(), batch_size=4), steps=goal)]

    assert train(7) == list(range(1, 8))
    assert train(7) == []
    assert train(10) == [8, 9, 10]
    assert train(12) == [11, 12]


def test_what_follows_a_loop_over_steps_goes_on_from_its_end_also_in_another_process(tmp_path: Path) -> None:
    """Killed behind the last save, or just started again: the loop has nothing to do, and its state is there."""

    def train() -> list[float]:
        torch.manual_seed(3)
        noise = torch.Generator().manual_seed(4)
        run = unbroken.Run(tmp_path, every=None)
        run.track(model=nn.Linear(1, 1), noise=noise)
        with run:
            for _ in run.batches(DataLoader(data(), batch_size=4), steps=7):
                torch.rand(3), torch.rand(2, generator=noise)
            return [float(torch.rand(())), float(torch.rand((), generator=noise))]

    assert train() == train() == train()


def test_a_loader_that_gives_nothing_is_an_error_and_no_endless_loop(tmp_path: Path) -> None:
    run = unbroken.Run(tmp_path)
    run.track(model=nn.Linear(1, 1))
    with run, pytest.raises(unbroken.UsageError, match="no batch"):
        list(run.batches(DataLoader(data(3), batch_size=4, drop_last=True), steps=3))


def test_another_number_of_workers_is_refused_where_the_order_depends_on_it(tmp_path: Path) -> None:
    def train(workers: int, epochs: int) -> None:
        run = unbroken.Run(tmp_path)
        run.track(model=nn.Linear(1, 1))
        loader = DataLoader(Stream(), batch_size=4, num_workers=workers)
        with run:
            for _ in run.epochs(epochs):
                for _ in run.batches(loader):
                    pass

    train(0, 1)
    with pytest.raises(unbroken.LoaderRefusedError, match=r"0 workers before and has 1"):
        train(1, 2)
    train(0, 2)


@pytest.mark.parametrize("name", ["steps", "zipped", "over_an_iterable"])
def test_the_replay_proof_counts_the_steps_trained_again(name: str, tmp_path: Path, log: Lines) -> None:
    def run_it(stop_at: int | None, every_steps: int) -> None:
        torch.manual_seed(5)
        model = nn.Linear(3, 1)
        run = unbroken.Run(tmp_path, every_steps=every_steps, every=None)
        run.track(model=model)

        def train(*inputs: torch.Tensor) -> None:
            loss = model(inputs[0]).mean() + torch.rand(())
            run.average(train_losses=loss)
            run.flush()
            if run.step == stop_at:
                raise BrokenOffError

        with run:
            BODIES[name](run, train)

    with pytest.raises(BrokenOffError):
        run_it(4, 2)
    run_it(None, 2)
    assert "已重放 1 步，与中断前逐位一致" in log.text
    own = unbroken.load(tmp_path / "checkpoint_latest.pth")["unbroken"]
    [replay] = own["replays"]
    assert (replay["after"], replay["steps"], replay["difference"]) == (2, 1, None)
    assert {"order", "batch", "average"} <= set(replay["compared"])


def test_of_many_steps_since_a_save_the_first_are_compared(
    tmp_path: Path, log: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Journal, "capacity", 4)

    def run_it(stop_at: int | None) -> None:
        run = unbroken.Run(tmp_path, every=None)
        run.track(model=nn.Linear(3, 1))
        for _ in run.batches(DataLoader(data(), batch_size=1), steps=17):
            run.average(seen=run.step)
            if run.step == stop_at:
                raise BrokenOffError

    with pytest.raises(BrokenOffError):
        run_it(14)
    run_it(None)
    assert "已重放 4 步，与中断前逐位一致" in log.text


def test_a_stop_signal_while_a_loop_is_opened_is_not_put_off_to_the_end_of_the_epoch(tmp_path: Path) -> None:
    """In a workers' start, say, of the validation behind the training batches."""

    class Stops(DataLoader[Any]):
        def __iter__(self) -> Any:
            os.kill(os.getpid(), signal.SIGTERM)
            return super().__iter__()

    run = unbroken.Run(tmp_path)
    run.track(model=nn.Linear(3, 1))
    loader, validation = DataLoader(data(4)), Stops(data(4))
    reached = []
    with pytest.raises(unbroken.Stopped), run:
        for _ in run.epochs(2):
            for _ in run.batches(loader):
                pass
            iter(run.batches(validation))
            reached.append("behind")
    assert reached == []
