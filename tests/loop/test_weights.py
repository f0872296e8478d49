"""The pieces of weights that are looked at are those of the parameters as they are now, wherever these lie."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from unbroken.loop.weights import Weights, chosen
from unbroken.state.modules import ModuleState, Place

PIECE = 512


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(30, 30), nn.Sequential(nn.Linear(30, 2), nn.Linear(2, 1)))


def looking_at(module: nn.Module) -> Weights:
    state = ModuleState("model", module)
    places = dict(state.places())
    return Weights([places[name] for name in chosen(dict(state.parameters()))])


def middle_of(weights: torch.Tensor) -> bytes:
    content = weights.detach().clone().numpy().tobytes()
    size = min(len(content), PIECE)
    start = (len(content) - size) // 2
    return content[start : start + size]


def replace_a_layer(module: nn.Sequential) -> None:
    module[0] = nn.Linear(30, 30)


def replace_what_holds_layers(module: nn.Sequential) -> None:
    module[1] = nn.Sequential(nn.Linear(30, 2), nn.Linear(2, 1))


def replace_a_parameter(module: nn.Sequential) -> None:
    module[0].weight = nn.Parameter(torch.randn(30, 30))


def replace_a_parameter_s_memory(module: nn.Sequential) -> None:
    module[0].weight.data = torch.randn(30, 30)


def change_in_place(module: nn.Sequential) -> None:
    nn.init.normal_(module[0].weight)


def change_the_dtype(module: nn.Sequential) -> None:
    module.double()


def empty_and_fill_again(module: nn.Sequential) -> None:
    storage = module[0].weight.untyped_storage()
    size = storage.nbytes()
    storage.resize_(0)
    storage.resize_(size)
    change_in_place(module)


def transpose(module: nn.Sequential) -> None:
    module[0].weight.data = module[0].weight.data.t()
    module[0].weight.data = module[0].weight.data.contiguous()


def to_half_and_back(module: nn.Sequential) -> None:
    for dtype in (torch.float16, torch.float32):
        values = module[0].weight.to(dtype)
        module[0].weight.data = torch.empty(0)
        module[0].weight.data = values


CHANGES = [
    transpose,
    to_half_and_back,
    replace_a_layer,
    replace_what_holds_layers,
    replace_a_parameter,
    replace_a_parameter_s_memory,
    change_in_place,
    change_the_dtype,
    empty_and_fill_again,
]


@pytest.mark.parametrize("change", CHANGES)
def test_after_any_change_it_is_what_is_there_now(change: Callable[[nn.Sequential], None]) -> None:
    module = net()
    weights = looking_at(module)
    assert weights.bits() == b"".join(map(middle_of, module.parameters()))
    before = weights.bits()
    change(module)
    assert weights.bits() == b"".join(map(middle_of, module.parameters())) != before


def without_memory(module: nn.Sequential) -> None:
    module[0].weight.untyped_storage().resize_(0)


def with_less_memory(module: nn.Sequential) -> None:
    module[0].weight.untyped_storage().resize_(100)


def seen_in_another_order(module: nn.Sequential) -> None:
    module[0].weight.data = module[0].weight.data.t()


def sparse(module: nn.Sequential) -> None:
    module[0].weight = nn.Parameter(torch.eye(30).to_sparse())


def on_no_device(module: nn.Sequential) -> None:
    module[0].weight = nn.Parameter(torch.empty(30, 30, device="meta"))


def gone(module: nn.Sequential) -> None:
    del module[0].weight


def gone_with_its_layer(module: nn.Sequential) -> None:
    module._modules["0"] = None
    module._modules["1"] = None


@pytest.mark.parametrize(
    "change", [without_memory, with_less_memory, seen_in_another_order, sparse, on_no_device, gone, gone_with_its_layer]
)
def test_what_can_not_be_looked_at_is_left_out_and_looked_at_again_when_it_can(
    change: Callable[[nn.Sequential], None],
) -> None:
    module = net()
    children = dict(module._modules)
    weights = looking_at(module)
    change(module)
    for _ in range(2):
        assert weights.bits() == b"".join(
            middle_of(p)
            for p in module.parameters()
            if p.layout == torch.strided and p.is_contiguous() and p.is_cpu
            if p.untyped_storage().nbytes() >= p.nbytes
        )
    module._modules.update(children)
    module[0].weight = nn.Parameter(torch.randn(30, 30))
    assert weights.bits()[:PIECE] == middle_of(module[0].weight) or change is gone  # it comes behind the bias then
    assert len(weights.bits()) == len(b"".join(map(middle_of, net().parameters())))


def test_a_parameter_of_no_module_is_looked_at_too() -> None:
    tensor = torch.randn(40)
    weights = Weights([Place(of_nobody=tensor)])
    assert weights.bits() == middle_of(tensor)
    tensor.data = torch.randn(40)
    assert weights.bits() == middle_of(tensor)
