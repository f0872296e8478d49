"""The network uses all of its branches, and is random only while it trains."""

import torch

from forecaster.model import BranchedForecaster
from forecaster.windows import FEATURES, WINDOW


def test_shape_and_determinism() -> None:
    torch.manual_seed(0)
    model, windows = BranchedForecaster().eval(), torch.randn(3, WINDOW, len(FEATURES))
    assert model(windows).shape == (3,)
    assert torch.equal(model(windows), model(windows))
    assert torch.allclose(model(windows)[1:], model(windows[1:]))
    model.train()
    assert not torch.equal(model(windows), model(windows))


def test_every_parameter_learns() -> None:
    torch.manual_seed(0)
    model = BranchedForecaster(dropout=0.0)
    model(torch.randn(16, WINDOW, len(FEATURES))).square().sum().backward()
    idle = [name for name, value in model.named_parameters() if value.grad is None or not value.grad.any()]
    assert idle == []


def test_one_step_starts_from_a_flat_linear_path() -> None:
    assert not BranchedForecaster().linear.weight.any()
