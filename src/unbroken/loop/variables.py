"""Variables: what the user's code holds beside what it tracks, by kind of object. For the trace: what was forgotten.

Looks into the frames of the user's functions that are running, and a little way into the objects found there.
Nothing is called but ``state_dict`` of objects that also have ``load_state_dict``; no property is read.
"""

from collections import deque
from types import FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from torch.utils.data import DataLoader, Dataset, Sampler

from unbroken.loop import bits
from unbroken.loop.generators import state_of
from unbroken.loop.trace import Group, Mark, Name
from unbroken.state.adapters import GENERATORS, Stateful
from unbroken.state.origins import is_users, users_frames

_MOST = 400  # values per line
_MOST_ITEMS = 64
_LONGEST = 10_000  # of a list that is looked at
_DEEPEST = 4
_MOST_BYTES = 16 << 20  # of one tensor or array that only may be a cause

_SKIPPED = (ModuleType, FunctionType, MethodType, type)


class Variables:
    """``values`` is what there is to be seen at this moment; ``tracked`` are objects that are told of elsewhere."""

    def __init__(self, tracked: list[object]) -> None:
        self._known = {id(value) for value in tracked}
        self._modules = [value for value in tracked if isinstance(value, nn.Module)]
        for module in self._modules:
            self._known.update(id(part) for part in module.modules())
        self._seen: set[int] = set()
        self._found: dict[Name, str] = {}

    def values(self) -> dict[Name, str]:
        self._seen, self._found = set(), {}
        for frame in users_frames():
            code = frame.f_code
            scope = "" if code.co_name == "<module>" else f"{code.co_qualname}:"
            for name, value in list(frame.f_locals.items()):
                if not name.startswith("__"):
                    self._visit(f"{scope}{name}", value, 0, loading=False)
        return self._found

    def _visit(self, path: str, value: object, depth: int, *, loading: bool) -> None:
        if len(self._found) >= _MOST or isinstance(value, _SKIPPED):
            return
        if isinstance(value, bits.Scalar):
            self._hint(path, bits.of_leaf(value), loading=loading)
        elif isinstance(value, torch.Tensor):
            # Other layouts don't tell how many bytes they take.
            if value.layout is torch.strided and not value.is_nested and value.nbytes <= _MOST_BYTES:
                self._hint(path, bits.of_leaf(value), loading=loading)
        elif isinstance(value, np.ndarray):
            if value.nbytes <= _MOST_BYTES and not value.dtype.hasobject:
                self._hint(path, bits.of_leaf(value), loading=loading)
        elif id(value) not in self._seen:
            self._seen.add(id(value))
            self._visit_object(path, value, depth, loading=loading)

    def _visit_object(self, path: str, value: object, depth: int, *, loading: bool) -> None:
        known = id(value) in self._known
        if isinstance(value, DataLoader):
            for part in ("dataset", "sampler", "batch_sampler", "generator"):
                if getattr(value, part) is not None:
                    self._visit(f"{path}.{part}", getattr(value, part), depth + 1, loading=True)
        elif isinstance(value, nn.Module):
            if not known and not self._is_part_of_tracked(value):
                self._untracked(Group.MODEL, path, value)
            self._visit_attributes_of(path, value)
        elif known:
            return
        elif isinstance(value, GENERATORS):
            mark = Mark.HINT if loading else Mark.UNTRACKED
            self._add(Group.STREAM, path, mark, lambda: _typed(value, state_of(value)))
        elif isinstance(value, Optimizer):
            self._untracked(Group.OPTIMIZER, path, value)
        elif isinstance(value, LRScheduler | ReduceLROnPlateau):
            self._untracked(Group.SCHEDULER, path, value)
        elif isinstance(value, Stateful) and not loading and not type(value).__module__.startswith("torchdata"):
            self._untracked(Group.OTHER, path, value)
        elif isinstance(value, dict | list | tuple | set | frozenset | deque):
            self._visit_items(path, value, depth, loading=loading)
        elif depth < _DEEPEST and is_users(type(value)):
            loading = loading or isinstance(value, Dataset | Sampler)
            for name, child in list(getattr(value, "__dict__", {}).items()):
                self._visit(f"{path}.{name}", child, depth + 1, loading=loading)

    def _visit_items(self, path: str, value: Any, depth: int, *, loading: bool) -> None:
        if len(value) > _LONGEST:
            self._hint(path, f"{len(value)}", loading=loading)
            return
        if isinstance(value, set | frozenset) or bits.is_flat(value.values() if isinstance(value, dict) else value):
            # The order of a set is left out in ``bits``; here it is what may have to be named.
            self._hint(path, f"{len(value)} {bits.of_text(repr(value))}", loading=loading)
            return
        # How many there are tells a buffer that fills up from one that starts anew; what they are, the items do.
        self._hint(path, bits.held(value), loading=loading)
        if depth < _DEEPEST:
            items = list(value.items() if isinstance(value, dict) else enumerate(value))[:_MOST_ITEMS]
            for key, child in items:
                self._visit(f"{path}[{key!r}]", child, depth + 1, loading=loading)

    def _visit_attributes_of(self, path: str, module: nn.Module) -> None:
        """Counters and the like that a module keeps as plain attributes: no state_dict has them."""
        for name, part in module.named_modules():
            if is_users(type(part)):
                for key, value in list(vars(part).items()):
                    if not key.startswith("_") and key != "training" and isinstance(value, bits.Scalar):
                        self._hint(".".join(filter(None, (path, name, key))), bits.of_leaf(value), loading=False)

    def _is_part_of_tracked(self, module: nn.Module) -> bool:
        """A wrapper of something tracked, or a part of it, has no tensor of its own."""
        own = {id(tensor) for tensor in (*module.parameters(), *module.buffers())}
        return own <= {id(t) for known in self._modules for t in (*known.parameters(), *known.buffers())}

    def _untracked(self, group: Group, path: str, value: Any) -> None:
        self._add(group, path, Mark.UNTRACKED, lambda: _typed(value, value.state_dict()))

    def _hint(self, path: str, text: str, *, loading: bool) -> None:
        self._found[Name(Group.DATA if loading else Group.VARIABLE, path, Mark.HINT)] = text

    def _add(self, group: Group, path: str, mark: Mark, read: Any) -> None:
        try:
            text = read()
        except Exception as error:  # the user's state_dict may do anything; that it failed is what is told
            text = f"unreadable {type(error).__name__}"
        self._found[Name(group, path, mark)] = text


def _typed(value: object, state: object) -> str:
    return f"{type(value).__name__} {bits.of_all(state)}"
