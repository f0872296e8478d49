"""Looks: the values of variables as short texts, to see whether they are what they were.

Nothing is called but ``state_dict`` of the kinds of objects that torch has.
"""

import collections
import enum
import math
import random
import time
from array import array
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import torch
import xxhash
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from torch.quasirandom import SobolEngine

from unbroken.loop.content import SAMPLED, WHOLE, content_digest
from unbroken.loop.generators import state_of
from unbroken.loop.iterators import is_iterator, standing
from unbroken.state.adapters import GENERATORS, sobol_state
from unbroken.state.plain import OF_MODULES
from unbroken.state.spawning import spawned
from unbroken.store.tensors import tensor_digest

CONTAINERS = (list, tuple, set, frozenset, dict, collections.deque)
GENERATOR, STATEFUL = "generator ", "stateful "
"""How the texts begin of what a script has to track."""

_STATEFUL = (torch.nn.Module, torch.optim.Optimizer, LRScheduler, ReduceLROnPlateau, torch.amp.GradScaler, SobolEngine)
_SCALARS = (bool, int, float, complex, str, bytes, type(None))
_WRITTEN_OUT = (Decimal, Fraction, bytearray, array, torch.dtype, torch.device)
_MOST_BYTES = 64 << 10  # of a tensor or an array; of a larger one, pieces are looked at
_FLAT = 1000  # items: of more, and of what is nested, only the first and the last are looked at
_ENDS = 8
_DEEPEST = 3
_A_YEAR = 366 * 24 * 3600.0
# Readings of these clocks are from the start of the process on, and count from that of the machine, as a rule: a small
# number is taken for a variable, though it may be a time soon after that.
_BEGAN = tuple(max(1000.0, clock() - 60) for clock in (time.perf_counter, time.monotonic))


def is_stateful(value: object) -> bool:
    """Whether it is one of those that a script has to track, and may have forgotten."""
    return isinstance(value, _STATEFUL)


def is_plain(value: object) -> bool:
    """Whether it is a number, a text, a small tensor or array, or a container."""
    if isinstance(value, torch.Tensor):
        dense = value.layout is torch.strided and not (value.is_meta or value.is_nested)
        return dense and type(value) is torch.Tensor
    if isinstance(value, np.ndarray):
        return not value.dtype.hasobject
    if isinstance(value, enum.Enum):
        return True
    if isinstance(value, GENERATORS):
        return not isinstance(value, random.SystemRandom)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return True
    return type(value) in _SCALARS or isinstance(value, (np.generic, *_WRITTEN_OUT)) or type(value) in _KINDS


_KINDS = frozenset({*CONTAINERS, collections.OrderedDict, collections.defaultdict, collections.Counter})


def look(value: Any, depth: int = 0) -> str:
    """A short text, equal for equal values; all readings of clocks are equal."""
    if isinstance(value, float) and _is_of_a_clock(value):
        return "clock"
    if type(value) in _SCALARS or isinstance(value, np.generic):
        text = f"{type(value).__name__} {value!r}"
        # A text may be a secret, and this stands in the checkpoint.
        return text if len(text) <= 40 and not isinstance(value, str | bytes) else _digest(text)
    if isinstance(value, GENERATORS):
        children = spawned(value)
        return GENERATOR + f"{content_digest(state_of(value), WHOLE):016x}" + (f" {children}" if children else "")
    if is_iterator(value):
        return standing(value, look)
    if is_stateful(value):
        return STATEFUL + f"{content_digest(_state_of(value), SAMPLED, seed=_beside(value)):016x}"
    if isinstance(value, _WRITTEN_OUT):
        return _digest(f"{type(value).__name__} {value!r}")
    if isinstance(value, enum.Enum):
        return f"{type(value).__name__} {value.name}"
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        value = tuple(value)
    if isinstance(value, (torch.Tensor, np.ndarray)):
        if not is_plain(value):
            nested = isinstance(value, torch.Tensor) and value.is_nested  # has no shape
            return f"{type(value).__name__} {'nested' if nested else tuple(value.shape)}"
        if value.nbytes > _MOST_BYTES:
            return "#" + f"{content_digest(value, SAMPLED):016x}"
        if isinstance(value, torch.Tensor):
            return f"tensor {tensor_digest(value.detach().cpu())}"
        return _digest(f"{value.dtype} {value.shape} {value.tobytes()!r}")
    if type(value) not in _KINDS or depth >= _DEEPEST:
        return type(value).__qualname__
    items = list(value.items()) if isinstance(value, dict) else list(value)
    flat = [part for item in items for part in item] if isinstance(value, dict) else items
    if isinstance(value, (set, frozenset)):
        items = sorted(items, key=repr)
    if len(items) > _FLAT or not set(map(type, flat)) <= set(_SCALARS):
        items = items[:_ENDS] + items[-_ENDS:]
        return _digest(f"{type(value).__name__} {len(value)} {[look(item, depth + 1) for item in items]}")
    if len(items) == 1:
        return f"{type(value).__name__} {look(items[0], depth + 1)}"
    return _digest(f"{type(value).__name__} {items!r}")


def _beside(value: Any) -> int:
    """Of what modules that no state_dict speaks for keep in attributes, as a metric does; 0 if that is nothing."""
    modules = value.modules() if isinstance(value, torch.nn.Module) else ()
    held = [
        (number, key, child)
        for number, module in enumerate(modules)
        if not type(module).__module__.startswith("torch.")  # of a compiled one: numbers of this process
        for key, child in vars(module).items()
        if key not in OF_MODULES and is_plain(child)
    ]
    return content_digest(held, SAMPLED) if held else 0


def _state_of(value: Any) -> object:
    if isinstance(value, SobolEngine):
        return sobol_state(value)
    try:
        return value.state_dict()
    except Exception:  # the user's own may do anything; it is only looked at
        return None


def _digest(text: str) -> str:
    return "#" + xxhash.xxh3_64_hexdigest(text.encode("utf-8", "surrogatepass"))


def _is_of_a_clock(value: float) -> bool:
    if not math.isfinite(value) or value.is_integer():
        return False
    if abs(value - time.time()) < _A_YEAR:
        return True
    return _BEGAN[0] <= value <= time.perf_counter() or _BEGAN[1] <= value <= time.monotonic()
