"""Drawing: whether a dataset and its collate function are known to take no random number: torch's own, unchanged."""

from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
import torch
from torch.utils import data
from torch.utils.data import Subset, TensorDataset, default_collate, default_convert

try:
    # Where torch's documentation of ``default_collate`` has people add to it.
    from torch.utils.data._utils.collate import default_collate_fn_map
except ImportError:  # then nothing is known of it
    default_collate_fn_map = {object: len}

_TORCHS = str(Path(data.__file__).parent)
_PLAIN = (list, tuple, range, torch.Tensor, np.ndarray)


def draws_nothing(dataset: Any) -> bool:
    """Whether a sample comes by no code but torch's own, of which it is known that it takes no random number.

    Of an object as it is now: classes and attributes may be set between two batches.
    """
    while type(dataset) is Subset and "__getitems__" not in vars(dataset) and type(dataset.indices) in _PLAIN:
        dataset = dataset.dataset
    return (
        type(dataset) is TensorDataset
        and not hasattr(dataset, "__getitems__")
        and type(dataset.tensors) in (tuple, list)
        and all(type(tensor) is torch.Tensor for tensor in dataset.tensors)
        and all(map(_is_torchs, (TensorDataset.__getitem__, Subset.__getitem__, Subset.__getitems__)))
    )


def collates_as_torch(collate: Callable[[Any], Any]) -> bool:
    """Whether samples become a batch by torch's own code, which others may have added to."""
    own = collate is default_collate or collate is default_convert
    return own and all(map(_is_torchs, default_collate_fn_map.values()))


def _is_torchs(function: object) -> bool:
    """Whether it is written in torch's folder, whatever module it says to be of."""
    return isinstance(function, FunctionType) and function.__code__.co_filename.startswith(_TORCHS)
