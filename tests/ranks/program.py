"""A training of several processes, small and of many kinds; each process tells what it ends with."""

import contextlib
import hashlib
import io
import json
import logging
import os
import platform
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset, DistributedSampler, Sampler

import unbroken

SAMPLES, GLOBAL_BATCH = 96, 12  # of 1, 2, 3 and 4 processes


@dataclass(frozen=True)
class Kind:
    """What one training is like; ``ddp`` are arguments of DistributedDataParallel."""

    ddp: dict[str, Any] = field(default_factory=dict)
    accumulate: int = 1
    two_models: bool = False
    workers: int = 0
    distributed_sampler: bool = False
    own_sampler: bool = False
    epochs: int = 3


KINDS = {
    "plain": Kind(),
    "small_buckets": Kind({"bucket_cap_mb": 0.005}),
    "static_graph": Kind({"static_graph": True}),
    "unused": Kind({"find_unused_parameters": True}),
    "views": Kind({"gradient_as_bucket_view": True}),
    "no_sync": Kind(accumulate=2),
    "own_buffers": Kind({"broadcast_buffers": False}),
    "two_models": Kind({"bucket_cap_mb": 0.005}, two_models=True),
    "workers": Kind(workers=2),
    "sampler": Kind(distributed_sampler=True),
    "own_sampler": Kind(own_sampler=True),
}


class Noisy(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Augments each sample by all three generators."""

    def __init__(self) -> None:
        self.inputs = torch.randn(SAMPLES, 16, generator=torch.Generator().manual_seed(5))

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        value = self.inputs[index] + torch.randn(16) * 0.1 + random.random() * 0.01 + float(np.random.rand()) * 0.01
        return value, value.sum() > 0


class Every(Sampler[int]):
    """A sampler of the user's own that deals for itself: another part on each rank."""

    def __init__(self, rank: int, size: int) -> None:
        self._rank, self._size = rank, size

    def __len__(self) -> int:
        return SAMPLES // self._size

    def __iter__(self) -> Iterator[int]:
        order = torch.randperm(SAMPLES).tolist()
        return iter(order[self._rank :: self._size])


class Net(nn.Module):
    """Two branches whose gradients come in another order than they are registered; a BatchNorm and a dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(16, 50), nn.Linear(50, 33), nn.Linear(16, 33)
        self.d, self.norm, self.drop = nn.Linear(33, 1), nn.BatchNorm1d(50), nn.Dropout(0.2)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        side = self.c(inputs).relu()
        out: torch.Tensor = self.d(self.drop(self.b(self.norm(self.a(inputs)).relu())) * side)
        return out


Tell = Callable[..., None]


def train(kind: Kind, folder: Path, tell: Tell, plant: str = "", **options: Any) -> dict[str, Any]:
    """Train to the end; what this process ends with, digested. ``plant`` names what is wrong on the last rank."""
    rank, size = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(100 + rank)  # as people do, for other dropout on each
    random.seed(rank)
    np.random.seed(rank)
    planted = plant if rank == size - 1 else ""
    options["seed"] = 8 if planted == "seed" else 7
    models = [Net() for _ in range(2 if kind.two_models else 1)]
    wrapped = [DistributedDataParallel(model, **kind.ddp) for model in models]
    optimizers = [torch.optim.AdamW(model.parameters(), lr=1e-2) for model in wrapped]
    dataset = Noisy()
    if planted == "shard":
        dataset.inputs = dataset.inputs + 1
    if planted == "shorter":
        dataset.inputs = dataset.inputs[:-GLOBAL_BATCH]
    own = GLOBAL_BATCH // size if kind.distributed_sampler or kind.own_sampler else GLOBAL_BATCH
    sampler: Sampler[Any] | None = DistributedSampler(dataset) if kind.distributed_sampler else None
    if kind.own_sampler:
        sampler = Every(rank, size)
    loader = DataLoader(
        dataset, batch_size=own, shuffle=sampler is None, sampler=sampler, drop_last=True, num_workers=kind.workers
    )
    run = unbroken.Run(folder, every=None, best="loss", best_mode="min", **options)
    for number, (model, optimizer) in enumerate(zip(wrapped, optimizers, strict=True)):
        run.track(**{f"model{number}": model, f"optimizer{number}": optimizer})
    local = run.local(seen=0.0)
    if planted == "environment":
        platform.machine = lambda: None  # type: ignore[assignment,return-value]  # what no checkpoint may hold
    if planted == "built":
        with torch.no_grad():
            models[0].d.bias += 1
    run.begin()
    tell("begun", run.step)
    for epoch in run.epochs(kind.epochs):
        if isinstance(sampler, DistributedSampler):
            sampler.set_epoch(epoch)
        for number, (inputs, targets) in enumerate(run.batches(loader), run.batch):
            last = number % kind.accumulate == kind.accumulate - 1
            total = torch.zeros(())
            for model in wrapped:
                with contextlib.nullcontext() if last else model.no_sync():
                    loss = nn.functional.binary_cross_entropy_with_logits(model(inputs).squeeze(1), targets.float())
                    loss.backward()
                total = total + loss.detach()
            if last:
                for optimizer in optimizers:
                    optimizer.step()
                    optimizer.zero_grad()
            local.seen += float(inputs.sum())
            run.average(loss=total, steps=run.step)
            tell("step", run.step)
            tell("rows", run.step, *(hashlib.md5(row.numpy().tobytes()).hexdigest()[:12] for row in inputs))
            if planted == "bit" and run.step == 5:
                with torch.no_grad():
                    models[0].d.bias.view(torch.int32).bitwise_xor_(1)
            if planted == "error" and run.step == 5:
                raise ValueError("on the last rank")
        tell("epoch", epoch)
    ends = {
        "weights": _digest([tensor for model in models for tensor in model.state_dict().values()]),
        "optimizer": _digest([value for one in optimizers for state in one.state.values() for value in state.values()]),
        "streams": _digest([torch.get_rng_state()]) + str(hash(random.getstate())) + str(np.random.get_state()[2]),
        "seen": local.seen.hex(),
        "history": {name: [value.hex() for value in values] for name, values in run.history.items()},
        "best": [run.best.value.hex(), run.best.epoch],
    }
    run.close()
    return ends


def _digest(tensors: list[Any]) -> str:
    joined = b"".join(torch.as_tensor(one).detach().contiguous().numpy().tobytes() for one in tensors)
    return hashlib.md5(joined).hexdigest()


@contextlib.contextmanager
def group(rank: int, size: int, meeting: Path, seconds: float) -> Iterator[None]:
    """A gloo process group that meets over a file."""
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(size), LOCAL_RANK=str(rank))
    torch.set_num_threads(1)
    from datetime import timedelta

    dist.init_process_group(
        "gloo", init_method=f"file://{meeting}", rank=rank, world_size=size, timeout=timedelta(seconds=seconds)
    )
    try:
        yield
    finally:
        dist.destroy_process_group()


def speak_to(log: Path) -> None:
    """From here on all that this process says goes there, and none of it to the test that has forked it."""
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.stdout, sys.stderr = io.TextIOWrapper(io.FileIO(1, "w")), io.TextIOWrapper(io.FileIO(2, "w"))
    sys.stdout.reconfigure(write_through=True)
    sys.stderr.reconfigure(write_through=True)
    for name in ("", "unbroken"):
        logging.getLogger(name).handlers.clear()


def child(
    kind: Kind, rank: int, size: int, folder: Path, meeting: Path, out: Path, seconds: float = 60, **options: Any
) -> int:
    """One process from its group to its end; its lines go to ``out``.log, what it ends with to ``out``.json."""
    speak_to(Path(f"{out}.log"))
    told = os.open(f"{out}.told", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def tell(*what: object) -> None:
        os.write(told, (" ".join(map(str, what)) + "\n").encode())

    tell("up")
    try:
        with group(rank, size, meeting, seconds):
            ends = train(kind, folder, tell, **options)
        Path(f"{out}.json").write_text(json.dumps(ends))
        tell("done")
        return 0
    except SystemExit as ended:  # a stop, or a refusal that nobody catches
        return int(ended.code or 0)
