"""Trees: what of attributes stands in a checkpoint, and whether it is what ``plain`` writes and ``remade`` reads."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from unbroken.state.plain import MAPPINGS, SEQUENCES

_DEEPEST = 100


def wrong_attributes(saved: Any) -> str | None:
    """The path of the first part of (decoded) ``attributes`` that is not what it must be; None if there is none."""
    if not isinstance(saved, Mapping) or not {"values", "built", "gone"} <= saved.keys():
        return "attributes"
    return next(_wrong(saved), None)


def _wrong(saved: Mapping[str, Any]) -> Iterator[str]:
    for name in ("values", "built"):
        owners = saved[name]
        if not isinstance(owners, dict) or not all(type(path) is str for path in owners):
            yield f"attributes.{name}"
            return
        for path, held in owners.items():
            if not isinstance(held, dict) or not all(type(key) is str for key in held):
                yield f"attributes.{name}.{path}"
                return
    for path, looks in saved["built"].items():
        if not all(type(look) is str for look in looks.values()):
            yield f"attributes.built.{path}"
    for path, trees in saved["values"].items():
        for key, tree in trees.items():
            if not _is_tree(tree, 0):
                yield f"attributes.values.{path}.{key}"
    gone = saved["gone"]
    if not isinstance(gone, list) or not all(map(_is_place, gone)):
        yield "attributes.gone"


def _is_place(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(type(part) is str for part in value)


def _is_tree(tree: Any, depth: int) -> bool:
    if not isinstance(tree, dict) or depth > _DEEPEST:
        return False
    kind = tree.get("kind")
    if kind is None:
        return _is_leaf(tree)
    if kind == "ref":
        return type(tree.get("to")) is str
    if kind == "left":
        return True
    if kind == "generator":
        return type(tree.get("class")) is str and isinstance(tree.get("state"), Mapping)
    if kind == "object":
        attributes = tree.get("attributes")
        if type(tree.get("class")) is not str or not isinstance(attributes, dict):
            return False
        return all(type(key) is str and _is_tree(child, depth + 1) for key, child in attributes.items())
    if type(kind) is not str or type(tree.get("same")) is not bool:
        return False
    if kind in MAPPINGS:
        return _has_items(tree, Mapping, lambda pair: _is_pair(pair, depth))
    return kind in SEQUENCES and _has_items(tree, (list, tuple), lambda child: _is_tree(child, depth + 1))


def _is_leaf(tree: dict[str, Any]) -> bool:
    if "value" not in tree:
        return False
    if isinstance(tree["value"], torch.Tensor) and type(tree.get("same")) is not bool:
        return False
    return isinstance(tree.get("device"), str | None)


def _is_pair(pair: Any, depth: int) -> bool:
    return isinstance(pair, list | tuple) and len(pair) == 2 and all(_is_tree(part, depth + 1) for part in pair)


def _has_items(tree: dict[str, Any], flat: Any, fits: Any) -> bool:
    if tree.get("kind") == "deque" and not isinstance(tree.get("longest"), int | None):
        return False
    if "flat" in tree:
        return isinstance(tree["flat"], flat) or (flat is Mapping and _are_pairs(tree["flat"]))
    return isinstance(tree.get("items"), list | tuple) and all(map(fits, tree["items"]))


def _are_pairs(flat: object) -> bool:
    return isinstance(flat, list | tuple) and all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in flat)
