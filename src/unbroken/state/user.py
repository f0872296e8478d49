"""The user's own counters: a small mapping whose values are checked the moment they are set."""

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from unbroken.errors import UnsavableStateError
from unbroken.state.encoding import decode, encode
from unbroken.state.snapshot import own_copy


class UserState(MutableMapping[str, Any]):
    """Raises UnsavableStateError, with its path, for a value that no safe checkpoint can hold."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str):
            raise UnsavableStateError("state_key_not_text", key=repr(key))
        encode(value, f"state[{key!r}]")
        self._values[key] = value

    def __delitem__(self, key: str) -> None:
        del self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return repr(self._values)

    def values_to_save(self) -> dict[str, Any]:
        return dict(self._values)

    def copied(self) -> dict[str, Any]:
        """A copy that later changes don't reach; where a value has become unsavable, the values themselves.

        The next snapshot meets the same value and says so; it must not be an error here, in the middle of training.
        """
        try:
            copy: dict[str, Any] = own_copy(self._values, "state")
        except UnsavableStateError:
            return self.values_to_save()
        return copy

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Set copies of what was saved: the user may change values in place, and they may be restored again."""
        self._values = own_copy({key: decode(value) for key, value in saved.items()}, "state")
