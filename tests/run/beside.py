"""Programs whose state lies beside the state_dicts of what they track. Each gives what must come out the same."""

import collections
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, StepLR
from torch.utils.data import DataLoader, TensorDataset

import unbroken
from tests.run.loop import BrokenOffError

EPOCHS = 3
Program = Callable[["Session"], Any]


class Session:
    """One start of a program: it is broken off behind the step ``until``, when the save of that step is on disk."""

    def __init__(self, folder: Path, until: int | None = None, **facts: Any) -> None:
        torch.manual_seed(1)
        self.folder, self.facts = folder, facts
        self.x = torch.randn(40, 6, generator=torch.Generator().manual_seed(0))
        self.y = self.x[:, :1] * self.x[:, 1:2]
        self.run = unbroken.Run(folder, every_steps=1, every=None)
        self._until = until

    def track(self, **objects: Any) -> None:
        self.run.track(**objects)

    def batches(self, prologue: Callable[[int], None] = lambda epoch: None) -> Iterator[tuple[Tensor, Tensor]]:
        loader = DataLoader(TensorDataset(self.x, self.y), batch_size=8, shuffle=True)
        with self.run:
            for epoch in self.run.epochs(EPOCHS):
                prologue(epoch)
                for batch in self.run.batches(loader):
                    self.stop_here()
                    yield batch

    def stop_here(self) -> None:
        """For a loop of the script's own: broken off at the end of a step whose predecessor's save is on disk."""
        self.run.flush()
        if self.run.step - 1 == self._until:
            raise BrokenOffError

    def fit(self, model: nn.Module, optimizer: Any, **options: Any) -> Any:
        """The usual loop; what the model has come to."""
        for a, b in self.batches(**options):
            loss = nn.functional.mse_loss(model(a), b)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return [list(model.parameters()), list(model.buffers())]


def linear_over(scale: Callable[["_Scaled", Tensor], Any], **attributes: Any) -> "_Scaled":
    return _Scaled(scale, attributes)


class _Scaled(nn.Module):
    """A linear layer of what ``scale`` makes of the input, with attributes of its own."""

    def __init__(self, scale: Callable[["_Scaled", Tensor], Any], attributes: dict[str, Any]) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 1)
        self._scale = scale
        for name, value in attributes.items():
            setattr(self, name, value)

    def __getattr__(self, name: str) -> Any:
        return super().__getattr__(name)

    def forward(self, x: Tensor) -> Tensor:
        scaled: Tensor = self.linear(self._scale(self, x))
        return scaled


def trained(session: Session, model: nn.Module, **options: Any) -> Any:
    optimizer = SGD(model.parameters(), 0.05)
    session.track(model=model, optimizer=optimizer)
    return session.fit(model, optimizer, **options)


def plain_tensor(session: Session) -> Any:
    def scale(m: Any, x: Tensor) -> Tensor:
        m.running = 0.9 * m.running + 0.1 * x.mean(0)
        return x - m.running

    return trained(session, linear_over(scale, running=torch.zeros(6)))


def hung_on_parameters(session: Session) -> Any:
    """Momentum by hand, which is made in the first step."""
    model = nn.Linear(6, 1)
    session.track(model=model)
    for a, b in session.batches():
        loss = nn.functional.mse_loss(model(a), b)
        model.zero_grad()
        loss.backward()
        with torch.no_grad():
            for parameter in model.parameters():
                before: Any = getattr(parameter, "momentum", torch.zeros_like(parameter))
                parameter.momentum = 0.9 * before + parameter.grad  # type: ignore[attr-defined]
                parameter -= 0.05 * parameter.momentum  # type: ignore[attr-defined]
    return [list(model.parameters()), [vars(parameter) for parameter in model.parameters()]]


def quasirandom(session: Session) -> Any:
    engine = torch.quasirandom.SobolEngine(6, scramble=True, seed=1)
    session.track(engine=engine)
    return trained(session, linear_over(lambda m, x: x + engine.draw(len(x))))


def momentum_schedule(session: Session) -> Any:
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.4), nn.Linear(8, 1))

    def prologue(epoch: int) -> None:
        model[1].momentum = 0.1 / epoch
        model[2].p *= 0.5

    return trained(session, model, prologue=prologue)


def prologue_and_forward(session: Session) -> Any:
    def scale(m: Any, x: Tensor) -> Tensor:
        m.count, m.reset = m.count + 1, 0
        return x * (1 + 0.01 * m.count + 0.01 * len(m.seen) + m.reset)

    model = linear_over(scale, count=0, seen=[], reset=0)

    def prologue(epoch: int) -> None:
        model.count //= 2
        model.seen.append(epoch)
        model.reset = 5

    return trained(session, model, prologue=prologue)


class Meter:
    def __init__(self) -> None:
        self.total, self.count = 0.0, 0


def many_kinds(session: Session) -> Any:
    def scale(m: Any, x: Tensor) -> Tensor:
        first = float(x[0, 0])
        m.meters["a"].total += first
        m.meters["b"][1].count += 1
        m.array += x.mean(0).numpy()
        m.last.append(first)
        m.seen.add(int(first * 10))
        m.slots[len(m.slots) % 3] = m.meters["a"].total
        m.flag, m.mode = not m.flag, m.mode[-3:] + "y"
        m.nested[1][0] += 0.1
        m.shared[0] += 1
        noise = float(m.rng.normal()) + torch.randn(6, generator=m.generator)
        number = sum(m.last) + len(m.seen) + sum(m.slots.values()) + m.flag + len(m.mode) + m.nested[0][0]
        number += m.meters["a"].total + m.meters["b"][1].count + float(m.nested[1][0][0]) + float(m.array.sum())
        previous, m.previous = m.previous, x.mean(0)
        return torch.tanh(x + 0.01 * noise + 0.01 * number + (0 if previous is None else 0.1 * previous))

    nested: list[Any] = [[1, 2], [torch.zeros(2)]]
    model = linear_over(
        scale, meters={"a": Meter(), "b": [Meter(), Meter()]}, array=np.zeros(6), last=collections.deque(maxlen=5),
        seen=set(), slots={}, flag=False, mode="x", nested=nested, shared=nested[0], previous=None,
        rng=np.random.default_rng(3), generator=torch.Generator().manual_seed(4),
    )  # fmt: skip
    return trained(session, model)


def tensor_of_the_loop(session: Session) -> Any:
    """The loop changes in place what the model was given."""
    mask = torch.ones(6)

    def scale(m: Any, x: Tensor) -> Tensor:
        mask.mul_(0.97)
        return x * m.mask

    return trained(session, linear_over(scale, mask=mask))


def modules_in_a_list(session: Session) -> Any:
    def scale(m: Any, x: Tensor) -> Tensor:
        with torch.no_grad():
            for slow, fast in zip(m.teacher[0].parameters(), m.linear.parameters(), strict=True):
                slow.data.mul_(0.9).add_(fast.data, alpha=0.1)
            return x + 0.1 * m.teacher[0](x)

    return trained(session, linear_over(scale, teacher=[nn.Linear(6, 1)]))


def values_on_parameters(session: Session) -> Any:
    model = nn.Linear(6, 1)
    for parameter in model.parameters():
        parameter.velocity = torch.zeros_like(parameter)  # type: ignore[attr-defined]
    session.track(model=model)
    for a, b in session.batches():
        model.zero_grad()
        nn.functional.mse_loss(model(a), b).backward()
        with torch.no_grad():
            for p in model.parameters():
                p.velocity = 0.9 * p.velocity + p.grad  # type: ignore[attr-defined]
                p -= 0.02 * p.velocity  # type: ignore[attr-defined]
    return list(model.parameters())


def buffer_made_in_forward(session: Session) -> Any:
    persistent = session.facts.get("persistent", False)

    def scale(m: Any, x: Tensor) -> Tensor:
        if not hasattr(m, "location"):
            m.register_buffer("location", x.mean(0), persistent=persistent)
        return x - m.location

    return trained(session, linear_over(scale))


def persistent_buffer_made_in_forward(session: Session) -> Any:
    session.facts["persistent"] = True
    return buffer_made_in_forward(session)


def built_from_other_numbers(session: Session) -> Any:
    """A plain tensor that every start draws anew."""
    drawn = torch.randn(6, 6, generator=torch.Generator().manual_seed(session.facts.get("start", 0)))
    return trained(session, linear_over(lambda m, x: x @ m.projection, projection=drawn))


class PartialState(nn.Sequential):
    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        return {key: value for key, value in super().state_dict(*args, **kwargs).items() if key.startswith("2.")}

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        return super().load_state_dict(state_dict, strict=False)


def state_dict_of_a_part(session: Session) -> Any:
    return trained(session, PartialState(nn.Linear(6, 6), nn.BatchNorm1d(6), nn.Linear(6, 1)))


class Sam(Optimizer):
    def __init__(self, parameters: Any, *, aliased: bool) -> None:
        super().__init__(parameters, {"rho": 0.05, "lr": 0.05, "momentum": 0.9})
        self.base_optimizer = SGD(self.param_groups, lr=0.05, momentum=0.9)
        self.param_groups = self.base_optimizer.param_groups
        self.aliased = aliased

    @torch.no_grad()
    def climb(self) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p]["old"] = p.data.clone()
                p.add_(p.grad, alpha=group["rho"])
        self.zero_grad()

    @torch.no_grad()
    def descend(self) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                p.data = self.state[p]["old"]
        self.base_optimizer.step()
        self.zero_grad()

    def load_state_dict(self, state_dict: Any) -> None:
        super().load_state_dict(state_dict)
        if self.aliased:
            self.base_optimizer.param_groups = self.param_groups


def sam(session: Session) -> Any:
    model = nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 1))
    optimizer = Sam(model.parameters(), aliased=session.facts.get("aliased", True))
    scheduler = StepLR(optimizer, 4, 0.5)
    session.track(model=model, optimizer=optimizer, scheduler=scheduler)
    for a, b in session.batches():
        nn.functional.mse_loss(model(a), b).backward()
        optimizer.climb()
        nn.functional.mse_loss(model(a), b).backward()
        optimizer.descend()
        scheduler.step()
    return list(model.parameters())


def sam_that_forgets_its_groups(session: Session) -> Any:
    session.facts["aliased"] = False
    return sam(session)


class Lookahead(Optimizer):
    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, {"lr": 0.05})
        self.inner = Adam(self.param_groups, lr=0.05)
        self.count = 0
        self.slow = [p.detach().clone() for group in self.param_groups for p in group["params"]]

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        self.inner.step()
        self.count += 1
        if self.count % 3 == 0:
            for slow, p in zip(self.slow, self.param_groups[0]["params"], strict=True):
                slow.add_(p - slow, alpha=0.5)
                p.copy_(slow)


class ByParameter(Optimizer):
    """Keeps its momentum in a dict of its own, by the parameters themselves."""

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, {"lr": 0.02})
        self.momenta: dict[Tensor, Tensor] = {}

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for p in self.param_groups[0]["params"]:
            self.momenta[p] = 0.9 * self.momenta.get(p, torch.zeros_like(p)) + p.grad
            p.sub_(self.momenta[p], alpha=0.02)


def _with_optimizer(session: Session, kind: Callable[[Any], Optimizer]) -> Any:
    model = nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 1))
    optimizer = kind(model.parameters())
    session.track(model=model, optimizer=optimizer)
    return session.fit(model, optimizer)


def optimizer_inside_an_optimizer(session: Session) -> Any:
    return _with_optimizer(session, Lookahead)


def state_by_parameter(session: Session) -> Any:
    return _with_optimizer(session, ByParameter)


class Warmup(LRScheduler):
    """Hands on to another scheduler, and has only its own count in its state."""

    def __init__(self, optimizer: Optimizer, after: LRScheduler) -> None:
        self.after = after
        super().__init__(optimizer)

    def get_lr(self) -> list[Any]:
        return [group["lr"] for group in self.optimizer.param_groups]

    def step(self, epoch: int | None = None) -> None:
        super().step()
        if self.last_epoch > 1:
            self.after.step()

    def state_dict(self) -> dict[str, Any]:
        return {"last_epoch": self.last_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.last_epoch = state_dict["last_epoch"]


def scheduler_inside_a_scheduler(session: Session) -> Any:
    model = nn.Linear(6, 1)
    optimizer = SGD(model.parameters(), 0.1)
    scheduler = Warmup(optimizer, CosineAnnealingLR(optimizer, 6))
    session.track(model=model, optimizer=optimizer, scheduler=scheduler)
    for a, b in session.batches():
        optimizer.zero_grad()
        nn.functional.mse_loss(model(a), b).backward()
        optimizer.step()
        scheduler.step()
    return list(model.parameters())


class Average:
    """``reads`` says what its ``load_state_dict`` makes of what ``state_dict`` gives."""

    def __init__(self, gives: tuple[str, ...], reads: tuple[str, ...]) -> None:
        self.gives, self.reads = gives, reads
        self.count = 0
        self.shadow: dict[str, Tensor] = {"w": torch.zeros(6)}

    def update(self, x: Tensor) -> None:
        self.count += 1
        self.shadow["w"].mul_(0.9).add_(x.mean(0), alpha=1 / self.count)

    def state_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.gives}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name in self.reads:
            setattr(self, name, state[name])


def _averaged(session: Session, average: Average) -> Any:
    session.track(average=average)
    for a, _ in session.batches():
        average.update(a)
    return [average.count, average.shadow]


def load_ignores_a_field(session: Session) -> Any:
    return _averaged(session, Average(("count", "shadow"), ("shadow",)))


def state_dict_is_empty(session: Session) -> Any:
    return _averaged(session, Average((), ()))


EXACT: list[Program] = [
    plain_tensor, hung_on_parameters, quasirandom, momentum_schedule, prologue_and_forward, many_kinds,
    tensor_of_the_loop, modules_in_a_list,
    values_on_parameters, buffer_made_in_forward, persistent_buffer_made_in_forward, built_from_other_numbers,
    state_dict_of_a_part, sam, sam_that_forgets_its_groups, optimizer_inside_an_optimizer, state_by_parameter,
    scheduler_inside_a_scheduler, load_ignores_a_field, state_dict_is_empty,
]  # fmt: skip
