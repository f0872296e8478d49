"""The network of ``Training.py``, and changes to it that might make it better, trained without checkpoints."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from benchmarks.forecaster.folds import Fold
from forecaster.model import BranchedForecaster
from forecaster.options import Options
from forecaster.windows import WindowSet

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
Inputs = Callable[[Places], tuple[Tensor, ...]]
"""What a model is shown of some samples of a part."""

_DEFAULT = Options()
_SHOWN_AT_ONCE = 1024
_WIDTH, _DROPOUT, _NOISE = 16, 0.3, 0.1


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; what is not said is as ``Training.py`` does it by default."""

    epochs: tuple[int, ...] = (_DEFAULT.epochs,)
    """After how many epochs it forecasts."""
    weight_decay: float = _DEFAULT.weight_decay
    rate_follows_validation: bool = False
    """As ``Training.py``: the learning rate is halved by the loss on the very days that are forecast."""


class SmallForecaster(nn.Module):
    """One number from the few that HAR sees: (n × features) → (n), a linear path and what is not linear beside it."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 1)
        self.hidden = nn.Sequential(
            nn.Linear(features, _WIDTH),
            nn.ReLU(),
            nn.Dropout(_DROPOUT),
            nn.Linear(_WIDTH, _WIDTH),
            nn.ReLU(),
            nn.Dropout(_DROPOUT),
            nn.Linear(_WIDTH, 1),
        )

    def forward(self, features: Tensor) -> Tensor:
        if self.training:
            features = features + _NOISE * torch.randn_like(features)
        prediction: Tensor = self.linear(features) + self.hidden(features)
        return prediction.squeeze(1)


class JoinedForecaster(nn.Module):
    """The program's network on a window, and the small one on its features: what both say, added."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.windows = BranchedForecaster()
        self.features = SmallForecaster(features)

    def forward(self, windows: Tensor, features: Tensor) -> Tensor:
        prediction: Tensor = self.windows(windows) + self.features(features)
        return prediction


def on_windows(fold: Fold, recipe: Recipe, seed: int, beside: tuple[Floats, Floats] | None = None) -> list[Floats]:
    """Forecasts of the program's network, one for each of the recipe's epochs.

    Args:
        beside: forecasts of the windows learned from, and of those after them; the network learns what they leave over.
    """
    torch.manual_seed(seed)
    return _forecasts(BranchedForecaster(), *_windows(fold), fold, recipe, beside)


def on_features(fold: Fold, recipe: Recipe, seed: int, features: Floats) -> list[Floats]:
    """Forecasts of a small network on ``features``, one row per bar of the panel."""
    torch.manual_seed(seed)
    return _forecasts(SmallForecaster(features.shape[1]), *_features(fold, features), fold, recipe)


def on_both(fold: Fold, recipe: Recipe, seed: int, features: Floats) -> list[Floats]:
    """Forecasts of the two networks, trained as one."""
    torch.manual_seed(seed)
    of_windows, of_features = _windows(fold), _features(fold, features)
    training, validation = (_joined(*inputs) for inputs in zip(of_windows, of_features, strict=True))
    return _forecasts(JoinedForecaster(features.shape[1]), training, validation, fold, recipe)


def _windows(fold: Fold) -> tuple[Inputs, Inputs]:
    """Of the training part, and of the days after it."""
    training, validation = (
        WindowSet(fold.windows.features, part) for part in (fold.windows.training, fold.windows.validation)
    )
    return lambda places: training.batch(places)[:1], lambda places: validation.batch(places)[:1]


def _features(fold: Fold, features: Floats) -> tuple[Inputs, Inputs]:
    """The same, standardised by the training part."""
    known, asked = features[fold.windows.training.last_bar], features[fold.windows.validation.last_bar]
    mean, scale = known.mean(axis=0), known.std(axis=0)
    training, validation = (torch.from_numpy(((rows - mean) / scale).astype(np.float32)) for rows in (known, asked))
    return lambda places: (training[places],), lambda places: (validation[places],)


def _joined(one: Inputs, other: Inputs) -> Inputs:
    return lambda places: (*one(places), *other(places))


def _forecasts(
    model: nn.Module,
    training: Inputs,
    validation: Inputs,
    fold: Fold,
    recipe: Recipe,
    beside: tuple[Floats, Floats] | None = None,
) -> list[Floats]:
    """Train ``model`` on the training part, and forecast the days after it, in the label's own unit."""
    level = fold.known.mean()
    known, asked = beside or (np.full(len(fold.known), level), np.full(len(fold.truth), level))
    scale = (fold.known - known).std()
    labels = torch.from_numpy(((fold.known - known) / scale).astype(np.float32))
    truth = torch.from_numpy(((fold.truth - asked) / scale).astype(np.float32))
    criterion = nn.HuberLoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=_DEFAULT.lr, weight_decay=recipe.weight_decay)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=3)
    forecasts = []
    for epoch in range(1, max(recipe.epochs) + 1):
        model.train()
        order = torch.randperm(len(labels)).numpy()
        for start in range(0, len(order), _DEFAULT.batch_size):
            chosen = order[start : start + _DEFAULT.batch_size]
            loss = criterion(model(*training(chosen)), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if recipe.rate_follows_validation:
            scheduler.step(criterion(_predict(model, validation, len(truth)), truth).item())
        if epoch in recipe.epochs:
            forecasts.append(asked + scale * _predict(model, validation, len(truth)).numpy().astype(np.float64))
    return forecasts


@torch.no_grad()
def _predict(model: nn.Module, inputs: Inputs, count: int) -> Tensor:
    model.eval()
    places = np.arange(count)
    parts = [places[start : start + _SHOWN_AT_ONCE] for start in range(0, count, _SHOWN_AT_ONCE)]
    return torch.cat([model(*inputs(part)) for part in parts])
