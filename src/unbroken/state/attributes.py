"""Attributes: what tracked objects hold beside their ``state_dict`` and change while they train."""

import logging
import weakref
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from unbroken import messages
from unbroken.errors import UnsavableStateError
from unbroken.state.encoding import child_path
from unbroken.state.plain import Describer, Tree, is_fixed, look, nodes, refers_into_optimizers
from unbroken.state.remade import Maker, is_method
from unbroken.state.snapshot import own_copy

_log = logging.getLogger("unbroken")

_SMALL = 64 << 10  # bytes of tensors that are kept also when they are as built: another start may build others
_GONE = object()

_Place = tuple[str, str]  # the path of an object, and the name of its attribute


class Owner(NamedTuple):
    """An object whose attributes are looked at: ``skipped`` are those that are kept elsewhere or are torch's own.

    ``kind`` is its class: what that has as methods is none of an object's attributes.
    """

    path: str
    attributes: dict[str, Any]
    skipped: frozenset[str]
    kind: type = object


class Attributes:
    """Keeps attributes as they are at a save, where they are not what the program builds.

    As built is what there is when the run begins, before anything is restored. A number, a text, a tensor, an array, a
    generator, and containers and objects of the user's own class of these come back; of anything else that has changed
    it is said once that it does not.
    """

    def __init__(
        self, owners: Callable[[Container[str]], Iterator[Owner]], known: Callable[[], dict[str, object]]
    ) -> None:
        self._owners = owners
        self._known = known
        self._built: dict[_Place, Any] | None = None
        self._looks: dict[_Place, str] = {}
        self._always: set[_Place] = set()
        self._objects: dict[int, object] = {}
        self._tensors: dict[int, weakref.ref[torch.Tensor]] = {}
        self._kinds: dict[str, type] = {}
        self._said: set[str] = set()
        self._before: dict[_Place, tuple[Any, Tree | None, str]] | None = None
        self._as_built: dict[_Place, Tree | None] = {}
        self._uncopied: set[_Place] = set()

    def remember(self) -> None:
        """Remember what was built; only the first call counts."""
        if self._built is not None:
            return
        self._built = {}
        describer = self._describer()
        for owner, key, value in self._walk():
            place = (owner.path, key)
            self._kinds[owner.path] = owner.kind
            self._built[place] = value if not isinstance(value, torch.Tensor) else None
            if not is_fixed(value):
                tree = describer.describe(value, child_path(*place))
                self._looks[place] = look(tree)
                self._as_built[place] = _small_copy(tree)
                if refers_into_optimizers(tree) or _is_small(tree):
                    self._always.add(place)
        for value in describer.objects.values():
            if isinstance(value, torch.Tensor):
                self._tensors[id(value)] = weakref.ref(value)
            else:
                self._objects[id(value)] = value

    def begin_again(self) -> None:
        """The next restore puts back to as built what it does not restore: training has changed it since."""
        before: dict[_Place, tuple[Any, Tree | None, str]] = {}
        for place, value in (self._built or {}).items():
            before[place] = (value, self._as_built.get(place), self._looks.get(place, ""))
        self._before = before
        self._uncopied = {place for place, tree in self._as_built.items() if tree is None}

    def capture(self) -> dict[str, Any]:
        """``values`` has the trees to keep, ``built`` what stood there as built, ``gone`` what was deleted."""
        self.remember()
        assert self._built is not None
        values: dict[str, dict[str, Tree]] = {}
        looks: dict[str, dict[str, str]] = {}
        lost: list[str] = []
        describer = self._describer()
        seen: set[_Place] = set()
        alike: set[str] = set()  # a module of another class was put where one was built: what that had is not gone
        for owner, key, value in self._walk():
            place = (owner.path, key)
            seen.add(place)
            if self._kinds.get(owner.path) is owner.kind:
                alike.add(owner.path)
            there = self._built.get(place, _GONE)
            if there is value and place not in self._looks and place not in self._always:
                continue
            path, first = child_path(*place), len(describer.lost)
            tree = describer.describe(value, path)
            changed = self._look_as_built(place) != look(tree)
            if changed or place in self._always:
                if changed:
                    lost += describer.lost[first:] + self._new_objects(tree, path, there)
                values.setdefault(owner.path, {})[key] = tree
                looks.setdefault(owner.path, {})[key] = self._look_as_built(place)
        gone = [list(place) for place in self._built if place not in seen and place[0] in alike]
        self._say_lost(lost)
        return {"values": values, "built": looks, "gone": gone}

    def restore(self, saved: Mapping[str, Any], *, prologue_follows: bool) -> None:
        """Bring attributes to what they were at the save; what the program builds in another way is said.

        The code at an epoch's start, which runs once more between two calls, may have changed others: they are put
        back to what they were at the end of the first.
        """
        self.remember()
        before, self._before = self._before, None
        if before is None:
            self._say_overruled(saved)
        describer = self._describer()
        for owner, key, value in self._walk():
            describer.describe(value, child_path(owner.path, key))
        maker = Maker({**describer.objects, **self._known()})
        wanted: dict[str, dict[str, Tree]] = own_copy(saved["values"], "attributes")
        if before is None:
            self._put_built_back(wanted)
        self._put_back(before or {}, wanted, {tuple(place) for place in saved["gone"]}, maker)
        for owner in list(self._owners(frozenset(wanted))):
            for key, tree in wanted.pop(owner.path, {}).items():
                if key in owner.skipped:
                    continue  # kept elsewhere; a file does not decide what torch's classes are made of
                if is_method(owner.kind, key):
                    maker.homeless.append(child_path(owner.path, key))
                    continue
                self._always.add((owner.path, key))
                live = self._live(owner, key)
                made = maker.make(tree, live, child_path(owner.path, key))
                if made is not None or tree.get("kind") not in ("left", "object", "generator", "ref"):
                    owner.attributes[key] = made
            for path, key in saved["gone"]:
                if path == owner.path and key not in owner.skipped:
                    owner.attributes.pop(key, None)
        homeless = maker.homeless + [child_path(path, key) for path, trees in wanted.items() for key in trees]
        if homeless:
            _log.warning(messages.text("state_attributes_homeless", paths=", ".join(sorted(set(homeless))[:8])))
        if prologue_follows:
            self._before = dict(self._now())

    def _live(self, owner: Owner, key: str) -> Any:
        """What is filled in place: the object that was built, also when another one has come there since."""
        assert self._built is not None
        built = self._built.get((owner.path, key))
        return owner.attributes.get(key) if built is None or is_fixed(built) else built

    def _walk(self) -> Iterator[tuple[Owner, str, Any]]:
        for owner in self._owners(()):
            for key, value in list(owner.attributes.items()):
                if key not in owner.skipped:
                    yield owner, key, value

    def _describer(self) -> Describer:
        known: dict[int, str] = {}

        def names() -> Mapping[int, str]:
            if not known:  # only where anything is to be told but numbers
                known.update((id(value), name) for name, value in reversed(list(self._known().items())))
            return known

        return Describer(names, self._is_built)

    def _is_built(self, value: object) -> bool:
        if isinstance(value, torch.Tensor):
            reference = self._tensors.get(id(value))
            return reference is not None and reference() is value
        return self._objects.get(id(value)) is value

    def _look_as_built(self, place: _Place) -> str:
        assert self._built is not None
        found = self._looks.get(place)
        if found is not None:
            return found
        if place not in self._built:
            return ""
        return self._look_of(self._built[place], place)

    def _new_objects(self, tree: Any, path: str, there: Any) -> list[str]:
        """The paths of objects that training has made: nothing would be there for their values to go to."""
        if not isinstance(tree, dict):
            return []
        if tree.get("kind") == "object" and tree.get("new"):
            return [] if type(there).__qualname__ == tree["class"] else [path]
        children = dict(tree.get("attributes", {}))
        found = [p for key, child in children.items() for p in self._new_objects(child, child_path(path, key), None)]
        for number, child in enumerate(tree.get("items", ())):
            inside = child[1] if isinstance(child, list) else child
            found += self._new_objects(inside, f"{path}[{number}]", None)
        return found

    def _now(self) -> Iterator[tuple[_Place, tuple[Any, Tree | None, str]]]:
        describer = self._describer()
        for owner, key, value in self._walk():
            if is_fixed(value):
                yield (owner.path, key), (value, None, "")
                continue
            tree = describer.describe(value, child_path(owner.path, key))
            seen = look(tree)
            try:
                yield (owner.path, key), (value, own_copy(tree, "attributes"), seen)
            except UnsavableStateError:
                yield (owner.path, key), (value, None, seen)

    def _put_built_back(self, wanted: Mapping[str, Mapping[str, Tree]]) -> None:
        """What is as it was built is the very object that was built, which others may hold, too.

        A ``load_state_dict`` has often put an equal one in its place.
        """
        assert self._built is not None
        for owner, key, value in self._walk():
            place = (owner.path, key)
            built = self._built.get(place)
            if built is None or built is value or is_fixed(built) or key in wanted.get(owner.path, {}):
                continue
            if self._look_of(value, place) == self._look_of(built, place):
                owner.attributes[key] = built

    def _look_of(self, value: Any, place: _Place) -> str:
        return look(self._describer().describe(value, child_path(*place)))

    def _put_back(
        self,
        before: Mapping[_Place, tuple[Any, Tree | None, str]],
        wanted: Mapping[str, Mapping[str, Tree]],
        gone: set[tuple[str, ...]],
        maker: Maker,
    ) -> None:
        if not before:
            return
        now = {place: (value, seen) for place, (value, _, seen) in self._now()}
        uncopied, self._uncopied = self._uncopied, set()
        lost: list[str] = []
        for owner in self._owners(()):
            for key in {key for path, key in (*before, *now) if path == owner.path}:
                place = (owner.path, key)
                if key in wanted.get(owner.path, {}) or place in gone:
                    continue
                if place not in before:
                    del owner.attributes[key]
                    continue
                value, tree, seen = before[place]
                if place in uncopied:
                    lost += [child_path(*place)] if place not in now or now[place][1] != seen else []
                    continue
                if place in now and now[place][0] is value and now[place][1] == seen:
                    continue
                made = value if tree is None else maker.make(tree, value, child_path(*place))
                owner.attributes[key] = made
        if lost:
            _log.warning(messages.text("state_attributes_trained", paths=", ".join(lost[:8])))

    def _say_overruled(self, saved: Mapping[str, Any]) -> None:
        for path, trees in saved["values"].items():
            for key, tree in trees.items():
                then, now = saved["built"].get(path, {}).get(key), self._look_as_built((path, key))
                kept = look(tree)
                other = now != kept and "#" not in (now + kept)[:1]
                # A text may be a path, a command or the name of a function: never another one without a word.
                if now and other and ((then and then != now) or type(tree.get("value")) is str):
                    name = child_path(path, key)
                    _log.warning(messages.text("state_attribute_overruled", path=name, built=now, saved=kept))

    def _say_lost(self, paths: list[str]) -> None:
        new = [path for path in dict.fromkeys(paths) if path not in self._said]
        self._said.update(new)
        if new:
            _log.warning(messages.text("state_attributes_lost", paths=", ".join(new[:8])))


def parameters_with_attributes(path: str, module: nn.Module, also: Container[str]) -> Iterator[Owner]:
    """The parameters that something was hung on, and those whose paths are in ``also``."""
    for key, parameter in module._parameters.items():
        if parameter is not None and (vars(parameter) or (also and child_path(path, key) in also)):
            made_by_compiler = frozenset(name for name in vars(parameter) if name.startswith("_dynamo"))
            yield Owner(child_path(path, key), vars(parameter), made_by_compiler)


def covered(owner: object, state: object) -> frozenset[str]:
    """The attributes that an object's own state has, the very objects, and that come back with it.

    Small ones only of torch's schedulers: a class of the user's own may write a value and never read it.
    """
    if not isinstance(state, Mapping):
        return frozenset()
    trusted = isinstance(owner, (LRScheduler, ReduceLROnPlateau))
    kept = [key for key, value in vars(owner).items() if key in state and state[key] is value]
    return frozenset(key for key in kept if trusted or not _is_small({"value": vars(owner)[key]}, empty=True))


def _small_copy(tree: Tree) -> Tree | None:
    """None for one that takes much room, or of which there can be none."""
    tensors = [node for node in nodes(tree) if isinstance(node, (torch.Tensor, np.ndarray))]
    if tensors and not _is_small(tree):
        return None
    try:
        copy: Tree = own_copy(tree, "attributes")
    except UnsavableStateError:
        return None
    return copy


def _is_small(tree: Tree, *, empty: bool = False) -> bool:
    tensors = [node for node in nodes(tree) if isinstance(node, (torch.Tensor, np.ndarray))]
    sizes = [one.nbytes if isinstance(one, np.ndarray) else one.numel() * one.element_size() for one in tensors]
    return (bool(sizes) or empty) and sum(sizes) <= _SMALL
