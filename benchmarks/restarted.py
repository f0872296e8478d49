"""``python -m benchmarks.restarted METHOD FOLDER``: one of the processes that ``restarts`` kills and starts again.

A small network with dropout and BatchNorm under DDP, a shuffled data set in parts, a save every 50 steps. After each
step the first process writes down when it was done, and the digest of the weights.
"""

import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import xxhash
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

EPOCHS, EVERY, SAMPLES, BATCH = 2, 50, 3200, 8
_STEP = 0.005  # seconds


class Training:
    """What all methods train; ``step`` is one batch."""

    def __init__(self, folder: Path) -> None:
        torch.set_num_threads(1)
        torch.manual_seed(1)
        parts = [nn.Linear(64, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Dropout(0.2), nn.Linear(256, 8)]
        self.model = nn.Sequential(*parts)
        data = TensorDataset(torch.randn(SAMPLES, 64), torch.randint(0, 8, (SAMPLES,)))
        self.sampler: DistributedSampler[Any] = DistributedSampler(data, seed=3)
        self.loader = DataLoader(data, BATCH, sampler=self.sampler)
        self._log = os.open(folder / f"steps-{os.getpid()}", os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.AdamW(model.parameters(), lr=1e-3)

    def step(self, model: nn.Module, optimizer: Any, batch: list[torch.Tensor], backward: Any = None) -> None:
        loss = nn.functional.cross_entropy(model(batch[0]), batch[1])
        optimizer.zero_grad()
        backward(loss) if backward else loss.backward()
        optimizer.step()
        if dist.get_rank() == 0:
            digest = xxhash.xxh3_64(b"".join(bytes(one.numpy().data) for one in self.model.state_dict().values()))
            os.write(self._log, f"{time.time()} {digest.hexdigest()}\n".encode())
        time.sleep(_STEP)


def ours(training: Training, folder: Path) -> None:
    import unbroken

    model = DistributedDataParallel(training.model)
    optimizer = training.optimizer(model)
    run = unbroken.Run(folder / "checkpoints", every=None, every_steps=EVERY)
    run.track(model=model, optimizer=optimizer)
    for _ in run.epochs(EPOCHS):
        for batch in run.batches(training.loader):
            training.step(model, optimizer, batch)


def accelerate(training: Training, folder: Path) -> None:
    """As its page on checkpoints has it: states saved in turn, and the batches that were done skipped."""
    from accelerate import Accelerator
    from accelerate.utils import DataLoaderConfiguration, ProjectConfiguration

    config = ProjectConfiguration(str(folder), automatic_checkpoint_naming=True, total_limit=2)
    loading = DataLoaderConfiguration(use_seedable_sampler=True)
    accelerator = Accelerator(cpu=True, project_config=config, dataloader_config=loading)
    undivided = DataLoader(training.loader.dataset, BATCH, shuffle=True)  # it divides by itself
    model, optimizer, loader = accelerator.prepare(training.model, training.optimizer(training.model), undivided)
    done, saved = 0, sorted((folder / "checkpoints").glob("checkpoint_*"), key=lambda path: int(path.name[11:]))
    if saved:
        accelerator.load_state(str(saved[-1]))
        done = (int(saved[-1].name[11:]) + 1) * EVERY
        accelerator.project_configuration.iteration = int(saved[-1].name[11:]) + 1
    length = len(loader)
    for epoch in range(done // length, EPOCHS):
        loader.set_epoch(epoch)
        skipped = done % length if epoch == done // length else 0
        for number, batch in enumerate(accelerator.skip_first_batches(loader, skipped), epoch * length + skipped + 1):
            training.step(model, optimizer, batch, accelerator.backward)
            if number % EVERY == 0:
                accelerator.save_state()


def ravex(training: Training, folder: Path) -> None:
    import ravex as peer

    storage = {"type": "local", "path": str(folder / "checkpoints")}

    @peer.train_loop(backend="torch_save", storage=storage, checkpoint_every=EVERY)  # type: ignore[untyped-decorator]
    def train() -> None:
        inside = Training(folder)  # what it is to notice is made in there
        model = DistributedDataParallel(inside.model)
        optimizer = inside.optimizer(model)
        for epoch in range(EPOCHS):
            inside.sampler.set_epoch(epoch)
            for batch in inside.loader:
                inside.step(model, optimizer, batch)

    train()


METHODS: dict[str, Callable[[Training, Path], None]] = {"Unbroken": ours, "Accelerate": accelerate, "ravex": ravex}


def steps_in(folder: Path) -> Iterator[tuple[float, str]]:
    """When each step of the process that wrote last was done, and the weights after it."""
    logs = sorted(folder.glob("steps-*"), key=lambda path: path.stat().st_mtime)
    for line in logs[-1].read_text().splitlines() if logs else []:
        at, digest = line.split()
        yield float(at), digest


def main() -> None:
    warnings.filterwarnings("ignore")
    method, folder = sys.argv[1], Path(sys.argv[2])
    dist.init_process_group("gloo")
    METHODS[method](Training(folder), folder)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
