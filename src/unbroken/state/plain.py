"""Plain: what an attribute holds, as a tree that a checkpoint can keep, and the value made of such a tree again.

A tree is a dict. ``value`` has what a checkpoint holds as it is; every other tree names its ``kind``. ``same`` says
that an object is still the one that was built: it is filled in place, so whoever else holds it sees the change.
"""

import collections
import enum
import functools
import io
import logging
import threading
import types
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
import xxhash
from torch import nn
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from torch.utils.data import DataLoader, Dataset, Sampler

from unbroken.errors import UnsavableStateError
from unbroken.state.adapters import GENERATORS, adapt
from unbroken.state.encoding import child_path, encode
from unbroken.state.origins import is_users
from unbroken.store.tensors import tensor_digest

Tree = dict[str, Any]

SCALARS = (bool, int, float, complex, str, bytes, type(None))
_SCALARS = frozenset(SCALARS)
_IMMUTABLE = (torch.dtype, torch.device, torch.Size, torch.layout, torch.memory_format, enum.Enum)
_IGNORED = (
    type,
    types.ModuleType,
    types.CodeType,
    functools.partial,
    weakref.ReferenceType,
    weakref.ProxyType,
    io.IOBase,
    logging.Logger,
    threading.Thread,
    type(threading.Lock()),
    type(threading.RLock()),
    threading.Condition,
    threading.Event,
    threading.local,
)
_LOADING = (Dataset, Sampler, DataLoader)
SEQUENCES: dict[str, Any] = {t.__name__: t for t in (list, tuple, collections.deque, set, frozenset)}
MAPPINGS: dict[str, Any] = {
    t.__name__: t for t in (dict, collections.OrderedDict, collections.defaultdict, collections.Counter)
}
_DEEPEST = 6  # of objects inside objects; a module's parts don't count
_RESULT = 16 << 20  # bytes: a larger tensor with a graph is what a forward has left behind

OF_MODULES = frozenset(vars(nn.Module()))
_INSIDE_MODULES = frozenset({"_parameters", "_buffers", "_modules", "training"})
OF_HIDDEN_MODULES = OF_MODULES - _INSIDE_MODULES
"""What of torch's own is not looked at in a module that is an attribute, and no part, of another object."""
_INSIDE_OPTIMIZERS = frozenset({"state", "param_groups"})


@functools.cache
def of_optimizers() -> frozenset[str]:
    """Torch's own attributes of an optimizer. Asked for where there are some: the first one takes a second to make."""
    return frozenset(vars(SGD([torch.zeros(1)], lr=0.1))) | {"_opt_called", "_step_count", "found_inf"}


def is_fixed(value: object) -> bool:
    """Whether the very same object must have the very same content."""
    kind = type(value)
    if kind in _SCALARS or isinstance(value, _IMMUTABLE):
        return True
    if kind is tuple:
        return all(type(item) in _SCALARS for item in value)  # type: ignore[attr-defined]
    return not is_looked_into(value) and _is_ignored(value)


def is_looked_into(value: object) -> bool:
    """Whether what an object holds is state of whoever holds the object."""
    if isinstance(value, (nn.Module, Optimizer, LRScheduler, ReduceLROnPlateau)):
        return True
    kind = type(value)
    return (
        not isinstance(value, (*_LOADING, *_IGNORED, *SEQUENCES.values(), dict, torch.Tensor, np.ndarray, enum.Enum))
        and not isinstance(value, types.FunctionType | types.MethodType | types.BuiltinFunctionType)
        and hasattr(value, "__dict__")
        and is_users(kind)
    )


def held(value: object) -> dict[str, Any]:
    """What an object that is looked into holds, by the names of its attributes, without what torch's classes keep."""
    found = vars(value)
    if isinstance(value, nn.Module):
        left_out = OF_MODULES - _INSIDE_MODULES
    elif isinstance(value, Optimizer):
        left_out = of_optimizers() - _INSIDE_OPTIMIZERS
    else:
        return {key: child for key, child in found.items() if not key.startswith("__")}
    return {key: child for key, child in found.items() if key not in left_out}


class Describer:
    """Makes trees, all of one moment: an object met twice is told once, and referred to the second time."""

    def __init__(self, known: Callable[[], Mapping[int, str]], is_built: Callable[[object], bool]) -> None:
        self._known = known
        self._is_built = is_built
        self._paths: dict[int, str] = {}
        self.objects: dict[str, object] = {}
        """What was met, by its path."""
        self.lost: list[str] = []
        """The paths of what no tree can hold."""

    def describe(self, value: Any, path: str, depth: int = 0) -> Tree:
        kind = type(value)
        if kind in _SCALARS or isinstance(value, _IMMUTABLE):
            return self._leaf(value, path)
        if kind is tuple and all(type(item) in _SCALARS for item in value):
            return {"value": value}
        known = self._known().get(id(value))
        if known is None:
            known = self._paths.get(id(value))
        if known is not None:
            return {"kind": "ref", "to": known}
        self._paths[id(value)] = path
        self.objects[path] = value
        if isinstance(value, torch.Tensor):
            return self._tensor(value, path)
        if isinstance(value, GENERATORS):
            return {"kind": "generator", "class": kind.__name__, "state": adapt(path, value).state()}
        if kind in MAPPINGS.values():
            return self._mapping(value, path, depth)
        if kind in SEQUENCES.values():
            return self._sequence(value, path, depth)
        if is_looked_into(value):
            return self._object(value, path, depth)
        if _is_ignored(value):
            return {"kind": "left"}
        return self._leaf(value, path, same=isinstance(value, np.ndarray) and self._is_built(value))

    def _leaf(self, value: object, path: str, **more: object) -> Tree:
        try:
            encode(value, path)
        except UnsavableStateError:
            self.lost.append(path)
            return {"kind": "left", "object": id(value)}
        return {"value": value, **more}

    def _tensor(self, value: torch.Tensor, path: str) -> Tree:
        if value.grad_fn is not None and value.numel() * value.element_size() > _RESULT:
            self.lost.append(path)
            return {"kind": "left", "object": id(value)}
        more: dict[str, object] = {"same": self._is_built(value)}
        if value.device.type != "cpu":
            more["device"] = str(value.device)
        if value.requires_grad and value.is_leaf:
            more["requires_grad"] = True
        if isinstance(value, nn.Parameter):
            more["parameter"] = True
        return self._leaf(value, path, **more)

    def _sequence(self, value: Any, path: str, depth: int) -> Tree:
        tree: Tree = {"kind": type(value).__name__, "same": self._is_built(value)}
        if isinstance(value, collections.deque):
            tree["longest"] = value.maxlen
        items: Iterable[Any] = value
        if isinstance(value, (set, frozenset)):
            items = sorted(value, key=repr)
        if all(kind in _SCALARS for kind in set(map(type, value))):
            return {**tree, "flat": list(items)}
        return {**tree, "items": [self.describe(v, f"{path}[{i}]", depth + 1) for i, v in enumerate(items)]}

    def _mapping(self, value: Any, path: str, depth: int) -> Tree:
        tree: Tree = {"kind": type(value).__name__, "same": self._is_built(value)}
        if all(kind in _SCALARS for kind in set(map(type, value.values())) | set(map(type, value))):
            return {**tree, "flat": dict(value)}
        items = []
        for key, child in value.items():
            described = self.describe(key, f"{path} key", depth + 1)
            known = described.get("to")
            inside = f"{path}[{known}]" if known else child_path(path, key)
            items.append([described, self.describe(child, inside, depth + 1)])
        return {**tree, "items": items}

    def _object(self, value: object, path: str, depth: int) -> Tree:
        if depth >= _DEEPEST and not isinstance(value, nn.Module):
            return {"kind": "left"}
        within = {k: self.describe(child, child_path(path, k), depth + 1) for k, child in held(value).items()}
        tree: Tree = {"kind": "object", "class": type(value).__qualname__, "attributes": within}
        if not self._is_built(value):
            tree["new"] = True
        return tree


def look(tree: Tree) -> str:
    """A short text for a tree, equal for equal trees: what an attribute was is told apart from what it is."""
    if "value" in tree and type(tree["value"]) in _SCALARS:
        text = repr(tree["value"])
        return (
            text
            if len(text) <= 60
            else f"{len(text)} {xxhash.xxh3_64_hexdigest(text.encode('utf-8', 'surrogatepass'))}"
        )
    digest = xxhash.xxh3_64()
    for part in _parts(tree):
        digest.update(f"{part}\n".encode("utf-8", "surrogatepass"))
    return f"#{digest.hexdigest()}"


def nodes(tree: Any) -> Iterator[Any]:
    """A tree, and everything in it."""
    yield tree
    if isinstance(tree, dict):
        children: Iterable[Any] = tree.values()
    else:
        # A long list of plain values is not gone through: nothing is in them.
        children = tree if isinstance(tree, (list, tuple)) and tree and type(tree[0]) not in _SCALARS else ()
    for child in children:
        yield from nodes(child)


def refers_into_optimizers(tree: Tree) -> bool:
    """Whether a tree has a list or a mapping of a tracked optimizer: ``load_state_dict`` puts others in their place."""
    # A dict of the user's may look like a part of a tree: it is kept for that, and no harm is done.
    targets = [str(node.get("to")) for node in nodes(tree) if isinstance(node, dict) and node.get("kind") == "ref"]
    return any(".param_groups" in target or target.endswith(".state") for target in targets)


def _parts(part: Any, kind: str = "tree") -> Iterator[str]:
    """The texts that tell one tree from another; ``kind`` is "tree", "trees" (by name), or "plain": the user's own."""
    if isinstance(part, torch.Tensor):
        yield f"{part.dtype} {tuple(part.shape)} {tensor_digest(part.detach().cpu())}"
    elif isinstance(part, np.ndarray):
        yield f"{part.dtype} {part.shape} {xxhash.xxh3_64_hexdigest(np.ascontiguousarray(part).tobytes())}"
    elif isinstance(part, dict) and kind == "tree" and part.get("kind") in ("list", "tuple") and "flat" in part:
        yield f"{part['kind']}{part['flat']!r}"
    elif isinstance(part, dict):
        for key, child in part.items():
            if kind != "tree" or key not in ("same", "new"):  # which object it is makes no other value
                yield repr(key)
                yield from _parts(child, _INSIDE[kind].get(key, _INSIDE[kind][""]))
    elif isinstance(part, (list, tuple)):
        yield str(len(part))
        for child in part:
            yield from _parts(child, kind)
    else:
        yield f"{type(part).__name__} {part!r}"


_INSIDE: dict[str, dict[Any, str]] = {
    "tree": {"items": "tree", "attributes": "trees", "": "plain"},
    "trees": {"": "tree"},
    "plain": {"": "plain"},
}


def _is_ignored(value: object) -> bool:
    return isinstance(value, _IGNORED) or callable(value) or isinstance(value, _LOADING)
