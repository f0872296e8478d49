"""Trees of plain containers: walked without recursion, their leaves named by one dialect of path. No torch."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, TypeGuard

MAX_DEPTH = 200
"""How deep containers may be nested, so that later code may recurse."""

MAX_SHARED = 1_000_000
"""How many values shared containers may come to, counted each time."""


class Refused(Exception):  # noqa: N818 - a verdict on the file, turned into CheckpointDamagedError by torchfile
    """The pickle holds what a checkpoint may not; ``key`` and ``detail`` say what."""

    def __init__(self, key: str, detail: str) -> None:
        super().__init__(key, detail)
        self.key = key
        self.detail = detail


def children_of(path: str, value: object) -> Iterator[tuple[str, Any]]:
    """What a container holds, by path: ``model_state_dict.fc.weight``, ``aucs[3]``; nothing for everything else."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield (f"{path}.{key}" if path else str(key)), child
    elif isinstance(value, list | tuple):
        for index, child in enumerate(value):
            yield f"{path}[{index}]", child


def is_curve(value: object) -> TypeGuard[list[float]]:
    """Whether ``value`` is a list of nothing but floats, as a history is: of 100,000 none is looked at alone."""
    return type(value) is list and bool(value) and type(value[0]) is float and set(map(type, value)) == {float}


def leaves(
    root: object, containers: tuple[type, ...] = (dict, list, tuple), *, whole_curves: bool = False, path: str = ""
) -> Iterator[tuple[str, Any]]:
    """Every value that is none of the ``containers``, in order, with its path; a curve, if asked, as one value.

    ``path`` is that of ``root``.
    """
    stack: list[tuple[str, Any]] = [(path, root)]
    while stack:
        path, value = stack.pop()
        if isinstance(value, containers) and not (whole_curves and is_curve(value)):
            stack.extend(reversed([*children_of(path, value)]))
        else:
            yield path, value


def is_attribute(name: object) -> bool:
    """Whether an OrderedDict may carry an attribute of this name: one that hides no method of its own."""
    return type(name) is str and not hasattr(OrderedDict, name)


def check_tree(root: object, size: int) -> set[type]:
    """Refuse cycles, extreme depth, and sharing that makes a small file a huge tree for whoever walks it.

    ``size`` is the length of the pickle, or anything less, such as the number of values in it. Returns the types of all
    values that were met, also in attributes.
    """
    met: set[type] = {type(root)}
    limit = max(MAX_SHARED, 16 * size)
    sizes: dict[int, int] = {}
    open_now: set[int] = set()
    stack: list[tuple[Any, bool]] = [(root, False)]
    while stack:
        value, done = stack.pop()
        if not isinstance(value, dict | list | tuple) or (not done and id(value) in sizes):
            continue
        if is_curve(value):
            sizes[id(value)] = 1 + len(value)
            continue
        children = list(value.values()) if isinstance(value, dict) else value
        if type(value) is OrderedDict:
            children = [*children, *vars(value).values()]
        if not done:
            met.update(map(type, children))
        inside = [child for child in children if isinstance(child, dict | list | tuple)]
        if done:
            open_now.discard(id(value))
            sizes[id(value)] = 1 + len(children) - len(inside) + sum([sizes.get(id(child), 1) for child in inside])
            if sizes[id(value)] > limit:
                raise Refused("store_pickle", "containers shared too often")
            continue
        if id(value) in open_now:
            raise Refused("store_pickle", "a container that holds itself")
        open_now.add(id(value))
        if len(open_now) > MAX_DEPTH:
            raise Refused("store_pickle", f"containers more than {MAX_DEPTH} deep")
        stack.append((value, True))
        stack.extend([(child, False) for child in inside])
    return met
