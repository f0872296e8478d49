"""What is trained: each part has its own models, optimizers and habits, and is one thing that people do.

Several parts share a program, and each its batches; what is saved of a part, and what is compared, has its name.
"""

import copy
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import lr_scheduler as schedules
from torch.optim import swa_utils

from tests.kill.patterns.data import BATCHES, FEATURES, shuffled
from tests.state.programs import Buffers, Complex, ExtraState, Float32Momentum, Tied, Warmup

ACCUMULATE = 3  # 11 batches are 3 optimizer steps and a rest of 2

Objects = dict[str, Any]


def nothing(_: int) -> None:
    pass


@dataclass
class Part:
    """``train(x, step)`` returns the loss; ``before(epoch)`` and ``after(epoch)`` stand around an epoch's batches."""

    tracked: Objects
    train: Callable[[Tensor, int], Tensor]
    before: Callable[[int], None] = nothing
    after: Callable[[int], None] = nothing


def net(out: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Linear(FEATURES, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Tanh(), nn.Linear(8, out))


def fitted(
    model: nn.Module, optimizer: torch.optim.Optimizer, see: Callable[[Tensor], Tensor] = lambda x: x
) -> Callable[[Tensor, int], Tensor]:
    """One plain step; ``see`` makes what the model is shown."""

    def train(x: Tensor, _: int) -> Tensor:
        loss: Tensor = model(see(x)).abs().float().pow(2).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return loss.detach()

    return train


def plain() -> Part:
    model = net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    return Part({"model": model, "optimizer": optimizer}, fitted(model, optimizer))


def mixed_precision() -> Part:
    """A scaled loss that overflows now and then; gradients accumulated over the ends of the epochs, and clipped."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=3)

    def train(x: Tensor, step: int) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = model(x).float().pow(2).mean() / ACCUMULATE
        scaler.scale(loss * math.inf if step % 13 == 0 else loss).backward()  # type: ignore[no-untyped-call]
        if step % ACCUMULATE == 0:
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
        return loss.detach()

    return Part({"model": model, "optimizer": optimizer, "scaler": scaler}, train)


def bfloat16() -> Part:
    model = nn.Sequential(nn.Linear(FEATURES, 6), nn.Tanh(), nn.Linear(6, 1)).bfloat16()
    optimizer = Float32Momentum(model.parameters(), lr=0.05)
    return Part({"model": model, "optimizer": optimizer}, fitted(model, optimizer, Tensor.bfloat16))


def complex_numbers() -> Part:
    model = Complex()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    return Part({"model": model, "optimizer": optimizer}, fitted(model, optimizer))


def odd_buffers() -> Part:
    """Sparse, float8, bool, empty, NaN; changed in every step."""
    model = Buffers()
    optimizer = torch.optim.Adagrad(model.parameters(), lr=0.01)
    step_of = fitted(model, optimizer)

    def train(x: Tensor, step: int) -> Tensor:
        with torch.no_grad():
            model.get_buffer("fp8").copy_(x[0, :3])
            model.get_buffer("complex").div_(model.get_buffer("complex").abs().sum())
            model.coo = (model.get_buffer("coo").to_dense() * 0.5 + x[:3, :3].relu()).to_sparse()
        return step_of(x, step)

    return Part({"model": model, "optimizer": optimizer}, train)


def gan() -> Part:
    """Two players with optimizers and schedules of their own, noise of its own, weights clipped, gradients frozen."""
    generator, critic = nn.Linear(3, FEATURES), net()
    optimizer_g = torch.optim.Adam(generator.parameters(), lr=0.01, betas=(0.5, 0.9))
    optimizer_c = torch.optim.RMSprop(critic.parameters(), lr=0.005, momentum=0.5)
    schedule_g = schedules.StepLR(optimizer_g, 2, gamma=0.5)
    schedule_c = schedules.ExponentialLR(optimizer_c, 0.9)
    noise = torch.Generator().manual_seed(3)

    def train(x: Tensor, step: int) -> Tensor:
        fake = generator(torch.randn(len(x), 3, generator=noise))
        critic.requires_grad_(True)
        loss: Tensor = critic(fake.detach()).mean() - critic(x).mean()
        optimizer_c.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer_c.step()
        for parameter in critic.parameters():
            parameter.data.clamp_(-0.1, 0.1)
        critic.requires_grad_(False)
        if step % 2 == 0:
            optimizer_g.zero_grad()
            (-critic(fake).mean()).backward()
            optimizer_g.step()
        return loss.detach()

    def after(_: int) -> None:
        schedule_g.step()
        schedule_c.step()

    tracked = {
        "generator": generator, "critic": critic, "optimizer_g": optimizer_g, "optimizer_c": optimizer_c,
        "schedule_g": schedule_g, "schedule_c": schedule_c, "noise": noise,
    }  # fmt: skip
    return Part(tracked, train, after=after)


class Replay:
    """A user's own class: a small store of former batches, with a ``state_dict``."""

    def __init__(self) -> None:
        self.kept: list[Tensor] = []
        self.seen = 0
        self.scale = {"mean": 0.0}

    def add(self, x: Tensor) -> Tensor:
        self.seen += 1
        self.kept = [*self.kept, x.clone()][-3:]
        self.scale["mean"] = 0.9 * self.scale["mean"] + 0.1 * float(x.mean())
        return self.kept[random.randrange(len(self.kept))] - self.scale["mean"]

    def state_dict(self) -> dict[str, Any]:
        return {"kept": self.kept, "seen": self.seen, "scale": self.scale}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.kept, self.seen, self.scale = list(state["kept"]), state["seen"], dict(state["scale"])


def own_streams() -> Part:
    """Generators of every kind, a class of the user's own, and a bare tensor with an optimizer."""
    alpha = torch.zeros(FEATURES, requires_grad=True)
    optimizer = torch.optim.Adam([alpha], lr=0.05)
    streams = {
        kind.__name__: np.random.Generator(kind(5))
        for kind in (np.random.PCG64, np.random.Philox, np.random.MT19937, np.random.SFC64)
    }
    legacy, python, torchs = np.random.RandomState(6), random.Random(7), torch.Generator().manual_seed(8)
    replay = Replay()

    def train(x: Tensor, _: int) -> Tensor:
        drawn = sum(float(s.normal()) for s in streams.values()) + float(legacy.randn()) + python.gauss(0, 1)
        loss: Tensor = ((replay.add(x) - alpha) * (drawn + torch.randn(FEATURES, generator=torchs))).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return loss.detach()

    tracked = {"alpha": alpha, "optimizer": optimizer, "legacy": legacy, "python": python, "torch": torchs}
    return Part({**tracked, **streams, "replay": replay}, train)


def exponential_average() -> Part:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, nesterov=True, momentum=0.9)
    ema = swa_utils.AveragedModel(model, multi_avg_fn=swa_utils.get_ema_multi_avg_fn(0.9), use_buffers=True)
    by_hand = {name: value.detach().clone() for name, value in model.named_parameters()}
    step_of = fitted(model, optimizer)

    def train(x: Tensor, step: int) -> Tensor:
        loss = step_of(x, step)
        ema.update_parameters(model)
        for name, value in model.named_parameters():
            by_hand[name].lerp_(value.detach(), 0.1)
        return loss + ema(x).detach().mean() + by_hand["0.bias"].sum()

    tracked = {f"by_hand_{name.replace('.', '_')}": value for name, value in by_hand.items()}
    return Part({"model": model, "optimizer": optimizer, "ema": ema, **tracked}, train)


def stochastic_average() -> Part:
    """SWA: averaged from the second epoch on, with its own schedule, its BatchNorm made from a pass over the data."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    swa = swa_utils.AveragedModel(model)
    schedule = swa_utils.SWALR(optimizer, swa_lr=0.01, anneal_epochs=2)

    def after(epoch: int) -> None:
        if epoch >= 2:
            swa.update_parameters(model)
            schedule.step()
            swa_utils.update_bn(shuffled(), swa)

    tracked = {"model": model, "optimizer": optimizer, "swa": swa, "schedule": schedule}
    return Part(tracked, fitted(model, optimizer), after=after)


def lbfgs() -> Part:
    model = nn.Sequential(nn.Linear(FEATURES, 4), nn.Tanh(), nn.Linear(4, 1))
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=3, history_size=4, line_search_fn="strong_wolfe")

    def train(x: Tensor, _: int) -> Tensor:
        def closure() -> Tensor:
            optimizer.zero_grad()
            loss: Tensor = (model(x) - 1).pow(2).mean()
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        return torch.as_tensor(optimizer.step(closure)).detach()  # type: ignore[arg-type]

    return Part({"model": model, "optimizer": optimizer}, train)


def scheduled(
    make: Callable[[Any], Any], optimizer_of: Callable[[Any], Any] | None = None, *, each_step: bool = True
) -> Callable[[], Part]:
    def part() -> Part:
        model = net()
        optimizer = (optimizer_of or (lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9)))(model.parameters())
        schedule = make(optimizer)
        step_of = fitted(model, optimizer)

        def train(x: Tensor, step: int) -> Tensor:
            loss = step_of(x, step)
            if each_step:
                schedule.step()
            return loss

        def after(_: int) -> None:
            if not each_step:
                schedule.step()

        return Part({"model": model, "optimizer": optimizer, "schedule": schedule}, train, after=after)

    return part


def restarts_within_the_epoch() -> Part:
    """Warm restarts told the fraction of the epoch."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    schedule = schedules.CosineAnnealingWarmRestarts(optimizer, 1, 2)
    step_of = fitted(model, optimizer)

    def train(x: Tensor, step: int) -> Tensor:
        loss = step_of(x, step)
        schedule.step(step / BATCHES)  # type: ignore[arg-type]
        return loss

    return Part({"model": model, "optimizer": optimizer, "schedule": schedule}, train)


def plateau_with_tensor_rate() -> Part:
    """The learning rate is a tensor; the schedule looks at what the epoch came to, kept in a buffer."""
    model = net()
    model.register_buffer("total", torch.zeros(()))
    optimizer = torch.optim.Adam(model.parameters(), lr=torch.tensor(0.01), capturable=False, foreach=False)
    schedule = schedules.ReduceLROnPlateau(optimizer, patience=0, factor=0.5)
    step_of = fitted(model, optimizer)

    def train(x: Tensor, step: int) -> Tensor:
        loss = step_of(x, step)
        model.get_buffer("total").add_(loss)
        return loss

    def after(_: int) -> None:
        schedule.step(float(model.get_buffer("total")))
        model.get_buffer("total").zero_()

    return Part({"model": model, "optimizer": optimizer, "schedule": schedule}, train, after=after)


def shared_and_frozen() -> Part:
    """Tied weights under two names, and a layer that is frozen, thawed and frozen again."""
    model = nn.Sequential(nn.Linear(FEATURES, FEATURES), Tied(), nn.Dropout(0.2))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, amsgrad=True)

    def before(epoch: int) -> None:
        model[0].requires_grad_(epoch % 2 == 0)

    return Part({"model": model, "optimizer": optimizer}, fitted(model, optimizer), before)


def words_of(x: Tensor) -> Tensor:
    return (x.abs() * 4).long() % 10


def embedding_max_norm() -> Part:
    """Looking up a row rescales it in place, behind the optimizer's back."""
    model = nn.Sequential(nn.Embedding(10, 4, max_norm=0.8), nn.Linear(4, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    return Part({"model": model, "optimizer": optimizer}, fitted(model, optimizer, words_of))


def embedding_sparse() -> Part:
    model = nn.Embedding(10, 4, sparse=True)
    optimizer = torch.optim.SparseAdam(model.parameters(), lr=0.05)
    return Part({"model": model, "optimizer": optimizer}, fitted(model, optimizer, words_of))


def spectral_norms() -> Part:
    """Both kinds, each with its power iteration in buffers."""
    model = nn.Sequential(
        nn.utils.parametrizations.spectral_norm(nn.Linear(FEATURES, 6)),
        nn.Tanh(),
        nn.utils.spectral_norm(nn.Linear(6, 6)),
        nn.utils.parametrizations.weight_norm(nn.Linear(6, 1)),
    )
    optimizer = torch.optim.NAdam(model.parameters(), lr=0.01)
    return Part({"model": model, "optimizer": optimizer}, fitted(model, optimizer))


def extra_state() -> Part:
    model = ExtraState()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-5)
    return Part({"model": model, "optimizer": optimizer}, fitted(model, optimizer))


def growing() -> Part:
    """A backbone given to the optimizer with the second epoch, and further parts in the middle of the third."""
    backbone, middle, head = nn.Linear(FEATURES, 6), nn.Linear(6, 6), nn.Linear(6, 1)
    model = nn.Sequential(backbone, nn.Tanh(), middle, nn.Dropout(0.2), head)
    optimizer = torch.optim.AdamW(head.parameters(), lr=0.01)
    backbone.requires_grad_(False)
    step_of = fitted(model, optimizer)

    def before(epoch: int) -> None:
        if epoch == 2:
            backbone.requires_grad_(True)
            optimizer.add_param_group({"params": list(backbone.parameters()), "lr": 0.002})

    def train(x: Tensor, step: int) -> Tensor:
        if step == 2 * BATCHES + 5:
            optimizer.add_param_group({"params": list(middle.parameters()), "lr": 0.005})
        return step_of(x, step)

    return Part({"model": model, "optimizer": optimizer}, train, before)


def compiled() -> Part:
    model = torch.compile(copy.deepcopy(net()))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    return Part({"model": model, "optimizer": optimizer}, fitted(model, optimizer))


GROUPS: dict[str, dict[str, Callable[[], Part]]] = {
    "plain": {"plain": plain},
    "number formats": {
        "mixed_precision": mixed_precision,
        "bfloat16": bfloat16,
        "complex_numbers": complex_numbers,
        "odd_buffers": odd_buffers,
    },
    "players and streams": {"gan": gan, "own_streams": own_streams},
    "averages": {"exponential_average": exponential_average, "stochastic_average": stochastic_average},
    "schedules": {
        "lbfgs": lbfgs,
        "restarts": scheduled(lambda o: schedules.CosineAnnealingWarmRestarts(o, 5, 2)),
        "restarts_within_the_epoch": restarts_within_the_epoch,
        "one_cycle": scheduled(
            lambda o: schedules.OneCycleLR(o, 0.1, total_steps=60, three_phase=True),
            lambda p: torch.optim.Adam(p, lr=0.01),
        ),
        "lambda_lr": scheduled(lambda o: schedules.LambdaLR(o, lambda step: 0.97**step)),
        "lambda_object": scheduled(lambda o: schedules.LambdaLR(o, Warmup()), each_step=False),
        "cosine_tensor_rate": scheduled(
            lambda o: schedules.CosineAnnealingLR(o, 60), lambda p: torch.optim.Adam(p, lr=torch.tensor(0.01))
        ),
        "plateau_with_tensor_rate": plateau_with_tensor_rate,
    },
    "modules": {
        "shared_and_frozen": shared_and_frozen,
        "embedding_max_norm": embedding_max_norm,
        "embedding_sparse": embedding_sparse,
        "spectral_norms": spectral_norms,
        "extra_state": extra_state,
    },
    "growing": {"growing": growing},
    "compiled": {"compiled": compiled},
}
