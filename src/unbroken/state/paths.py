"""Settings by their path: what can be told of an optimizer's groups and a schedule's state in plain values."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from unbroken.state.tracked import Tracked

As = dict[str, Any]
"""Settings by their path: ``{"optimizer[model.0.bias].lr": 0.1, "scheduler.T_max": 40}``."""

_NO_SETTINGS = {"params", "param_names"}
_PRIVATE_SETTINGS = {"_schedulers", "_milestones"}


def groups_of(tracked: Tracked, name: str) -> dict[str, As]:
    """The settings of each group, by the first of its parameters' names: their order may be another next time."""
    groups = tracked.optimizers[name].param_groups
    return {f: plain_items(group) for f, group in zip(firsts_of(tracked, name), groups, strict=True)}


def firsts_of(tracked: Tracked, name: str) -> list[str]:
    return [min(names, default="") for names in tracked.optimizer_parameters()[name]]


def plain_items(group: Mapping[str, Any]) -> As:
    return {key: value_of(value) for key, value in group.items() if key not in _NO_SETTINGS and is_plain(value)}


def leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Every plain value in a scheduler's state that is a setting, or may be."""
    if isinstance(value, Mapping) and not all(isinstance(key, str) for key in value):
        yield path, sorted([key, count] for key, count in value.items())  # milestones
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if not str(key).startswith("_") or key in _PRIVATE_SETTINGS:
                yield from leaves(f"{path}.{str(key).lstrip('_')}", inner)
    elif isinstance(value, list) and any(isinstance(inner, Mapping) for inner in value):
        for index, inner in enumerate(value):
            yield from leaves(f"{path}.{index}", inner)
    elif is_plain(value):
        yield path, value_of(value)


def is_plain(value: Any) -> bool:
    if isinstance(value, torch.Tensor):
        return value.numel() == 1
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    return type(value) in (int, float, bool, str, type(None))


def value_of(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.item()
    return [value_of(inner) for inner in value] if isinstance(value, list | tuple) else value


def owner_of(path: str) -> str:
    return path.partition("[")[0].partition(".")[0]


def key_of(path: str) -> str:
    return path.rpartition(".")[2]


def setting_of(path: str) -> str:
    """``optimizer.lr`` for ``optimizer[model.0.bias].lr``, and for the rate that a schedule begins with."""
    owner, bracket, rest = path.partition("[")
    short = owner + rest.rpartition("]")[2] if bracket else path
    return short.removesuffix("initial_lr") + "lr" if short.endswith(".initial_lr") else short
