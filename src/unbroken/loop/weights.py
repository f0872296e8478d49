"""Pieces of some weights, looked at in every step: one that went another way shows in them."""

import ctypes
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from unbroken.state.modules import Place

_MOST = 8
_PIECE = 512  # bytes


def chosen(parameters: Mapping[str, torch.Tensor]) -> list[str]:
    """The names of some trained weights that lie in the CPU's memory, spread from the first to the last: a step that
    went another way shows in them, and one of them that is never used hides nothing."""
    names = [name for name, weights in parameters.items() if weights.requires_grad and _can_be_looked_at(weights)]
    most = min(_MOST, len(names))
    return [names[number * (len(names) - 1) // max(1, most - 1)] for number in range(most)]


class Weights:
    """A piece of the parameter in each of some places, seen through one view as long as it lies where it lay."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = places
        self._look()

    def bits(self) -> bytes:
        """The bytes of all pieces as they are now."""
        if self._have_moved():
            self._look()
        return b"".join(self._views)

    def _have_moved(self) -> bool:
        """Whether another module or parameter has come into a place, or a parameter lies somewhere else."""
        for parent, name, child in self._children:
            if parent._modules.get(name) is not child:
                return True
        for module, key, parameter in self._held:
            if module._parameters.get(key) is not parameter:
                return True
        for weights, address, size, strides in self._seen:  # a generator would take longer than all else
            # What was freed may have made room for something smaller at the very same address.
            if weights.data_ptr() != address or weights.nbytes != size or weights.stride() != strides:
                return True
        return False

    def _look(self) -> None:
        children: dict[tuple[int, str], tuple[nn.Module, str, nn.Module | None]] = {}
        self._held: list[tuple[nn.Module, str, nn.Parameter | None]] = []
        self._seen: list[tuple[torch.Tensor, int, int, tuple[int, ...]]] = []
        self._views: list[memoryview] = []
        for place in self._places:
            weights = place.of_nobody
            module = place.root
            for name in place.path:
                child = None if module is None else module._modules.get(name)
                if module is not None:
                    children[id(module), name] = module, name, child
                module = child
            if module is not None:
                weights = module._parameters.get(place.key)
                self._held.append((module, place.key, weights))
            if weights is not None and weights.layout == torch.strided:
                self._seen.append((weights, weights.data_ptr(), weights.nbytes, weights.stride()))
                if _can_be_looked_at(weights):
                    self._views.append(_view(weights))
        self._children = list(children.values())


def _view(weights: torch.Tensor) -> memoryview:
    size = min(weights.nbytes, _PIECE)
    start = (weights.nbytes - size) // 2
    return memoryview((ctypes.c_char * size).from_address(weights.data_ptr() + start))


def _can_be_looked_at(weights: torch.Tensor) -> bool:
    if not weights.is_cpu or weights.layout != torch.strided or not weights.is_contiguous() or weights.nbytes == 0:
        return False
    # A storage may be emptied, or have less than the shape says, until it is needed.
    needed = weights.storage_offset() * weights.itemsize + weights.nbytes
    return weights.data_ptr() != 0 and weights.untyped_storage().nbytes() >= needed
