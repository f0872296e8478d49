"""A snapshot is of one moment, in loops that write parameters behind the optimizer's back, saving every step."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import unbroken
from unbroken.disk.digest import bytes_digest
from unbroken.store import torchfile

STEPS = 6
Step = Callable[[nn.Module, torch.optim.Optimizer, torch.Tensor], None]


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(3000, 256, max_norm=1.0)  # writes its weight in the forward pass
        self.critic = nn.Linear(256, 256)
        self.register_buffer("seen", torch.zeros(400_000))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.add_(1)  # type: ignore[operator]
        out: torch.Tensor = self.critic(self.embedding(x)).square().mean()
        return out


def clipped(model: nn.Module, optimizer: torch.optim.Optimizer, x: torch.Tensor) -> None:
    model(x).backward()
    optimizer.step()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.clamp_(-0.05, 0.05)


def by_hand(model: nn.Module, optimizer: torch.optim.Optimizer, x: torch.Tensor) -> None:
    model(x).backward()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter -= 0.1 * parameter.grad
            parameter.grad = None


def through_data(model: nn.Module, optimizer: torch.optim.Optimizer, x: torch.Tensor) -> None:
    model(x).backward()
    for parameter in model.parameters():
        parameter.data.add_(parameter.grad, alpha=-0.1)  # type: ignore[arg-type]
        parameter.grad = None


def plain(model: nn.Module, optimizer: torch.optim.Optimizer, x: torch.Tensor) -> None:
    model(x).backward()
    optimizer.step()
    optimizer.zero_grad()


LOOPS: dict[str, tuple[Step, dict[str, object]]] = {
    "weight clipping": (clipped, {}),
    "hand-written SGD": (by_hand, {}),
    ".data": (through_data, {}),
    "max_norm": (plain, {}),
    "fused": (plain, {"fused": True}),
}


def moments(folder: Path, step: Step, options: dict[str, object]) -> tuple[list[str], Iterator[tuple[int, str]]]:
    """The digest of the live state at every boundary, and of every file that was saved, by the step it says."""
    torch.manual_seed(1)
    model = Net()
    optimizer = torch.optim.AdamW(model.parameters(), **options)  # type: ignore[arg-type]
    loader = DataLoader(TensorDataset(torch.arange(STEPS * 4) * 7 % 3000), batch_size=4, shuffle=True)
    live, copies = [digest(model.state_dict(), optimizer.state_dict())], 0
    with unbroken.Run(folder, every_steps=1, seed=1) as run:
        run.track(model=model, optimizer=optimizer)
        for _ in run.epochs(1):
            for (x,) in run.batches(loader):
                step(model, optimizer, x)  # while the state before it is written
                live.append(digest(model.state_dict(), optimizer.state_dict()))
                copies += 1
                run.flush()  # so that the next boundary is saved, too
                shutil.copy(folder / "checkpoint_latest.pth", folder.parent / f"{copies}.pth")
    shutil.copy(folder / "checkpoint_latest.pth", folder.parent / "last.pth")
    return live, saved(folder.parent)


def saved(folder: Path) -> Iterator[tuple[int, str]]:
    for path in sorted(folder.glob("*.pth")):
        payload = torchfile.read(path)
        yield payload["unbroken"]["step"], digest(payload["model_state_dict"], payload["optimizer_state_dict"])


def digest(model: dict[str, torch.Tensor], optimizer: dict[str, object]) -> str:
    tensors = [tensor for _, tensor in sorted(model.items())]
    state = optimizer["state"]
    assert isinstance(state, dict)
    tensors += [value for _, kept in sorted(state.items()) for _, value in sorted(kept.items())]
    return bytes_digest(*(tensor.detach().contiguous().view(-1).numpy().tobytes() for tensor in tensors))


@pytest.mark.parametrize("name", LOOPS)
def test_every_file_is_the_state_of_exactly_one_boundary(tmp_path: Path, name: str) -> None:
    live, files = moments(tmp_path / "run", *LOOPS[name])
    found = list(files)
    assert {step for step, _ in found} == set(range(STEPS + 1))
    assert [(step, live[step]) for step, _ in found] == found
    assert len(set(live)) == STEPS + 1
