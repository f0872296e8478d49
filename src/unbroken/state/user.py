"""The user's own counters: a small mapping whose values are checked the moment they are set."""

from collections import UserDict
from collections.abc import Mapping
from typing import Any

from unbroken.errors import UnsavableStateError
from unbroken.state.encoding import decode, encode
from unbroken.state.snapshot import own_copy


class UserState(UserDict[str, Any]):
    """Raises UnsavableStateError, with its path, for a value that no safe checkpoint can hold."""

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str):
            raise UnsavableStateError("state_key_not_text", key=repr(key))
        encode(value, f"state[{key!r}]")
        super().__setitem__(key, value)

    def values_to_save(self) -> dict[str, Any]:
        return dict(self.data)

    def copied(self) -> dict[str, Any]:
        """A copy that later changes don't reach; where a value has become unsavable, the values themselves.

        The next snapshot meets the same value and says so; it must not be an error here, in the middle of training.
        """
        try:
            copy: dict[str, Any] = own_copy(self.data, "state")
        except UnsavableStateError:
            return self.values_to_save()
        return copy

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Set copies of what was saved: the user may change values in place, and they may be restored again."""
        self.data = own_copy({key: decode(value) for key, value in saved.items()}, "state")
