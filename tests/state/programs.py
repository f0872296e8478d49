"""Small training programs of every kind: built afresh from a seed, trained step by step, saved and restored.

Each is a function ``build(seed) -> Program``. Two programs built with different seeds differ in every weight,
so a state that is not restored shows.
"""

import io
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import prune
from torch.optim import lr_scheduler as schedules
from torch.optim import swa_utils

from unbroken.state.snapshot import copy_to_host, encode, equal_bits
from unbroken.state.tracked import Tracked

Step = Callable[[int], None]


@dataclass
class Program:
    """What is tracked, and one training step as a function of its number alone."""

    objects: dict[str, Any]
    step: Step
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tracked = Tracked()
        for name, obj in self.objects.items():
            self.tracked.add(name, obj)

    def run(self, steps: Iterable[int]) -> None:
        for number in steps:
            torch.manual_seed(number)
            self.step(number)

    def save(self) -> bytes:
        """As the library saves: copied to the host, then written by ``torch.save``."""
        payload = {
            "states": self.tracked.state(),
            "extras": self.tracked.extras(),
            "optimizer_parameters": self.tracked.optimizer_parameters(),
            "architecture": self.tracked.architecture(),
        }
        return written(copy_to_host(payload))

    def restore(self, file: bytes) -> None:
        payload = read(file)
        self.tracked.compare_architecture(payload["architecture"])
        self.tracked.restore(payload["states"], payload["optimizer_parameters"], payload["extras"])

    def everything(self) -> Any:
        """All state there is, encoded, live."""
        return encode({"states": self.tracked.state(), "extras": self.tracked.extras()}, "")


def written(payload: Any) -> bytes:
    file = io.BytesIO()
    torch.save(payload, file, pickle_protocol=2)
    return file.getvalue()


def read(file: bytes) -> Any:
    return torch.load(io.BytesIO(file), weights_only=True, map_location="cpu")


def resumes_exactly(build: Callable[[int], Program], before: int = 3, after: int = 3) -> str | None:
    """The first bit that differs between an uninterrupted program and one killed after ``before`` steps."""
    whole = build(0)
    whole.run(range(before))
    file = whole.save()
    whole.run(range(before, before + after))

    resumed = build(1)
    resumed.run(range(1))  # so that there is other state to get rid of
    assert equal_bits(whole.everything(), resumed.everything()) is not None, "nothing to restore: this proves nothing"
    resumed.restore(file)
    resumed.run(range(before, before + after))
    return equal_bits(whole.everything(), resumed.everything())


def small_model(seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.2), nn.Tanh(), nn.Linear(6, 6), nn.Linear(6, 1)
    )


def supervised(
    model: nn.Module, optimizer: Any, *, after: Step | None = None, inputs: Callable[[], Tensor] | None = None
) -> Step:
    def step(number: int) -> None:
        x = inputs() if inputs else torch.randn(8, 4)

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = model(x).abs().pow(2).mean()
            loss.backward()
            return loss

        if isinstance(optimizer, torch.optim.LBFGS):
            optimizer.step(closure)
        else:
            closure()
            optimizer.step()
        if after is not None:
            after(number)

    return step


def with_optimizer(
    make: Callable[[Any], Any], prepare: Callable[[nn.Module], nn.Module] = lambda m: m
) -> Callable[[int], Program]:
    def build(seed: int) -> Program:
        model = prepare(small_model(seed))
        optimizer = make(model.parameters())
        return Program({"model": model, "optimizer": optimizer}, supervised(model, optimizer))

    return build


def with_scheduler(
    make: Callable[[Any], Any],
    *,
    optimizer: Callable[[Any], Any] = lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    metric: bool = False,
) -> Callable[[int], Program]:
    def build(seed: int) -> Program:
        model = small_model(seed)
        opt = optimizer(model.parameters())
        scheduler = make(opt)

        def after(number: int) -> None:
            if metric:
                scheduler.step(math.sin(number) if number < 2 else 5.0)
            else:
                scheduler.step()

        return Program({"model": model, "optimizer": opt, "scheduler": scheduler}, supervised(model, opt, after=after))

    return build


def with_model(
    make: Callable[[], nn.Module], inputs: Callable[[], Tensor] = lambda: torch.randn(8, 4), dense: bool = True
) -> Callable[[int], Program]:
    def build(seed: int) -> Program:
        torch.manual_seed(seed)
        model = make()
        parameters = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(parameters, lr=0.01) if dense else torch.optim.SparseAdam(parameters, lr=0.01)
        return Program({"model": model, "optimizer": optimizer}, supervised(model, optimizer, inputs=inputs))

    return build


class Float32Momentum(torch.optim.Optimizer):
    """Keeps float32 momentum for parameters of any dtype, as mixed-precision optimizers do."""

    def __init__(self, params: Any, lr: float = 0.1) -> None:
        super().__init__(params, {"lr": lr, "kind": "plain"})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["momentum"] = torch.zeros_like(p, dtype=torch.float32)
                    state["label"] = "seen"
                    state["norms"] = []
                state["momentum"].mul_(0.9).add_(p.grad.float())
                state["norms"].append(float(p.grad.float().norm()))
                p.sub_((group["lr"] * state["momentum"]).to(p.dtype))


class Recurrent(nn.Module):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.cells: nn.Module = getattr(nn, kind)(4, 5, num_layers=2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(10, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.cells(x.unsqueeze(1))[0])
        return out


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Linear(4, 4, bias=False)
        self.decode = nn.Linear(4, 4, bias=False)
        self.decode.weight = self.encode.weight
        self.same = self.encode  # one module under two names

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.decode(torch.tanh(self.same(x)))
        return out


class ExtraState(nn.Module):
    """Counts its calls outside any tensor, and keeps a buffer that is not persistent and one born in training."""

    born: Tensor | None
    hidden: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.calls = 0
        self.register_buffer("hidden", torch.zeros(4), persistent=False)
        self.register_buffer("born", None)

    def get_extra_state(self) -> dict[str, Any]:
        return {"calls": self.calls, "at": (1, 2)}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        self.calls = state["calls"]

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.hidden = self.hidden * 0.5 + x.detach().mean(0)
        self.born = x.detach().sum(0) if self.born is None else self.born + x.detach().sum(0)
        out: Tensor = self.linear(x) * (self.calls + self.hidden + self.born)
        return out


class Buffers(nn.Module):
    """Buffers of every storable dtype, one sparse, one complex, one empty, one expanded."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        for dtype in (torch.bool, torch.int8, torch.uint8, torch.int16, torch.int64, torch.float16, torch.bfloat16):
            self.register_buffer(f"b_{str(dtype)[6:]}", torch.randn(3).mul(10).to(dtype))
        self.register_buffer("fp8", torch.randn(3).to(torch.float8_e4m3fn))
        self.register_buffer("complex", torch.randn(3, dtype=torch.complex64))
        self.register_buffer("coo", torch.randn(3, 3).relu().to_sparse())
        self.register_buffer("empty", torch.empty(0, 3))
        self.register_buffer("nans", torch.tensor([math.nan, -0.0, 0.0, math.inf]))
        self.register_buffer("last", torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.linear(x)
        self.get_buffer("complex").mul_(1.1 + 0.1j)
        return out * self.get_buffer("complex").abs().sum()


class Complex(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 4, dtype=torch.complex64))

    def forward(self, x: Tensor) -> Tensor:
        return x.to(torch.complex64) @ self.weight


class Outer(nn.Module):
    """Wrappers inside a model: a compiled part and a parallel part."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.compile(nn.Linear(4, 4), backend="eager")
        self.second = nn.DataParallel(nn.Linear(4, 4))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.second(self.first(x))
        return out


class Warmup:
    """A schedule that is an object with state of its own."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, epoch: int) -> float:
        self.calls += 1
        return 1.0 / (1 + self.calls)


def averaged(make: Callable[[nn.Module], swa_utils.AveragedModel]) -> Callable[[int], Program]:
    def build(seed: int) -> Program:
        model = small_model(seed)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        ema = make(model)
        scheduler = swa_utils.SWALR(optimizer, swa_lr=0.01, anneal_epochs=4)

        def after(number: int) -> None:
            ema.update_parameters(model)
            scheduler.step()

        return Program(
            {"model": model, "optimizer": optimizer, "ema": ema, "scheduler": scheduler},
            supervised(model, optimizer, after=after),
        )

    return build


def scaled(seed: int) -> Program:
    """Mixed precision with a loss scaler that skips a step now and then."""
    model = small_model(seed)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=2)

    def step(number: int) -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = model(torch.randn(8, 4)).float().pow(2).mean()
        if number == 1:
            loss = loss * math.inf
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    return Program({"model": model, "optimizer": optimizer, "scaler": scaler}, step)


def adversarial(seed: int) -> Program:
    """Two models, two optimizers, generators of every kind, a bare tensor, gradients switched on and off."""
    import random

    import numpy as np

    torch.manual_seed(seed)
    generator, critic = nn.Linear(3, 4), small_model(seed + 10)
    opt_g = torch.optim.Adam(generator.parameters(), lr=0.01)
    opt_c = torch.optim.RMSprop(critic.parameters(), lr=0.01)
    log_alpha = torch.randn(1, requires_grad=True)
    opt_alpha = torch.optim.Adam([log_alpha], lr=0.1)
    noise = torch.Generator().manual_seed(seed)
    streams = [
        np.random.Generator(kind(seed))
        for kind in (np.random.PCG64, np.random.Philox, np.random.MT19937, np.random.SFC64)
    ]
    legacy, python = np.random.RandomState(seed), random.Random(seed)

    def step(number: int) -> None:
        scale = sum(s.normal() for s in streams) + legacy.normal() + python.gauss(0, 1)
        fake = generator(torch.randn(8, 3, generator=noise) * scale)
        for p in critic.parameters():
            p.requires_grad_(True)
        opt_c.zero_grad()
        critic(fake.detach()).mean().backward()
        opt_c.step()
        for p in critic.parameters():
            p.requires_grad_(False)
        opt_g.zero_grad()
        opt_alpha.zero_grad()
        (-critic(fake).mean() * log_alpha.exp()).backward()
        opt_g.step()
        opt_alpha.step()

    objects = {
        "generator": generator, "critic": critic, "opt_g": opt_g, "opt_c": opt_c,
        "log_alpha": log_alpha, "opt_alpha": opt_alpha, "noise": noise, "legacy": legacy, "python": python,
        **{f"stream{i}": s for i, s in enumerate(streams)},
    }  # fmt: skip
    return Program(objects, step)


OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.05),
    "sgd-nesterov": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "adam-amsgrad": lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True),
    "adam-tensor-lr": lambda p: torch.optim.Adam(p, lr=torch.tensor(0.01)),
    "adam-fused": lambda p: torch.optim.Adam(p, lr=0.01, fused=True),
    "adamw-foreach": lambda p: torch.optim.AdamW(p, lr=0.01, foreach=True),
    "adamw-capturable": lambda p: torch.optim.AdamW(p, lr=torch.tensor(0.01), foreach=False),
    "sgd-fused": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.5, fused=True),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.05),
    "adadelta": lambda p: torch.optim.Adadelta(p),
    "adamax": lambda p: torch.optim.Adamax(p, lr=0.01),
    "asgd": lambda p: torch.optim.ASGD(p, lr=0.01, t0=1),
    "nadam": lambda p: torch.optim.NAdam(p, lr=0.01),
    "radam": lambda p: torch.optim.RAdam(p, lr=0.01),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01, centered=True, momentum=0.5),
    "rprop": lambda p: torch.optim.Rprop(p, lr=0.01),
    "adafactor": lambda p: torch.optim.Adafactor(p, lr=0.01),
    "muon": lambda p: torch.optim.Muon([q for q in p if q.ndim == 2], lr=0.01),
    "lbfgs": lambda p: torch.optim.LBFGS(p, lr=0.1, max_iter=4, history_size=3, line_search_fn="strong_wolfe"),
    "lbfgs-plain": lambda p: torch.optim.LBFGS(p, lr=0.1, max_iter=3, history_size=2),
    "groups": lambda p: _grouped(list(p)),
    "float32-state": lambda p: Float32Momentum(p),
}


def _grouped(parameters: list[Tensor]) -> torch.optim.Optimizer:
    optimizer = torch.optim.AdamW(
        [{"params": parameters[:2], "lr": 0.1}, {"params": parameters[2:4], "weight_decay": 0.0}], lr=0.01
    )
    optimizer.add_param_group({"params": parameters[4:], "lr": 0.02, "name": "late"})
    return optimizer


_adam = lambda p: torch.optim.Adam(p, lr=0.01)  # noqa: E731
SCHEDULERS: dict[str, Callable[[int], Program]] = {
    "plateau": with_scheduler(lambda o: schedules.ReduceLROnPlateau(o, patience=0, cooldown=1), metric=True),
    "plateau-tensor-lr": with_scheduler(
        lambda o: schedules.ReduceLROnPlateau(o, patience=0),
        optimizer=lambda p: torch.optim.Adam(p, lr=torch.tensor(0.01)),
        metric=True,
    ),
    "one-cycle": with_scheduler(lambda o: schedules.OneCycleLR(o, 0.1, total_steps=8)),
    "one-cycle-betas": with_scheduler(
        lambda o: schedules.OneCycleLR(o, 0.1, total_steps=8, three_phase=True), optimizer=_adam
    ),
    "cyclic": with_scheduler(lambda o: schedules.CyclicLR(o, 0.01, 0.1, step_size_up=2)),
    "cyclic-function": with_scheduler(
        lambda o: schedules.CyclicLR(o, 0.01, 0.1, step_size_up=2, scale_fn=lambda x: 0.5**x)
    ),
    "warm-restarts": with_scheduler(lambda o: schedules.CosineAnnealingWarmRestarts(o, 2, 2)),
    "cosine": with_scheduler(lambda o: schedules.CosineAnnealingLR(o, 5)),
    "cosine-tensor-lr": with_scheduler(
        lambda o: schedules.CosineAnnealingLR(o, 5), optimizer=lambda p: torch.optim.Adam(p, lr=torch.tensor(0.01))
    ),
    "multi-step": with_scheduler(lambda o: schedules.MultiStepLR(o, [2, 4, 4])),
    "polynomial": with_scheduler(lambda o: schedules.PolynomialLR(o, 6, 2.0)),
    "lambda": with_scheduler(lambda o: schedules.LambdaLR(o, lambda e: 0.9**e)),
    "lambda-object": with_scheduler(lambda o: schedules.LambdaLR(o, Warmup())),
    "multiplicative": with_scheduler(lambda o: schedules.MultiplicativeLR(o, lambda e: 0.9)),
    "sequential": with_scheduler(
        lambda o: schedules.SequentialLR(
            o,
            [schedules.LinearLR(o, 0.1, total_iters=2), schedules.MultiStepLR(o, [1]), schedules.LambdaLR(o, Warmup())],
            [2, 4],
        )
    ),
    "chained": with_scheduler(
        lambda o: schedules.ChainedScheduler([schedules.ConstantLR(o, 0.1, 4), schedules.ExponentialLR(o, 0.9)])
    ),
}  # fmt: skip

MODELS: dict[str, Callable[[int], Program]] = {
    "lstm": with_model(lambda: Recurrent("LSTM")),
    "gru": with_model(lambda: Recurrent("GRU")),
    "tied": with_model(Tied),
    "spectral-norm": with_model(lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4))),
    "spectral-norm-hook": with_model(lambda: nn.utils.spectral_norm(nn.Linear(4, 4))),
    "weight-norm": with_model(lambda: nn.utils.parametrizations.weight_norm(nn.Linear(4, 4))),
    "orthogonal": with_model(lambda: nn.utils.parametrizations.orthogonal(nn.Linear(4, 4))),
    "pruned": with_model(lambda: prune.l1_unstructured(nn.Linear(4, 4), "weight", 0.5)),
    "extra-state": with_model(ExtraState),
    "buffers": with_model(Buffers),
    "complex": with_model(Complex),
    "instance-norm": with_model(
        lambda: nn.InstanceNorm1d(4, affine=True, track_running_stats=True), lambda: torch.randn(8, 4, 5)
    ),
    "attention": with_model(
        lambda: nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), lambda: torch.randn(2, 3, 4)
    ),
    "embedding-sparse": with_model(
        lambda: nn.Embedding(10, 4, sparse=True), lambda: torch.randint(10, (6,)), dense=False
    ),
    "embedding-max-norm": with_model(lambda: nn.Embedding(10, 4, max_norm=1.0), lambda: torch.randint(10, (6,))),
    "compiled": with_model(lambda: torch.compile(nn.Linear(4, 4), backend="eager")),
    "compiled-in-place": with_model(lambda: _compiled_in_place(nn.Linear(4, 4))),
    "data-parallel": with_model(lambda: nn.DataParallel(nn.Linear(4, 4))),
    "wrapped-inside": with_model(Outer),
    "channels-last": with_model(
        lambda: nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last), lambda: torch.randn(2, 3, 5, 5)
    ),
    "float64": with_model(lambda: nn.Linear(4, 4).double(), lambda: torch.randn(8, 4, dtype=torch.float64)),
    "bfloat16": with_model(lambda: nn.Linear(4, 4).bfloat16(), lambda: torch.randn(8, 4, dtype=torch.bfloat16)),
    "float32-state-bfloat16": with_optimizer(
        lambda p: Float32Momentum(p), lambda m: nn.Sequential(_Cast(), m.bfloat16())
    ),
    "swa": averaged(lambda m: swa_utils.AveragedModel(m)),
    "ema": averaged(
        lambda m: swa_utils.AveragedModel(m, multi_avg_fn=swa_utils.get_ema_multi_avg_fn(0.9), use_buffers=True)
    ),
    "scaler": scaled,
    "adversarial": adversarial,
}  # fmt: skip


class _Cast(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.bfloat16()


def _compiled_in_place(module: nn.Module) -> nn.Module:
    module.compile(backend="eager")
    return module
