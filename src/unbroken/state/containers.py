"""Containers: plain dicts, lists and objects without a ``state_dict`` that are tracked, and restored in place."""

import collections
import types
from collections.abc import Mapping
from typing import Any

from unbroken.errors import ArchitectureChangedError, UsageError
from unbroken.state.adapters import ObjectState, Stateful
from unbroken.state.classes import is_data
from unbroken.state.plain import MAPPINGS, look
from unbroken.state.revalued import Maker, wrong
from unbroken.state.values import Built, Describer, Known, without_places

_FILLED = (*MAPPINGS.values(), list, collections.deque, set, types.SimpleNamespace)


def is_container(obj: object) -> bool:
    """Whether it is one of the containers that can be tracked: what it holds can be changed in place."""
    return type(obj) in _FILLED or (is_data(type(obj)) and not isinstance(obj, Stateful))


class ContainerState(ObjectState):
    """The state of one container, as a tree. It stays the very object; what is in it too, where the program built it.

    Raises:
        UsageError: an instance of a frozen dataclass: what it holds is no state.
    """

    def __init__(self, name: str, obj: Any, known: Known) -> None:
        if is_data(type(obj)) and _is_frozen(type(obj)):
            raise UsageError("state_frozen", name=name, type=type(obj).__name__)
        super().__init__(name, obj, self._tree, self._fill)
        self._known = known
        self._root = obj
        self._at_tracking = Built()
        self._in_epoch = Built()
        self._note(self._at_tracking, name)

    def epoch_prepared(self) -> None:
        """The code before an epoch's batches has run: a resume inside the epoch finds what it has made again."""
        self._in_epoch = Built()
        self._note(self._in_epoch, f"epoch:{self.name}")

    def state(self) -> Any:
        return self._tree()

    def check(self, saved: Any) -> None:
        """Which object it is makes no other value: other than elsewhere that may differ."""
        if look(without_places(saved)) != look(without_places(self._tree())):
            raise ArchitectureChangedError("state_not_restored", path=self.name)

    def _tree(self) -> dict[str, Any]:
        return self._describer().describe(self._root, self.name)

    def _fill(self, tree: Any) -> None:
        if wrong(tree) or _kind_of(tree) != type(self._root).__qualname__:
            raise ArchitectureChangedError("state_kind_changed", name=self.name, new=type(self._root).__name__)
        itself = {**tree, "built": f"{self.name}[0]"}
        Maker(self._others(), self._at_tracking, self._in_epoch).make(itself, self._root, self.name)

    def _describer(self) -> Describer:
        return Describer(self._others, self._at_tracking, self._in_epoch)

    def _note(self, built: Built, mark: str) -> None:
        describer = Describer(self._others)
        describer.describe(self._root, self.name)
        built.add(mark, describer.objects)

    def _others(self) -> Mapping[str, object]:
        return {name: one for name, one in self._known().items() if one is not self._root}


def _kind_of(tree: Mapping[str, Any]) -> str:
    kind: str = tree.get("kind", "")
    return tree["class"][1] if kind == "dataclass" else "SimpleNamespace" if kind == "namespace" else kind


def _is_frozen(kind: type) -> bool:
    parameters = getattr(kind, "__dataclass_params__", None)
    return bool(getattr(parameters, "frozen", False))
