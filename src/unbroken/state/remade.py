"""Remade: values made of the trees that ``plain`` makes, in the places where they were."""

import collections
import inspect
from typing import Any

import numpy as np
import torch
from torch import nn

from unbroken.state.adapters import adapt
from unbroken.state.encoding import child_path
from unbroken.state.plain import MAPPINGS, OF_HIDDEN_MODULES, OF_MODULES, SEQUENCES, Tree, held, is_looked_into


class Maker:
    """Makes values of (decoded) trees. ``objects`` are those that trees refer to, by name or path."""

    def __init__(self, objects: dict[str, object]) -> None:
        self._objects = objects
        self._devices: dict[tuple[int, str], torch.Tensor] = {}
        self.homeless: list[str] = []
        """The paths of values for which there is no object any more."""

    def make(self, tree: Tree, live: Any, path: str) -> Any:
        """The value; ``live`` is what stands in its place now."""
        kind = tree.get("kind")
        if kind is None:
            made = self._leaf(tree, live)
        elif kind == "ref":
            made = self._objects.get(tree["to"], live)
            if tree["to"] not in self._objects:
                self.homeless.append(path)
            return made
        elif kind == "left":
            return live
        elif kind == "generator":
            return self._generator(tree, live, path)
        elif kind == "object":
            return self._object(tree, live, path)
        elif kind in MAPPINGS:
            return self._mapping(tree, live, path)
        else:
            return self._sequence(tree, live, path)
        self._objects[path] = made
        return made

    def _leaf(self, tree: Tree, live: Any) -> Any:
        value = tree["value"]
        if isinstance(value, torch.Tensor):
            return self._tensor(tree, value, live)
        if isinstance(value, np.ndarray) and tree.get("same") and _takes(live, value):
            np.copyto(live, value)
            return live
        return value

    def _tensor(self, tree: Tree, value: torch.Tensor, live: Any) -> torch.Tensor:
        fits = isinstance(live, torch.Tensor) and live.shape == value.shape and live.dtype == value.dtype
        if tree["same"] and fits and live.layout == value.layout and live.is_leaf:
            with torch.no_grad():
                live.copy_(value)
            return live  # type: ignore[no-any-return]
        device = tree.get("device")
        if device is not None:  # a tensor under two names stays one
            value = self._devices.setdefault((id(value), device), value.to(device))
        if tree.get("parameter"):
            return nn.Parameter(value, requires_grad=bool(tree.get("requires_grad")))
        return value.requires_grad_() if tree.get("requires_grad") else value

    def _generator(self, tree: Tree, live: Any, path: str) -> Any:
        if type(live).__name__ != tree["class"]:
            self.homeless.append(path)
            return live
        adapt(path, live).restore(tree["state"])
        return live

    def _object(self, tree: Tree, live: Any, path: str) -> Any:
        if type(live).__qualname__ != tree["class"] or not is_looked_into(live):
            self.homeless.append(path)
            return live
        self._objects[path] = live
        attributes = vars(live)
        for key, child in tree["attributes"].items():
            if is_method(type(live), key) or (isinstance(live, nn.Module) and key in OF_HIDDEN_MODULES):
                self.homeless.append(child_path(path, key))
                continue
            made = self.make(child, attributes.get(key), child_path(path, key))
            if child.get("kind") != "left" or key in attributes:
                attributes[key] = made
        for key in held(live).keys() - tree["attributes"].keys():
            if not (isinstance(live, nn.Module) and key in OF_MODULES):
                del attributes[key]
        return live

    def _sequence(self, tree: Tree, live: Any, path: str) -> Any:
        kind = SEQUENCES[tree["kind"]]
        known = list(live) if isinstance(live, (list, tuple, collections.deque)) else []
        target: Any = live if tree["same"] and type(live) is kind and kind not in (tuple, frozenset) else None
        if target is None:
            target = collections.deque(maxlen=tree["longest"]) if kind is collections.deque else kind()
        self._objects[path] = target
        if "flat" in tree:
            items = tree["flat"]
        else:
            counterparts = [*known, *[None] * (len(tree["items"]) - len(known))]
            pairs = enumerate(zip(tree["items"], counterparts, strict=False))
            items = [self.make(child, other, f"{path}[{i}]") for i, (child, other) in pairs]
        if kind in (tuple, frozenset):
            self._objects[path] = made = kind(items)
            return made
        target.clear()
        target.update(items) if kind is set else target.extend(items)
        return target

    def _mapping(self, tree: Tree, live: Any, path: str) -> Any:
        kind = MAPPINGS[tree["kind"]]
        known = dict(live) if isinstance(live, dict) else {}
        target: Any = live if tree["same"] and type(live) is kind else None
        if target is None:
            factory = getattr(live, "default_factory", None)
            target = collections.defaultdict(factory) if kind is collections.defaultdict else kind()
        self._objects[path] = target
        content = dict(tree["flat"]) if "flat" in tree else {}
        for described, child in tree.get("items", ()):
            key = self.make(described, None, f"{path} key")
            inside = f"{path}[{described['to']}]" if "to" in described else child_path(path, key)
            content[key] = self.make(child, known.get(key), inside)
        target.clear()
        target.update(content)
        return target


def is_method(kind: type, name: str) -> bool:
    """Whether a class defines this itself: a file does not decide what the methods of an object are."""
    found = inspect.getattr_static(kind, name, None)
    return callable(found) or isinstance(found, property | staticmethod | classmethod)


def _takes(live: Any, value: "np.ndarray[Any, Any]") -> bool:
    return (
        isinstance(live, np.ndarray)
        and live.shape == value.shape
        and live.dtype == value.dtype
        and live.flags.writeable
    )
