"""The witness of one step: 64 bits each of python's, numpy's, torch's stream, and of all tracked with learning rates.

Reading all of a large state in every step would cost more than training. So streams and large tensors are looked at in
turn, by a rule that depends on the step alone, and *thoroughly* in the first steps behind a save: those are the ones
that a resume trains again.
"""

import random
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
import xxhash
from torch import nn
from torch.optim import Optimizer

from unbroken.loop.content import content_digest
from unbroken.state.tracked import Tracked

_SMALL = 4 << 10  # bytes of a tensor that is looked at whole
_SMALL_AT_ONCE = 16
_PIECES_AT_ONCE = 2
_PIECES_THOROUGHLY = 64
_PIECE = 128  # elements
_MASK = 2**64 - 1

_digest = xxhash.xxh3_64_intdigest


def python_stream() -> int:
    """Of Python's generator, the second normal deviate that it may have in hand included."""
    _, words, cached_normal = random.getstate()
    # Hashes of integers and floats are the same in every process; that of None is an address up to Python 3.11.
    return (hash(words) ^ (0 if cached_normal is None else hash((cached_normal,)))) & _MASK


def numpy_stream() -> int:
    """Of NumPy's global generator, whichever kind it is."""
    return content_digest(np.random.get_state(legacy=False), 1 << 20)


def torch_stream() -> int:
    """Of torch's generator for the CPU."""
    return _digest(torch.default_generator.get_state().numpy().data)


class StateWitness:
    """Looks at the tensors of everything tracked that lie in the CPU's memory: small ones whole, large ones by pieces.

    ``names`` is a digest of which tensors there are: digests of two steps mean the same only where it is the same; 0
    where nothing could be looked at.
    """

    def __init__(self, tracked: Tracked) -> None:
        self._objects = tracked.objects
        self._optimizers = list(tracked.optimizers.values())
        self._small: list[_Place] = []
        self._large: list[_Place] = []
        self._sizes: list[int] = []
        self.names = 0

    def take(self, step: int, *, thorough: bool) -> int:
        """The digest of what is looked at in ``step``; ``thorough``: every small tensor, pieces of most large ones."""
        sizes = [len(optimizer.state) for optimizer in self._optimizers]
        if thorough or sizes != self._sizes or not self.names:
            self._find()
            self._sizes = sizes
        small, large = self._small, self._large
        if not thorough and len(small) > _SMALL_AT_ONCE:
            small = _turned(small, step * _SMALL_AT_ONCE, _SMALL_AT_ONCE)
        if large:
            pieces = max(_PIECES_THOROUGHLY, len(large)) if thorough else _PIECES_AT_ONCE
            large = _turned(large, step * pieces, pieces)
        try:
            return self._digest_of(small, large, step)
        except (AttributeError, KeyError, IndexError, TypeError, RuntimeError):
            # A place has another kind of thing in it now, or nothing: a pruned layer, a state begun anew.
            self.names = 0
            return 0

    def _digest_of(self, small: "list[_Place]", large: "list[_Place]", step: int) -> int:
        by_dtype: dict[torch.dtype, list[torch.Tensor]] = {}
        with torch.no_grad():
            for place in small:
                value = place.value()
                by_dtype.setdefault(value.dtype, []).append(value if value.dim() == 1 else value.reshape(-1))
            for number, place in enumerate(large):
                value = place.value()
                by_dtype.setdefault(value.dtype, []).append(_piece(value, step + number * 40503))
            seed = 0
            for values in by_dtype.values():
                seed = _digest(torch.cat(values).view(torch.uint8).numpy().data, seed)
        rates = [group["lr"] for optimizer in self._optimizers for group in optimizer.param_groups]
        return (seed ^ hash(tuple(rate for rate in rates if type(rate) is float))) & _MASK

    def _find(self) -> None:
        self._small, self._large, names = [], [], 0
        for name, place in _places(self._objects):
            value = place.value()
            if not _can_be_looked_at(value):
                continue
            names = _digest(f"{name} {value.dtype} {tuple(value.shape)}".encode(), names)
            (self._small if value.nbytes <= _SMALL else self._large).append(place)
        self.names = names


class _Place(Protocol):
    """Where a tensor is found, also when another one has come there."""

    def value(self) -> Any: ...


class _Attribute(NamedTuple):
    owner: Any
    name: str

    def value(self) -> Any:
        return getattr(self.owner, self.name)


class _Trained(NamedTuple):
    optimizer: Optimizer
    group: int
    place: int

    def value(self) -> Any:
        return self.optimizer.param_groups[self.group]["params"][self.place]


class _Kept(NamedTuple):
    """What an optimizer keeps for a parameter; its dicts may be others after a ``load_state_dict``."""

    optimizer: Optimizer
    parameter: torch.Tensor
    key: str

    def value(self) -> Any:
        # Not by [...]: that would put an empty state there for a parameter that has gone.
        return self.optimizer.state.get(self.parameter, {})[self.key]


class _Itself(NamedTuple):
    tensor: torch.Tensor

    def value(self) -> Any:
        return self.tensor


_DTYPES = frozenset(
    getattr(torch, name)
    for name in (
        *("float64", "float32", "float16", "bfloat16", "complex128", "complex64"),
        *("int64", "int32", "int16", "int8", "uint8", "bool"),
    )
)


def _can_be_looked_at(value: object) -> bool:
    return (
        isinstance(value, torch.Tensor)
        and value.is_cpu
        and value.layout == torch.strided
        and value.dtype in _DTYPES
        and value.numel() > 0
        and not value.is_conj()
    )


def _places(objects: Mapping[str, object]) -> Iterator[tuple[str, _Place]]:
    """Everything that a step may change: what optimizers train and keep, and what modules have beside it."""
    trained: set[int] = set()
    for name, tracked in objects.items():
        if isinstance(tracked, Optimizer):
            for number, group in enumerate(tracked.param_groups):
                for index, parameter in enumerate(group["params"]):
                    trained.add(id(parameter))
                    yield f"{name}[{number}][{index}]", _Trained(tracked, number, index)
                    kept = tracked.state.get(parameter)
                    for key in kept if isinstance(kept, dict) else ():
                        yield f"{name}[{number}][{index}].{key}", _Kept(tracked, parameter, key)
        elif isinstance(tracked, torch.Tensor):
            yield name, _Itself(tracked)
    for name, tracked in objects.items():
        for path, module in tracked.named_modules() if isinstance(tracked, nn.Module) else ():
            # Also a second name of one tensor: in another process it may be another tensor.
            parameters = module.named_parameters(recurse=False, remove_duplicate=False)
            for key, value in (*parameters, *module.named_buffers(recurse=False, remove_duplicate=False)):
                if id(value) not in trained:
                    yield f"{name}.{path}.{key}", _Attribute(module, key)


def _turned(places: list[_Place], start: int, count: int) -> list[_Place]:
    start %= len(places)
    turned = places[start : start + count]
    while len(turned) < count:
        turned += places[: count - len(turned)]
    return turned


def _piece(value: torch.Tensor, turn: int) -> torch.Tensor:
    """Some elements that lie side by side in the order of the indices: the same ones in every layout."""
    where: list[int | slice] = []
    remaining = value.numel()
    number = turn * 0x9E3779B1 & 0xFFFFFFFF
    for size in value.shape:
        if remaining <= _PIECE:
            break
        remaining //= size
        if remaining <= 1:
            start = number % (size - _PIECE + 1)
            where.append(slice(start, start + _PIECE))
        else:
            where.append(number % size)
            number = number * 0x9E3779B1 + 1 & 0xFFFFFFFF
    return value[tuple(where)].reshape(-1)
