"""Many small tensors: what each costs, counted in calls, which no other program on the machine can change."""

import copy
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.counting import calls
from unbroken.state.optimizers import _looked_up
from unbroken.state.snapshot import copy_to_host
from unbroken.state.tracked import Tracked
from unbroken.store import torchfile
from unbroken.store.torchfile import LaidOut

FEW, MANY = 200, 600  # parameters; with AdamW four tensors each


def trained(parameters: int, *, stepped: bool) -> Tracked:
    model = nn.ParameterList(nn.Parameter(torch.ones(5, 3)) for _ in range(parameters))
    optimizer = torch.optim.AdamW(model.parameters())
    if stepped:
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter)
        optimizer.step()
    tracked = Tracked()
    tracked.add("model", model)
    tracked.add("optimizer", optimizer)
    return tracked


def payload_of(tracked: Tracked) -> dict[str, Any]:
    return {"states": tracked.state(), "names": tracked.optimizer_parameters(), "extras": tracked.extras()}


def per_tensor(make: Callable[[int], Callable[[], object]]) -> float:
    """Calls that one more tensor makes; what is done once falls out of the difference."""
    make(FEW)()  # what is imported and cached at first use
    few, many = calls(make(FEW)), calls(make(MANY))
    return (many - few) / (4 * (MANY - FEW))


def test_a_tensor_is_copied_in_few_calls() -> None:
    def snapshot(parameters: int) -> Callable[[], object]:
        tracked = trained(parameters, stepped=True)
        return lambda: copy_to_host(payload_of(tracked))

    assert per_tensor(snapshot) < 36


def test_a_payload_is_walked_once_for_the_file_and_its_size() -> None:
    def laid_out(parameters: int) -> Callable[[], object]:
        payload = copy_to_host(payload_of(trained(parameters, stepped=True)))
        return lambda: LaidOut(payload).size

    def written(parameters: int) -> Callable[[], object]:
        payload = LaidOut(copy_to_host(payload_of(trained(parameters, stepped=True))))
        return lambda: payload.write(io.BytesIO())

    assert per_tensor(laid_out) < 85
    assert per_tensor(written) < 47


def test_a_tensor_is_read_and_restored_in_few_calls(tmp_path: Path) -> None:
    def resumed(parameters: int) -> Callable[[], object]:
        path = tmp_path / f"{parameters}.pth"
        with path.open("wb") as file:
            torchfile.write(copy_to_host(payload_of(trained(parameters, stepped=True))), file)
        fresh = trained(parameters, stepped=False)

        def work() -> None:
            payload = torchfile.read(path)
            fresh.restore(payload["states"], payload["names"], payload["extras"])

        return work

    assert per_tensor(resumed) < 250


PROGRAM = """
import sys, threading
from pathlib import Path
import torch
from torch import nn
from unbroken.state.optimizers import _looked_up
from unbroken.state.snapshot import copy_to_host
from unbroken.state.tracked import Tracked
from unbroken.store import torchfile

def held():
    lines = Path("/proc/self/status").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))

def build(stepped):
    model = nn.ParameterList(nn.Parameter(torch.ones(1_000_000)) for _ in range(20))
    optimizer = torch.optim.AdamW(model.parameters())
    if stepped:
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter)
        optimizer.step()
    tracked = Tracked()
    tracked.add("model", model)
    tracked.add("optimizer", optimizer)
    return tracked

path = Path(sys.argv[1])
if sys.argv[2] == "write":
    tracked = build(True)
    saved = {"states": tracked.state(), "names": tracked.optimizer_parameters(), "extras": tracked.extras()}
    with path.open("wb") as file:
        torchfile.write(copy_to_host(saved), file)
else:
    tracked = build(False)
    for again in range(2):  # the first time what is imported and cached takes room, too
        before, most, ended = held(), 0, threading.Event()

        def watch():
            global most
            while not ended.wait(0.001):
                most = max(most, held())

        thread = threading.Thread(target=watch)
        thread.start()
        payload = torchfile.read(path)
        tracked.restore(payload["states"], payload["names"], payload["extras"])
        ended.set()
        thread.join()
        del payload
    print(most - before)
"""


@pytest.mark.slow
def test_a_resume_takes_no_more_memory_than_the_state_and_one_tensor(tmp_path: Path) -> None:
    """Of 20 parameters of 4 MB: both moments, 160 MB, are made anew; the model is filled where it lies."""
    for what in ("write", "read"):
        command = [sys.executable, "-c", PROGRAM, str(tmp_path / "a.pth"), what]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert int(said) < 160e6 + 4e6 + 8e6


def test_torch_does_not_search_through_all_parameters_for_each_state() -> None:
    """Its ``load_state_dict`` asks for every value whether its number is in the list of its group's."""
    asked = 0

    class Number(int):  # counts what it is compared with
        def __eq__(self, other: object) -> bool:
            nonlocal asked
            asked += 1
            return int(self) == other

        __hash__ = int.__hash__

    looked_up = _looked_up({"state": {}, "param_groups": [{"params": list(range(1000)), "lr": 0.1}]})
    (group,) = looked_up["param_groups"]
    assert Number(999) in group["params"] and Number(1000) not in group["params"]
    assert asked <= 2
    assert group["params"] == list(range(1000)) and copy.deepcopy(group) == group


def test_what_was_put_into_an_optimizer_holds_none_of_the_lists_it_came_in() -> None:
    tracked, fresh = trained(3, stepped=True), trained(3, stepped=False)
    saved = payload_of(tracked)
    fresh.restore(saved["states"], saved["names"], saved["extras"])
    (group,) = fresh.optimizers["optimizer"].param_groups
    assert type(group["params"]) is list
    assert type(fresh.optimizers["optimizer"].state_dict()["param_groups"][0]["params"]) is list
