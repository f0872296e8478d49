"""The commands on what a real run has saved."""

import torch
from torch.utils.data import DataLoader, TensorDataset

from tests.cli.conftest import Command
from unbroken import Run


def train(folder: str, lr: float) -> None:
    torch.manual_seed(1)
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    loader = DataLoader(TensorDataset(torch.ones(8, 3)), batch_size=4)
    with Run(folder, every_epochs=1, every=None, best="aucs", config={"lr": lr}) as run:
        run.track(model=model, optimizer=optimizer)
        for epoch in run.epochs(3):
            for (x,) in run.batches(loader):
                loss = model(x).square().mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                run.average(train_losses=loss)
            run.record(val_losses=loss.detach(), aucs=epoch)


def test_list_show_diff_resume_point(unbroken: Command) -> None:
    for folder, lr in (("one", 0.1), ("same", 0.1), ("other", 0.2)):
        train(folder, lr)
    assert unbroken("list", "one").row("checkpoint_epoch_3.pth")[1:6] == ["3", "-", "6", "3.000000", "(3)"]
    assert unbroken("resume-point", "one", "--json").json["chosen"]["next_epoch"] == 4
    assert unbroken("verify", "one").code == 0
    shown = unbroken("show", "one/checkpoint_latest.pth")
    assert shown.row("  lr") == ["lr", "0.1"]
    assert shown.row("  torch")[1] == torch.__version__
    assert "package versions" in shown.out
    latest = "checkpoint_latest.pth"
    same = unbroken("diff", f"one/{latest}", f"same/{latest}", "--json").json
    assert (same["identical"], same["tensors"]["compared_by"], same["state"]) == (True, "manifests", {})
    other = unbroken("diff", f"one/{latest}", f"other/{latest}", "--json").json
    assert other["config"] == {"lr": {"a": 0.1, "b": 0.2}}
    assert "model_state_dict.weight" in other["tensors"]["differing"]
    assert other["state"]["optimizer_state_dict.param_groups.0.lr"] == {"a": 0.1, "b": 0.2}
