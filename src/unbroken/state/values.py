"""Values: nested plain values as trees that a checkpoint can hold; all of a value, or an error that names the part.

A tree is a dict. ``value`` has what a checkpoint holds as it is, every other tree names its ``kind``. What is met twice
has a number, and is referred to by it; what was there when the program had built it says so (``built``): it is filled
in place, so whoever else holds it sees the change.
"""

import collections
import dataclasses
import enum
import inspect
import types
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from unbroken.errors import UnsavableStateError
from unbroken.state.adapters import GENERATORS, Stateful
from unbroken.state.classes import is_data, is_namedtuple, name_of, stands_under_its_name
from unbroken.state.encoding import FACTORIES, child_path, encode
from unbroken.state.plain import MAPPINGS, SCALARS, SEQUENCES, Tree

DEEPEST = 25  # levels of containers: a tree takes up to three for each, and the encoding 100 in all
_SCALARS = frozenset(SCALARS)
_CONTAINERS = frozenset([*SEQUENCES.values(), *MAPPINGS.values()])
_FROZEN = (tuple, frozenset)
_AS_THEY_ARE = (torch.dtype, torch.device, torch.Size, torch.layout, torch.memory_format, enum.Enum)

Known = Callable[[], Mapping[str, object]]
"""What is tracked, with its parts, by name."""


class Built:
    """The objects that were there at one moment, each by a key: the n-th of what a name held."""

    def __init__(self) -> None:
        self._holders: dict[str, Callable[[], object]] = {}
        self._keys: dict[int, str] = {}

    def add(self, mark: str, objects: list[object]) -> None:
        for number, value in enumerate(objects):
            if self.key(value) is None:
                key = f"{mark}[{number}]"
                self._holders[key] = _holder(value)
                self._keys[id(value)] = key

    def key(self, value: object) -> str | None:
        key = self._keys.get(id(value))
        return key if key is not None and self._holders[key]() is value else None  # an id may be used again

    def get(self, key: object) -> object | None:
        holder = self._holders.get(key) if isinstance(key, str) else None
        return None if holder is None else holder()


class Describer:
    """Makes the trees of one moment. Raises UnsavableStateError for what no tree can hold.

    What belongs to something tracked is only referred to; a tensor that merely shares its memory is refused, since a
    copy of it would not change with what is trained.
    """

    def __init__(self, known: Known, *built: Built) -> None:
        self._known = known
        self._built = built
        self._names: dict[int, str] | None = None
        self._memory: dict[int, str] = {}
        self._trees: dict[int, Tree | None] = {}
        self._numbers: dict[int, int] = {}
        self.objects: list[object] = []
        """What was met that can be changed in place, in the order of meeting; an id counts as long as these live."""
        self._alive: list[object] = []
        self.graphs: list[str] = []
        """The paths of tensors with a graph behind them, which no checkpoint holds."""

    def describe(self, value: Any, path: str, depth: int = 0) -> Tree:
        kind = type(value)
        if kind in _SCALARS or isinstance(value, _AS_THEY_ARE):
            return self._leaf(value, path)
        if isinstance(value, np.generic):
            return {**self._leaf(np.asarray(value), path), "kind": "scalar"}
        if depth > DEEPEST:
            raise UnsavableStateError("state_too_deep", path=path, depth=DEEPEST)
        known = self._tracked(value)
        if known is not None:
            return {"kind": "tracked", "to": known}
        if id(value) in self._trees:
            return self._again(value, path)
        self._trees[id(value)] = None
        self._alive.append(value)
        if not isinstance(value, _FROZEN):
            self.objects.append(value)
        tree = self._first(value, path, depth)
        self._trees[id(value)] = tree
        if id(value) in self._numbers:
            tree["number"] = self._numbers[id(value)]
        return tree

    def _again(self, value: object, path: str) -> Tree:
        tree = self._trees[id(value)]
        if tree is None and isinstance(value, _FROZEN):  # it holds itself, and can't be there before its content
            raise UnsavableStateError("state_too_deep", path=path, depth=DEEPEST)
        number = self._numbers.setdefault(id(value), len(self._numbers) + 1)
        if tree is not None:
            tree["number"] = number
        return {"kind": "ref", "to": number}

    def _first(self, value: Any, path: str, depth: int) -> Tree:
        kind = type(value)
        if isinstance(value, torch.Tensor):
            return self._tensor(value, path)
        if kind in MAPPINGS.values():
            return self._mapping(value, path, depth)
        if kind in SEQUENCES.values():
            return self._sequence(value, path, depth)
        if isinstance(value, (*GENERATORS, torch.nn.Module)) or (isinstance(value, Stateful) and not is_data(kind)):
            raise UnsavableStateError("local_is_for_track", path=path, type=kind.__name__, name=path.split(".")[-1])
        if is_namedtuple(kind) and stands_under_its_name(kind):
            items = [self.describe(v, f"{path}.{f}", depth + 1) for f, v in zip(kind._fields, value, strict=True)]
            return {"kind": "namedtuple", "class": list(name_of(kind)), "items": items}
        if kind is types.SimpleNamespace:
            return {"kind": "namespace", **self._where(value), "attributes": self._within(held_by(value), path, depth)}
        if is_data(kind) and stands_under_its_name(kind):
            of_class = {"class": list(name_of(kind)), "fields": [one.name for one in dataclasses.fields(kind)]}
            held = self._within(held_by(value), path, depth)
            return {"kind": "dataclass", **self._where(value), **of_class, "attributes": held}
        return self._leaf(value, path, **self._where(value))

    def _leaf(self, value: object, path: str, **more: object) -> Tree:
        encode(value, path)
        return {"value": value, **more}

    def _where(self, value: object) -> Tree:
        key = next((key for built in self._built if (key := built.key(value)) is not None), None)
        return {} if key is None else {"built": key}

    def _tensor(self, value: torch.Tensor, path: str) -> Tree:
        owner = self._memory.get(_memory_of(value))
        if owner is not None:
            raise UnsavableStateError("local_shares_memory", path=path, owner=owner)
        more: Tree = {"tensor": True, **self._where(value)}
        if value.device.type != "cpu":
            more["device"] = str(value.device)
        if value.requires_grad and value.is_leaf:
            more["requires_grad"] = True
            if value.grad is not None:
                more["grad"] = value.grad
        elif value.requires_grad:
            self.graphs.append(path)
            more["graph"] = True
        if isinstance(value, torch.nn.Parameter):
            more["parameter"] = True
        return self._leaf(value, path, **more)

    def _sequence(self, value: Any, path: str, depth: int) -> Tree:
        tree: Tree = {"kind": type(value).__name__, **self._where(value)}
        if isinstance(value, collections.deque):
            tree["longest"] = value.maxlen
        items = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
        if _SCALARS.issuperset(map(type, items)):
            return {**self._leaf(list(items), path), **tree}
        return {**tree, "items": [self.describe(v, f"{path}[{i}]", depth + 1) for i, v in enumerate(items)]}

    def _mapping(self, value: Any, path: str, depth: int) -> Tree:
        tree: Tree = {"kind": type(value).__name__, **self._where(value)}
        if isinstance(value, collections.defaultdict) and value.default_factory is not None:
            name = getattr(value.default_factory, "__name__", "")
            if FACTORIES.get(name) is value.default_factory:
                tree["factory"] = name
            elif "built" not in tree:  # nobody would have the function; what is built has its own
                encode(value, path)
        if _SCALARS.issuperset(map(type, value)) and _SCALARS.issuperset(map(type, value.values())):
            return {**self._leaf(dict(value), path), **tree}
        pairs = []
        for key, child in value.items():
            described = self.describe(key, f"{path} key {key!r}", depth + 1)
            pairs.append([described, self.describe(child, child_path(path, key), depth + 1)])
        return {**tree, "items": pairs}

    def _within(self, held: Mapping[str, Any], path: str, depth: int) -> dict[str, Tree]:
        return {key: self.describe(child, child_path(path, key), depth + 1) for key, child in held.items()}

    def _tracked(self, value: object) -> str | None:
        if type(value) in _CONTAINERS and not isinstance(value, dict | list):
            return None
        if self._names is None:
            known = self._known()
            self._names = {id(one): name for name, one in reversed(list(known.items()))}
            tensors = ((name, one) for name, one in known.items() if isinstance(one, torch.Tensor))
            self._memory = {at: name for name, one in tensors if (at := _memory_of(one))}
        return self._names.get(id(value))


def held_by(value: Any) -> dict[str, Any]:
    """What an instance holds itself: in slots, and in its ``__dict__``."""
    kinds = inspect.getmro(type(value))
    slots = [name for kind in kinds for name, one in vars(kind).items() if isinstance(one, types.MemberDescriptorType)]
    held = {name: getattr(value, name) for name in slots if not name.startswith("__") and hasattr(value, name)}
    return {**held, **getattr(value, "__dict__", {})}


def without_places(tree: Any) -> Any:
    """A tree without the words on which object it is, and of the graph that no state holds: equal for equal values."""
    if isinstance(tree, dict):
        if "value" in tree:
            return {key: child for key, child in tree.items() if key not in ("built", "graph")}
        return {key: without_places(child) for key, child in tree.items() if key != "built" or "kind" not in tree}
    return [without_places(child) for child in tree] if isinstance(tree, list) else tree


def _memory_of(tensor: torch.Tensor) -> int:
    """Where its memory begins; 0 where it has none of its own."""
    if tensor.layout != torch.strided or tensor.is_meta or not tensor.numel():
        return 0
    return int(tensor.untyped_storage().data_ptr())


def _holder(value: object) -> Callable[[], object]:
    """Large things are not kept alive by a note that they were there."""
    if isinstance(value, torch.Tensor | np.ndarray):
        return weakref.ref(value)
    return lambda: value
