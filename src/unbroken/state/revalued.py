"""Revalued: values made again of the trees of ``values``, in the objects that were built where these are known."""

import collections
import dataclasses
import types
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from unbroken.errors import ArchitectureChangedError
from unbroken.state.classes import class_named, dataclass_named, is_data, is_namedtuple, name_of
from unbroken.state.encoding import FACTORIES, child_path
from unbroken.state.plain import MAPPINGS, SEQUENCES, Tree
from unbroken.state.remade import is_method
from unbroken.state.values import Built, held_by

_DEEPEST = 100
_FROZEN = ("tuple", "frozenset", "namedtuple")


class Maker:
    """Makes the values of (decoded) trees of one moment. ``known`` are the tracked objects and their parts, by name.

    Raises ArchitectureChangedError where the program has not the class of a value, or not with these fields.
    """

    def __init__(self, known: Mapping[str, object], *built: Built) -> None:
        self._known = known
        self._built = built
        self._numbered: dict[int, object] = {}
        self._classes: dict[tuple[str, str], type | None] = {}
        self.homeless: list[str] = []
        """The paths of what was part of a tracked object and is no more: they are left as they are."""
        self.graphs: list[str] = []
        """The paths of tensors that had a graph behind them."""
        self.elsewhere: list[str] = []
        """The paths of tensors whose device is not there: they are on the CPU."""

    def make(self, tree: Tree, live: Any, path: str) -> Any:
        """The value; ``live`` is what stands in its place now."""
        kind = tree.get("kind")
        if kind == "ref":
            return self._numbered[tree["to"]]
        if kind == "tracked":
            if tree["to"] not in self._known:
                self.homeless.append(path)
            return self._known.get(tree["to"], live)
        if kind == "scalar":
            return tree["value"][()]
        if kind is None:
            return self._noted(tree, self._tensor(tree, path) if "tensor" in tree else self._leaf(tree))
        if kind in MAPPINGS:
            return self._mapping(tree, path)
        if kind in SEQUENCES:
            return self._sequence(tree, path)
        if kind == "namedtuple":
            return self._namedtuple(tree, path)
        return self._instance(tree, path)

    def _noted(self, tree: Tree, made: Any) -> Any:
        if "number" in tree:
            self._numbered[tree["number"]] = made
        return made

    def _there(self, tree: Tree, kind: type) -> Any:
        """The object to be filled in place, if it is of the right kind."""
        found = next((one for built in self._built if (one := built.get(tree.get("built"))) is not None), None)
        return found if type(found) is kind else None

    def _leaf(self, tree: Tree) -> Any:
        value = tree["value"]
        if isinstance(value, np.ndarray):
            there = self._there(tree, np.ndarray)
            if there is not None and _alike(there, value) and there.flags.writeable:
                np.copyto(there, value)
                return there
        if isinstance(value, bytearray) and (there := self._there(tree, bytearray)) is not None:
            there[:] = value
            return there
        return value

    def _tensor(self, tree: Tree, path: str) -> torch.Tensor:
        value: torch.Tensor = tree["value"]
        if tree.get("graph"):
            self.graphs.append(path)
        there = self._there(tree, torch.nn.Parameter if tree.get("parameter") else torch.Tensor)
        if there is not None and _takes(there, value):
            with torch.no_grad():
                there.copy_(value)
            there.requires_grad_(bool(tree.get("requires_grad")))
            made: torch.Tensor = there
        else:
            # An object of its own: that of another value, with other flags, may be in the same memory.
            value = self._moved(value, tree.get("device"), path).detach()
            wanted = bool(tree.get("requires_grad"))
            made = torch.nn.Parameter(value, wanted) if tree.get("parameter") else value.requires_grad_(wanted)
        if made.is_leaf:
            gradient = tree.get("grad")
            made.grad = None if gradient is None else gradient.to(made.device)
        return made

    def _moved(self, value: torch.Tensor, device: str | None, path: str) -> torch.Tensor:
        if device is None:
            return value
        try:
            return value.to(device)
        except (RuntimeError, AssertionError, NotImplementedError):  # what torch raises where there is no such device
            self.elsewhere.append(path)
            return value

    def _sequence(self, tree: Tree, path: str) -> Any:
        kind = SEQUENCES[tree["kind"]]
        if kind in (tuple, frozenset):
            return self._noted(tree, kind(self._items(tree, path)))
        target: Any = self._there(tree, kind)
        if kind is collections.deque and (target is None or target.maxlen != tree["longest"]):
            target = collections.deque(maxlen=tree["longest"])
        target = self._noted(tree, kind() if target is None else target)
        items = self._items(tree, path)
        target.clear()
        target.update(items) if kind is set else target.extend(items)
        return target

    def _items(self, tree: Tree, path: str) -> list[Any]:
        if "value" in tree:
            return list(tree["value"])
        return [self.make(child, None, f"{path}[{i}]") for i, child in enumerate(tree["items"])]

    def _mapping(self, tree: Tree, path: str) -> Any:
        kind = MAPPINGS[tree["kind"]]
        target: Any = self._there(tree, kind)
        if target is None and kind is collections.defaultdict:
            target = collections.defaultdict(FACTORIES[tree["factory"]] if "factory" in tree else None)
        target = self._noted(tree, kind() if target is None else target)
        content = dict(tree.get("value", {}))
        for described, child in tree.get("items", ()):
            key = self.make(described, None, f"{path} key")
            content[key] = self.make(child, None, child_path(path, key))
        target.clear()
        target.update(content)
        return target

    def _namedtuple(self, tree: Tree, path: str) -> Any:
        kind = self._class(tree, class_named, path)
        if not is_namedtuple(kind) or len(kind._fields) != len(tree["items"]):
            raise _gone(tree, path)
        items = [self.make(child, None, f"{path}[{i}]") for i, child in enumerate(tree["items"])]
        return self._noted(tree, tuple.__new__(kind, items))

    def _instance(self, tree: Tree, path: str) -> Any:
        kind: Any = types.SimpleNamespace
        if tree["kind"] == "dataclass":
            kind = self._class(tree, dataclass_named, path)
            if not is_data(kind):
                raise _gone(tree, path)
            if [one.name for one in dataclasses.fields(kind)] != tree["fields"]:
                said = {"name": kind.__qualname__, "fields": ", ".join(tree["fields"])}
                raise ArchitectureChangedError("local_fields_changed", path=path, **said)
            fields = tree["fields"]
        else:
            fields = list(tree["attributes"])
        there = self._there(tree, kind)
        empty = types.SimpleNamespace() if kind is types.SimpleNamespace else object.__new__(kind)
        target = self._noted(tree, empty if there is None else there)
        made = {
            key: self.make(child, None, child_path(path, key))
            for key, child in tree["attributes"].items()
            if key in fields or (not is_method(kind, key) and hasattr(target, "__dict__"))
        }
        for key in held_by(target).keys() - made.keys():
            object.__delattr__(target, key)
        for key, value in made.items():  # not by its own __setattr__: a frozen one refuses
            object.__setattr__(target, key, value)
        return target

    def _class(self, tree: Tree, find: Callable[[str, str], type | None], path: str) -> Any:
        module, name = tree["class"]
        there = next((one for built in self._built if (one := built.get(tree.get("built"))) is not None), None)
        if there is not None and name_of(type(there)) == (module, name):
            return type(there)
        if (module, name) not in self._classes:
            self._classes[module, name] = find(module, name)
        found = self._classes[module, name]
        if found is None:
            raise _gone(tree, path)
        return found


def wrong(tree: Any) -> bool:
    """Whether a (decoded) tree is not one that ``values`` writes; nothing is made of such a one."""
    return wrong_together([tree])


def wrong_together(trees: Any) -> bool:
    """The same of the trees of one moment, which refer to one another."""
    numbers: set[Any] = set()
    return not all(_is_tree(tree, 0, numbers) for tree in trees)


def _gone(tree: Tree, path: str) -> ArchitectureChangedError:
    return ArchitectureChangedError("state_class_gone", path=path, name=".".join(tree["class"]))


def _takes(there: torch.Tensor, value: torch.Tensor) -> bool:
    return _alike(there, value) and there.layout == value.layout and there.is_leaf and not _is_expanded(there)


def _is_expanded(tensor: torch.Tensor) -> bool:
    """Whether elements share memory; a dimension of one may have any stride, and has 0 after NumPy's ``[:, None]``."""
    if tensor.layout != torch.strided:
        return False
    return any(stride == 0 and size > 1 for stride, size in zip(tensor.stride(), tensor.shape, strict=True))


def _alike(there: Any, value: Any) -> bool:
    return bool(there.shape == value.shape and there.dtype == value.dtype)


def _is_tree(tree: Any, depth: int, numbers: set[Any]) -> bool:
    if not isinstance(tree, dict) or depth > _DEEPEST or not isinstance(tree.get("built", ""), str):
        return False
    kind, number = tree.get("kind"), tree.get("number")
    if not isinstance(kind, str | None) or type(number) not in (int, type(None)):
        return False
    if kind not in _FROZEN:
        numbers.add(number)  # before its content, which may refer to it
    check = KINDS.get(kind)
    if check is None or not check(tree, lambda child: _is_tree(child, depth + 1, numbers), numbers):
        return False
    numbers.add(number)
    return True


_Inside = Callable[[Any], bool]


def _is_leaf(tree: Tree, inside: _Inside, numbers: set[Any]) -> bool:
    if "value" not in tree:
        return False
    if "tensor" not in tree:
        return not isinstance(tree["value"], torch.Tensor)
    return (
        isinstance(tree["value"], torch.Tensor)
        and isinstance(tree.get("device", ""), str)
        and isinstance(tree.get("grad"), torch.Tensor | None)
        and (tree.get("grad") is None or _alike(tree["grad"], tree["value"]))
        and (not (tree.get("requires_grad") or tree.get("parameter")) or _takes_gradients(tree["value"]))
    )


def _takes_gradients(tensor: torch.Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


def _is_scalar(tree: Tree, inside: _Inside, numbers: set[Any]) -> bool:
    return isinstance(tree.get("value"), np.ndarray) and tree["value"].ndim == 0


def _is_ref(tree: Tree, inside: _Inside, numbers: set[Any]) -> bool:
    return tree.get("to") in numbers if type(tree.get("to")) is int else False


def _is_sequence(tree: Tree, inside: _Inside, numbers: set[Any]) -> bool:
    longest = tree.get("longest")
    if tree["kind"] == "deque" and not (longest is None or (type(longest) is int and 0 <= longest < 2**63)):
        return False
    if "longest" not in tree and tree["kind"] == "deque":
        return False
    if "value" in tree:
        return isinstance(tree["value"], list)
    hashed = tree["kind"] in ("set", "frozenset")
    return isinstance(tree.get("items"), list) and all(inside(one) and _hashable(one, hashed) for one in tree["items"])


def _is_mapping(tree: Tree, inside: _Inside, numbers: set[Any]) -> bool:
    factory = tree.get("factory", "int")
    if not (isinstance(factory, str) and factory in FACTORIES):
        return False
    if "value" in tree:
        return isinstance(tree["value"], dict)
    return isinstance(tree.get("items"), list) and all(
        isinstance(pair, list) and len(pair) == 2 and all(map(inside, pair)) and _hashable(pair[0], True)
        for pair in tree["items"]
    )


def _hashable(tree: Tree, needed: bool) -> bool:
    """Whether what is made of it can be a key: no container that can be changed."""
    return not needed or tree.get("kind") not in ("list", "dict", "set", "deque", *MAPPINGS)


def _is_named(tree: Tree) -> bool:
    named = tree.get("class")
    return isinstance(named, list) and len(named) == 2 and all(type(part) is str for part in named)


def _is_namedtuple(tree: Tree, inside: _Inside, numbers: set[Any]) -> bool:
    return _is_named(tree) and isinstance(tree.get("items"), list) and all(map(inside, tree["items"]))


def _is_instance(tree: Tree, inside: _Inside, numbers: set[Any]) -> bool:
    held = tree.get("attributes")
    if not isinstance(held, dict) or not all(type(key) is str and inside(child) for key, child in held.items()):
        return False
    if any(key.startswith("__") for key in held):
        return False
    fields = tree.get("fields")
    listed = isinstance(fields, list) and all(type(one) is str for one in fields)
    return tree["kind"] == "namespace" or (_is_named(tree) and listed)


KINDS: dict[Any, Callable[[Tree, _Inside, set[Any]], bool]] = {
    None: _is_leaf,
    "scalar": _is_scalar,
    "ref": _is_ref,
    "tracked": lambda tree, inside, numbers: type(tree.get("to")) is str,
    "namedtuple": _is_namedtuple,
    "dataclass": _is_instance,
    "namespace": _is_instance,
    **dict.fromkeys(SEQUENCES, _is_sequence),
    **dict.fromkeys(MAPPINGS, _is_mapping),
}
